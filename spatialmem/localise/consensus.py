"""Where another world lies in the map: what several of its frames, each localised by itself, agree on.

A pose that was found gives the place of the whole world: map_from_camera times the inverse of world_from_camera. One
may be wrong, and two may be wrong alike by chance; what three frames from different views say, each without knowing of
the others, is believed when hardly any says otherwise. The place is the mean of those that agree: of rotations the
chordal one (Hartley, Trumpf, Dai and Li, IJCV 2013), and the translation that brings their cameras together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.geometry import inverse, make_transform, pose_difference
from spatialmem.types import Frame

AGREE_M, AGREE_DEG = 0.10, 3.0
"""how far the pose that was found for a frame may be from where the place of its world puts it"""
APART_M, APART_DEG = 0.3, 15.0
"""frames within both of one already asked say nothing new: what misled the one misleads the other"""
LEAST, ENOUGH, MOST = 3, 6, 20
"""frames that must agree, that are enough, and that are asked at most"""
LEAST_SHARE = 0.75
"""of the answers must agree"""


@dataclass(frozen=True, eq=False)
class WorldPlace:
    """Where a world lies in the map, or why that is not sure."""

    map_from_world: NDArray[np.float64] | None
    """(4, 4); None: not sure"""
    why: str
    """what was found, in words"""
    asked: int
    """frames that were looked for"""
    answered: int
    """frames that were found, each by itself"""
    agreed: int
    """frames of these that agree on the place"""
    spread_m: float
    """largest distance of an agreeing frame from where the place puts it; NaN without a place"""
    spread_deg: float
    """the same of its angle"""

    @property
    def placed(self) -> bool:
        """Whether the place is known."""
        return self.map_from_world is not None


@dataclass(frozen=True, eq=False)
class _Answers:
    """Poses (K, 4, 4) of the frames that were found: in their world, and in the map."""

    world_from_camera: NDArray[np.float64]
    map_from_camera: NDArray[np.float64]

    def agreeing(self, map_from_world: NDArray[np.float64]) -> NDArray[np.bool_]:
        """(K,) which of them lie where this place (4, 4) puts them."""
        distance_m, angle = self.off(map_from_world)
        return (distance_m <= AGREE_M) & (angle <= np.deg2rad(AGREE_DEG))

    def off(self, map_from_world: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(K,) metres and (K,) radians from there."""
        return pose_difference(map_from_world @ self.world_from_camera, self.map_from_camera)

    def mean(self, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """(4, 4) the place that these of them make together."""
        world, found = self.world_from_camera[chosen], self.map_from_camera[chosen]
        u, _, vt = np.linalg.svd((found[:, :3, :3] @ world[:, :3, :3].transpose(0, 2, 1)).sum(axis=0))
        rotation = u @ np.diag((1.0, 1.0, np.linalg.det(u @ vt))) @ vt
        return make_transform(rotation, found[:, :3, 3].mean(axis=0) - rotation @ world[:, :3, 3].mean(axis=0))


def place_of_world(frames: Iterable[Frame], localised: Callable[[Frame], NDArray[np.float64] | None]) -> WorldPlace:
    """The place that posed frames of one world agree on; asks until enough do, and 20 frames at most.

    Args:
        frames: those from new views are asked, in this order; those without pose or depth are passed over.
        localised: map_from_camera (4, 4) of a frame, found without its pose, or None.
    """
    asked, world, found = 0, [], []
    agreed = np.zeros(0, np.bool_)
    for frame in _apart(frames):
        asked += 1
        pose = localised(frame)
        if pose is not None:
            world.append(frame.pose)
            found.append(pose)
            agreed = _agreed(_Answers(np.array(world), np.array(found)))
        if asked == MOST or (agreed.sum() >= ENOUGH and _sure(agreed)):
            break
    if not _sure(agreed):
        return WorldPlace(None, _doubt(asked, agreed), asked, len(agreed), int(agreed.sum()), np.nan, np.nan)
    answers = _Answers(np.array(world), np.array(found))
    place = answers.mean(agreed)
    distance_m, angle = (values[agreed].max() for values in answers.off(place))
    spread_deg = float(np.rad2deg(angle))
    why = f"{agreed.sum()} of {asked} frames agree within {100 * distance_m:.1f} cm and {spread_deg:.1f} degrees"
    return WorldPlace(place, why, asked, len(agreed), int(agreed.sum()), float(distance_m), spread_deg)


def _agreed(answers: _Answers) -> NDArray[np.bool_]:
    """(K,) the largest set of answers that agree with one of them, and then with their mean."""
    own = answers.map_from_camera @ inverse(answers.world_from_camera)
    sets = [answers.agreeing(place) for place in own]
    largest = max(sets, key=lambda chosen: int(chosen.sum()))
    return largest & answers.agreeing(answers.mean(largest))


def _sure(agreed: NDArray[np.bool_]) -> bool:
    return bool(agreed.sum() >= max(LEAST, LEAST_SHARE * len(agreed)))


def _doubt(asked: int, agreed: NDArray[np.bool_]) -> str:
    if asked < LEAST:
        return (
            f"only {asked} frames with pose and depth lie {APART_M:g} m or {APART_DEG:g} degrees apart; "
            f"it takes {LEAST} that agree"
        )
    said = f"{len(agreed)} of {asked} frames were found in the map"
    if len(agreed) < LEAST:
        return f"{said}; it takes {LEAST} that agree"
    return (
        f"{said}, but only {agreed.sum()} agree within {100 * AGREE_M:g} cm and {AGREE_DEG:g} degrees; it takes "
        f"{LEAST}, and {100 * LEAST_SHARE:.0f} % of those found: their own poses may drift, or places look alike"
    )


def _apart(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Frames with pose and depth whose view is new beside those before."""
    before = Views()
    for frame in frames:
        pose = frame.world_from_camera
        if pose is not None and frame.depth_m is not None and not before.has(pose):
            before.add(pose)
            yield frame


@final
class Views:
    """Poses that lie apart from each other, by `APART_M` and `APART_DEG`."""

    def __init__(self) -> None:
        self._poses: list[NDArray[np.float64]] = []

    def has(self, pose: NDArray[np.float64]) -> bool:
        """Whether one of them is beside this pose (4, 4)."""
        if not self._poses:
            return False
        distance_m, angle = pose_difference(np.array(self._poses), pose)
        return bool(((distance_m < APART_M) & (angle < np.deg2rad(APART_DEG))).any())

    def add(self, pose: NDArray[np.float64]) -> None:
        """One that is beside none of them."""
        self._poses.append(pose)


def spread_order(count: int) -> list[int]:
    """0 ... count - 1, such that the first few of them, however many, lie all over: halves, quarters and so on."""
    bits = max(1, (count - 1).bit_length())
    reversed_bits = (int(f"{number:0{bits}b}"[::-1], 2) for number in range(1 << bits))
    return [number for number in reversed_bits if number < count]
