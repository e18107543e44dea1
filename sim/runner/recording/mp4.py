"""A film of an episode: what was seen, and beside it the way from above. Ten steps a second, H.264; needs av."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from sim.runner.recording.floor_map import FloorMap
from sim.runner.recording.png import line_of_text, view
from sim.runner.recording.recorder import Recorder, require
from sim.scene import Scene
from sim.tasks.episode import Episode

_HEIGHT_PX, _LINE_PX, _RATE = 360, 24, 10


@final
class Recording(Recorder):
    """Encodes as it goes; the file is whole once it is closed."""

    def __init__(self, scene: Scene, episode: Episode, path: Path) -> None:
        self.path = path
        self._av = require("av", "sim")
        self._scene, self._map = scene, FloorMap(scene, episode, _HEIGHT_PX)
        self._goals = [goal.text or goal.kind for goal in episode.goals]
        self._file = self._av.open(str(path), "w")
        self._stream: Any = None
        self._way: list[NDArray[np.float64]] = []
        self._last = np.empty((0, 0, 3), np.uint8)

    def step(self, observation: Mapping[str, Any]) -> None:
        from sim import observation as keys

        self._way.append(self._scene.stand.ground_m)
        self._last = view(observation, _HEIGHT_PX)
        self._add(f"{self._goals[int(observation[keys.GOAL_INDEX])]}, step {len(self._way) - 1}")

    def close(self, ended: str) -> None:
        if self._last.size:
            self._way.append(self._scene.stand.ground_m)
            for _ in range(_RATE):
                self._add(f"{ended} after {len(self._way) - 1} steps")
        if self._stream is not None:
            for packet in self._stream.encode():
                self._file.mux(packet)
        self._file.close()

    def _add(self, words: str) -> None:
        picture = np.concatenate([self._last, self._map.drawn(np.array(self._way))], axis=1)
        picture = np.concatenate([line_of_text(words, picture.shape[1], _LINE_PX), picture])
        picture = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]  # the pixel format takes pairs
        if self._stream is None:
            self._stream = self._file.add_stream("libx264", rate=Fraction(_RATE), options={"crf": "23"})
            self._stream.height, self._stream.width = picture.shape[:2]
            self._stream.pix_fmt = "yuv420p"
        frame = self._av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
        for packet in self._stream.encode(frame):
            self._file.mux(packet)
