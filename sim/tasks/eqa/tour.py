"""How far one has to go to see what a question needs, and walks that see a whole scene."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
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


def _keys(points_m: NDArray[np.floating]) -> list[tuple[int, ...]]:
    return [tuple(row) for row in np.round(np.asarray(points_m) * 1000.0).astype(np.int64).tolist()]


def _through(scene: Scene, stops: NDArray[np.float64]) -> NDArray[np.float64]:
    """(M, 3) standing places one step apart, from the first stop past all others, to the nearest one first.

    Where the places of a scene leave a gap, the walk does too.
    """
    places = scene.standing_places_m()
    index = {key: i for i, key in enumerate(_keys(places))}
    links = _links(places)
    here, *left = (index[key] for key in _keys(stops))
    path = [here]
    while left:
        far, came_from = _ways(links, here)
        nearest = min(left, key=lambda i: far[i])
        left.remove(nearest)
        back = [nearest]
        while came_from[back[-1]] >= 0:
            back.append(came_from[back[-1]])
        path.extend(back[::-1] if back[-1] != here else back[-2::-1])
        here = nearest
    return places[path]


def _links(places: NDArray[np.float64]) -> list[list[tuple[int, float]]]:
    """For every place those one step away, and how far they are."""
    found = []
    for i, at in enumerate(places):
        apart = np.linalg.norm(places - at, axis=1)
        found.append([(int(j), float(apart[j])) for j in np.flatnonzero(apart < _LINK_M) if j != i])
    return found


def _ways(links: list[list[tuple[int, float]]], start: int) -> tuple[list[float], list[int]]:
    """How far each place is from one, inf where no way leads, and the place before it; Dijkstra's search."""
    far, came_from = [math.inf] * len(links), [-1] * len(links)
    far[start], queue = 0.0, [(0.0, start)]
    while queue:
        length, i = heapq.heappop(queue)
        if length > far[i]:
            continue
        for j, step in links[i]:
            if length + step < far[j]:
                far[j], came_from[j] = length + step, i
                heapq.heappush(queue, (length + step, j))
    return far, came_from
