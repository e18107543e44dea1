"""Asking: what a memory answers, whether it still grows or is that of an earlier time. It changes nothing."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from spatialmem import arguments
from spatialmem.answering import Answering
from spatialmem.canonical import canonical_hash
from spatialmem.checks import described, whole_number
from spatialmem.config import MemoryConfig
from spatialmem.context_making import ThingsAtOnce, Wanted, checked_picture, context_of
from spatialmem.errors import Evicted, InvalidValue, UpUnknown
from spatialmem.ground.floors import Floors, floors_of
from spatialmem.ground.frontiers import Frontier, frontiers_of
from spatialmem.ground.standing import Body, standing_of
from spatialmem.keeper import Keeper
from spatialmem.log_entry import Keyframe, keyframe
from spatialmem.map_epoch import MapEpoch
from spatialmem.object_layer import ObjectLayer
from spatialmem.perception import Encoder
from spatialmem.question import ask
from spatialmem.retrieval.context import Context
from spatialmem.snapshots.cover import Snapshot
from spatialmem.store.codec import decode_features
from spatialmem.things import MapObject
from spatialmem.types import Answer, Camera, Frame, View, checked_transform
from spatialmem.voxels.free_reading import FreeSpace
from spatialmem.voxels.mesh import Mesh, Points

_UPRIGHT_DEG = 5.0
"""by which up may be off the z axis of a map whose columns are taken for upright"""


class Asking(ABC):
    """Questions to a map and a log, for a class that has a keeper and a map to read. Any number of threads may ask."""

    _keeper: Keeper
    _answering: Answering
    _objects: ObjectLayer

    @abstractmethod
    def _reading(self) -> AbstractContextManager[MapEpoch]:
        """The map of one instant; raises when it cannot be believed."""

    @abstractmethod
    def _require_sound(self, writing: bool = False) -> None:
        """Raise when the memory is closed, or not to be believed, or, for writing, open for reading only."""

    # --- the map

    def query(
        self, text: str | None = None, *, image: NDArray[np.uint8] | None = None,
        at: Iterable[float] | None = None, radius_m: float | None = None,
        box_m: NDArray[np.floating] | None = None, since_ns: int | None = None, until_ns: int | None = None,
        top: int = 10,
    ) -> Answer:  # fmt: skip
        """Where is it? Any combination of conditions; each narrows the answer.

        Args:
            text: what to look for; words the encoder cannot know are named in the answer.
            image: uint8 (H, W, 3), a crop that shows the thing.
            at, radius_m: a point in the map frame and how far from it to look, metres.
            box_m: (2, 3) lower and upper corner in the map frame, metres.
            since_ns, until_ns: bounds on when the surface was last seen.
            top: largest number of hits.

        An answer without hits means: nothing of the kind among what was searched; where the query names a place, the
        answer's `place` says whether it was ever looked at.
        """
        self._require_sound()
        question = ask(lambda: self.encoder, text, image, at, radius_m, box_m, since_ns, until_ns, top)
        if question.hopeless:
            return self._answering.hopeless(question)
        with self._reading() as epoch:
            return self._answering.answer(question, epoch, top)

    def render(self, world_from_camera: NDArray[np.float64], camera: Camera, features: bool = False) -> View:
        """What the memory looks like from a pose in the map frame; pixels without surface are NaN and black."""
        self._require_sound()
        pose = checked_transform(world_from_camera)
        arguments.checked_view_camera(camera)
        with self._reading() as epoch:
            return epoch.surface.render(pose, camera, features)

    def mesh(self) -> Mesh:
        """The surface as triangles."""
        with self._reading() as epoch:
            return epoch.surface.mesh()

    def mesh_pieces(self) -> Iterator[Mesh]:
        """`mesh` in pieces that fit into RAM, for a map that does not.

        Triangles count the vertices of all pieces, and have none of a later one. The map is that of the first piece;
        what the writer changes meanwhile is kept twice until the last one is taken.
        """
        with self._reading() as epoch:
            yield from epoch.surface.mesh_pieces()

    def point_pieces(self) -> Iterator[Points]:
        """`points` in pieces that fit into RAM."""
        with self._reading() as epoch:
            yield from epoch.surface.point_pieces(epoch.stamps_ns)

    def points(self) -> Points:
        """The surface as points, one a surface voxel."""
        with self._reading() as epoch:
            return epoch.surface.points(epoch.stamps_ns)

    def occupancy(self, points_m: NDArray[np.floating]) -> NDArray[np.uint8]:
        """(N,) 0 unknown, 1 free, 2 occupied at (N, 3) points of the map frame, metres."""
        self._require_sound()
        points = arguments.checked_points(points_m, self.config.free_voxel_m)
        with self._reading() as epoch:
            return epoch.free.states(points)

    def free_space(self) -> FreeSpace:
        """The free-space layer as one dense box."""
        with self._reading() as epoch:
            return epoch.free.dense()

    # --- things

    def objects(self) -> tuple[MapObject, ...]:
        """The things that the memory knows, by number, those that are gone included (`MapObject.presence`).

        They are made of what `observe` was given or a segmenter found (docs/objects.md), and are as of the last stored
        frame. Without such detections there are none.
        """
        self._require_sound()
        return self._objects.objects()

    def snapshots(self, most: int | None = None) -> tuple[Snapshot, ...]:
        """Keyframes that stand for the things that are there (`objects`): each thing for exactly one, which saw it.

        most: snapshots at most, those that stand for most things first; None: as many as it takes.
        """
        self._require_sound()
        if most is not None and (whole_number(most) is None or most < 0):
            raise InvalidValue(f"most is a number of snapshots from 0, or None; given {described(most)}")
        return self._objects.snapshots(most).snapshots

    def boxes_in(self, lsn: int) -> dict[int, tuple[float, float, float, float]]:
        """Pixel boxes (left, top, right, bottom) of the things that a stored frame shows, by object_id."""
        self._require_sound()
        return self._objects.boxes(arguments.checked_lsn(lsn))

    def context(
        self, question: str = "", *, goal_rgb: NDArray[np.uint8] | None = None,
        view_rgb: NDArray[np.uint8] | None = None, map_from_camera: NDArray[np.float64] | None = None,
        max_images: int = 10, max_tokens: int | None = None, explores: bool = True, pictures: bool = True,
        details: bool = True,
    ) -> Context:  # fmt: skip
        """What a planner is shown of the memory towards a question or a goal (docs/planner.md).

        Args:
            question: in words, or the name or description of what is looked for.
            goal_rgb: (H, W, 3) uint8, a picture of what is looked for, instead.
            view_rgb: (H, W, 3) uint8, what the camera sees now.
            map_from_camera: (4, 4) where it is, for the mark on the map picture.
            max_images: of all kinds, the map picture and those given among them.
            max_tokens: estimate of what all may take; None: no bound.
            explores: whether frontiers are of use. They need a map whose z axis points up; without, `left_out` says so.
            pictures: False: no images, for who goes by scores alone; it takes a few milliseconds then.
            details: False: neither colours nor what is on, in, under and beside what.
        """
        self._require_sound()
        wanted = Wanted(
            question, checked_picture("goal_rgb", goal_rgb), checked_picture("view_rgb", view_rgb),
            None if map_from_camera is None else checked_transform(map_from_camera), max_images, max_tokens, explores,
            pictures, details,
        )  # fmt: skip
        return context_of(self, wanted)

    def _things_at_once(self) -> ThingsAtOnce:
        """For contexts."""
        return self._objects.at_once()

    # --- the ground

    def floors(self, body: Body | None = None) -> Floors:
        """The floors that cameras were carried over, their ground as far as a body can come on it, and the stairs they
        took; the map's z axis must point up, or `UpUnknown` is raised."""
        self._require_sound()
        self._require_z_up("floors")
        with self._reading() as epoch:
            free, last_lsn = epoch.free.dense(), epoch.last_lsn
        tracks: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
        for frame in self.trajectory():
            if frame.lsn <= last_lsn:
                tracks.setdefault((frame.session_id, frame.camera_id), []).append(frame.map_from_camera[:3, 3])
        return floors_of(standing_of(free, body), [np.array(track) for track in tracks.values()])

    def frontiers(self, body: Body | None = None, least_m: float = 0.3) -> tuple[Frontier, ...]:
        """Where the ground that a body can come to ends in what was never seen, the widest first, on every floor and on
        stairs; those narrower than `least_m` for the middle of the body are left out. Raises as `floors`."""
        return frontiers_of(self.floors(body), least_m)

    def _require_z_up(self, what: str) -> None:
        up = self.up_in_map
        if up is None:
            raise UpUnknown(f"{what} need to know which way is up; call declare_up((0, 0, 1)) or estimate_up()")
        off_deg = float(np.degrees(np.arccos(np.clip(up[2], -1.0, 1.0))))
        if off_deg > _UPRIGHT_DEG:
            raise UpUnknown(
                f"{what} need a map whose z axis points up; here up is {np.round(up, 3).tolist()}, {off_deg:.0f} "
                "degrees off it. Build the memory from poses that are turned so that z is up"
            )

    # --- the log

    def trajectory(self) -> list[Keyframe]:
        """The stored frames in log order, without their images."""
        where = self._keeper.places.map_from_camera
        return [keyframe(row, where(row)) for row in list(self._keeper.rows.values())]

    def pose_of(self, lsn: int) -> Keyframe:
        """A stored frame without its images, with its pose in the map."""
        self._require_sound()
        row = self._keeper.rows.get(arguments.checked_lsn(lsn))
        if row is None:
            raise InvalidValue(f"there is no stored frame {lsn}; the log holds frames 1 to {self._keeper.last_lsn}")
        return keyframe(row, self._keeper.places.map_from_camera(row))

    def features_of(self, lsn: int) -> NDArray[np.float32] | None:
        """(h, w, D) patch features of a stored frame as the log has them; None where it was not encoded, or its images
        were given up, or the memory keeps none."""
        self.pose_of(lsn)  # known here, or refused
        try:
            data = None if self._keeper.file is None else self._keeper.file.blobs(lsn).features
        except Evicted:
            return None
        return None if data is None else decode_features(data)

    def keyframe(self, lsn: int) -> Frame:
        """A stored frame as it was observed: its pose is in the world of its session (`trajectory`: in the map).

        Raises `Evicted` when its images were given up to keep the file within its budget.
        """
        return self._keeper.frame(arguments.checked_lsn(lsn))

    # --- what it is

    @property
    def config(self) -> MemoryConfig:
        """The numbers this memory was made with."""
        return self._keeper.config

    @property
    def encoder(self) -> Encoder:
        """The encoder whose features the map holds; loaded when first needed."""
        return self._keeper.encoder

    @property
    def up_in_map(self) -> NDArray[np.float64] | None:
        """(3,) unit vector against gravity, or None while it is not known."""
        return self._keeper.up_in_map

    def canonical_hash(self) -> str:
        """Hash of all layers; equal live, rebuilt and reopened (docs/format.md, section 8)."""
        with self._reading() as epoch:
            return canonical_hash(epoch)
