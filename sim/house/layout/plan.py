"""Values of a floor plan. The house stands on z = 0; x and y run along its walls; metres."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

WALL_M = 0.12
"""thickness of every wall; rooms meet in the middle of the wall between them"""
STOREY_M = 2.8
"""from floor to floor"""
CEILING_M = 2.55
"""from floor to ceiling"""
DOOR_HEIGHT_M = 2.05


@dataclass(frozen=True)
class Rect:
    """An axis-aligned rectangle, metres."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def width(self) -> float:
        """Along x."""
        return self.x1 - self.x0

    @property
    def depth(self) -> float:
        """Along y."""
        return self.y1 - self.y0

    @property
    def area(self) -> float:
        """Square metres."""
        return self.width * self.depth

    @property
    def centre(self) -> tuple[float, float]:
        """Its middle."""
        return (self.x0 + self.x1) / 2.0, (self.y0 + self.y1) / 2.0

    def grown(self, by: float) -> Rect:
        """Larger by `by` on every side; smaller when negative."""
        return Rect(self.x0 - by, self.y0 - by, self.x1 + by, self.y1 + by)

    def overlaps(self, other: Rect, slack: float = 1e-6) -> bool:
        """Whether the two share more than `slack` along both axes."""
        return (
            min(self.x1, other.x1) - max(self.x0, other.x0) > slack
            and min(self.y1, other.y1) - max(self.y0, other.y0) > slack
        )

    def contains(self, other: Rect, slack: float = 1e-6) -> bool:
        """Whether the other lies inside."""
        return (
            other.x0 >= self.x0 - slack
            and other.y0 >= self.y0 - slack
            and other.x1 <= self.x1 + slack
            and other.y1 <= self.y1 + slack
        )

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies inside."""
        return self.x0 <= x <= self.x1 and self.y0 <= y <= self.y1


@dataclass(frozen=True)
class Room:
    """A room. Its rectangle reaches to the middle of its walls."""

    room_id: int
    """from 0, counted over the whole house"""
    kind: str
    floor: int
    rect: Rect

    @property
    def inside(self) -> Rect:
        """The rectangle between its walls."""
        return self.rect.grown(-WALL_M / 2.0)

    @property
    def base_m(self) -> float:
        """Height of its floor."""
        return self.floor * STOREY_M


class Passage(Enum):
    """What an opening in a wall is."""

    DOOR = "door"
    """with a leaf"""
    ARCH = "archway"
    """wide and without a leaf"""
    FRONT = "front door"
    """leads outside, closed"""
    WINDOW = "window"


@dataclass(frozen=True)
class Opening:
    """A hole in a wall that runs along x (`axis` 0, at y = `line_m`) or along y (`axis` 1, at x = `line_m`)."""

    passage: Passage
    floor: int
    axis: int
    line_m: float
    """where the middle of the wall is"""
    start_m: float
    end_m: float
    """along the wall"""
    low_m: float
    high_m: float
    """above the floor"""
    rooms: tuple[int, ...]
    """ids of the rooms it joins: two, or one where it leads outside"""
    leaf_room: int = -1
    """the room into which the leaf of a door opens"""
    hinge_end: bool = False
    """the leaf hangs at `end_m` rather than at `start_m`"""

    @property
    def width_m(self) -> float:
        """Along the wall."""
        return self.end_m - self.start_m

    @property
    def middle(self) -> tuple[float, float]:
        """Its middle on the plan."""
        along = (self.start_m + self.end_m) / 2.0
        return (along, self.line_m) if self.axis == 0 else (self.line_m, along)

    def strip(self, depth_m: float) -> Rect:
        """The ground within `depth_m` of the middle of the wall, as wide as the opening."""
        if self.axis == 0:
            return Rect(self.start_m, self.line_m - depth_m, self.end_m, self.line_m + depth_m)
        return Rect(self.line_m - depth_m, self.start_m, self.line_m + depth_m, self.end_m)


@dataclass(frozen=True)
class Stairs:
    """A straight flight along x, from `start_m` on floor `floor` up to `end_m` on the next one."""

    floor: int
    start_m: float
    """x of the lowest riser"""
    end_m: float
    """x of the highest riser; smaller than start_m when the flight leads towards -x"""
    y0_m: float
    y1_m: float
    steps: int

    @property
    def ground(self) -> Rect:
        """What it covers on the plan."""
        return Rect(min(self.start_m, self.end_m), self.y0_m, max(self.start_m, self.end_m), self.y1_m)


@dataclass(frozen=True)
class Plan:
    """The walls of a house."""

    floors: int
    footprint: Rect
    rooms: tuple[Room, ...]
    openings: tuple[Opening, ...]
    stairs: Stairs | None

    def rooms_on(self, floor: int) -> tuple[Room, ...]:
        """Rooms of a floor."""
        return tuple(r for r in self.rooms if r.floor == floor)

    def openings_of(self, room_id: int) -> tuple[Opening, ...]:
        """Doors and windows in the walls of a room."""
        return tuple(o for o in self.openings if room_id in o.rooms)
