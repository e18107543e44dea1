"""A world, a task and agents so small that a run of many episodes takes no time: an empty room with three posts."""

from __future__ import annotations

import math
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from sim import observation as keys
from sim.agent import Agent, AgentWrapper, Brief
from sim.body import Action, Moved, Stand
from sim.errors import InvalidAction, MissingScene, SimError
from sim.runner import AgentSpec, Plan
from sim.scene import Scene, SceneConfig, SceneObject, Sight, World
from sim.tasks.episode import Episode, Goal
from sim.tasks.task import Task, Trial, TrialResult
from spatialmem.types import Camera

WIDTH_M, DEPTH_M, EYE_M, REACH_M = 6.0, 4.0, 1.25, 0.3


class RoomWorld(World):
    """Rooms named room-0, room-1 ..., which differ by where their posts stand."""

    name: ClassVar[str] = "room"

    def __init__(self, missing: int = -1) -> None:
        self._missing = missing

    def scene_ids(self, split, count):
        return [f"room-{split}-{n}" for n in range(count)]

    def open(self, scene_id, config):
        if scene_id.endswith(f"-{self._missing}"):
            raise MissingScene(f"the scene {scene_id!r} lacks its file {scene_id}.glb; looked for in /nowhere")
        return RoomScene(scene_id, config)


class RoomScene(Scene):
    """The floor is everywhere, 6 x 4 m; posts do not stand in the way."""

    def __init__(self, scene_id: str, config: SceneConfig) -> None:
        self.scene_id, self.motion = scene_id, config.motion
        self.camera = Camera.from_hfov(config.hfov_deg, config.width, config.height)
        rng = np.random.default_rng(sum(scene_id.encode()))
        self._posts = rng.uniform((1.0, 1.0), (WIDTH_M - 1.0, DEPTH_M - 1.0), (3, 2))
        self._stand = Stand(WIDTH_M / 2, DEPTH_M / 2, 0.0, 0.0)

    @property
    def stand(self):
        return self._stand

    @property
    def world_from_camera(self):
        s = self._stand
        pose = np.eye(4)
        pose[:3, 0] = (math.sin(s.yaw_rad), -math.cos(s.yaw_rad), 0.0)
        pose[:3, 1] = (0.0, 0.0, -1.0)
        pose[:3, 2] = (math.cos(s.yaw_rad), math.sin(s.yaw_rad), 0.0)
        pose[:3, 3] = (s.x_m, s.y_m, EYE_M)
        return pose

    def place(self, ground_m, yaw_rad, pitch_rad=0.0):
        if not (0.0 <= ground_m[0] <= WIDTH_M and 0.0 <= ground_m[1] <= DEPTH_M):
            raise SimError(f"{ground_m} lies outside the room")
        self._stand = Stand(float(ground_m[0]), float(ground_m[1]), 0.0, yaw_rad, pitch_rad)
        return self._stand

    def act(self, action):
        moved = self.after(self._stand, action)
        self._stand = moved.stand
        return moved

    def after(self, stand, action):
        turn = math.radians(self.motion.turn_deg)
        if action in (Action.LEFT, Action.RIGHT):
            yaw = stand.yaw_rad + (turn if action is Action.LEFT else -turn)
            return Moved(replace(stand, yaw_rad=(yaw + math.pi) % (2 * math.pi) - math.pi), False, 0.0)
        if action is not Action.FORWARD:
            return Moved(stand, False, 0.0)
        x = stand.x_m + self.motion.forward_m * math.cos(stand.yaw_rad)
        y = stand.y_m + self.motion.forward_m * math.sin(stand.yaw_rad)
        if not (0.0 <= x <= WIDTH_M and 0.0 <= y <= DEPTH_M):
            return Moved(stand, True, 0.0)
        return Moved(replace(stand, x_m=x, y_m=y), False, self.motion.forward_m)

    def look(self, normals=False):
        return self.sight_from(self.world_from_camera, self.camera)

    def sight_from(self, world_from_camera, camera):
        """Walls 3 m ahead; a post fills the image where it is the nearest to the middle of the view."""
        shape = (camera.height, camera.width)
        ahead = [(world_from_camera[:3, 2] @ (np.append(p, EYE_M) - world_from_camera[:3, 3]), n) for n, p in
                 enumerate(self._posts, start=1)]  # fmt: skip
        near, seen = max(ahead)
        rgb = np.full((*shape, 3), (90 * (near > 0), 60 * seen, 120), np.uint8)
        depth, ids = np.full(shape, 3.0, np.float32), np.full(shape, seen if near > 0 else 0, np.int32)
        return Sight(rgb, depth, ids, np.empty((0, 0, 3), np.float32), world_from_camera, camera)

    @property
    def stamp_ns(self):
        return 0

    def advance(self, stamp_ns):
        return None

    def objects(self):
        size = np.array([0.1, 0.1, 1.0])
        boxes = [(np.append(p, 0.5) - size / 2, np.append(p, 0.5) + size / 2) for p in self._posts]
        return tuple(
            SceneObject(f"post-{n}", n, "post", "furniture", f"post {n}", {}, low, high, 0, "room", "", "")
            for n, (low, high) in enumerate(boxes, start=1)
        )  # fmt: skip

    def viewpoints_m(self, object_id):
        return np.append(self._posts[int(object_id.removeprefix("post-")) - 1], 0.0)[None]

    def distance_m(self, start_m, targets_m):
        return self.distances_to(targets_m)(start_m)

    def distances_to(self, targets_m) -> Callable[[Any], float]:
        targets = np.asarray(targets_m)
        return lambda point: float(np.linalg.norm(targets - point, axis=1).min(initial=np.inf))

    def standing_places_m(self):
        x, y = np.meshgrid(np.arange(0.1, WIDTH_M, 0.2), np.arange(0.1, DEPTH_M, 0.2))
        return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)

    def close(self):
        return None


