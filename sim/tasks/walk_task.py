"""What tasks share in which a body walks: the camera and steps, and episodes drawn scene by scene."""

from __future__ import annotations

import abc
import math
from collections.abc import Iterator, Sequence
from itertools import islice

from sim.body import Motion
from sim.errors import InvalidSetting
from sim.scene import Scene, SceneConfig, World
from sim.tasks.episode import Episode
from sim.tasks.task import Task
from sim.tasks.walking import Rules

_BARREN = 20
"""scenes in a row in which no episode can be drawn, before that is said"""


class WalkTask(Task):
    """Episodes are numbered within their scene; each depends on the scene, the seed and its number alone."""

    def __init__(self, width: int, height: int, hfov_deg: float, turn_deg: float, rules: Rules, per_scene: int) -> None:
        counts = (width, height, rules.max_steps, per_scene)
        if not all(isinstance(v, int) and v >= 1 for v in counts):
            raise InvalidSetting(f"width, height, max_steps and per_scene must be whole and at least 1; given {counts}")
        if not (math.isfinite(hfov_deg) and 0.0 < hfov_deg < 180.0):
            raise InvalidSetting(f"hfov_deg must lie between 0 and 180; given {hfov_deg}")
        if not (math.isfinite(rules.success_m) and rules.success_m > 0.0):
            raise InvalidSetting(f"success_m must be positive; given {rules.success_m}")
        if not (0.0 < turn_deg <= 180.0):
            raise InvalidSetting(f"turn_deg must lie above 0, up to 180; given {turn_deg}")
        self.rules, self._per_scene, self.max_steps = rules, per_scene, rules.max_steps
        self._config = SceneConfig(width, height, float(hfov_deg), Motion(turn_deg=float(turn_deg)))

    def scene_config(self) -> SceneConfig:
        return self._config

    @abc.abstractmethod
    def draw(self, scene: Scene, numbers: range, seed: int) -> Iterator[Episode]:
        """Episodes of a scene just opened, one for each number for which one can be drawn."""

    def episodes(self, world: World, split: str, seed: int, count: int) -> Sequence[Episode]:
        """See Task. A world that has no more scenes gives further episodes in its scenes, from the first on.

        Raises:
            InvalidSetting: many scenes in a row have nothing to offer.
        """
        if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0 or count < 0:
            raise InvalidSetting(f"seed and count must be whole and not negative; given {seed!r} and {count!r}")
        found: list[Episode] = []
        turn, barren = 0, 0
        while len(found) < count:
            names = world.scene_ids(split, turn + 1)
            if not names:
                raise InvalidSetting(f"the world {world.name!r} has no scenes in the split {split!r}")
            first = turn // len(names) * self._per_scene
            drawn = self._of_scene(world, names[turn % len(names)], first, seed, count - len(found))
            barren = 0 if drawn else barren + 1
            if barren >= _BARREN:
                raise InvalidSetting(
                    f"{barren} scenes of {world.name!r} in a row offer no episode of {self.task_id}; it needs things "
                    "with viewpoints at least 1 m of way from where a body can stand"
                )
            found += drawn
            turn += 1
        return found

    def _of_scene(self, world: World, scene_id: str, first: int, seed: int, most: int) -> list[Episode]:
        scene = world.open(scene_id, self._config)
        try:
            return list(islice(self.draw(scene, range(first, first + self._per_scene), seed), most))
        finally:
            scene.close()
