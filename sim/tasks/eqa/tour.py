"""How far one has to go to see what a question needs, and walks that see a whole scene."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.errors import SimError
from sim.scene import Scene
from sim.tasks.episode import Episode, Goal
from sim.tasks.eqa.asking import Asking, ask

_LINK_M = 0.45
"""neighbouring standing places of a scene lie within this of each other"""


def shortest_m(scene: Scene, start_m: NDArray[np.floating], object_ids: Sequence[str]) -> float:
    """Length of a way from (3,) past a viewpoint of every thing, always on to the nearest that is left, or inf.

    With one thing it is the shortest way; with several it may be longer than the best order would be.
    """
    left = [scene.viewpoints_m(i) for i in dict.fromkeys(object_ids)]
    here, gone = np.asarray(start_m, np.float64), 0.0
    while left:
        far = [scene.distance_m(here, views) if len(views) else math.inf for views in left]
        nearest = int(np.argmin(far))
        if not math.isfinite(far[nearest]):
            return math.inf
        gone += far[nearest]
        views = left.pop(nearest)
        if left:
            away = scene.distances_to(here[None])
            here = views[int(np.argmin([away(v) for v in views]))]
    return gone


@dataclass(frozen=True, eq=False)
class History:
    """A recorded walk and what is asked about it: OpenEQA's episodic memory, EM-EQA."""

    scene_id: str
    stamps_ns: NDArray[np.int64]
    """(N,)"""
    world_from_camera: NDArray[np.float64]
    """(N, 4, 4) poses to render from with `Scene.sight_from`, OpenCV axes"""
    episode: Episode
    """where the walk begins, with every question as a goal"""

    @property
    def goals(self) -> tuple[Goal, ...]:
        """The questions with their answers."""
        return self.episode.goals


def history(scene: Scene, asking: Asking, count: int, *, every_ns: int = 200_000_000, turns: int = 8) -> History:
    """A walk that sees everything that can be named, whatever will be asked, and up to `count` questions about it.

    The walk goes through a least number of places from which all things are seen, found greedily, to the nearest first,
    and looks around at each: `turns` views level and as many downwards. The body of the scene is left at the end.
    """
    goals = ask(scene, asking, count)
    stops = _covering(scene)
    if not len(stops):
        raise SimError(f"nothing can be looked at in the scene {scene.scene_id!r}: there is no walk to record")
    path = _through(scene, stops)
    poses: list[NDArray[np.float64]] = []
    stands = {tuple(np.round(s, 3)) for s in stops}
    for i, at in enumerate(path):
        ahead = path[min(i + 1, len(path) - 1)] - path[max(i - 1, 0)]
        yaw = math.atan2(ahead[1], ahead[0])
        looks = [(yaw, 0.0)]
        if tuple(np.round(at, 3)) in stands:
            stands.discard(tuple(np.round(at, 3)))
            around = [yaw + 2.0 * math.pi * k / turns for k in range(turns)]
            looks = [(a, pitch) for pitch in (0.0, -math.radians(35.0)) for a in around]
        for angle, pitch in looks:
            scene.place(at, angle, pitch)
            poses.append(scene.world_from_camera)
    first = scene.stamp_ns
    stamps = first + every_ns * np.arange(len(poses), dtype=np.int64)
    start = (float(path[0][0]), float(path[0][1]), float(path[0][2]))
    episode = Episode(f"{scene.scene_id}-{asking.split}-history", scene.scene_id, start, 0.0, goals, first, asking.seed)
    return History(scene.scene_id, stamps, np.stack(poses), episode)


def _covering(scene: Scene) -> NDArray[np.float64]:
    """(N, 3) standing places, from each thing's viewpoints at least one where there is any; greedy set cover."""
    places = scene.standing_places_m()
    index = {key: i for i, key in enumerate(_keys(places))}
    sees: list[set[int]] = [set() for _ in places]
    for n, thing in enumerate(scene.objects()):
        for key in _keys(scene.viewpoints_m(thing.object_id)):
            if key in index:
                sees[index[key]].add(n)
    wanted, chosen = set().union(*sees), []
    while wanted:
        best = max(range(len(sees)), key=lambda i: len(sees[i] & wanted))
        chosen.append(best)
        wanted -= sees[best]
    return places[chosen]


def _keys(points_m: NDArray[np.floating]) -> Iterable[tuple[int, ...]]:
    return [tuple(row) for row in np.round(np.asarray(points_m) * 1000.0).astype(np.int64).tolist()]


def _through(scene: Scene, stops: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M, 3) standing places one step apart, from the first stop past all others, to the nearest one first."""
    places = scene.standing_places_m()
    left, path = list(range(1, len(stops))), [stops[0]]
    while left:
        away = scene.distances_to(path[-1][None])
        nearest = min(left, key=lambda i: away(stops[i]))
        left.remove(nearest)
        back = [stops[nearest]]
        field = np.array([away(p) for p in places])
        while np.linalg.norm(back[-1] - path[-1]) > 1e-6 and len(back) <= len(places):
            back.append(_downhill(places, field, back[-1]))
        path.extend(back[-2::-1])
    return np.array(path)


def _downhill(places: NDArray[np.float64], field: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    """The neighbouring place on the shortest way to where the field is 0."""
    apart = np.linalg.norm(places - at, axis=1)
    cost = np.where((apart < _LINK_M) & (apart > 1e-6), field + apart, np.inf)
    return places[int(np.argmin(cost))]