class Reach(Task):
    """Stop within 30 cm of a post."""

    task_id: ClassVar[str] = "reach-v1"

    def __init__(self, max_steps: int = 60, turn_deg: float = 30.0, most: int = 1_000_000, houses: int = 3) -> None:
        self.max_steps, self._turn_deg, self._most, self._houses = max_steps, turn_deg, most, houses

    def scene_config(self):
        config = SceneConfig(width=32, height=24)
        return replace(config, motion=replace(config.motion, turn_deg=self._turn_deg))

    def episodes(self, world, split, seed, count) -> Sequence[Episode]:
        scenes = world.scene_ids(split, self._houses)
        return [self._episode(scenes[n % len(scenes)], seed, n) for n in range(min(count, self._most))]

    def _episode(self, scene_id, seed, n):
        rng = np.random.default_rng((seed, n))
        x, y, yaw = (float(v) for v in rng.uniform((0.5, 0.5, -3.0), (WIDTH_M - 0.5, DEPTH_M - 0.5, 3.0)))
        post = f"post-{1 + n % 3}"
        return Episode(f"e{n}", scene_id, (x, y, 0.0), yaw, (Goal("category", "post", "post", (post,)),), seed=n)

    def begin(self, scene, episode):
        return ReachTrial(self, scene, episode)


class ReachTrial(Trial):
    """One of its episodes."""

    def __init__(self, task: Reach, scene: Scene, episode: Episode) -> None:
        scene.place(np.array(episode.start_m), episode.start_yaw_rad)
        self._task, self._scene, self._steps, self._length, self._stopped = task, scene, 0, 0.0, False
        self._distance = scene.distances_to(scene.viewpoints_m(episode.goals[0].object_ids[0]))
        self._best = max(0.0, self._distance(scene.stand.ground_m) - REACH_M)

    @property
    def over(self):
        return self._stopped or self._steps >= self._task.max_steps

    def observation(self):
        sight, stand = self._scene.look(), self._scene.stand
        state = np.array([stand.x_m, stand.y_m, stand.z_m, stand.yaw_rad, stand.pitch_rad], np.float32)
        return {
            keys.RGB: sight.rgb, keys.DEPTH: sight.depth_m, keys.IDS: sight.instance_ids, keys.STATE: state,
            keys.POSE: sight.world_from_camera, keys.STAMP: np.int64(0), keys.COLLIDED: np.int8(0),
            keys.GOAL_INDEX: np.int64(0), keys.GOAL_KIND: "category", keys.GOAL_TEXT: "post", keys.GOAL_CHOICES: (),
            keys.GOAL_IMAGE: np.zeros((0, 0, 3), np.uint8),
        }  # fmt: skip

    def step(self, action):
        number = action["action"] if isinstance(action, Mapping) else action
        if number not in range(6):
            raise InvalidAction(f"no action {number!r}")
        moved = self._scene.act(Action(number))
        self._steps, self._length = self._steps + 1, self._length + moved.length_m
        self._stopped = number == 0

    def result(self):
        away = self._distance(self._scene.stand.ground_m)
        success = self._stopped and away <= REACH_M
        spl = float(success) * (self._best / max(self._best, self._length) if self._best else 1.0)
        status = "success" if success else "timeout" if not self._stopped and self.over else "failure"
        return TrialResult(status, self._steps, {"success": float(success), "spl": spl, "distance_to_goal": away})


