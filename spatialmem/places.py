"""Where sessions and frames lie in the map: anchors of sessions, and poses of frames that were revised."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.log_rows import LogRows
from spatialmem.store.rows import AnchorRow, KeyframeRow, PoseRow
from spatialmem.voxels.keys import moved_keys


@final
class Places:
    """Poses as the layers have them. Nothing is overwritten: every revision stays in the log."""

    def __init__(self) -> None:
        self._anchors: dict[str, AnchorRow] = {}
        self._ended: list[AnchorRow] = []
        self._poses: dict[int, NDArray[np.float64]] = {}
        self._revisions: dict[int, int] = {}
        self.rewritten = 0
        """grows whenever the past changes: poses revised, sessions moved, frames erased"""
        self.erased = 0
        """grows whenever frames are erased"""
        self._stored: dict[int, NDArray[np.float64]] = {}
        """poses of frames that were refined before they were stored"""

    @classmethod
    def restored(
        cls, anchors: Iterable[AnchorRow], poses: Iterable[PoseRow], rows: Mapping[int, KeyframeRow]
    ) -> Places:
        """From what the file holds; a frame stands in the layers by the revision that its row names."""
        places = cls()
        for anchor in anchors:
            places.add(anchor)
        for pose in poses:
            places._note(pose)
            if pose.lsn in rows and pose.revision == rows[pose.lsn].pose_revision:
                places._poses[pose.lsn] = pose.world_from_camera
        return places

    def copy(self) -> Places:
        """As they are now; what is revised later does not change the copy."""
        places = Places()
        places._anchors, places._ended = dict(self._anchors), list(self._ended)
        places._poses, places._revisions = dict(self._poses), dict(self._revisions)
        places._stored = dict(self._stored)
        places.rewritten, places.erased = self.rewritten, self.erased
        return places

    @property
    def sessions(self) -> tuple[str, ...]:
        """Sessions whose place is known."""
        return tuple(self._anchors)

    def has(self, session_id: str) -> bool:
        """Whether the session's place in the map is known; the first session of a memory is the map."""
        return session_id in self._anchors or not self._anchors

    def map_from_session(self, session_id: str) -> NDArray[np.float64]:
        """(4, 4)"""
        anchor = self._anchors.get(session_id)
        return np.eye(4) if anchor is None else anchor.map_from_session

    def world_from_camera(self, row: KeyframeRow) -> NDArray[np.float64]:
        """(4, 4) pose by which a stored frame stands in the layers, in the world of its session."""
        return self._poses.get(row.lsn, row.world_from_camera)

    def map_from_camera(self, row: KeyframeRow) -> NDArray[np.float64]:
        """(4, 4) pose of a stored frame in the map."""
        return self.map_from_session(row.session_id) @ self.world_from_camera(row)

    def stand(self, rows: LogRows) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
        """Of some stored frames after the other: lsn (N,), stamps (N,), and `map_from_camera` (N, 4, 4)."""
        for lsns, stamps_ns, sessions, poses in rows.poses():
            for n, lsn in enumerate(lsns.tolist()) if self._poses else ():
                poses[n] = self._poses.get(lsn, poses[n])
            places = {session: self.map_from_session(session) for session in set(sessions)}
            yield lsns, stamps_ns, np.stack([places[session] for session in sessions]) @ poses

    def refined(self, lsn: int) -> bool:
        """Whether a frame was stored by another pose than the observed one."""
        return lsn in self._stored

    @property
    def all_refined(self) -> tuple[int, ...]:
        """The frames of which that is so."""
        return tuple(self._stored)

    def when_stored(self, row: KeyframeRow) -> NDArray[np.float64]:
        """(4, 4) pose of a frame in the map when it was stored."""
        pose = self._stored.get(row.lsn, row.world_from_camera)
        for anchor in self._ended:
            if anchor.session_id == row.session_id and anchor.valid_from <= row.lsn < (anchor.valid_to or 0):
                return anchor.map_from_session @ pose
        return self.map_from_session(row.session_id) @ pose

    def examined_at(
        self, row: KeyframeRow, keys: NDArray[np.int64], map_from_camera: NDArray[np.float64], edge_m: float
    ) -> NDArray[np.int64]:
        """(N,) where the blocks (N,), `edge_m` wide, that a frame examined lie when it has this pose (4, 4)."""
        stored = self.when_stored(row)
        if np.array_equal(map_from_camera, stored) or len(keys) == 0:
            return keys
        return moved_keys(keys, map_from_camera @ np.linalg.inv(stored), edge_m)

    @property
    def revised(self) -> int:
        """How many revisions of poses and of places of sessions came after what they revise was stored."""
        revised = sum(self._revisions.values()) - len(self._stored)
        return revised + sum(anchor.revision > 0 for anchor in (*self._anchors.values(), *self._ended))

    def was_corrected(self, row: KeyframeRow) -> bool:
        """Whether a frame was given another pose, or its session another place, since it was stored."""
        anchor = self._anchors.get(row.session_id)
        return self._revisions.get(row.lsn, 0) > (row.lsn in self._stored) or (
            anchor is not None and anchor.revision > 0
        )

    def next_revision(self, lsn: int) -> int:
        """Number of the next revision of a frame's pose."""
        return self._revisions.get(lsn, 0) + 1

    def next_anchor(
        self, session_id: str, map_from_session: NDArray[np.float64], from_lsn: int, reason: str
    ) -> AnchorRow:
        """The next revision of where a session lies, the first one of a new session."""
        held = self._anchors.get(session_id)
        return AnchorRow(session_id, 0 if held is None else held.revision + 1, map_from_session, from_lsn, reason)

    def add(self, anchor: AnchorRow) -> None:
        """An anchor that the file holds."""
        if anchor.valid_to is not None:
            self._ended.append(anchor)
            return
        held = self._anchors.get(anchor.session_id)
        self._anchors[anchor.session_id] = anchor
        if held is not None:
            self._ended.append(replace(held, valid_to=anchor.valid_from))
            self.rewritten += 1  # last: who reads it earlier would take the old place for the new one

    def revise(self, poses: Iterable[PoseRow], used: Mapping[int, int]) -> None:
        """Revisions that the file holds now; `used`: by which of them frames (lsn) stand in the layers."""
        rewritten = 0
        for pose in poses:
            rewritten += pose.valid_from > pose.lsn  # else it came with its frame
            self._note(pose)
            if used.get(pose.lsn) == pose.revision:
                self._poses[pose.lsn] = pose.world_from_camera
        self.rewritten += rewritten

    def drop(self, lsns: Iterable[int]) -> None:
        """These frames have been erased."""
        self.rewritten += 1
        self.erased += 1
        for lsn in lsns:
            self._poses.pop(lsn, None)
            self._revisions.pop(lsn, None)
            self._stored.pop(lsn, None)

    def _note(self, pose: PoseRow) -> None:
        self._revisions[pose.lsn] = pose.revision
        if pose.valid_from == pose.lsn:
            self._stored[pose.lsn] = pose.world_from_camera
