"""ObjectNav: find any thing of a category.

Rules as in habitat-lab at 0fb6f43, config/benchmark/nav/objectnav/objectnav_hm3d.yaml and
config/habitat/task/objectnav.yaml (the Habitat challenges of 2022 and 2023): 0.25 m ahead, turns and tilts of 30
degrees, 500 actions, a field of view of 79 degrees at 640x480; success when the body stops less than 0.1 m of
geodesic distance from a view point of any thing of the category, which lie within 1 m of the things. Its depth
camera reads from 0.5 to 5 m; here depth is not cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, final

import numpy as np

from sim.errors import InvalidSetting
from sim.scene import Scene
from sim.tasks.episode import Episode, Goal
from sim.tasks.places import Stock, start
from sim.tasks.task import TrialResult
from sim.tasks.walk_task import WalkTask
from sim.tasks.walking import Rules, WalkTrial


@final
class ObjectNavTask(WalkTask):
    """One category to be found per episode; `width=640, height=480` is the picture of the original."""

    task_id: ClassVar[str] = "objectnav-v1"

    def __init__(
        self, *, width: int = 256, height: int = 256, hfov_deg: float = 79.0, turn_deg: float = 30.0,
        max_steps: int = 500, success_m: float = 0.1, per_scene: int = 5, groups: tuple[str, ...] = ("furniture",),
        categories: tuple[str, ...] = (), shows_ids: bool = False,
    ) -> None:  # fmt: skip
        """`groups`, `categories`: of what is looked for in drawn episodes; `per_scene`: episodes in a row in one."""
        super().__init__(width, height, hfov_deg, turn_deg, Rules(max_steps, success_m, False, shows_ids), per_scene)
        self._groups, self._categories = tuple(groups), tuple(categories)

    def draw(self, scene: Scene, numbers: range, seed: int) -> Iterator[Episode]:
        stock = Stock(scene, self._groups, self._categories)
        for number in numbers:
            rng = np.random.default_rng([seed, number, *scene.scene_id.encode()])
            episode = self._episode(stock, number, rng)
            if episode is not None:
                yield episode

    def _episode(self, stock: Stock, number: int, rng: np.random.Generator) -> Episode | None:
        for category in rng.permutation(stock.categories):
            ids = stock.ids_of(str(category))
            drawn = start(stock, ids, rng) if ids else None
            if drawn is not None:
                place_m, yaw_rad, far_m = drawn
                goal = Goal("category", str(category), str(category), ids, extra={"instances": len(ids)})
                return Episode(
                    f"{stock.scene.scene_id}-{number}", stock.scene.scene_id, place_m, yaw_rad, (goal,),
                    stock.scene.stamp_ns, int(rng.integers(1 << 31)), {"geodesic_distance": far_m},
                )  # fmt: skip
        return None

    def begin(self, scene: Scene, episode: Episode) -> WalkTrial:
        if [g.kind for g in episode.goals] != ["category"]:
            kinds = [g.kind for g in episode.goals]
            raise InvalidSetting(
                f"{self.task_id} asks for one category; episode {episode.episode_id!r} has goals of kind {kinds}"
            )
        return WalkTrial(scene, episode, self.rules, _summary)


def _summary(episode: Episode, begun: list[dict[str, Any]], steps: int) -> TrialResult:
    goal = begun[0]
    names = ("success", "spl", "softspl", "distance_to_goal", "num_steps", "collisions", "path_length_m", "shortest_m")
    return TrialResult(goal["status"], steps, {name: goal[name] for name in names}, (goal,))
