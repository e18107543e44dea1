"""Houses as a world: scenes for tasks, runs and environments.

A scene is named by the seed of its house, "7"; "7+3" is the same house with people in it, whose days are the script of
seed 3 and happen as the scene is advanced.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from sim.body import Action, Moved, Stand
from sim.errors import MissingScene, UnknownName, unknown_name
from sim.house.agent import Agent
from sim.house.days.deed import DaysConfig, Deed, Script
from sim.house.days.making import make_script
from sim.house.days.play import Play
from sim.house.doors import Door, door_words, doors_of
from sim.house.errors import InvalidHouse
from sim.house.house import House, HouseConfig
from sim.house.making import make_house
from sim.house.render.raster import RasterRenderer
from sim.house.render.raycast import RaycastRenderer
from sim.house.standpoints import ground_of, nearest_ground, standpoints
from sim.house.truth import ThingState, Truth
from sim.scene import Scene, SceneConfig, SceneObject, Sight, World
from spatialmem.types import Camera

SPLITS = {"train": 0, "val": 100_000, "test": 200_000}
"""first seed of the houses of a split; each has as many as anyone asks for, up to the next"""
_KEPT = 4
"""houses that stay ready to be entered again"""
_MADE = 8
"""houses that are kept after their making, for whoever enters one of them too"""
_LATTICE = 4
"""cells between standing places"""


@functools.lru_cache(maxsize=_MADE)
def _house(seed: int, config: HouseConfig) -> House:
    """A house is a value: all worlds of a process may share it, each with renderers and a truth of its own."""
    return make_house(seed, config)


@final
class HouseWorld(World):
    """Procedural houses. The ones left last are kept with their renderers, so that coming back is quick."""

    name: ClassVar[str] = "house"

    def __init__(
        self, house: HouseConfig | None = None, *, days: DaysConfig | None = None, lived_in: bool = False,
        threads: int | None = None, light: bool = True,
    ) -> None:  # fmt: skip
        """What its houses and the days in them are like; `threads`, `light`: see Renderer.

        lived_in: `scene_ids` names houses with days in them, whose seed is that of the house.
        """
        self._config, self._days = house or HouseConfig(), days or DaysConfig()
        self._threads, self._light, self._lived_in = threads, light, lived_in
        self._ready: OrderedDict[str, _Place] = OrderedDict()

    def scene_ids(self, split: str, count: int) -> list[str]:
        """The first `count` houses of a split, always the same ones; `UnknownName` for an unknown split."""
        if split not in SPLITS:
            raise unknown_name("split", split, SPLITS)
        seeds = [SPLITS[split] + n for n in range(count)]
        return [f"{seed}+{seed}" if self._lived_in else str(seed) for seed in seeds]

    def open(self, scene_id: str, config: SceneConfig) -> HouseScene:
        """Enter a house with everything where it first stood; `MissingScene` for what names no house."""
        seed, plus, days = scene_id.partition("+")
        if not all(map(_is_number, (seed, days) if plus else (seed,))):
            raise MissingScene(
                f"no scene {scene_id!r} in the world 'house', whose scenes are seeds of houses such as '7', or with "
                "the seed of the days in it, such as '7+3'"
            )
        place = self._ready.pop(seed, None) or _Place(_house(int(seed), self._config), self._threads, self._light)
        script = place.script(int(days), self._days) if plus else None
        return HouseScene(scene_id, place, config, self._take_back, script)

    def _take_back(self, place: _Place) -> None:
        place.tidy()
        self._ready[str(place.house.seed)] = place
        while len(self._ready) > _KEPT:
            self._ready.popitem(last=False)


@final
class _Place:
    """A house with what draws it; the ray caster is made when somebody asks what can be seen from where."""

    def __init__(self, house: House, threads: int | None, light: bool) -> None:
        self.house = house
        self._threads = threads
        self.renderer = RasterRenderer(house, threads=threads, light=light)
        self._caster: RaycastRenderer | None = None
        self._moved: set[int] = set()
        self._scripts: dict[int, Script] = {}

    def script(self, seed: int, config: DaysConfig) -> Script:
        """The days of a seed in this house."""
        if seed not in self._scripts:
            self._scripts[seed] = make_script(self.house, seed, config)
        return self._scripts[seed]

    @functools.cached_property
    def doors(self) -> dict[int, Door]:
        """By thing_id."""
        return {door.thing_id: door for door in doors_of(self.house)}

    @property
    def caster(self) -> RaycastRenderer:
        if self._caster is None:
            self._caster = RaycastRenderer(self.house, threads=self._threads, light=False)
            for thing_id in self._moved:
                pose = self.renderer.pose_of(thing_id)
                self._show(self._caster, thing_id, pose)
        return self._caster

    def show(self, thing_id: int, pose: NDArray[np.float64] | None) -> None:
        """Draw a thing at a pose (4, 4), or not at all."""
        self._moved.add(thing_id)
        for renderer in (self.renderer, self._caster):
            if renderer is not None:
                self._show(renderer, thing_id, pose)

    @staticmethod
    def _show(renderer: RasterRenderer | RaycastRenderer, thing_id: int, pose: NDArray[np.float64] | None) -> None:
        if pose is None:
            renderer.take_away(thing_id)
        else:
            renderer.place(thing_id, pose)

    def tidy(self) -> None:
        """Everything back to where it first stood."""
        for thing_id in tuple(self._moved):
            self.show(thing_id, self.house.thing(thing_id).world_from_thing)
        self._moved.clear()


@final
class HouseScene(Scene):
    """A house with a body in it. `move` and `take` change it, beside what `advance` does."""

    def __init__(
        self, scene_id: str, place: _Place, config: SceneConfig, leave: Callable[[_Place], None],
        script: Script | None = None,
    ) -> None:  # fmt: skip
        self.scene_id, self.motion = scene_id, config.motion
        self.camera = Camera.from_hfov(config.hfov_deg, config.width, config.height)
        self.house, self.truth = place.house, Truth(place.house)
        self._place: _Place | None = place
        self._leave = leave
        self.script = script
        """what happens in it; None: nothing"""
        self._play = None if script is None else Play(self.truth, script, show=place.show)
        self._body = Agent(place.house, config.motion)
        self._views: dict[int, NDArray[np.float64]] = {}

    # the body

    @property
    def stand(self) -> Stand:
        return self._body.stand

    @property
    def world_from_camera(self) -> NDArray[np.float64]:
        return self._body.world_from_camera

    def place(self, ground_m: NDArray[np.floating], yaw_rad: float, pitch_rad: float = 0.0) -> Stand:
        return self._body.place(ground_m, yaw_rad, pitch_rad)

    def act(self, action: Action) -> Moved:
        return self._body.act(action)

    def after(self, stand: Stand, action: Action) -> Moved:
        return self._body.after(stand, action)

    def drive(self, forward_mps: float, turn_radps: float, seconds: float) -> Moved:
        """Go and turn at once, at constant speeds, for a time."""
        return self._body.drive(forward_mps, turn_radps, seconds)

    def look(self, normals: bool = False) -> Sight:
        return self._sight(self.world_from_camera, self.camera, normals)

    def sight_from(self, world_from_camera: NDArray[np.floating], camera: Camera) -> Sight:
        return self._sight(np.asarray(world_from_camera, np.float64), camera, False)

    def _sight(self, world_from_camera: NDArray[np.float64], camera: Camera, normals: bool) -> Sight:
        picture = self._open().renderer.render(world_from_camera, camera, normals=normals)
        return Sight(
            picture.rgb, picture.depth_m, picture.thing_ids, picture.normals, picture.world_from_camera, camera
        )

    # time

    @property
    def stamp_ns(self) -> int:
        return self.truth.stamp_ns

    def advance(self, stamp_ns: int) -> None:
        """See Scene; `advanced` says what happened."""
        self.advanced(stamp_ns)

    def advanced(self, stamp_ns: int) -> tuple[Deed, ...]:
        """Let time go on until a stamp; returns what residents did. A body where a thing is put now steps aside."""
        self._open()
        if self._play is None:
            self.truth.wait(stamp_ns)
            return ()
        try:
            deeds = self._play.advance(stamp_ns)
        except InvalidHouse:
            self._changed()  # by the deeds before the one that could not be done
            raise
        if deeds:
            self._changed()
            self._step_aside()
        return deeds

    def _step_aside(self) -> None:
        s, navigation = self.stand, self._body.navigation
        if not navigation.is_free(s.ground_m):
            beside = nearest_ground(navigation, s.ground_m, self.truth.room_at(s.ground_m))
            self._body.place(beside, s.yaw_rad, s.pitch_rad)

    def move(
        self, thing_id: int, world_from_thing: NDArray[np.floating], stamp_ns: int, *, support_id: int = 0,
        relation: str = "",
    ) -> None:  # fmt: skip
        """Put a thing somewhere else; see Truth.move. A body that stands there steps aside."""
        place = self._open()
        for moved in self.truth.move(thing_id, world_from_thing, stamp_ns, support_id=support_id, relation=relation):
            place.show(moved, self.truth.state(moved).world_from_thing)
        self._changed()
        self._step_aside()

    def take(self, thing_id: int, stamp_ns: int) -> None:
        """Take a thing away; see Truth.take."""
        place = self._open()
        for gone in self.truth.take(thing_id, stamp_ns):
            place.show(gone, None)
        self._changed()

    def _changed(self) -> None:
        self._body.navigation = self.truth.navigation
        self._views.clear()

    # the truth

    def objects(self) -> tuple[SceneObject, ...]:
        return tuple(
            self._object(s) for s in self.truth.states() if s.thing.group != "structure" or "door" in s.thing.category
        )

    def _object(self, state: ThingState) -> SceneObject:
        t, look = state.thing, state.thing.look
        words = {
            "colour": look.colour, "second colour": look.second_colour, "decor": look.decor,
            "material": look.material, "size": look.size, **self._of_door(state),
        }  # fmt: skip
        return SceneObject(
            str(t.thing_id), t.thing_id, t.category, t.group, look.phrase(t.category),
            {name: word for name, word in words.items() if word}, state.box_min_m, state.box_max_m, state.room_id,
            self.house.rooms[state.room_id].kind if state.room_id >= 0 else "",
            str(state.support_id) if state.support_id else "", state.relation,
        )  # fmt: skip

    def _of_door(self, state: ThingState) -> dict[str, str]:
        door = self._open().doors.get(state.thing.thing_id)
        return {} if door is None else door_words(self.house, door, state)

    def viewpoints_m(self, object_id: str) -> NDArray[np.float64]:
        thing_id = self._thing_id(object_id)
        if thing_id not in self._views:
            there = self.truth.state(thing_id).present
            caster, navigation = self._open().caster, self.truth.navigation
            views = standpoints(caster, navigation, thing_id) if there else np.empty((0, 3))
            views.flags.writeable = False  # it is kept, and given to whoever asks
            self._views[thing_id] = views
        return self._views[thing_id]

    def _thing_id(self, object_id: str) -> int:
        if not (_is_number(object_id) and 1 <= int(object_id) <= len(self.house.things)):
            raise UnknownName(f"no thing has object_id {object_id!r}; this house has '1' to '{len(self.house.things)}'")
        return int(object_id)

    def distance_m(self, start_m: NDArray[np.floating], targets_m: NDArray[np.floating]) -> float:
        return self.truth.navigation.ways_to(targets_m).distance_m(start_m)

    def distances_to(self, targets_m: NDArray[np.floating]) -> Callable[[NDArray[np.floating]], float]:
        return self.truth.navigation.ways_to(targets_m).distance_m

    def standing_places_m(self) -> NDArray[np.float64]:
        return ground_of(self.truth.navigation, _LATTICE)

    def close(self) -> None:
        place, self._place = self._place, None
        if place is not None:
            self._leave(place)

    def _open(self) -> _Place:
        if self._place is None:
            raise MissingScene(f"the scene {self.scene_id!r} was closed; open it again from its world")
        return self._place


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
