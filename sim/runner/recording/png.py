"""A picture of an episode: a strip of what was seen, and the way from above."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import cv2
import numpy as np
from numpy.typing import NDArray

from sim import observation as keys
from sim.runner.recording.floor_map import FloorMap
from sim.runner.recording.recorder import Recorder
from sim.scene import Scene
from sim.tasks.episode import Episode

VIEWS, _VIEW_PX, _MAP_PX, _LINE_PX = 8, 160, 420, 24
_WHITE, _INK = 250, (30, 30, 30)


@final
class Recording(Recorder):
    """Keeps small copies of all views, and draws when it is over."""

    def __init__(self, scene: Scene, episode: Episode, path: Path) -> None:
        self.path = path
        self._scene, self._map = scene, FloorMap(scene, episode, _MAP_PX)
        self._goals = ", ".join(goal.text or goal.kind for goal in episode.goals)
        self._views: list[NDArray[np.uint8]] = []
        self._way: list[NDArray[np.float64]] = []

    def step(self, observation: Mapping[str, Any]) -> None:
        self._views.append(view(observation, _VIEW_PX))
        self._way.append(self._scene.stand.ground_m)

    def close(self, ended: str) -> None:
        self._way.append(self._scene.stand.ground_m)
        chosen = np.unique(np.linspace(0, len(self._views) - 1, VIEWS).round().astype(int)) if self._views else []
        strip = [np.full((_VIEW_PX, 1, 3), _WHITE, np.uint8), *(self._views[n] for n in chosen)]
        words = f"{self._goals}: {ended} after {len(self._views)} steps"
        rows = [np.concatenate(strip, axis=1), self._map.drawn(np.array(self._way))]
        rows.insert(0, line_of_text(words, max(row.shape[1] for row in rows), _LINE_PX))
        cv2.imwrite(str(self.path), stacked(rows)[:, :, ::-1])


def view(observation: Mapping[str, Any], height: int) -> NDArray[np.uint8]:
    """What the agent is shown, so high."""
    rgb = observation[keys.RGB]
    width = max(1, round(rgb.shape[1] * height / rgb.shape[0]))
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def line_of_text(words: str, width: int, height: int) -> NDArray[np.uint8]:
    """Words on white."""
    image = np.full((height, width, 3), _WHITE, np.uint8)
    cv2.putText(image, words, (6, height - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.45, _INK, 1, cv2.LINE_AA)
    return image


def stacked(rows: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Images one below the other, filled up with white on the right."""
    width = max(row.shape[1] for row in rows)
    filled = [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0)), constant_values=_WHITE) for row in rows]
    return np.concatenate(filled, axis=0)
