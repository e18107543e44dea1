"""The part of `SpatialMemory` that says where a frame was taken. It changes nothing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from spatialmem.arguments import check_reach, checked_frame, of_one_session
from spatialmem.asking import Asking
from spatialmem.errors import MemoryFileError
from spatialmem.localise.consensus import WorldPlace, place_of_world
from spatialmem.localise.localise import Localisation, localise
from spatialmem.localise.places import Places
from spatialmem.localise.refine import Refinement, refine_frame
from spatialmem.sessions import require_place
from spatialmem.store.codec import decode_vector
from spatialmem.store.schema import LOG_ADVICE
from spatialmem.types import Frame

Vectors = dict[int, NDArray[np.float32]]


class Whereabouts(Asking):
    """`localize`, `localize_session` and `refined`, beside what can be asked."""

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
            vector = _comparable(self.encoder.encode(frame.rgb).vector, vectors) if vectors else None
            rows = [row for row in list(self._keeper.rows.values()) if row.lsn <= epoch.last_lsn]
            poses = [(row.lsn, self._keeper.places.map_from_camera(row)) for row in rows]
            return localise(frame, vector, Places.of(poses, vectors), epoch.surface)

    def localize_session(self, frames: Iterable[Frame]) -> WorldPlace:
        """Where the world of a new session lies in the map: what frames of it, localised one by one, agree on.

        Frames with pose and depth from views of their own are looked for until 6 agree, 20 at most, a second each. It
        takes 3 that agree within 10 cm and 3 degrees, and 75 % of those found; else `map_from_world` is None, and `why`
        says what was found. Give frames from all over the recording first, if you can choose.
        """
        return place_of_world(of_one_session(frames, "localize_session"), self._pose_of)

    def refined(self, frame: Frame) -> Refinement:
        """The pose in the map of a posed frame, moved onto the mapped surface by at most 5 cm and 2 degrees.

        Raises `InvalidFrame` for a frame without pose, `UnplacedSession` for a session whose place is unknown.
        """
        checked_frame(frame, "refined")
        require_place(frame, self._keeper.places.has(frame.session_id))
        map_from_camera = self._keeper.places.map_from_session(frame.session_id) @ frame.pose
        check_reach(map_from_camera, self._keeper.config)
        with self._reading() as epoch:
            return refine_frame(frame, map_from_camera, epoch.surface)

    def _pose_of(self, frame: Frame) -> NDArray[np.float64] | None:
        found = self.localize(frame)
        return None if found is None else found.map_from_camera

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


def _comparable(vector: NDArray[np.float32], vectors: Vectors) -> NDArray[np.float32]:
    """The vector (F,), where those of the stored frames are as long."""
    for lsn, known in vectors.items():
        if known.shape != vector.shape:
            raise MemoryFileError(
                f"the image vector of frame {lsn} has {len(known)} numbers, those of the encoder {len(vector)}; "
                f"{LOG_ADVICE}"
            )
    return vector
