"""A scene made by hand for the tests of question answering: two rooms side by side, things where tests want them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

import numpy as np
from grid_world import camera_at
from numpy.typing import NDArray

from sim.body import Action, Moved, Stand
from sim.errors import MissingScene, SimError
from sim.scene import Scene, SceneConfig, SceneObject, Sight, World
from sim.tasks.eqa import AnswerScorer
from spatialmem.types import Camera

EYE_M = 1.25
ROOMS = {0: "kitchen", 1: "bedroom"}
"""room_id -> kind; the kitchen is x < 4, the bedroom beyond, both y from 0 to 4"""


def thing(
    number: int, category: str, room_id: int, at: tuple[float, float, float], size: tuple[float, float, float], *,
    group: str = "object", support: int = 0, relation: str = "", **attributes: str,
) -> SceneObject:  # fmt: skip
    """A thing with its middle above a point (its lowest height is z)."""
    low = np.array(at) - (size[0] / 2, size[1] / 2, 0.0)
    words = [attributes.get("colour", ""), attributes.get("material", ""), category]
    return SceneObject(
        str(number), number, category, group, " ".join(w for w in words if w), dict(attributes), low,
        low + np.array(size), room_id, ROOMS.get(room_id, ""), str(support) if support else "", relation,
    )  # fmt: skip


def furniture(
    number: int, category: str, room_id: int, at: tuple[float, float], height: float = 0.8, **attributes: str
) -> SceneObject:
    """A square metre of furniture on the floor."""
    return thing(number, category, room_id, (*at, 0.0), (0.8, 0.8, height), group="furniture", **attributes)


def on(number: int, category: str, support: SceneObject, dx: float = 0.0, **attributes: str) -> SceneObject:
    """A small thing on a piece of furniture."""
    x, y, _ = support.middle_m
    at = (float(x) + dx, float(y), float(support.box_max_m[2]))
    return thing(number, category, support.room_id, at, (0.1, 0.1, 0.1), support=support.instance_id, relation="on",
                 **attributes)  # fmt: skip


def furnished() -> tuple[SceneObject, ...]:
    """A scene with something to ask of most kinds."""
    desk = furniture(1, "desk", 1, (6.0, 3.5), 0.75, colour="brown", material="wood")
    stove = furniture(2, "stove", 0, (0.6, 3.5), 0.9, colour="white", material="metal")
    table = furniture(3, "dining table", 0, (2.0, 1.0), 0.75, colour="white", material="wood")
    bed = furniture(4, "single bed", 1, (7.0, 0.8), 0.9, colour="black", material="wood")
    chairs = [furniture(10 + i, "chair", 0, (1.0 + i, 2.2), 0.9 + 0.2 * (i == 0), colour="red") for i in range(3)]
    return (
        desk, stove, table, bed, *chairs,
        furniture(5, "wardrobe", 1, (4.8, 0.5), 2.1, material="wood"),
        on(20, "mug", desk, colour="red", material="ceramic"),
        on(21, "laptop", desk, 0.2, colour="grey", material="metal"),
        on(22, "kettle", stove, colour="black", material="metal"),
        on(23, "apple", table, colour="green", material="food"),
        thing(24, "guitar", 1, (5.5, 1.5, 0.0), (0.4, 0.4, 1.0), colour="blue", material="wood"),
        thing(30, "door", 0, (4.0, 2.0, 0.0), (0.05, 0.8, 2.0), group="structure", state="open",
              joins="the kitchen and the bedroom"),
        thing(31, "front door", 0, (0.0, 2.0, 0.0), (0.05, 0.9, 2.0), group="structure", state="closed"),
    )  # fmt: skip


class HandScene(Scene):
    """Free ground everywhere in [0, 8] x [0, 4]: ways are straight. Nothing can be looked at but its boxes' places."""

    def __init__(self, things: tuple[SceneObject, ...], scene_id: str = "1", config: SceneConfig | None = None) -> None:
        config = config or SceneConfig(32, 24)
        self.scene_id, self.motion, self.things = scene_id, config.motion, things
        self.camera = Camera.from_hfov(config.hfov_deg, config.width, config.height)
        self.hidden: set[str] = set()
        self._stand, self._stamp_ns, self.closed = Stand(1.0, 1.0, 0.0, 0.0), 0, False

    @property
    def stand(self) -> Stand:
        return self._stand

    @property
    def world_from_camera(self) -> NDArray[np.float64]:
        return camera_at(self._stand, EYE_M)

    def place(self, ground_m: NDArray[np.floating], yaw_rad: float, pitch_rad: float = 0.0) -> Stand:
        if not np.isfinite(ground_m).all() or not (0 <= ground_m[0] <= 8 and 0 <= ground_m[1] <= 4):
            raise SimError(f"nobody can stand at {ground_m}")
        self._stand = Stand(float(ground_m[0]), float(ground_m[1]), 0.0, yaw_rad, pitch_rad)
        return self._stand

    def act(self, action: Action) -> Moved:
        moved = self.after(self._stand, action)
        self._stand = moved.stand
        return moved

    def after(self, stand: Stand, action: Action) -> Moved:
        step = self.motion.forward_m if action is Action.FORWARD else 0.0
        turn = {Action.LEFT: 1.0, Action.RIGHT: -1.0}.get(action, 0.0) * np.radians(self.motion.turn_deg)
        x, y = stand.x_m + step * np.cos(stand.yaw_rad), stand.y_m + step * np.sin(stand.yaw_rad)
        return Moved(Stand(float(x), float(y), 0.0, float(stand.yaw_rad + turn), stand.pitch_rad), False, step)

    def look(self) -> Sight:
        return self.sight_from(self.world_from_camera, self.camera)

    def sight_from(self, world_from_camera: NDArray[np.floating], camera: Camera) -> Sight:
        shape = (camera.height, camera.width)
        return Sight(
            np.zeros((*shape, 3), np.uint8), np.full(shape, np.nan, np.float32), np.zeros(shape, np.int32),
            np.zeros((0, 0, 3), np.float32),
            np.asarray(world_from_camera, np.float64), camera,
        )  # fmt: skip

    @property
    def stamp_ns(self) -> int:
        return self._stamp_ns

    def advance(self, stamp_ns: int) -> None:
        self._stamp_ns = stamp_ns

    def objects(self) -> tuple[SceneObject, ...]:
        return self.things

    def viewpoints_m(self, object_id: str) -> NDArray[np.float64]:
        if object_id in self.hidden:
            return np.empty((0, 3))
        middle = next(o for o in self.things if o.object_id == object_id).middle_m
        places = self.standing_places_m()
        return places[np.linalg.norm(places[:, :2] - middle[:2], axis=1) < 1.0]

    def distance_m(self, start_m: NDArray[np.floating], targets_m: NDArray[np.floating]) -> float:
        return self.distances_to(targets_m)(start_m)

    def distances_to(self, targets_m: NDArray[np.floating]) -> Callable[[NDArray[np.floating]], float]:
        return lambda start_m: float(np.linalg.norm(np.asarray(targets_m) - start_m, axis=1).min(initial=np.inf))

    def standing_places_m(self) -> NDArray[np.float64]:
        x, y = np.meshgrid(np.arange(0.1, 8.0, 0.2), np.arange(0.1, 4.0, 0.2))
        return np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], axis=1)

    def close(self) -> None:
        self.closed = True


