"""The task: walk about a scene, then answer a question about it.

Rules as in OpenEQA's A-EQA (Majumdar et al. 2024): the agent is put somewhere in the scene, explores as long as it
likes, and ends by answering. Neither the paper nor 3D-Mem counts step actions (3D-Mem: 50 moves of at most 1 m between
views); the limit here is the 500 of Habitat's tasks. Scores: see scoring.py.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, final

import numpy as np

from sim.body import Action, Motion
from sim.errors import InvalidAction, InvalidSetting
from sim.observation import GOAL_CHOICES, GOAL_IMAGE, GOAL_INDEX, GOAL_KIND, GOAL_TEXT
from sim.scene import Scene, SceneConfig, World
from sim.tasks.episode import Episode
from sim.tasks.eqa.asking import CATEGORIES, Asking, ask
from sim.tasks.eqa.frozen import SPLIT_SHA256, held_out, split
from sim.tasks.eqa.matching import matches
from sim.tasks.eqa.scoring import AnswerScorer, identity_of, marked, path_share
from sim.tasks.eqa.tour import shortest_m
from sim.tasks.sensed import sensed
from sim.tasks.task import Status, Task, Trial, TrialResult

PER_SCENE = len(CATEGORIES)
"""questions of one scene: one of every category"""
_BARREN = 50
"""scenes in a row without a single question: the world says too little of its things"""


class _Eqa(Task):
    """What both tasks share."""

    choices: ClassVar[bool]

    def __init__(
        self, *, max_steps: int = 500, scorer: AnswerScorer | None = None, width: int = 256, height: int = 256,
        hfov_deg: float = 90.0, turn_deg: float = 30.0, stamp_ns: int = 0, shows_ids: bool = False,
    ) -> None:  # fmt: skip
        """`scorer`: marks free answers on OpenEQA's scale, beside the exact match; `stamp_ns`: when it is asked;
        `shows_ids`: agents see which thing is where."""
        if max_steps < 1:
            raise InvalidSetting(f"max_steps must be at least 1; given {max_steps}")
        if scorer is not None and not isinstance(scorer, AnswerScorer):
            raise InvalidSetting(f"scorer must be an AnswerScorer, or name one as module:Class; given {scorer!r:.80}")
        if isinstance(stamp_ns, bool) or not isinstance(stamp_ns, (int, np.integer)) or stamp_ns < 0:
            raise InvalidSetting(f"stamp_ns is a whole number of nanoseconds from 0; given {stamp_ns!r}")
        self.max_steps, self._scorer, self._stamp_ns = max_steps, scorer, int(stamp_ns)
        self._config, self._shows_ids = SceneConfig(width, height, hfov_deg, Motion(turn_deg=turn_deg)), shows_ids

    @staticmethod
    def split_hash() -> str:
        """SHA-256 of what is frozen of the questions, for manifests."""
        split()
        return SPLIT_SHA256

    def identity(self) -> Mapping[str, str]:
        frozen = {"split_sha256": self.split_hash()}
        return frozen if self._scorer is None else {**frozen, **identity_of(self._scorer)}

    def scene_config(self) -> SceneConfig:
        return self._config

    def episodes(self, world: World, split: str, seed: int, count: int) -> Sequence[Episode]:
        """As `Task.episodes`; the test split asks in the scenes that were frozen, and `InvalidSetting` says when these
        or the questions of a world run out."""
        frozen = held_out(world.name) if split == "test" else None
        found: list[Episode] = []
        scenes, barren = 0, 0
        while len(found) < count:
            names = world.scene_ids(split, scenes + 1)
            if scenes >= len(names) or (frozen is not None and names[scenes].partition("+")[0] not in frozen):
                raise InvalidSetting(f"{split!r} of {world.name!r} gives {len(found)} questions; asked for {count}")
            episodes = self._of_scene(world, names[scenes], split, seed)
            scenes, barren = scenes + 1, 0 if episodes else barren + 1
            if barren >= _BARREN:
                raise InvalidSetting(
                    f"{barren} scenes of {world.name!r} in a row offer no question; it names too little"
                )
            found += episodes
        return found[:count]

    def _of_scene(self, world: World, scene_id: str, split: str, seed: int) -> list[Episode]:
        scene = world.open(scene_id, self._config)
        try:
            if self._stamp_ns > scene.stamp_ns:
                scene.advance(self._stamp_ns)
            goals = ask(scene, Asking(split, self.choices, seed), PER_SCENE)
            places = scene.standing_places_m()
        finally:
            scene.close()
        rng = np.random.default_rng([seed, len(scene_id), *scene_id.encode()])
        episodes = []
        for n, goal in enumerate(goals):
            x, y, z = (float(v) for v in places[int(rng.integers(len(places)))])
            turn = math.radians(self._config.motion.turn_deg)
            yaw = turn * int(rng.integers(max(1, round(2.0 * math.pi / turn))))
            episodes.append(
                Episode(
                    f"{scene_id}-{n}", scene_id, (x, y, z), yaw, (goal,), self._stamp_ns, int(rng.integers(1 << 31))
                )
            )
        return episodes

    def begin(self, scene: Scene, episode: Episode) -> Trial:
        if len(episode.goals) != 1 or episode.goals[0].kind != "question":
            kinds = [g.kind for g in episode.goals]
            raise InvalidSetting(f"an episode of {self.task_id} asks one question; {episode.episode_id!r} has {kinds}")
        if not all(math.isfinite(v) for v in (*episode.start_m, episode.start_yaw_rad)):
            raise InvalidSetting(
                f"the episode {episode.episode_id!r} has no start: it is asked about a recorded walk; see history()"
            )
        return EqaTrial(scene, episode, self.max_steps, self._scorer, self._shows_ids)


@final
class EqaTask(_Eqa):
    """Questions answered in the agent's own words."""

    task_id: ClassVar[str] = "eqa-v1"
    choices: ClassVar[bool] = False


