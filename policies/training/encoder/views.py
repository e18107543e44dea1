"""Pictures of houses with what they show: instance ids, depth, and the facts of every thing.

    for one, other in HouseViews(100_100).pairs():     # a held-out house for calibration
        one.rgb, one.instance_ids, one.depth_m         # instance_ids holds thing_id, 0 where nothing is

Views come in pairs that share a thing (or, walking, most of a room), so that images of the same instance from two
places are at hand. The same seed and config give the same views on any machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from policies.training.encoder import held_out, poses
from policies.training.encoder.facts import Facts, facts_of
from sim.errors import InvalidSetting
from sim.house import House, HouseConfig, RasterRenderer, make_house
from sim.house.materials import Pattern
from sim.house.thing import Thing
from spatialmem.types import Camera

Kind = Literal["walk", "look", "close"]
_PREVIEW = 40
"""pixels a side of the pictures by which a pose is judged"""
_TRIES = 10
_LEAST_SHARE: dict[str, float] = {"look": 0.004, "close": 0.03}
"""of the picture that the thing it is about must cover"""
_NEAREST_M = 0.08
_OPEN_SHARE = 0.3
"""of a picture that may show nothing at all (a camera that has got into a wall)"""


@dataclass(frozen=True)
class ViewConfig:
    """Which views are taken."""

    size_px: int = 160
    """width and height"""
    hfov_deg: tuple[float, float] = (45.0, 90.0)
    walks: int = 12
    """pairs of a walking body"""
    looks: int = 20
    """pairs that look at one thing"""
    closes: int = 24
    """pairs close to a small thing"""
    training_textures: bool = False
    """whether held-out textures are replaced, as in all training pictures"""

    def __post_init__(self) -> None:
        if self.size_px < 32 or min(self.walks, self.looks, self.closes) < 0:
            raise InvalidSetting(f"views need at least 32 pixels a side and no negative counts; given {self}")


@dataclass(frozen=True, eq=False)
class View:
    """One picture and its truth."""

    rgb: NDArray[np.uint8]
    """(H, W, 3)"""
    instance_ids: NDArray[np.int32]
    """(H, W) thing_id, 0: nothing"""
    depth_m: NDArray[np.float32]
    """(H, W) NaN: nothing"""
    world_from_camera: NDArray[np.float64]
    camera: Camera
    kind: Kind
    target: int
    """thing_id of what it is about; 0 of walks"""
    room: str
    """kind of the room that most of it shows"""


@final
class HouseViews:
    """A house, the facts of its things, and views of it."""

    def __init__(self, seed: int, config: ViewConfig | None = None, *, house_config: HouseConfig | None = None) -> None:
        self.seed, self.config = seed, config or ViewConfig()
        self.house: House = make_house(seed, house_config)
        self.facts: tuple[Facts, ...] = facts_of(self.house)
        self._renderer = RasterRenderer(self.house)
        self._rng = np.random.default_rng([seed, 77])
        if self.config.training_textures:
            _replace_textures(self._renderer)

    def pairs(self) -> Iterator[tuple[View, View]]:
        """Walks, looks and close-ups in mixed order; fewer where a thing cannot be seen well from two places."""
        counts = (("walk", self.config.walks), ("look", self.config.looks), ("close", self.config.closes))
        order = [kind for kind, count in counts for _ in range(count)]
        for index in self._rng.permutation(len(order)):
            pair = self._pair(order[int(index)])
            if pair is not None:
                yield pair

    def render(
        self, world_from_camera: NDArray[np.float64], camera: Camera, kind: Kind = "walk", target: int = 0
    ) -> View:
        """The view from a pose (4, 4), OpenCV camera axes."""
        picture = self._renderer.render(world_from_camera, camera)
        room = self._room_of(picture.thing_ids)
        return View(
            picture.rgb, picture.thing_ids, picture.depth_m, picture.world_from_camera, camera, kind, target, room
        )

    def _pair(self, kind: str) -> tuple[View, View] | None:
        hfov_deg = float(self._rng.uniform(*self.config.hfov_deg))
        camera = Camera.from_hfov(hfov_deg, self.config.size_px, self.config.size_px)
        if kind == "walk":
            room = int(self._rng.integers(len(self.house.rooms)))
            first, second = poses.walking(self.house, room, self._rng)
            return self.render(first, camera), self.render(second, camera)
        thing = self._target(small=kind == "close")
        azimuth = float(self._rng.uniform(-math.pi, math.pi))
        found: list[View] = []
        for turn in (0.0, float(self._rng.uniform(0.7, 2.5)) * (1 if self._rng.uniform() < 0.5 else -1)):
            pose = self._good_pose(kind, thing, azimuth + turn, hfov_deg)
            if pose is None:
                return None
            found.append(self.render(pose, camera, "close" if kind == "close" else "look", thing.thing_id))
        return found[0], found[1]

    def _target(self, small: bool) -> Thing:
        """A thing to look at: kinds equally often, so that rare ones are seen too."""
        kinds: dict[str, list[Thing]] = {}
        for t in self.house.things:
            if t.group == "object" if small else t.category not in ("wall", "floor", "ceiling"):
                kinds.setdefault(t.category, []).append(t)
        if not kinds:  # a house without small things
            return self._target(small=False)
        names = sorted(kinds)
        of_kind = kinds[names[int(self._rng.integers(len(names)))]]
        return of_kind[int(self._rng.integers(len(of_kind)))]

    def _good_pose(self, kind: str, thing: Thing, azimuth: float, hfov_deg: float) -> NDArray[np.float64] | None:
        camera = Camera.from_hfov(hfov_deg, _PREVIEW, _PREVIEW)
        for _ in range(_TRIES):
            if kind == "close":
                pose = poses.close_to(thing, self._rng, azimuth)
                azimuth += float(self._rng.uniform(0.3, 1.2))
            else:
                pose = poses.towards(self.house, thing, self._rng)
            picture = self._renderer.render(pose, camera, colour=False)
            covered = float((picture.thing_ids == thing.thing_id).mean())
            shown = picture.thing_ids > 0
            seen_well = covered >= _LEAST_SHARE[kind] and (~shown).mean() < _OPEN_SHARE
            if seen_well and float(picture.depth_m[shown].min()) >= _NEAREST_M:
                return pose
        return None

    def _room_of(self, thing_ids: NDArray[np.int32]) -> str:
        rooms = np.array([-1, *(t.room_id for t in self.house.things)])[thing_ids]
        counts = np.bincount(rooms[rooms >= 0], minlength=1)
        return self.house.rooms[int(counts.argmax())].kind if counts.sum() else ""


def _replace_textures(renderer: RasterRenderer) -> None:
    """Held-out patterns become the ones that stand in for them."""
    patterns = renderer.scene.surfaces.materials[:, 0]
    for gone, instead in held_out.textures().items():
        patterns[patterns == int(Pattern[gone])] = int(Pattern[instead])