class HandWorld(World):
    """Scenes made by hand, "0" onwards, all with the same things unless `things` says otherwise."""

    name: ClassVar[str] = "hand"

    def __init__(self, things: Mapping[str, tuple[SceneObject, ...]] | None = None, scenes: int = 100) -> None:
        self._things, self._scenes = things or {}, scenes
        self.opened: list[HandScene] = []

    def scene_ids(self, split: str, count: int) -> list[str]:
        first = {"train": 0, "val": 1000, "test": 2000}[split]
        return [str(first + n) for n in range(min(count, self._scenes))]

    def open(self, scene_id: str, config: SceneConfig) -> HandScene:
        if not scene_id.isdigit():
            raise MissingScene(f"no scene {scene_id!r}")
        self.opened.append(HandScene(self._things.get(scene_id, furnished()), scene_id, config))
        return self.opened[-1]


class Marks(AnswerScorer):
    """Gives the mark that it was told to, and remembers what it was asked."""

    def __init__(self, mark: int) -> None:
        self._mark, self.asked = mark, []

    def mark(self, question, answer, prediction, extra_answers):
        self.asked.append((question, answer, prediction, tuple(extra_answers)))
        return self._mark


class Generous(AnswerScorer):
    """Finds everything right."""

    def mark(self, question, answer, prediction, extra_answers):
        return 5

    def identity(self):
        return {"model": "none"}
