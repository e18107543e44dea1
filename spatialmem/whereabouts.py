"""The part of `SpatialMemory` that says where a frame was taken. It changes nothing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spatialmem.arguments import check_reach, checked_frame
from spatialmem.asking import Asking
from spatialmem.localise.localise import Localisation, localise
from spatialmem.localise.places import Places
from spatialmem.localise.readings import readings_of
from spatialmem.localise.refine import Refinement, refine
from spatialmem.sessions import require_place
from spatialmem.store.codec import decode_vector
from spatialmem.types import Frame
from spatialmem.voxels.views import DepthView

Vectors = dict[int, NDArray[np.float32]]


class Whereabouts(Asking):
    """`localize` and `refined`, beside what can be asked."""

    _vectors: tuple[int, Vectors] = (0, {})
    """image vectors of the stored frames up to an lsn, by lsn; replaced, never changed"""

    def localize(self, frame: Frame) -> Localisation | None:
        """Where in the map a frame was taken, from its images alone: its pose and session are not looked at.

        None unless depth, colour and the shape of the surroundings make it sure (docs/localise.md), so always None
        for a frame without depth. Takes about a second on two cores.
        """
        checked_frame(frame, "localize")
        with self._reading() as epoch:
            vectors = self._vectors_up_to(epoch.last_lsn)
            vector = self.encoder.encode(frame.rgb).vector if vectors else None
            rows = [row for row in list(self._keeper.rows.values()) if row.lsn <= epoch.last_lsn]
            poses = [(row.lsn, self._keeper.places.map_from_camera(row)) for row in rows]
            return localise(frame, vector, Places.of(poses, vectors), epoch.surface)

    def refined(self, frame: Frame) -> Refinement:
        """The pose in the map of a posed frame, moved onto the mapped surface by at most 5 cm and 2 degrees.

        Raises `InvalidFrame` for a frame without pose, `UnplacedSession` for a session whose place is unknown.
        """
        checked_frame(frame, "refined")
        require_place(frame, self._keeper.places.has(frame.session_id))
        map_from_camera = self._keeper.places.map_from_session(frame.session_id) @ frame.pose
        config = self._keeper.config
        check_reach(map_from_camera, config)
        depth_m = np.full(frame.rgb.shape[:2], np.nan, np.float32) if frame.depth_m is None else frame.depth_m
        readings = readings_of(
            DepthView.of(depth_m, frame.valid, frame.camera, map_from_camera, config), config.voxel_size_m
        )
        with self._reading() as epoch:
            return refine(readings, map_from_camera, epoch.surface.distances, config.voxel_size_m)

    def _vectors_up_to(self, lsn: int) -> Vectors:
        known, vectors = self._vectors
        if lsn < known:  # the memory was reset
            known, vectors = 0, {}
        if lsn > known and self._keeper.file is not None:
            read = {row: decode_vector(data) for row, data in self._keeper.file.vectors(known) if row <= lsn}
            vectors = {**vectors, **read}
        thinning = self._keeper.thinning
        if thinning is not None and not thinning.vectors.isdisjoint(vectors):  # as a memory opened now would find it
            vectors = {row: vector for row, vector in vectors.items() if row not in thinning.vectors}
        self._vectors = lsn, vectors
        return vectors
