"""What a memory keeps beside its layers: the log, the sessions, the checkpoints."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from spatialmem import log_entry
from spatialmem.checkpoint import CheckpointRound
from spatialmem.config import MemoryConfig
from spatialmem.errors import Evicted, InvalidValue, MemoryFileError, SpatialMemError
from spatialmem.gone import exact_from
from spatialmem.layers import Layers, LoggedFrame, Prepared
from spatialmem.loading import load_blocks, store_of
from spatialmem.log_entry import LogEntry
from spatialmem.log_reading import require_whole
from spatialmem.log_rows import LogRows
from spatialmem.meta import MAP_FRAME, config_of, feature_width_of, meta_of, up_of
from spatialmem.observed import ObservationLog
from spatialmem.own_encoder import OwnEncoder
from spatialmem.perception import Encoder, load_encoder
from spatialmem.perception.segmenter import Segmenter, load_segmenter
from spatialmem.places import Places
from spatialmem.rebuilding import rebuilt
from spatialmem.sessions import CameraLog, require_place, require_same_recording
from spatialmem.sightings import FileSightings
from spatialmem.store.block_store import Spilled
from spatialmem.store.file import MemoryFile
from spatialmem.store.lsn_ranges import LsnRanges
from spatialmem.store.room import blocks_at_once
from spatialmem.store.rows import AnchorRow, KeyframeRow, PoseRow, SessionRow
from spatialmem.thinning import Thinning
from spatialmem.types import Frame
from spatialmem.voxels.keys import BLOCK


@final
class Keeper:
    """The log of one memory, on file or (ephemeral) only as rows in RAM."""

    def __init__(self, file: MemoryFile | None, config: MemoryConfig, encoder: Encoder | None, width: int) -> None:
        """For `create` and `open`."""
        self.file = file
        self.config = config
        self.feature_width = width
        self.closed = False
        self.rows = LogRows()
        self.last_lsn = 0
        """number of the last frame that was ever stored"""
        self._encoder = OwnEncoder(file, encoder)
        self.places = Places()
        self._cameras: dict[tuple[str, str], CameraLog] = {}
        self._up: NDArray[np.float64] | None = None
        self.recordings: dict[str, str] = {}
        self.observed = ObservationLog(file)
        self._round = self._new_round(0)
        self.thinning = Thinning.of(self)
        """the file budget; None without one, or without writing"""

    def _new_round(self, base_lsn: int) -> CheckpointRound:
        return CheckpointRound(self.config.checkpoint_frames, base_lsn, blocks_at_once(self.config.file_bytes))

    @classmethod
    def create(cls, path: str | Path | None, encoder: str | Encoder, config: MemoryConfig) -> Keeper:
        """For a new memory; path None makes an ephemeral one."""
        loaded = load_encoder(encoder)
        if path is None:
            return cls(None, config, loaded, loaded.dim)
        return cls(MemoryFile.create(path, meta_of(config, loaded)), config, loaded, loaded.dim)

    @classmethod
    def open(cls, path: str | Path, mode: Literal["r", "a"]) -> Keeper:
        """For an existing file; the encoder is loaded when it is first needed."""
        file = MemoryFile.open(path, mode)
        try:
            meta = file.meta()
            keeper = cls(file, config_of(meta, path), None, feature_width_of(meta, path))
            keeper._up = up_of(meta, path)
            if mode == "a":
                file.try_scrub()  # what erasing was cut short of
        except BaseException:
            file.close()
            raise
        return keeper

    def restore_rows(self, path: Path) -> None:
        """Read the log of the file."""
        file = self.on_file()
        for values, camera in file.logged():
            self.rows.add_stored(values, camera)
            lsn, session_id, camera_id, seq, stamp_ns = values[:5]
            self._log_of(session_id, camera_id).note(lsn, seq, stamp_ns, values[13] is not None, values[17])
            self.last_lsn = max(self.last_lsn, lsn)
        # after the rows: a live writer places a session before its first frame
        self.places = Places.restored(file.anchors(), file.poses(), self.rows)
        for row in (self.rows[lsn] for lsn in self.places.all_refined if lsn in self.rows):
            self._log_of(row.session_id, row.camera_id).note_refined(row.lsn)
        self.recordings = file.recordings()
        tombstones = file.tombstones()
        self.last_lsn = max([self.last_lsn, *(row.at_lsn for row in tombstones)])
        require_whole(path, self.rows, LsnRanges.joined(row.lsns for row in tombstones), self.last_lsn)

    # --- encoder

    @property
    def encoder(self) -> Encoder:
        """The memory's own encoder; raises `EncoderMismatch` when what is installed is not the one it was made with."""
        return self._encoder.get()

    @cached_property
    def segmenter(self) -> Segmenter | None:
        """What finds things in frames; None without one."""
        return load_segmenter(self.config.segmenter) if self.config.segmenter else None

    def use_encoder(self, encoder: Encoder) -> Encoder:
        """Take this encoder; it must be the one the memory was made with."""
        return self._encoder.use(encoder)

    @property
    def encoder_name(self) -> str | None:
        """Name of the memory's encoder, whether or not it can be loaded here."""
        return self._encoder.name

    # --- sessions

    def add_session(self, session_id: str, map_from_session: NDArray[np.float64], reason: str) -> None:
        """Place a new session; one that is known already is refused."""
        if session_id in self.places.sessions:
            raise InvalidValue(f"session {session_id!r} already has a place in the map")
        session, anchor = self._new_session(session_id, map_from_session, reason)
        if self.file is not None:
            self.file.add_session(session, anchor)
        self.places.add(anchor)

    def _new_session(
        self, session_id: str, map_from_session: NDArray[np.float64], reason: str
    ) -> tuple[SessionRow, AnchorRow]:
        session = SessionRow(session_id, len(self.places.sessions), MAP_FRAME)
        return session, self.places.next_anchor(session_id, map_from_session, self.last_lsn + 1, reason)

    # --- the log

    def refusal(self, frame: Frame) -> str | None:
        """Why the log cannot take a frame, or None. Raises `UnplacedSession` or `AnotherRecording`."""
        require_place(frame, self.places.has(frame.session_id))
        log = self.camera_log(frame)
        require_same_recording(frame, log, self.recordings.get(frame.session_id))
        if log.holds(frame.seq):
            return "duplicate"
        return "stamp not rising" if log.stamp_ns is not None and frame.stamp_ns <= log.stamp_ns else None

    def gap_ns(self, frame: Frame) -> int | None:
        """Time since the last stored frame of the same camera."""
        latest_ns = self.camera_log(frame).stamp_ns
        return None if latest_ns is None else frame.stamp_ns - latest_ns

    def residuals_m(self, frame: Frame, count: int) -> list[float | None]:
        """Depth residuals of the last stored frames of the same camera that looked at depth, newest first."""
        return list(reversed(self.camera_log(frame).residuals_m))[:count]

    def stood(self, frame: Frame, count: int) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
        """Poses (4, 4) in the world of their session of the last stored frames of the same camera, newest first: as
        observed, and as stored; none from before one that was corrected since."""
        rows = self.camera_log(frame).latest(count)
        return [(row.world_from_camera, self.places.world_from_camera(row)) for row in rows]

    def camera_log(self, frame: Frame) -> CameraLog:
        """What is remembered of the camera of a frame."""
        return self._log_of(frame.session_id, frame.camera_id)

    def _log_of(self, session_id: str, camera_id: str) -> CameraLog:
        found = self._cameras.get((session_id, camera_id))
        if found is None:
            found = self._cameras[(session_id, camera_id)] = CameraLog(self.rows)
        return found

    def commit(self, entry: LogEntry, prepared: Prepared, layers: Layers) -> None:
        """Put a frame on disk; when this returns, it survives a crash. `layers` do not contain it yet."""
        row = entry.row
        session = None
        if row.session_id not in self.places.sessions:
            session = self._new_session(row.session_id, np.eye(4), "first session")
        recording_id = None if row.session_id in self.recordings else entry.recording_id
        if self.file is not None and entry.blobs is not None:
            append = partial(self._append, entry, prepared, layers, session, recording_id)
            due = self._round.most_next(layers)
            append() if self.thinning is None else self.thinning.store(entry, prepared, layers, due, append)
        if session is not None:
            self.places.add(session[1])
        if recording_id is not None:
            self.recordings[row.session_id] = recording_id
        if entry.pose is not None:
            self.places.revise((entry.pose,), {row.lsn: entry.pose.revision})
        self.observed.keep(row.lsn, entry.observations)
        self._remember(row)

    def _append(
        self, entry: LogEntry, prepared: Prepared, layers: Layers, session: tuple[SessionRow, AnchorRow] | None,
        recording_id: str | None,
    ) -> None:  # fmt: skip
        assert entry.blobs is not None
        share = self._round.next_share(layers)
        self.on_file().append_frame(
            entry.row, entry.blobs, entry.vector, prepared.cells, departed=prepared.departed, surface=share.surface,
            free=share.free, checkpoint=share.completed, session=session, recording_id=recording_id, pose=entry.pose,
        )  # fmt: skip
        self._round.written(share, layers)

    def complete_round(self, layers: Layers) -> None:
        """Write every block that has changed since the base, and move the base up to the last frame."""
        self._round.finish(layers, self.on_file())

    def _remember(self, row: KeyframeRow) -> None:
        self.rows.add(row)
        self.last_lsn = max(self.last_lsn, row.lsn)
        self._log_of(row.session_id, row.camera_id).add(row, self.places.refined(row.lsn))

    def forget_frames(self, lsns: Iterable[int]) -> None:
        """These frames have been erased from the file."""
        gone = set(lsns)
        self.rows = self.rows.without(gone)  # who reads goes on with the old
        self._cameras.clear()
        for row in self.rows.values():
            self._log_of(row.session_id, row.camera_id).add(row, self.places.refined(row.lsn))
        self.places.drop(gone)

    def revise(self, poses: Sequence[PoseRow], used: Mapping[int, int], anchor: AnchorRow | None) -> None:
        """Revisions that the file holds now; `used`: those by which frames (lsn) stand in the layers."""
        self.places.revise(poses, used)
        if anchor is not None:
            self.places.add(anchor)
        for lsn, revision in used.items():
            self.rows.add(replace(self.rows[lsn], pose_revision=revision))

    def leave_out(self, surface: NDArray[np.int64], free: NDArray[np.int64]) -> None:
        """Blocks with these keys are no longer in the file."""
        self._round.leave_out(surface, free)

    def forget_rows(self) -> None:
        """For `reset` of an ephemeral memory."""
        self._drop_rows()
        self._up = None

    def _drop_rows(self) -> None:
        self.rows = LogRows()
        self.last_lsn = 0
        self._cameras.clear()
        self.places = Places()
        self.recordings.clear()
        self.observed.clear()

    def frame(self, lsn: int) -> Frame:
        """A stored frame, decoded, with its pose in the world of its session, as it was observed."""
        row = self.rows.get(lsn)
        if row is None:
            raise InvalidValue(f"there is no stored frame {lsn}; the log holds frames 1 to {self.last_lsn}")
        return self.as_observed(row, self.logged(row))

    def as_observed(self, row: KeyframeRow, logged: LoggedFrame) -> Frame:
        """The frame of a row whose content was decoded."""
        return log_entry.as_observed(row, logged, self.recordings.get(row.session_id))

    def logged(self, row: KeyframeRow, map_from_camera: NDArray[np.float64] | None = None) -> LoggedFrame:
        """A stored frame as the layers read it, with the pose it has now or with this one.

        Where that is not the pose it was stored with, what it examined has moved with it.
        """
        pose = self.places.map_from_camera(row) if map_from_camera is None else map_from_camera
        frame = log_entry.decoded(row, self.on_file().blobs(row.lsn), pose, self.feature_width)
        edge_m = BLOCK * self.config.voxel_size_m
        return replace(frame, examined=np.unique(self.places.examined_at(row, frame.examined, pose, edge_m)))

    # --- layers and file

    def restored_layers(self) -> Layers:
        """The layers of the file. Read again when a live writer has revised poses or erased frames meanwhile."""
        while True:
            before = self.on_file().revisions()
            try:
                layers = self._restored_layers()
            except SpatialMemError as error:  # what it lacks may have been erased, or thinned, while it was read
                thinned = isinstance(error, Evicted) and self.on_file().base_lsn > self._round.base_lsn
                if not self.read_only or not (thinned or self.on_file().revisions() != before):
                    raise
            else:
                if not self.read_only or self.on_file().revisions() == before:
                    return layers
            self._drop_rows()

    def _restored_layers(self) -> Layers:
        """Blocks, then the tail replayed. Base before blocks before rows: a live writer may commit in between, and no
        block may hold a frame whose row has not been read."""
        layers, file = self.new_layers(), self.on_file()
        assert layers.residence is not None
        self._round.base_lsn = file.base_lsn
        newest = max(load_blocks(layers, layers.residence, file), self._round.base_lsn)
        self.restore_rows(file.path)
        if newest > self.last_lsn:
            raise MemoryFileError(
                f"{file.path}: the log ends with frame {self.last_lsn}, but its layers contain frame {newest}; "
                "make them anew from the frames that are left with: spatialmem rebuild FILE"
            )
        cells = ((lsn, blob) for lsn, blob in file.all_cells() if lsn in self.rows)  # all are read, and so checked
        layers.cells = dict(cells) if self.read_only else FileSightings(file, (lsn for lsn, _ in cells))
        layers.departed = [row for row in file.departed() if row.valid_from in self.rows]
        for lsns, stamps_ns, map_from_camera in self.places.stand(self.rows):
            layers.note_all(lsns, stamps_ns, map_from_camera)
        layers.last_lsn = max((lsn for lsn in self.rows if lsn <= self._round.base_lsn), default=0)
        for lsn in [lsn for lsn in self.rows if lsn > self._round.base_lsn]:
            layers.apply(layers.prepare(self.logged(self.rows[lsn])), replay=True)
        layers.publish()
        return layers

    def new_layers(self) -> Layers:
        """Empty layers; with a file, blocks that find no room in RAM are on file alone."""
        if self.file is None:
            return Layers(self.config, self.feature_width)
        layers = Layers(self.config, self.feature_width, Spilled())
        layers.cells = FileSightings(self.file)
        self.keep_on_file(layers)
        return layers

    def keep_on_file(self, layers: Layers) -> None:
        """From here on, blocks of these layers that leave RAM go to the file, which holds those that have left."""
        assert layers.residence is not None
        within = None if self.thinning is None else self.thinning.within(layers)
        layers.residence.store = store_of(self.on_file(), lambda: self.last_lsn, within)

    def rebuilt_layers(self, old: Layers | None = None) -> Layers:
        """The layers made anew from the log, and put into the file in place of what it had (rebuilding.py); `old` are
        still read until they are there."""
        if not self.rows:
            self.restore_rows(self.on_file().path)
        layers = rebuilt(self, old)
        self._round = self._new_round(layers.last_lsn)
        return layers

    def finish(self, layers: Layers | None) -> None:
        """Write the blocks that changed since the last checkpoint and close the file. None: close it as it is."""
        if self.closed or self.file is None:
            self.closed = True
            return
        self.closed = True
        try:
            if layers is not None and not self.file.read_only and layers.last_lsn > self._round.base_lsn:
                (self.complete_round if self.thinning is None else self.thinning.finish)(layers)
        finally:
            self.file.close()

    # --- what it is

    @property
    def read_only(self) -> bool:
        """Whether the file was opened for reading."""
        return self.file is not None and self.file.read_only

    @property
    def up_in_map(self) -> NDArray[np.float64] | None:
        """(3,) unit vector against gravity in the map frame, None while unknown."""
        return self._up

    def keep_up(self, up_in_map: NDArray[np.float64], source: str, residual_deg: float | None) -> None:
        """Keep which way is up: (3,) unit vector, "declared" or "estimated"."""
        if self.file is not None:
            value = {"up": up_in_map.tolist(), "source": source, "residual_deg": residual_deg}
            self.file.set_meta("up_in_map", json.dumps(value))
        self._up = up_in_map

    def sql(self, query: str, params: Iterable[Any]) -> list[tuple]:
        """Rows of a SELECT."""
        return [tuple(row) for row in self.on_file().sql(query, list(params)).rows]

    @property
    def base_lsn(self) -> int:
        """Every block on file holds at least the frames up to this one."""
        return self._round.base_lsn

    @property
    def horizon_lsn(self) -> int:
        """Frame from which on every map can be made again (`gone.exact_from`); 0 for an empty log."""
        return exact_from(list(self.rows), self.file)

    def check(self) -> list[str]:
        """Problems of the file."""
        return [] if self.file is None else self.file.integrity()

    def on_file(self) -> MemoryFile:
        """The file; for what an ephemeral memory cannot do."""
        if self.file is None:
            raise SpatialMemError("an ephemeral memory has no file and keeps no images; create it with a path")
        return self.file
