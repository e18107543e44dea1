"""Two visits to a house in which people live, and how memories of its things are judged by the truth; for objects.py.

Judged is what a memory tells of a thing (`Known`), so that any memory can be. Positions: map frame, metres.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from sim.house.world import HouseScene
from sim.scene import SceneObject, Sight
from sim.touring import tour
from spatialmem import Frame
from spatialmem.things import Detection, MapObject
from spatialmem.types import Presence

EVERY = 3
"""steps a frame"""
LEAST_PIXELS = 80
"""of a thing, in one image at least, for it to have been seen"""
FEW_PIXELS = 1
"""of a thing; with fewer than these in every image it was not seen, and between both nothing is asked about it"""
INSIDE, GROWN_M = 0.5, 0.08
"""share of the points of an object in the box of a thing, grown by so much, for it to be that thing"""
COVERED = 0.15
"""least share that both boxes, grown by as much, have in common of what they take together"""
MOVED_M, PLACE_M = 0.3, 0.4
"""a thing whose middle went further was moved; it is where it was found to be when its middle is no further off"""
REACHES_M = 0.05
"""a reading so much nearer than a point, or less, reaches it"""
THERE, MOVED, GONE, NOT_LOOKED = "there", "moved", "gone", "not looked"
STATES = (THERE, MOVED, GONE, NOT_LOOKED)
ELSEWHERE, DOUBTED, LOST = "moved elsewhere", "doubted", "no more"
"""further answers, none of them right: found, at a wrong place; seen through once; the object is no more"""


# --- the walk


@dataclass(eq=False)
class Visit:
    """What a walk shows."""

    watched: Mapping[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = field(default_factory=dict)
    """instance id -> box (low, high) of a place, of which is noted whether it was looked at"""
    pixels: dict[int, int] = field(default_factory=dict)
    """instance id -> most pixels of it in one image"""
    looked: set[int] = field(default_factory=set)
    """of `watched`, those whose place was looked at"""
    done: float = 0.0
    """share of the walk so far"""

    def saw(self, instance_id: int) -> bool:
        """Whether enough of a thing was to be seen."""
        return self.pixels.get(instance_id, 0) >= LEAST_PIXELS

    def take(self, sight: Sight) -> None:
        """An image."""
        numbers, counts = np.unique(sight.instance_ids, return_counts=True)
        for n, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            self.pixels[n] = max(self.pixels.get(n, 0), count)
        self.looked |= {
            n for n, (low, high) in self.watched.items() if n not in self.looked and shows(sight, low, high)
        }


def shows(sight: Sight, low: NDArray[np.float64], high: NDArray[np.float64]) -> bool:
    """Whether an image looks at the place of a box: readings reach the half of six points of it, its middle, the middle
    of its top and of its four sides, and a thing of that size would cover as many pixels as one that counts as seen."""
    middle, half, camera = (low + high) / 2.0, (high - low) / 2.0, sight.camera
    sides = np.array([[0, 0, 0], [0, 0, 1], [1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], np.float64)
    pose = sight.world_from_camera
    local = (middle + sides * half - pose[:3, 3]) @ pose[:3, :3]
    z = np.maximum(local[:, 2], 1e-3)
    u, v = (np.rint(local[:, a] / z * f + c) for a, f, c in ((0, camera.fx, camera.cx), (1, camera.fy, camera.cy)))
    inside = (local[:, 2] > 0.05) & (u >= 0) & (v >= 0) & (u < camera.width) & (v < camera.height)
    columns, rows = (np.where(inside, one, 0).astype(int) for one in (u, v))
    reached = inside & (np.nan_to_num(sight.depth_m[rows, columns], nan=0.0) >= z - REACHES_M)
    large = np.prod(np.sort(2.0 * half)[1:]) * camera.fx * camera.fy / z[0] ** 2 >= LEAST_PIXELS
    return bool(large and reached.sum() >= 3)


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
            visit.take(sight)
            visit.done = step / max(1, len(actions))
            yield (
                sight,
                Frame(sight.rgb, sight.depth_m, sight.camera, sight.world_from_camera, scene.stamp_ns, depth_unit="m"),
            )


# --- which object is which thing


@dataclass(frozen=True, eq=False)
class Known:
    """A thing as a memory tells of it."""

    object_id: int
    name: str
    points_m: NDArray[np.floating]
    """(N, 3)"""
    box_min_m: NDArray[np.float64]
    box_max_m: NDArray[np.float64]
    last_seen_ns: int
    presence: Presence = Presence.NOT_SEEN_SINCE
    moves: int = 0
    """how often it was moved"""

    @property
    def middle_m(self) -> NDArray[np.float64]:
        """(3,) middle of its box."""
        return (self.box_min_m + self.box_max_m) / 2.0


def known(thing: MapObject) -> Known:
    """An object of `memory.objects()`."""
    return Known(
        thing.object_id, thing.name, thing.points_m, thing.box_min_m, thing.box_max_m, thing.last_seen_ns,
        thing.presence, len(thing.moves),
    )  # fmt: skip


def shared(found: Sequence[Known], things: Sequence[SceneObject]) -> NDArray[np.float64]:
    """(N, T) what the boxes of both have in common of what they take together, all grown."""
    if not found or not things:
        return np.zeros((len(found), len(things)))
    a0, a1 = np.array([o.box_min_m for o in found]) - GROWN_M, np.array([o.box_max_m for o in found]) + GROWN_M
    b0, b1 = np.array([t.box_min_m for t in things]) - GROWN_M, np.array([t.box_max_m for t in things]) + GROWN_M
    common = np.clip(np.minimum(a1[:, None], b1) - np.maximum(a0[:, None], b0), 0.0, None).prod(axis=2)
    return common / ((a1 - a0).prod(axis=1)[:, None] + (b1 - b0).prod(axis=1) - common)


def fits(found: Sequence[Known], things: Sequence[SceneObject]) -> dict[tuple[int, int], float]:
    """(number in `found`, number in `things`) -> how well they fit, for those that may be one: the share of the
    object's points in the thing's box, and that of the boxes in common."""
    both, fitting = shared(found, things), dict[tuple[int, int], float]()
    for i, j in zip(*(some.tolist() for some in np.nonzero(both >= COVERED)), strict=True):
        points, thing = found[i].points_m, things[j]
        within = (points >= thing.box_min_m - GROWN_M) & (points <= thing.box_max_m + GROWN_M)
        inside = float(within.all(axis=1).mean())
        if inside >= INSIDE:
            fitting[i, j] = inside + float(both[i, j])
    return fitting


def paired(fitting: Mapping[tuple[int, int], float]) -> dict[int, int]:
    """number in `found` -> number in `things`, each at most once, the best first."""
    pairs, taken = dict[int, int](), set[int]()
    for _, i, j in sorted((-fit, i, j) for (i, j), fit in fitting.items()):
        if i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return pairs


@dataclass(eq=False)
class Followed:
    """Which object stands for each thing, from one look at a memory to the next."""

    stands_for: dict[int, int] = field(default_factory=dict)
    """instance id -> object_id, the last one"""
    switches: int = 0
    kept: int = 0
    """times that a thing was found again as the same object"""

    def note(self, now: Mapping[int, int]) -> None:
        """instance id -> object_id as it is now; things that nothing stands for are left as they were."""
        for thing, number in now.items():
            if thing in self.stands_for:
                same = self.stands_for[thing] == number
                self.kept, self.switches = self.kept + same, self.switches + (not same)
        self.stands_for.update(now)


# --- what became of things


def true_state(
    instance_id: int, before_m: NDArray[np.float64], now: Mapping[int, SceneObject], visit: Visit
) -> str | None:
    """What became of a thing whose middle was at `before_m` (3,), as far as a visit shows it; None: neither clearly
    shown nor clearly not."""
    pixels = visit.pixels.get(instance_id, 0)
    if FEW_PIXELS <= pixels < LEAST_PIXELS:
        return None
    stays = instance_id in now and float(np.linalg.norm(now[instance_id].middle_m - before_m)) <= MOVED_M
    if pixels >= LEAST_PIXELS:
        return THERE if stays else MOVED
    return GONE if not stays and instance_id in visit.looked else NOT_LOOKED


def said_state(before: Known, now: Known | None, true_m: NDArray[np.float64] | None, since_ns: int) -> str:
    """What a memory says became of an object.

    Args:
        before, now: as it told of it before and after the second visit; None: it knows it no more.
        true_m: (3,) where the thing is now in truth; None: nowhere.
        since_ns: when the second visit began.
    """
    if now is None:
        return LOST
    if now.presence is Presence.GONE:
        return GONE
    if now.moves > before.moves or float(np.linalg.norm(now.middle_m - before.middle_m)) > MOVED_M:
        right = true_m is not None and float(np.linalg.norm(now.middle_m - true_m)) <= PLACE_M
        return MOVED if right else ELSEWHERE
    if now.presence is Presence.DOUBTED:
        return DOUBTED
    return THERE if now.presence is Presence.PRESENT or now.last_seen_ns >= since_ns else NOT_LOOKED


def by_state(answers: Mapping[tuple[str, str], int]) -> dict[str, tuple[float, float, float]]:
    """state -> precision, recall and F1, of counts of (truth, said); NaN where there is nothing of it. What was found
    at a wrong place was said to be moved."""
    found = dict[str, tuple[float, float, float]]()
    for state in STATES:
        right = answers.get((state, state), 0)
        true = sum(count for (truth, _), count in answers.items() if truth == state)
        words = (MOVED, ELSEWHERE) if state == MOVED else (state,)
        said = sum(count for (_, word), count in answers.items() if word in words)
        found[state] = (_share(right, said), _share(right, true), _share(2 * right, said + true))
    return found


def macro_f1(answers: Mapping[tuple[str, str], int]) -> float:
    """Mean F1 of the states that are true of anything."""
    return float(np.mean([f1 for _, recall, f1 in by_state(answers).values() if np.isfinite(recall)]))


def added(counts: Iterable[Mapping[tuple[str, str], int]]) -> Counter[tuple[str, str]]:
    """Counts of several houses."""
    total = Counter[tuple[str, str]]()
    for one in counts:
        total.update(one)
    return total


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
