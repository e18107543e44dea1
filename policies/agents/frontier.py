"""Between floor and ceiling: recognises its goals without fail, knows nothing that it has not seen, remembers nothing
of earlier goals. Frontier exploration as Yamauchi described it (1997).
"""

from __future__ import annotations

import math
from typing import final

import numpy as np
from numpy.typing import NDArray

from policies.agents.occupancy import CELL_M, Field, Occupancy, points_of, turned
from sim import observation as keys
from sim.agent import Agent, Brief, Observation
from sim.body import Action
from sim.errors import InvalidSetting
from sim.scene import Scene
from sim.tasks.episode import Episode, Goal

_PIXELS = 6
"""of a goal that must be seen at once"""
_NEAR_M = 0.7
"""so near to what was seen of a goal, over the plan, it stops"""
_THERE_M, _AROUND_M = 0.2, 0.35
"""so near to a target it is there; what is so near to one that was given up is given up too"""
_BESIDE_M, _MOST_TURNS = 0.3, 12
"""so near to what borders on the unseen a target may be; turns towards it"""
_BUMP_M = 0.12
"""ahead, where the body cannot be after it ran into something"""
_REPLAN = 8
"""steps after which a way is looked for anew"""


@final
class FrontierAgent(Agent):
    """Looks around, goes to the nearest place from where something new will be seen, and so on; once pixels of a goal
    are seen it goes there and stops. It stays on its floor: stairs look like things in the way.

    Privileged for recognition alone: it is told which instances are goals, in words and pictures too, and reads their
    ids off the image of ids.
    """

    privileged = True

    def __init__(self, radius_m: float = 0.18, height_m: float = 1.5) -> None:
        """`radius_m`, `height_m`: of the body, metres."""
        if not (0.0 < radius_m < 1.0 and 0.0 < height_m < 3.0):
            raise InvalidSetting(f"radius_m lies within 0 to 1, height_m within 0 to 3; given {radius_m}, {height_m}")
        self._radius_m, self._height_m = radius_m, height_m
        self._forget()

    def _forget(self) -> None:
        self._scene: Scene | None = None
        self._goals: tuple[Goal, ...] = ()
        self._ids = np.zeros(0, np.int32)
        self._goal = -1

    def reset(self, brief: Brief) -> None:
        self._forget()
        self._brief = brief
        self._turn = math.radians(brief.motion.turn_deg)

    def allow(self, scene: Scene, episode: Episode) -> None:
        self._scene, self._goals = scene, episode.goals

    def act(self, observation: Observation) -> int:
        """Map what is seen, then go on to the goal where it is in sight, else to the nearest frontier."""
        x, y, z, yaw, _ = (float(v) for v in observation[keys.STATE])
        index = int(observation[keys.GOAL_INDEX])
        if index != self._goal:
            self._begin(index, x, y)
        self._see(observation, z)
        if observation[keys.COLLIDED] and self._ahead:
            self._map.block(x + _BUMP_M * math.cos(yaw), y + _BUMP_M * math.sin(yaw))
            self._bumps.add((*self._map.cell(x, y), self._heading(yaw)))
            self._field = None
        self._map.stand(x, y)
        action = self._chosen(x, y, yaw)
        self._ahead = action is Action.FORWARD
        return int(action)

    def _begin(self, index: int, x: float, y: float) -> None:
        """Another goal: everything that was seen is forgotten. What its things are called is asked now: some may have
        been put there since."""
        self._goal, self._ahead = index, False
        assert self._scene is not None, "privileged agents are told the scene"
        numbers = {thing.object_id: thing.instance_id for thing in self._scene.objects()}
        known = [numbers[object_id] for object_id in self._goals[index].object_ids if object_id in numbers]
        self._ids = np.array(known, np.int32)
        self._map = Occupancy(x, y, self._radius_m, self._height_m)
        self._tried = np.zeros_like(self._map.blocked)
        self._seen: list[NDArray[np.float64]] = []
        self._look_around = math.ceil(2.0 * math.pi / self._turn)
        self._field: Field | None = None
        self._target = (0, 0)
        self._age = 0
        self._bumps: set[tuple[int, int, int]] = set()
        self._facing = 0

    def _see(self, observation: Observation, ground_m: float) -> None:
        depth, pose = observation[keys.DEPTH], observation[keys.POSE]
        self._map.add(depth, self._brief.camera, pose, ground_m)
        ids = observation[keys.IDS] if keys.IDS in observation else self._scene_ids()
        shown = np.isin(ids, self._ids)
        if np.count_nonzero(shown) >= _PIXELS:
            points = points_of(np.where(shown, depth, 0.0), self._brief.camera, pose)
            self._look_around = 0
            if not self._seen:
                self._field = None
            self._seen.append(points[:: max(1, len(points) // 50), :2])

    def _scene_ids(self) -> NDArray[np.int32]:
        assert self._scene is not None, "allow was not called"
        return self._scene.look().instance_ids

    def _chosen(self, x: float, y: float, yaw: float) -> Action:
        if self._look_around > 0:
            self._look_around -= 1
            return Action.LEFT
        if self._seen and self._off_goal(x, y) <= _NEAR_M:
            return Action.STOP
        if self._facing < _MOST_TURNS and (turn := self._facing_unseen(x, y, yaw)) is not None:
            self._facing += 1
            return turn
        for _ in range(6):  # targets that turn out not to be reachable are given up
            if not self._has_way(x, y) and not self._plan(x, y):
                return Action.STOP  # there is nothing left to look at
            action = self._step(x, y, yaw)
            if action is not None:
                self._age += 1
                return action
            self._give_up()
        return Action.LEFT

    def _facing_unseen(self, x: float, y: float, yaw: float) -> Action | None:
        """The turn to what has not been seen beside a target that is reached; None elsewhere, or once it is ahead."""
        if self._seen or self._field is None or not self._is_there(x, y):
            return None
        rows, columns = np.nonzero(self._map.frontiers() & ~self._tried)
        off = np.array([self._map.middle(0, 0)]) + np.stack([columns, rows], axis=1) * CELL_M - (x, y)
        away = np.hypot(off[:, 0], off[:, 1])
        if not len(away) or away.min() > _BESIDE_M:
            return None
        near = off[int(np.argmin(away))]
        turn = turned(math.atan2(near[1], near[0]) - yaw)
        return None if abs(turn) <= math.radians(30.0) else Action.LEFT if turn > 0.0 else Action.RIGHT

    def _is_there(self, x: float, y: float) -> bool:
        return math.hypot(*np.subtract(self._map.middle(*self._target), (x, y))) <= _THERE_M

    def _heading(self, yaw: float) -> int:
        return round(yaw / self._turn) % round(2.0 * math.pi / self._turn)

    def _off_goal(self, x: float, y: float) -> float:
        points = np.concatenate(self._seen[-8:])
        return float(np.hypot(points[:, 0] - x, points[:, 1] - y).min())

    def _has_way(self, x: float, y: float) -> bool:
        if self._field is None or self._age >= _REPLAN or not math.isfinite(self._field[self._map.cell(x, y)]):
            return False
        return not self._is_there(x, y)

    def _plan(self, x: float, y: float) -> bool:
        """Choose where to go, the goal first if it was seen and can be gone to, and the way there."""
        if self._is_there(x, y):
            self._give_up()
        self._facing = 0
        open_cells = self._map.open(x, y)
        cost = self._map.field(open_cells, np.array([self._map.cell(x, y)]))
        beside = self._map.widened(self._map.frontiers() & ~self._tried, _BESIDE_M)
        for wanted in (self._at_goal(open_cells), beside):
            wanted &= ~self._tried & np.isfinite(cost)
            if wanted.any():
                self._target = _cheapest(np.where(wanted, cost, np.inf))
                self._field = self._map.field(open_cells, np.array([self._target]))
                self._age = 0
                return True
        return False

    def _at_goal(self, open_cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Cells from which what was seen of the goal is near."""
        mask = np.zeros_like(self._tried)
        if not self._seen:
            return mask
        for x, y in np.concatenate(self._seen[-8:]):
            self._map.draw_disk(mask, float(x), float(y), _NEAR_M - _THERE_M)
        return mask & open_cells

    def _give_up(self) -> None:
        """What is around the target is not gone to again."""
        row, column = self._target
        r = round(_AROUND_M / CELL_M)
        self._tried[max(0, row - r) : row + r + 1, max(0, column - r) : column + r + 1] = True
        self._field = None

    def _step(self, x: float, y: float, yaw: float) -> Action | None:
        """The first action of the turn and the move after which least is left to go; None where no move is better."""
        assert self._field is not None
        forward, best = self._brief.motion.forward_m, None
        least = float(self._field[self._map.cell(x, y)]) - 0.02
        turns = round(2.0 * math.pi / self._turn)
        for n in range(turns):
            heading = yaw + n * self._turn
            if (*self._map.cell(x, y), self._heading(heading)) in self._bumps:
                continue
            steps = (forward / 2.0, forward)
            ends = [self._field[self._map.cell(x + d * math.cos(heading), y + d * math.sin(heading))] for d in steps]
            few = min(n, turns - n)
            left = float(max(ends[1], min(ends[0], 1e9) - forward)) + 0.01 * few
            if math.isfinite(left) and left < least:
                least, best = left, turned(n * self._turn)
        if best is None:
            return None
        return Action.FORWARD if abs(best) < 1e-6 else Action.LEFT if best > 0.0 else Action.RIGHT


def _cheapest(cost: Field) -> tuple[int, int]:
    row, column = np.unravel_index(int(np.argmin(cost)), cost.shape)
    return int(row), int(column)
