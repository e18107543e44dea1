"""Free spots: where a thing can stand on furniture or on the floor without touching anything that is there.

Things stand upright, so a box along the world's axes around each is what counts: nothing is put where two such boxes
would share room, but for a thing and what it stands on, and for rugs.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from sim.house.checks import unreachable_room
from sim.house.layout.furnisher import LEAF_REACH_M
from sim.house.layout.plan import Passage, Rect, Room
from sim.house.shape import Region, placed
from sim.house.shapes.object_table import THINGS
from sim.house.thing import Thing
from sim.house.truth import ThingState, Truth

FLAT = frozenset(c.name for c in THINGS if c.flat)
"""kinds whose long side follows the edge of what they lie on"""
RUGS = ("rug", "round rug")
SLACK_M = 0.001
"""boxes that share no more than this along an axis do not touch"""
_GAP_M = 0.006
"""kept between things"""
_TRIES = 10
_FLOOR_TRIES = 30
_REST_M = 0.0005
"""above what a thing stands on"""

Box = tuple[NDArray[np.float64], NDArray[np.float64]]


class Spot(NamedTuple):
    """A place that was found free."""

    room_id: int
    support_id: int
    relation: str
    pose: NDArray[np.float64]
    """(4, 4) world_from_thing"""
    box: Box
    """of the thing and what it holds, there"""


@final
class Spots:
    """Finds room in a house as a Truth says it is; spots that somebody is on the way to stay kept."""

    def __init__(self, truth: Truth, rng: np.random.Generator) -> None:
        self.truth, self.rng = truth, rng
        states = [truth.state(t.thing_id) for t in truth.house.things]
        self._low = np.array([s.box_min_m for s in states])
        self._high = np.array([s.box_max_m for s in states])
        self._solid = np.array([s.thing.group != "structure" and s.thing.category not in RUGS for s in states])
        self._there = self._solid.copy()
        self._kept: dict[int, Box] = {}
        self.first_touching = {i: self._touched(self.box_of(i), {i}) for i in _ids(states, "furniture")}
        """furniture -> what its box overlaps when the house is new, such as the table that a chair is tucked into"""

    # what is where

    def follow(self, thing_ids: Collection[int]) -> None:
        """Things have been moved, put or taken."""
        for i in thing_ids:
            s = self.truth.state(i)
            self._low[i - 1], self._high[i - 1] = s.box_min_m, s.box_max_m
            self._there[i - 1] = s.present and self._solid[i - 1]

    def keep(self, thing_id: int, spot: Spot) -> None:
        """Let nothing else be put here until `drop`."""
        self._kept[thing_id] = spot.box

    def drop(self, thing_id: int) -> None:
        """The thing has arrived."""
        self._kept.pop(thing_id, None)

    def box_of(self, thing_id: int) -> Box:
        """Lower and upper corner, (3,) each, of a thing without what it holds."""
        return self._low[thing_id - 1], self._high[thing_id - 1]

    def touched(self, box: Box, spared: Collection[int]) -> frozenset[int]:
        """Ids of what a box overlaps, kept spots included."""
        kept = {i for i, other in self._kept.items() if i not in spared and _overlap(box, other)}
        return self._touched(box, spared) | kept

    def _touched(self, box: Box, spared: Collection[int]) -> frozenset[int]:
        low, high = box
        shared = np.minimum(self._high, high) - np.maximum(self._low, low)
        hit = np.nonzero(self._there & (shared > SLACK_M).all(axis=1))[0] + 1
        return frozenset(int(i) for i in hit if int(i) not in spared)

    # free spots

    def at(self, thing_id: int, pose: NDArray[np.float64], support_id: int, relation: str) -> Spot | None:
        """A given pose, if nothing but what it first touched is in the way there."""
        points, own = self._points(thing_id)
        box = _box(points @ pose[:3, :3].T + pose[:3, 3])
        spared = own | self._below(support_id) | self.first_touching.get(thing_id, frozenset())
        room = self.truth.room_at(pose[:3, 3])
        return None if room < 0 or self.touched(box, spared) else Spot(room, support_id, relation, pose, box)

    def on(self, thing_id: int, support: ThingState, region: Region) -> Spot | None:
        """Somewhere in a region of furniture, upright and wholly inside."""
        points, own = self._points(thing_id)
        if points[:, 2].max() > region.height_m:
            return None
        flat, spared = self._is_flat(thing_id), own | self._below(support.thing.thing_id)
        base = support.world_from_thing
        for _ in range(_TRIES):
            yaw = float(self.rng.normal(0.0, 6.0) if flat else self.rng.uniform(-180.0, 180.0))
            turned = points @ placed((0.0, 0.0, 0.0), yaw_deg=yaw)[:3, :3].T
            low, high = turned.min(axis=0), turned.max(axis=0)
            left = np.array([region.width_m, region.depth_m]) - (high - low)[:2]
            if (left < 0.0).any():
                continue
            x, y = self.rng.uniform(-left / 2, left / 2) - (low + high)[:2] / 2
            at = (region.x_m + x, region.y_m + y, region.z_m - low[2] + _REST_M)
            pose = base @ placed(at, yaw_deg=yaw)
            box = _box(points @ pose[:3, :3].T + pose[:3, 3])
            if not self.touched(_grown(box, _GAP_M), spared):
                return Spot(support.room_id, support.thing.thing_id, region.relation, pose, box)
        return None

    def on_floor(self, thing_id: int, room: Room, *, at_walls: bool = True) -> Spot | None:
        """Somewhere on the floor of a room where no way is blocked."""
        points, own = self._points(thing_id)
        found: list[tuple[float, Spot]] = []
        for _ in range(_FLOOR_TRIES):
            yaw = float(self.rng.integers(4)) * 90.0 + float(self.rng.normal(0.0, 12.0))
            turned = points @ placed((0.0, 0.0, 0.0), yaw_deg=yaw)[:3, :3].T
            low, high = turned.min(axis=0), turned.max(axis=0)
            r = room.inside.grown(-0.02)
            spare = (r.width - (high - low)[0], r.depth - (high - low)[1])
            if min(spare) < 0.0:
                continue
            x, y = r.x0 - low[0] + self.rng.uniform(0, spare[0]), r.y0 - low[1] + self.rng.uniform(0, spare[1])
            pose = placed((float(x), float(y), room.base_m - float(low[2]) + _REST_M), yaw_deg=yaw)
            box = _box(points @ pose[:3, :3].T + pose[:3, 3])
            if not self._doorway(box, room) and not self.touched(_grown(box, _GAP_M), own):
                off = min(box[0][0] - r.x0, r.x1 - box[1][0], box[0][1] - r.y0, r.y1 - box[1][1])
                found.append((float(off), Spot(room.room_id, 0, "", pose, box)))
        if at_walls:
            found.sort(key=lambda f: f[0])
        return next((spot for _, spot in found[:6] if self.leaves_ways(room.floor, spot.box)), None)

    def leaves_ways(self, floor: int, box: Box) -> bool:
        """Whether every room can still be walked into when a box stands on a floor."""
        (x0, y0), (x1, y1) = box[0][:2], box[1][:2]
        rect = Rect(float(x0), float(y0), float(x1), float(y1))
        return not unreachable_room(self.truth.house, self.truth.navigation.with_taken([(floor, rect)]))

    def _doorway(self, box: Box, room: Room) -> bool:
        rect, plan = Rect(box[0][0], box[0][1], box[1][0], box[1][1]), self.truth.house.plan
        strips = [o.strip(LEAF_REACH_M) for o in plan.openings_of(room.room_id) if o.passage is not Passage.WINDOW]
        if plan.stairs is not None and room.kind == "hallway":
            g = plan.stairs.ground
            strips.append(Rect(g.x0 - LEAF_REACH_M, g.y0 - 0.02, g.x1 + LEAF_REACH_M, g.y1 + 0.02))
        return any(rect.overlaps(s) for s in strips)

    def _points(self, thing_id: int) -> tuple[NDArray[np.float64], frozenset[int]]:
        """(N, 3) corners of a thing and of what it holds, in its own frame, and the ids of all of them."""
        state, held = self.truth.state(thing_id), self.truth.held_by(thing_id)
        corners = [state.corners_m, *(self.truth.state(i).corners_m for i in held)]
        back = np.linalg.inv(state.world_from_thing)
        return np.concatenate(corners) @ back[:3, :3].T + back[:3, 3], frozenset((thing_id, *held))

    def _below(self, support_id: int) -> frozenset[int]:
        """A support, and what that stands on."""
        found: list[int] = []
        while support_id and support_id not in found:
            found.append(support_id)
            support_id = self.truth.state(support_id).support_id
        return frozenset(found)

    def _is_flat(self, thing_id: int) -> bool:
        return self.truth.house.thing(thing_id).category in FLAT


def regions_of(thing: Thing, kinds: Collection[str]) -> Iterator[Region]:
    """The regions of a thing that are of given kinds."""
    return (r for r in thing.shape.regions if r.kind in kinds)


def kind_of_place(truth: Truth, state: ThingState) -> str:
    """The kind of the region in which a thing is; "floor" without a support, empty when it lies in none."""
    if not state.support_id:
        return "floor"
    support = truth.state(state.support_id)
    x, y, z = (np.linalg.inv(support.world_from_thing) @ np.append(state.corners_m.mean(axis=0), 1.0))[:3]
    low = z - (state.box_max_m[2] - state.box_min_m[2]) / 2.0
    for r in support.thing.shape.regions:
        if math.fabs(x - r.x_m) <= r.width_m / 2 and math.fabs(y - r.y_m) <= r.depth_m / 2 and abs(low - r.z_m) < 0.03:
            return r.kind
    return ""


def _ids(states: list[ThingState], group: str) -> list[int]:
    return [s.thing.thing_id for s in states if s.thing.group == group]


def _box(points: NDArray[np.float64]) -> Box:
    return points.min(axis=0), points.max(axis=0)


def _grown(box: Box, by: float) -> Box:
    """Sideways alone: what stands on a shelf may be close to the board above."""
    side = np.array([by, by, 0.0])
    return box[0] - side, box[1] + side


def _overlap(a: Box, b: Box) -> bool:
    return bool((np.minimum(a[1], b[1]) - np.maximum(a[0], b[0]) > SLACK_M).all())
