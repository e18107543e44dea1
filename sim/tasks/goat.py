"""GOAT: go to 5 to 10 things one after another, each named by a category, a description or a picture.

Rules as in Ram81/goat-bench at 74c41d1 (Khanna et al. 2024): config/tasks/goat_stretch_hm3d.yaml (0.25 m ahead,
turns and tilts of 30 degrees, a field of view of 42 degrees at 360x640, success below 0.25 m of geodesic distance
from a view point of the goal, which lie within 1 m of the thing) and goat_bench/measurements/nav.py (GoatSuccess,
GoatSPL, GoatSoftSPL: the shortest way of a goal is that from where the goal was named; a goal at which the body did
not stop has SoftSPL 0; what the episode has is the mean over all its goals, and a goal that was never named counts
0). A goal is given up after 500 actions and the next one named, as the paper and the README there have it; their
configuration stops after 5,000 actions in all, which 10 goals of 500 never exceed.

3D-Mem (UMass-Embodied-AGI/3D-Mem at f5a88d2, cfg/eval_goatbench.yaml) counts success below 1.0 m of a view point
and moves by way-points of up to 1 m: `success_m=1.0` gives its rule of success, not its movement.
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean
from typing import Any, ClassVar, final

import numpy as np

from sim.errors import InvalidSetting
from sim.scene import Scene
from sim.tasks.episode import Episode
from sim.tasks.goat_goals import Draft, extend, moved_between, stamped
from sim.tasks.places import Stock
from sim.tasks.task import Status, TrialResult
from sim.tasks.walk_task import WalkTask, names
from sim.tasks.walking import Rules, WalkTrial

FEWEST, MOST = 5, 10
"""goals of an episode"""
_HOUR_NS = 3_600_000_000_000
_NAMES = {"category": "object", "description": "description", "image": "image"}
"""how GOAT-Bench calls kinds of goals"""


@final
class GoatTask(WalkTask):
    """Several goals per episode; what has been seen on the way to one helps with the next."""

    task_id: ClassVar[str] = "goat-v1"

    def __init__(  # noqa: PLR0913 - settings, all by name and with a default
        self, *, width: int = 256, height: int = 256, hfov_deg: float = 42.0, turn_deg: float = 30.0,
        max_steps: int = 500, success_m: float = 0.25, per_scene: int = 2, away_h: float = 0.0,
        groups: tuple[str, ...] = ("furniture", "object"), categories: tuple[str, ...] = (), image_size: int = 256,
        shows_ids: bool = False,
    ) -> None:  # fmt: skip
        """
        Args:
            width, height: of the picture; 360 and 640 in the original
            away_h: hours that pass half-way through the goals of a drawn episode, while the world lives on and the body
                sees nothing; later goals then ask, where they can, for what has been moved
            groups, categories: of what is looked for in drawn episodes
            image_size: pixels a side of the pictures of image goals
        """
        super().__init__(width, height, hfov_deg, turn_deg, Rules(max_steps, success_m, True, shows_ids), per_scene)
        if not 0.0 <= away_h < 1e6:
            raise InvalidSetting(f"away_h must be hours from 0; given {away_h}")
        if not (isinstance(image_size, int) and 16 <= image_size <= 4096):
            raise InvalidSetting(f"image_size must be whole pixels, 16 to 4096; given {image_size!r}")
        self._away_ns, self.image_size = round(away_h * _HOUR_NS), image_size
        self._groups, self._categories = names("groups", groups), names("categories", categories)

    def draw(self, scene: Scene, numbers: range, seed: int) -> Iterator[Episode]:
        """Episodes of one scene: those goals that are asked later are drawn from how the scene is then."""
        begun_ns, later_ns = scene.stamp_ns, scene.stamp_ns + self._away_ns
        drafts = [self._draft(scene.scene_id, number, seed) for number in numbers]
        stock = Stock(scene, self._groups, self._categories)
        if self._away_ns:
            before = scene.objects()
            for draft in drafts:
                extend(draft, stock, -(-draft.count // 2), self.image_size, frozenset(), {})
            scene.advance(later_ns)
            stock = Stock(scene, self._groups, self._categories)
            moved, marks = moved_between(before, scene.objects()), stamped(later_ns)
        else:
            moved, marks = frozenset[str](), {}
        for draft in drafts:
            extend(draft, stock, draft.count, self.image_size, moved, marks)
            if not draft.failed:
                yield Episode(
                    f"{scene.scene_id}-{draft.number}", scene.scene_id, draft.start_m, draft.start_yaw_rad,
                    tuple(draft.goals), begun_ns, int(draft.rng.integers(1 << 31)),
                )  # fmt: skip

    @staticmethod
    def _draft(scene_id: str, number: int, seed: int) -> Draft:
        rng = np.random.default_rng([seed, number, *scene_id.encode()])
        return Draft(number, rng, int(rng.integers(FEWEST, MOST + 1)))

    def begin(self, scene: Scene, episode: Episode) -> WalkTrial:
        kinds = [g.kind for g in episode.goals]
        if not kinds or "question" in kinds:
            raise InvalidSetting(
                f"{self.task_id} asks for things by category, description or image; episode {episode.episode_id!r} has "
                f"goals of kind {kinds}"
            )
        return WalkTrial(scene, episode, self.rules, _summary)


def _summary(episode: Episode, begun: list[dict[str, Any]], steps: int) -> TrialResult:
    """Means over all goals: `success` is GOAT-Bench's partial_success, `spl` its composite_spl, `softspl` likewise.

    Distances are means over the goals that were named. Success by kind of goal is given for the kinds there are, where
    GOAT-Bench gives 0 for those there are not.
    """
    count = len(episode.goals)
    metrics = {name: sum(g[name] for g in begun) / count for name in ("success", "spl", "softspl")}
    metrics |= {"distance_to_goal": fmean(g["distance_to_goal"] for g in begun)}
    metrics |= {name: sum(g[name] for g in begun) for name in ("num_steps", "collisions", "path_length_m")}
    metrics["composite_success"] = float(metrics["success"] == 1.0)
    for kind, word in _NAMES.items():
        asked = sum(g.kind == kind for g in episode.goals)
        if asked:
            metrics[f"{word}_success"] = sum(g["success"] for g in begun if g["kind"] == kind) / asked
    if any(g.extra.get("moved") for g in episode.goals):
        asked = sum(bool(g.extra.get("moved")) for g in episode.goals)
        metrics["moved_success"] = sum(g["success"] for g in begun if g.get("moved")) / asked
    statuses = [g["status"] for g in begun]
    status: Status = "success" if metrics["composite_success"] else "failure"
    if status == "failure" and len(begun) == count and statuses[-1] == "timeout":
        status = "timeout"
    return TrialResult(status, steps, metrics, tuple(begun))