class Wanderer(Agent):
    """Draws its actions from the brief's seed; `trouble` at step 2 of the episodes whose seed it divides."""

    def __init__(self, trouble: str = "", every: int = 3, slow_s: float = 0.0, log: str = "") -> None:
        self._trouble, self._every, self._slow_s, self._log = trouble, every, slow_s, log

    def reset(self, brief: Brief) -> None:
        self._rng, self._step = np.random.default_rng(brief.seed), 0
        self._cursed = self._trouble and brief.seed % self._every == 0
        if self._log:
            with Path(self._log).open("a") as file:
                file.write(f"{brief.seed}\n")

    def act(self, observation):
        self._step += 1
        time.sleep(self._slow_s)  # for runs that are to be killed in the middle
        if self._cursed and self._step == 2:
            return self._misbehave()
        return int(self._rng.choice(6, p=(0.02, 0.5, 0.2, 0.2, 0.04, 0.04)))

    def _misbehave(self):
        if self._trouble == "raise":
            raise ValueError("the plan did not work out")
        if self._trouble == "exit":
            os._exit(3)
        if self._trouble == "quit":
            raise SystemExit(4)
        if self._trouble == "stall":
            time.sleep(3600)
        if self._trouble == "mute":
            return Mute()
        return {"nan": math.nan, "text": "forward", "far": 17, "none": None, "dict": {"answer": 3}}[self._trouble]

    def usage(self):
        return {"bytes": 10.0 * self._step, "images": self._step}


class Haunted(Wanderer):
    """Starts something that never ends, and lets it hold a file."""

    def __init__(self, held: str, trouble: str = "") -> None:
        super().__init__(trouble, every=1)
        self._held = held

    def reset(self, brief: Brief) -> None:
        super().reset(brief)
        with Path(self._held).open("w") as file:
            subprocess.Popen(["sh", "-c", "echo here; exec sleep 600"], stdout=file)


class Once(Wanderer):
    """Can be made once."""

    def __init__(self, made: str) -> None:
        super().__init__("exit", every=1)
        if Path(made).exists():
            raise RuntimeError("the port is still held")
        Path(made).touch()


class Stuck(Wanderer):
    """Is never made, or can be made once where a file says so."""

    def __init__(self, made: str) -> None:
        super().__init__("exit", every=1)
        if not made or Path(made).exists():
            time.sleep(3600)
        Path(made).touch()


class Homing(Agent):
    """Is told where the post is, and goes there."""

    privileged = True

    def reset(self, brief: Brief) -> None:
        self._scene = None

    def allow(self, scene, episode):
        self._scene, self._target = scene, scene.viewpoints_m(episode.goals[0].object_ids[0])[0]

    def act(self, observation):
        s = self._scene.stand
        off = self._target - s.ground_m
        if np.linalg.norm(off) <= REACH_M:
            return 0
        turn = (math.atan2(off[1], off[0]) - s.yaw_rad + math.pi) % (2 * math.pi) - math.pi
        half = math.radians(self._scene.motion.turn_deg) / 2
        return 2 if turn > half + 1e-9 else 3 if turn < -half - 1e-9 else 1


class Refuser(Agent):
    """Cannot be made."""

    def __init__(self) -> None:
        raise RuntimeError("its weights are not there")

    def reset(self, brief):
        return None

    def act(self, observation):
        return 0


class Noisy(AgentWrapper):
    """Around another: prints."""

    def reset(self, brief):
        sys.stdout.write("reset\n")
        super().reset(brief)


class Helped(AgentWrapper):
    """Around another: starts a process of its own in every episode."""

    def reset(self, brief):
        helper = multiprocessing.get_context("fork").Process(target=os.getpid)
        helper.start()
        helper.join()
        super().reset(brief)


def plan(agent: str = "Wanderer", label: str = "", **given: Any) -> Plan:
    """A plan of this task and world."""
    kwargs = given.pop("kwargs", {})
    spec = AgentSpec(f"runner_cases:{agent}", kwargs)
    usual = {"task": "runner_cases:Reach", "world": "runner_cases:RoomWorld", "count": 6, "act_timeout_s": 30.0}
    return Plan(**{"agent": spec, "label": label or agent.lower(), **usual, **given})


def timeless(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows without what differs from run to run."""
    return [{key: value for key, value in row.items() if not key.startswith("ms")} for row in rows]


class Mute(dict):
    """An answer that raises however it is looked at."""

    def get(self, *_):
        raise RuntimeError("the device is lost")

    def __repr__(self):
        raise RuntimeError("the device is lost")
