"""Puts furniture into one room where people put it: against walls, beside, around and in front of other pieces."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple, final

import numpy as np

from sim.house.category import Category, Made, Size, make
from sim.house.layout.placement import Placement
from sim.house.layout.plan import CEILING_M, Opening, Passage, Plan, Rect, Room
from sim.house.shapes.furniture_table import KINDS

FURNITURE: dict[str, Category] = {c.name: c for c in KINDS}
LEAF_REACH_M = 0.95
"""ground kept free on either side of a door"""
_GAP_M = 0.015


class _Side(NamedTuple):
    """One wall of the room, seen from inside."""

    axis: int
    line: float
    start: float
    end: float
    inward: tuple[float, float]
    yaw_deg: float
    """of a thing whose back is at this wall"""


@final
class Furnisher:
    """The furniture of one room while it is being placed."""

    def __init__(self, rng: np.random.Generator, plan: Plan, room: Room) -> None:
        self.rng, self.room, self.inside = rng, room, room.inside
        self.items: list[Placement] = []
        self._hard: list[tuple[Rect, float, float]] = []  # rectangle, from and to which height it is taken
        self._clear: list[Rect] = []
        self._rugs: list[Rect] = []
        self._openings = plan.openings_of(room.room_id)
        r = self.inside
        self._sides = (
            _Side(0, r.y0, r.x0, r.x1, (0.0, 1.0), 0.0),
            _Side(0, r.y1, r.x0, r.x1, (0.0, -1.0), 180.0),
            _Side(1, r.x0, r.y0, r.y1, (1.0, 0.0), -90.0),
            _Side(1, r.x1, r.y0, r.y1, (-1.0, 0.0), 90.0),
        )
        for opening in self._openings:
            if opening.passage is Passage.WINDOW:
                self._hard.append((opening.strip(0.35), opening.low_m - 0.02, opening.high_m))
            else:
                self._hard.append((opening.strip(LEAF_REACH_M).grown(0.03), 0.0, CEILING_M))
        if plan.stairs is not None and room.kind == "hallway":
            ground = plan.stairs.ground
            taken = Rect(ground.x0 - 0.95, ground.y0 - 0.02, ground.x1 + 0.95, ground.y1 + 0.02)
            self._hard.append((taken, 0.0, CEILING_M))

    # what recipes call

    def chance(self, share: float) -> bool:
        """True in this share of the calls."""
        return bool(self.rng.uniform() < share)

    def make(self, name: str, size_m: Size | None = None, like: Made | None = None) -> Made:
        """A new piece of furniture, not yet placed; of one set with `like`."""
        return make(FURNITURE[name], self.rng, size_m=size_m, like=like)

    def wall(
        self, name: str, *, clear_m: float = 0.6, prefer: str = "any", size_m: Size | None = None,
        made: Made | None = None, facing: Placement | None = None, shift_m: float = 0.02,
    ) -> Placement | None:  # fmt: skip
        """Against a wall, `clear_m` free in front. Prefers the "middle" of a wall, a "corner", or "any" place.

        `facing`: only where it looks at that piece, in line with it.
        """
        made = made or self.make(name, size_m)
        best: tuple[float, Placement] | None = None
        for side in self._sides:
            for item, off_corner, off_middle in self._along(side, made, shift_m):
                if not self._free(item, clear_m):
                    continue
                score = float(self.rng.uniform(0.0, 0.6))
                score += off_corner if prefer == "corner" else off_middle if prefer == "middle" else 0.0
                if facing is not None:
                    off = _off_axis(facing, item)
                    if off is None:
                        continue
                    score += 3.0 * off
                if best is None or score < best[0]:
                    best = (score, item)
        return None if best is None else self._keep(best[1], clear_m)

    def beside(self, name: str, anchor: Placement, side: int, *, made: Made | None = None) -> Placement | None:
        """Next to a piece at its wall: on its right (+1) or left (-1) seen from behind, backs aligned."""
        made = made or self.make(name)
        low, high = anchor.made.shape.box_m
        own_low, own_high = made.shape.box_m
        x = (high[0] + own_high[0] + 0.04) if side > 0 else (low[0] - own_high[0] - 0.04)
        y = low[1] - own_low[1]
        item = self._relative(made, anchor, x, y, 0.0)
        return self._keep(item, 0.3) if self._free(item, 0.3) else None

    def before(
        self, name: str, anchor: Placement, gap_m: float, *, turn_deg: float = 180.0, sideways_m: float = 0.0,
        made: Made | None = None, ignore_clear: bool = True,
    ) -> Placement | None:  # fmt: skip
        """In front of a piece, `gap_m` from it, turned towards it; a negative gap tucks it in."""
        made = made or self.make(name)
        high = anchor.made.shape.box_m[1]
        own = made.shape.box_m
        reach = own[1][1] if turn_deg % 360.0 == 180.0 else -own[0][1]
        item = self._relative(made, anchor, sideways_m, high[1] + gap_m + float(reach), turn_deg)
        free = self._free(item, 0.0, tucked_into=anchor if gap_m < 0 else None, ignore_clear=ignore_clear)
        return self._keep(item, 0.0) if free else None

    def around(self, name: str, table: Placement, seats: int) -> list[Placement]:
        """Seats of one make around a table, tucked in a little, as many as there is room for."""
        made = self.make(name)
        low, high = table.made.shape.box_m
        w, d = float(high[0] - low[0]), float(high[1] - low[1])
        depth = float(made.shape.box_m[1][1])
        spots: list[tuple[float, float, float]] = []
        per_side = max(1, int(w // 0.6))
        for i in range(per_side):
            x = (i + 0.5) * w / per_side - w / 2
            spots += [(x, d / 2 + depth - 0.12, 180.0), (x, -d / 2 - depth + 0.12, 0.0)]
        spots += [(w / 2 + depth - 0.12, 0.0, 90.0), (-w / 2 - depth + 0.12, 0.0, -90.0)]
        found = []
        for x, y, turn in spots[:seats]:
            turn += float(self.rng.normal(0.0, 4.0))
            item = self._relative(made, table, x, y, turn)
            if self._free(item, 0.0, tucked_into=table):
                found.append(self._keep(item, 0.0))
        return found

    def middle(self, name: str, *, clear_m: float = 0.75, made: Made | None = None) -> Placement | None:
        """Free in the room, with `clear_m` or three quarters of it all around, as near to the middle as can be."""
        made = made or self.make(name)
        cx, cy = self.inside.centre
        r = self.inside.grown(-0.3)
        spots = [
            (math.hypot(x - cx, y - cy) + float(self.rng.uniform(0.0, 0.2)), yaw, float(x), float(y))
            for yaw in (0.0, 90.0)
            for x in np.arange(r.x0, r.x1, 0.15)
            for y in np.arange(r.y0, r.y1, 0.15)
        ]
        for clear in (clear_m, 0.75 * clear_m):
            for _, yaw, x, y in sorted(spots):
                item = Placement(made, x, y, self.room.base_m, yaw, self.room.room_id)
                if self._free_all_around(item, clear):
                    return self._keep(item, 0.0)
        return None

    def rug(self, name: str, under: Placement | None = None) -> Placement | None:
        """A carpet, under the front of a piece or in the middle of the room."""
        made = self.make(name)
        if under is None:
            x, y = self.inside.centre
            yaw = 0.0 if self.inside.width >= self.inside.depth else 90.0
            item = Placement(made, x, y, self.room.base_m, yaw, self.room.room_id)
        else:
            high = under.made.shape.box_m[1]
            item = self._relative(made, under, 0.0, float(high[1]) * 0.9, 0.0)
        if not self.inside.grown(-0.04).contains(item.rect) or any(item.rect.overlaps(r) for r in self._rugs):
            return None
        if any(item.rect.overlaps(r) for r, low, _ in self._hard if low <= 0.0 and r.area < 2.2 and self._is_door(r)):
            return None
        self._rugs.append(item.rect)
        self.items.append(item)
        return item

    def hang(
        self,
        name: str,
        height_m: float,
        *,
        over: Placement | None = None,
        size_m: Size | None = None,
        like: Made | None = None,
    ) -> Placement | None:
        """On a wall, its underside `height_m` above the floor; over a piece of furniture, or where the wall is free."""
        made = self.make(name, size_m, like)
        base = self.room.base_m + height_m
        if over is not None:
            low = over.made.shape.box_m[0]
            item = self._relative(made, over, 0.0, float(low[1] - made.shape.box_m[0][1]), 0.0, height_m)
            return self._keep(item, 0.0) if self._free(item, 0.0) else None
        options = []
        for side in self._sides:
            for item, _, off_middle in self._along(side, made, 0.004):
                raised = Placement(made, item.x_m, item.y_m, base, item.yaw_deg, self.room.room_id)
                if self._free(raised, 0.0):
                    options.append((0.3 * off_middle + float(self.rng.uniform(0.0, 1.0)), raised))
        return self._keep(min(options, key=lambda o: o[0])[1], 0.0) if options else None

    def at_windows(self) -> None:
        """Curtains beside most windows of living quarters, radiators under the high ones."""
        for opening in self._openings:
            if opening.passage is not Passage.WINDOW or self.room.kind in ("bathroom", "laundry room", "gym"):
                continue
            side = min(self._sides, key=lambda s: abs(s.line - opening.line_m) if s.axis == opening.axis else 1e9)
            if self.chance(0.6):
                size = (opening.width_m + 0.5, 0.08, min(2.3, opening.high_m + 0.12 - 0.08))
                self._at(side, opening, self.make("curtain", size), opening.high_m + 0.14 - size[2], tall=True)
            if opening.low_m > 0.8 and self.chance(0.7):
                self._at(side, opening, self.make("radiator", (min(opening.width_m, 1.3), 0.1, 0.6)), 0.0, tall=False)

    def ceiling(self, name: str = "ceiling lamp") -> None:
        """A lamp under the middle of the ceiling; over a dining table where there is one."""
        made = self.make(name)
        x, y = self.inside.centre
        for item in self.items:
            if item.made.category.name in ("dining table", "round table", "kitchen island"):
                x, y = item.x_m, item.y_m
        z = self.room.base_m + CEILING_M - made.size_m[2]
        self.items.append(Placement(made, x, y, z, 0.0, self.room.room_id))

    def drop(self, item: Placement) -> None:
        """Take a piece out again, with what stands on it."""
        index = self.items.index(item)
        gone = {index} | {i for i, other in enumerate(self.items) if other.support == index}
        left = [i for i in range(len(self.items)) if i not in gone]
        number = {old: new for new, old in enumerate(left)}
        self.items = [replace(self.items[i], support=number.get(self.items[i].support, -1)) for i in left]
        self._hard = [h for h in self._hard if h[0] != item.rect]

    # how places are found

    def _along(self, side: _Side, made: Made, shift_m: float) -> list[tuple[Placement, float, float]]:
        """Places at a wall every 10 cm: each with its distance to the nearer corner and to the wall's middle."""
        low, high = made.shape.box_m
        half = float(high[0] - low[0]) / 2.0 + _GAP_M
        if side.end - side.start < 2 * half:
            return []
        away = float(-low[1]) + shift_m
        first, last = side.start + half, side.end - half
        stops = np.unique(np.round(np.append(np.arange(first, last, 0.1), last), 4))
        found = []
        for t in stops.tolist():
            x, y = (t, side.line) if side.axis == 0 else (side.line, t)
            item = Placement(
                made,
                x + side.inward[0] * away,
                y + side.inward[1] * away,
                self.room.base_m,
                side.yaw_deg,
                self.room.room_id,
            )
            found.append((item, min(t - first, last - t), abs(t - (first + last) / 2.0)))
        return found

    def _relative(
        self, made: Made, anchor: Placement, x: float, y: float, turn_deg: float, z: float = 0.0
    ) -> Placement:
        p = anchor.world_from_thing @ np.array([x, y, 0.0, 1.0])
        yaw = anchor.yaw_deg + turn_deg
        return Placement(made, float(p[0]), float(p[1]), self.room.base_m + z, yaw, self.room.room_id)

    def _at(self, side: _Side, opening: Opening, made: Made, height_m: float, *, tall: bool) -> None:
        """In front of a window; curtains hang over what stands below, radiators need the place."""
        t = (opening.start_m + opening.end_m) / 2.0
        half = float(made.shape.box_m[1][0])
        t = min(max(t, side.start + half + 0.01), side.end - half - 0.01)
        away = float(-made.shape.box_m[0][1]) + 0.02
        x, y = (t, side.line) if side.axis == 0 else (side.line, t)
        item = Placement(
            made, x + side.inward[0] * away, y + side.inward[1] * away, self.room.base_m + height_m, side.yaw_deg,
            self.room.room_id,
        )  # fmt: skip
        solid = [h for h in self._hard if h[1] <= 0.0 and not self._is_window(h[0])] if tall else self._hard
        if self.inside.contains(item.rect, 0.01) and not any(
            item.rect.overlaps(r) and lo < item.top_m - self.room.base_m and item.z_m - self.room.base_m < hi
            for r, lo, hi in solid
        ):
            self._keep(item, 0.0)

    def _is_window(self, rect: Rect) -> bool:
        return any(o.passage is Passage.WINDOW and o.strip(0.35) == rect for o in self._openings)

    def _is_door(self, rect: Rect) -> bool:
        return any(
            o.passage is not Passage.WINDOW and o.strip(LEAF_REACH_M).grown(0.03) == rect for o in self._openings
        )

    def _free(
        self, item: Placement, clear_m: float, *, tucked_into: Placement | None = None, ignore_clear: bool = False
    ) -> bool:
        rect = item.rect
        if not self.inside.contains(rect, 0.002):
            return False
        low, high = item.z_m - self.room.base_m, item.top_m - self.room.base_m
        spared = None if tucked_into is None else tucked_into.rect
        for other, bottom, top in self._hard:
            if low < top and bottom < high and other != spared and rect.overlaps(other):
                return False
        if low < 0.3 and not ignore_clear and tucked_into is None and any(rect.overlaps(c) for c in self._clear):
            return False
        if clear_m <= 0.0:
            return True
        front = item.front(clear_m)
        if not self.inside.contains(front, 0.02):
            return False
        return not any(
            bottom < 0.3 and front.overlaps(other) and not self._is_door(other) for other, bottom, _ in self._hard
        )

    def _free_all_around(self, item: Placement, clear_m: float) -> bool:
        grown = item.rect.grown(clear_m)
        if not self.inside.contains(grown):
            return False
        return not any(bottom < 0.3 and grown.overlaps(other) for other, bottom, _ in self._hard)

    def _keep(self, item: Placement, clear_m: float) -> Placement:
        base = self.room.base_m
        self._hard.append((item.rect, item.z_m - base, item.top_m - base))
        if clear_m > 0.0:
            self._clear.append(item.front(clear_m))
        self.items.append(item)
        return item


def _off_axis(anchor: Placement, item: Placement) -> float | None:
    """How far the item lies beside the line that the anchor looks along; None unless it looks back at it."""
    if (anchor.yaw_deg - item.yaw_deg) % 360.0 != 180.0:
        return None
    local = np.linalg.inv(anchor.world_from_thing) @ np.array([item.x_m, item.y_m, item.z_m, 1.0])
    return None if local[1] < 1.2 or abs(local[0]) > 0.7 else abs(float(local[0]))
