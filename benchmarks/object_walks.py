"""Two visits to a house in which people live, remembered as objects, and judged by the truth; for objects.py."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.house.world import HouseScene
from sim.scene import SceneObject, Sight
from sim.touring import tour
from spatialmem import Frame
from spatialmem.things import Detection, MapObject

EVERY = 3
"""steps a frame"""
LEAST_PIXELS = 80
"""of a thing, in one image at least, for it to have been seen"""
INSIDE, GROWN_M = 0.5, 0.08
"""share of the points of an object in the box of a thing, grown by so much, for it to be that thing"""
COVERED = 0.15
"""least share that both boxes, grown by as much, have in common of what they take together"""
MOVED_M = 0.3


@dataclass(eq=False)
class Visit:
    """What a walk could see: thing -> most pixels of it in one image."""

    pixels: dict[int, int] = field(default_factory=dict)
    places_m: list[NDArray[np.float64]] = field(default_factory=list)

    def saw(self, thing: SceneObject) -> bool:
        """Whether enough of it was to be seen."""
        return self.pixels.get(thing.instance_id, 0) >= LEAST_PIXELS


def named(scene: HouseScene) -> dict[int, str]:
    """Category by instance id of all things but the building's own."""
    return {o.instance_id: o.category for o in scene.objects() if o.group != "structure"}


def true_detections(sight: Sight, names: Mapping[int, str]) -> list[Detection]:
    """The true masks of a picture."""
    return [
        Detection(sight.instance_ids == n, names[n])
        for n in np.unique(sight.instance_ids).tolist() if n in names and (sight.instance_ids == n).sum() >= 12
    ]  # fmt: skip


def walked(scene: HouseScene, visit: Visit, share: float = 1.0) -> Iterator[tuple[Sight, Frame]]:
    """Tour the house, or the first part of that, and see what the camera shows every few steps."""
    actions = tour(scene)
    actions = actions[: int(share * len(actions))]
    for step in range(len(actions) + 1):
        if step:
            scene.act(actions[step - 1])
            scene.truth.wait(scene.stamp_ns + 250_000_000)  # nothing happens while somebody looks
        if step % EVERY == 0:
            sight = scene.look()
            numbers, counts = np.unique(sight.instance_ids, return_counts=True)
            for n, count in zip(numbers.tolist(), counts.tolist(), strict=True):
                visit.pixels[n] = max(visit.pixels.get(n, 0), count)
            yield (
                sight,
                Frame(sight.rgb, sight.depth_m, sight.camera, sight.world_from_camera, scene.stamp_ns, depth_unit="m"),
            )


def overlap(low: NDArray, high: NDArray, thing: SceneObject) -> float:
    """What two boxes have in common of what they take together, both grown."""
    a0, a1 = low - GROWN_M, high + GROWN_M
    b0, b1 = thing.box_min_m - GROWN_M, thing.box_max_m + GROWN_M
    common = np.prod(np.clip(np.minimum(a1, b1) - np.maximum(a0, b0), 0.0, None))
    return float(common / (np.prod(a1 - a0) + np.prod(b1 - b0) - common))


def is_it(thing: MapObject, true: SceneObject) -> float:
    """How well an object fits a thing; 0: it is another one."""
    low, high = true.box_min_m - GROWN_M, true.box_max_m + GROWN_M
    inside = float(((thing.points_m >= low) & (thing.points_m <= high)).all(axis=1).mean())
    shared = overlap(thing.box_min_m, thing.box_max_m, true)
    return inside + shared if inside >= INSIDE and shared >= COVERED else 0.0


def paired(found: Sequence[MapObject], things: Sequence[SceneObject]) -> dict[int, int]:
    """object number in `found` -> number in `things`, each at most once, the best first."""
    fits = [(-fit, i, j) for i, o in enumerate(found) for j, t in enumerate(things) if (fit := is_it(o, t)) > 0.0]
    pairs: dict[int, int] = {}
    for _, i, j in sorted(fits):
        if i not in pairs and j not in pairs.values():
            pairs[i] = j
    return pairs


def off_m(found: MapObject, thing: SceneObject) -> float:
    """From the middle of one box to that of the other."""
    return float(np.linalg.norm(found.position_m - thing.middle_m))