@final
class EqaChoiceTask(_Eqa):
    """Questions with up to four answers to choose from."""

    task_id: ClassVar[str] = "eqa-choice-v1"
    choices: ClassVar[bool] = True


@final
class EqaTrial(Trial):
    """One question under way. Ends with STOP, which bears the answer, or when the steps are used up."""

    def __init__(self, scene: Scene, episode: Episode, max_steps: int, scorer: AnswerScorer | None = None,
                 shows_ids: bool = False) -> None:  # fmt: skip
        self._scene, self._episode, self._goal = scene, episode, episode.goals[0]
        self._max_steps, self._scorer, self._shows_ids = max_steps, scorer, shows_ids
        if episode.stamp_ns > scene.stamp_ns:
            scene.advance(episode.stamp_ns)
        scene.place(np.array(episode.start_m), episode.start_yaw_rad)
        self._steps, self._gone_m, self._collided = 0, 0.0, False
        self._answer, self._stopped = "", False
        self._match: float | None = None

    @property
    def over(self) -> bool:
        return self._stopped or self._steps >= self._max_steps

    def observation(self) -> dict[str, Any]:
        """What is sensed, and the question."""
        return {
            **sensed(self._scene, self._steps, self._collided, self._shows_ids),
            GOAL_INDEX: np.array(0, np.int64), GOAL_KIND: self._goal.kind, GOAL_TEXT: self._goal.text,
            GOAL_CHOICES: self._goal.choices, GOAL_IMAGE: np.zeros((0, 0, 3), np.uint8),
        }  # fmt: skip

    def step(self, action: int | Mapping[str, Any]) -> None:
        if self.over:
            raise InvalidAction(f"the episode {self._episode.episode_id!r} is over; begin another")
        chosen, answer = _read(action)
        self._steps += 1
        if chosen is Action.STOP:
            self._answer, self._stopped = answer, True
            return
        moved = self._scene.act(chosen)
        self._gone_m, self._collided = self._gone_m + moved.length_m, moved.collided

    def result(self) -> TrialResult:
        """Whether the answer is right, and how far the way was beside the shortest (scoring.py)."""
        goal = self._goal
        correct = float(self._stopped and matches(self._answer, goal.answers))
        shortest = (
            shortest_m(self._scene, np.array(self._episode.start_m), goal.object_ids) if goal.object_ids else math.inf
        )
        share = path_share(self._gone_m, shortest)
        metrics = {"correct": correct, "answered": float(bool(self._answer)), "path_length_m": self._gone_m}
        if math.isfinite(shortest):  # else nobody says what had to be seen, and there is nothing to compare with
            metrics |= {"shortest_m": shortest, "efficiency": correct * share}
        if goal.category:
            metrics[f"correct/{goal.category}"] = correct
        if self._scorer is not None and goal.answers:
            match = self._match
            if match is None:  # whoever marks is asked once: it may cost money, and not say the same twice
                match = marked(self._scorer, goal.text, goal.answers, self._answer)
            self._match = match if self.over else None
            metrics |= {"llm_match": match} | ({"llm_match_spl": match * share} if math.isfinite(shortest) else {})
        status: Status = "success" if correct else "failure" if self._stopped else "timeout"
        row = {"question": goal.text, "answer": self._answer, "expected": goal.answers[0] if goal.answers else "",
               "kind": goal.extra.get("kind", "")}  # fmt: skip
        return TrialResult(status, self._steps, metrics, (row,))


def _read(action: int | Mapping[str, Any]) -> tuple[Action, str]:
    """What is to be done, and the answer that goes with it."""
    number, answer = (action.get("action"), action.get("answer", "")) if isinstance(action, Mapping) else (action, "")
    if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or int(number) not in set(Action):
        known = ", ".join(f"{a.value} {a.name}" for a in Action)
        raise InvalidAction(f"no action {number!r}; return one of {known}, or {{'action': 0, 'answer': text}}")
    chosen = Action(int(number))
    if not isinstance(answer, str):
        raise InvalidAction(f"an answer must be text; given {type(answer).__name__}")
    if answer and chosen is not Action.STOP:
        raise InvalidAction(f"an answer goes with STOP (0), which ends the episode; given {chosen.name}")
    return chosen, answer
