"""A scene from above, floor by floor, with the way that a body took: drawn from what every scene offers."""

from __future__ import annotations

from typing import final

import cv2
import numpy as np
from numpy.typing import NDArray

from sim.scene import Scene, SceneObject
from sim.tasks.episode import Episode

_BACK, _GROUND, _THING, _SMALL, _GOAL = (
    (250, 250, 248),
    (222, 224, 220),
    (176, 172, 166),
    (150, 146, 140),
    (222, 50, 40),
)
_START, _END, _OLD, _NEW = (40, 150, 70), (20, 20, 20), np.array([120, 190, 255]), np.array([10, 60, 190])
_MARGIN_M, _STOREY_M = 0.6, 1.3


@final
class FloorMap:
    """Panels side by side, one a floor. Images are uint8 (height, width, 3), x to the right, y up."""

    def __init__(self, scene: Scene, episode: Episode, height: int) -> None:
        places = scene.standing_places_m()
        self.levels_m = _levels(places[:, 2])
        low, high = places[:, :2].min(axis=0) - _MARGIN_M, places[:, :2].max(axis=0) + _MARGIN_M
        self._low, self._scale = low, (height - 1) / float(high[1] - low[1])
        self._size = (height, max(1, round(float(high[0] - low[0]) * self._scale) + 1))
        self._goals = {object_id for goal in episode.goals for object_id in goal.object_ids}
        panels = [self._panel(scene, places, level) for level in self.levels_m]
        self._base = np.concatenate(panels, axis=1)

    def drawn(self, path_m: NDArray[np.float64]) -> NDArray[np.uint8]:
        """The map with a way (N, 3) over the ground; from pale to dark as time goes, green where it begins."""
        image = self._base.copy()
        points = [self._pixel(point) for point in path_m]
        for n, (a, b) in enumerate(zip(points[:-1], points[1:], strict=True)):
            colour = _OLD + (_NEW - _OLD) * (n / max(1, len(points) - 2))
            if abs(a[0] - b[0]) < self._size[1] // 2:  # not from one panel to the next
                cv2.line(image, a, b, [float(c) for c in colour], 2, cv2.LINE_AA)
        if points:
            cv2.circle(image, points[0], 5, _START, -1, cv2.LINE_AA)
            cv2.circle(image, points[-1], 5, _END, -1, cv2.LINE_AA)
        return image

    def _panel(self, scene: Scene, places: NDArray[np.float64], level: float) -> NDArray[np.uint8]:
        image = np.full((*self._size, 3), _BACK, np.uint8)
        half = max(1, round(0.1 * self._scale))
        for point in places[np.abs(places[:, 2] - level) < _STOREY_M]:
            x, y = self._spot(point)
            cv2.rectangle(image, (x - half, y - half), (x + half, y + half), _GROUND, -1)
        things = [t for t in scene.objects() if -0.3 < t.box_min_m[2] - level < 2.2]
        for thing in sorted(things, key=lambda t: (t.object_id in self._goals, t.group != "furniture")):
            self._draw(image, thing)
        return image

    def _draw(self, image: NDArray[np.uint8], thing: SceneObject) -> None:
        goal = thing.object_id in self._goals
        colour = _GOAL if goal else _THING if thing.group == "furniture" else _SMALL
        a, b = self._spot(thing.box_min_m), self._spot(thing.box_max_m)
        cv2.rectangle(image, a, b, colour, -1 if thing.group == "furniture" or goal else 1)
        if goal:
            cv2.circle(image, ((a[0] + b[0]) // 2, (a[1] + b[1]) // 2), 9, _GOAL, 2, cv2.LINE_AA)

    def _spot(self, point_m: NDArray[np.floating]) -> tuple[int, int]:
        x, y = (np.asarray(point_m)[:2] - self._low) * self._scale
        return round(float(x)), self._size[0] - 1 - round(float(y))

    def _pixel(self, point_m: NDArray[np.floating]) -> tuple[int, int]:
        panel = int(np.argmin([abs(level - float(point_m[2])) for level in self.levels_m]))
        x, y = self._spot(point_m)
        return x + panel * self._size[1], y


def _levels(heights_m: NDArray[np.float64]) -> list[float]:
    """Heights at which much of the ground lies: the floors, not the stairs between them."""
    rounded, counts = np.unique(np.round(heights_m, 1), return_counts=True)
    return [float(height) for height in rounded[counts >= 0.05 * counts.sum()]]
