"""What a house itself is made of: floors, walls, ceilings, doors, windows, stairs, railings.

These shapes stand in world coordinates (but for door leaves, which turn about their hinge), and their large
faces are divided into cells of about 20 cm, so that light can be kept at their vertices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sim.house.layout.plan import CEILING_M, STOREY_M, WALL_M, Opening, Passage, Plan, Rect, Room, Stairs
from sim.house.materials import COLOURS, Material, Pattern, material, mixed, tinted
from sim.house.parts import Part, Vector
from sim.house.shape import Kit, Shape

_CELL_M = 0.2
JAMB_M = 0.05
"""thickness of a door frame within its opening"""


class Fixture(NamedTuple):
    """A part of the house, not yet numbered."""

    name: str
    shape: Shape
    colour: str
    material: str
    room_id: int
    at: tuple[float, float, float] = (0.0, 0.0, 0.0)
    yaw_deg: float = 0.0


def structure(rng: np.random.Generator, plan: Plan) -> list[Fixture]:
    """All fixed parts of a house."""
    found = []
    for room in plan.rooms:
        found += _room(rng, plan, room)
    style = {"frame": material(rng, "painted wood", str(rng.choice(["white", "white", "brown", "grey"])), axis=2)}
    leaf = str(rng.choice(["white", "light brown", "brown", "dark brown", "grey"]))
    for opening in plan.openings:
        found += _opening(rng, plan, opening, style, leaf)
    if plan.stairs is not None:
        found += _stairs(rng, plan, plan.stairs)
    return found


def patch(
    origin: Vector, u: Vector, v: Vector, size: tuple[float, float],
    holes: Sequence[tuple[float, float, float, float]] = (), cell_m: float = _CELL_M,
) -> Part:  # fmt: skip
    """A rectangle from `origin` along unit vectors u and v, with rectangular holes (u0, v0, u1, v1) in it."""
    edges = []
    for axis in (0, 1):
        cuts = {0.0, size[axis], *(float(np.clip(h[axis + k], 0.0, size[axis])) for h in holes for k in (0, 2))}
        marks = sorted(cuts)
        pieces = [
            np.linspace(a, b, max(1, round((b - a) / cell_m)) + 1)[:-1]
            for a, b in zip(marks[:-1], marks[1:], strict=True)
        ]
        edges.append(np.concatenate([*pieces, marks[-1:]]))
    a, b = np.meshgrid(edges[0], edges[1], indexing="ij")
    vertices = np.asarray(origin) + a[..., None] * np.asarray(u) + b[..., None] * np.asarray(v)
    middle_u, middle_v = (edges[0][1:] + edges[0][:-1]) / 2.0, (edges[1][1:] + edges[1][:-1]) / 2.0
    kept = np.ones((len(middle_u), len(middle_v)), dtype=bool)
    for u0, v0, u1, v1 in holes:
        kept &= ~(((middle_u > u0) & (middle_u < u1))[:, None] & ((middle_v > v0) & (middle_v < v1))[None, :])
    i, j = np.nonzero(kept)
    n = len(edges[1])
    low = i * n + j
    quads = np.stack([low, low + n, low + n + 1, low + 1], axis=1)
    normal = np.cross(u, v)
    faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    return Part(vertices.reshape(-1, 3), np.broadcast_to(normal, (len(edges[0]) * n, 3)).copy(), faces)


# rooms


def _floor_finish(rng: np.random.Generator, kind: str) -> tuple[Material, str, str]:
    seed = int(rng.integers(1 << 16))
    wet = kind in ("bathroom", "kitchen", "laundry room", "storage room")
    if wet or (kind in ("hallway", "dining room", "gym") and rng.uniform() < 0.35):
        colour = str(rng.choice(["grey", "white", "beige", "black", "brown", "turquoise", "blue"]))
        rgb = mixed(tinted(rng, COLOURS[colour]), (0.75, 0.74, 0.72), 0.6)
        return (
            Material(
                Pattern.TILES, rgb, mixed(rgb, (0.5, 0.5, 0.5), 0.45), float(rng.uniform(0.18, 0.45)), 0.35, 0, seed
            ),
            colour,
            "tile",
        )
    if kind in ("bedroom", "kids room", "library", "office", "gym") and rng.uniform() < 0.4:
        colour = str(rng.choice(["grey", "beige", "blue", "green", "red", "brown", "purple", "turquoise"]))
        rgb = mixed(tinted(rng, COLOURS[colour]), (0.6, 0.58, 0.55), 0.35)
        return Material(Pattern.CARPET, rgb, mixed(rgb, (0.0, 0.0, 0.0), 0.3), 0.02, 0.0, 0, seed), colour, "carpet"
    colour, base = (
        ("light brown", (0.66, 0.49, 0.31)),
        ("brown", (0.5, 0.32, 0.19)),
        ("dark brown", (0.29, 0.18, 0.11)),
        ("grey", (0.55, 0.52, 0.48)),
    )[int(rng.integers(4))]
    pattern = Pattern.HERRINGBONE if rng.uniform() < 0.25 else Pattern.PLANKS
    rgb = tinted(rng, base)
    return (
        Material(
            pattern,
            rgb,
            mixed(rgb, (0.1, 0.06, 0.03), 0.35),
            float(rng.uniform(0.09, 0.16)),
            0.2,
            int(rng.integers(2)),
            seed,
        ),
        colour,
        "wood",
    )


def _wall_finish(rng: np.random.Generator, kind: str) -> tuple[Material, str, str]:
    seed = int(rng.integers(1 << 16))
    colour = str(
        rng.choice(
            ["white", "white", "beige", "grey", "yellow", "green", "blue", "pink", "turquoise", "orange", "purple"]
        )
    )
    rgb = mixed(tinted(rng, COLOURS[colour]), (0.88, 0.86, 0.82), float(rng.uniform(0.35, 0.75)))
    if kind in ("bathroom", "laundry room") or (kind == "kitchen" and rng.uniform() < 0.4):
        return (
            Material(
                Pattern.TILES, rgb, mixed(rgb, (0.45, 0.45, 0.45), 0.4), float(rng.uniform(0.1, 0.25)), 0.4, 0, seed
            ),
            colour,
            "tile",
        )
    chance = rng.uniform()
    if kind in ("bedroom", "kids room", "dining room", "library", "hallway") and chance < 0.3:
        pattern = (Pattern.STRIPES, Pattern.DOTS, Pattern.CHECKS)[int(rng.integers(3))]
        return (
            Material(
                pattern,
                rgb,
                mixed(rgb, (1.0, 1.0, 1.0) if max(rgb) < 0.75 else (0.5, 0.5, 0.5), 0.22),
                float(rng.uniform(0.12, 0.3)),
                0.0,
                2,
                seed,
            ),
            colour,
            "wallpaper",
        )
    if kind in ("living room", "library", "storage room", "gym") and chance < 0.15:
        brick = tinted(rng, (0.55, 0.3, 0.22))
        return Material(Pattern.BRICK, brick, (0.7, 0.67, 0.62), 0.075, 0.0, 0, seed), "red", "brick"
    return Material(Pattern.PLASTER, rgb, mixed(rgb, (0.4, 0.4, 0.4), 0.12), 0.12, 0.0, 0, seed), colour, "plaster"


def _room(rng: np.random.Generator, plan: Plan, room: Room) -> list[Fixture]:
    floor, floor_colour, floor_material = _floor_finish(rng, room.kind)
    wall, wall_colour, wall_material = _wall_finish(rng, room.kind)
    ceiling = Material(Pattern.PLASTER, tinted(rng, (0.9, 0.89, 0.87), 0.015), (0.8, 0.79, 0.78), 0.12)
    skirting = material(rng, "painted wood", str(rng.choice(["white", "white", "brown", "grey"])))
    r, z = room.inside, room.base_m
    finish = {"floor": floor, "wall": wall, "ceiling": ceiling, "skirting": skirting}
    ground, walls, above = (Kit(finish, rng) for _ in range(3))
    hole = _hole(plan, room, going_down=True)
    ground.add(patch((r.x0, r.y0, z), (1, 0, 0), (0, 1, 0), (r.width, r.depth), hole), (0, 0, 0), "floor")
    for opening in plan.openings_of(room.room_id):
        if opening.passage is not Passage.WINDOW:
            _threshold(ground, room, opening)
    hole = [(a, r.depth - d, c, r.depth - b) for a, b, c, d in _hole(plan, room, going_down=False)]
    above.add(patch((r.x0, r.y1, z + CEILING_M), (1, 0, 0), (0, -1, 0), (r.width, r.depth), hole), (0, 0, 0), "ceiling")
    for axis, line, start, end, inward in (
        (0, r.y0, r.x0, r.x1, (0, 1)), (0, r.y1, r.x0, r.x1, (0, -1)),
        (1, r.x0, r.y0, r.y1, (1, 0)), (1, r.x1, r.y0, r.y1, (-1, 0)),
    ):  # fmt: skip
        _wall(walls, plan, room, axis, line, (start, end), inward)
    return [
        Fixture("floor", ground.built(), floor_colour, floor_material, room.room_id),
        Fixture("wall", walls.built(), wall_colour, wall_material, room.room_id),
        Fixture("ceiling", above.built(), "white", "plaster", room.room_id),
    ]


def _hole(plan: Plan, room: Room, *, going_down: bool) -> list[tuple[float, float, float, float]]:
    """Where the flight passes through the floor (going down) or the ceiling of a room, from its inner corner."""
    stairs = plan.stairs
    if stairs is None or room.floor != stairs.floor + int(going_down) or not room.rect.contains(stairs.ground):
        return []
    g, r = stairs.ground, room.inside
    return [(g.x0 - r.x0, g.y0 - r.y0, g.x1 - r.x0, g.y1 - r.y0)]


def _threshold(kit: Kit, room: Room, opening: Opening) -> None:
    """The half of the floor within a doorway that belongs to this room."""
    strip, r = opening.strip(WALL_M / 2.0), room.rect
    x0, y0, x1, y1 = max(strip.x0, r.x0), max(strip.y0, r.y0), min(strip.x1, r.x1), min(strip.y1, r.y1)
    if x1 - x0 > 1e-6 and y1 - y0 > 1e-6:
        kit.add(patch((x0, y0, room.base_m), (1, 0, 0), (0, 1, 0), (x1 - x0, y1 - y0)), (0, 0, 0), "floor")


def _wall(
    kit: Kit, plan: Plan, room: Room, axis: int, line: float, span: tuple[float, float], inward: tuple[int, int]
) -> None:
    n = np.array([inward[0], inward[1], 0.0])
    u = np.cross((0.0, 0.0, 1.0), n)  # so that u x z looks into the room
    forward = u[axis] > 0
    start, end = span
    origin = np.array([line, line, room.base_m])
    origin[axis] = start if forward else end
    openings = [o for o in plan.openings_of(room.room_id) if o.axis == axis and abs(o.line_m - line) < WALL_M]
    holes = []
    for o in openings:
        a, b = (o.start_m - start, o.end_m - start) if forward else (end - o.end_m, end - o.start_m)
        holes.append((a, o.low_m, b, o.high_m))
    kit.add(patch(origin, u, (0.0, 0.0, 1.0), (end - start, CEILING_M), holes), (0, 0, 0), "wall")
    doors = sorted((o.start_m, o.end_m) for o in openings if o.low_m <= 0.0)
    if room.kind == "bathroom":
        return
    for a, b in zip([start, *(d[1] for d in doors)], [*(d[0] for d in doors), end], strict=True):
        if b - a > 0.05:
            middle = origin + n * 0.006
            middle[axis] = (a + b) / 2.0
            size = (b - a, 0.012, 0.08) if axis == 0 else (0.012, b - a, 0.08)
            kit.box(middle, size, "skirting", 0.003)


# doors and windows


def _opening(rng: np.random.Generator, plan: Plan, o: Opening, style: dict[str, Material], leaf: str) -> list[Fixture]:
    kit = Kit(style, rng)
    base = plan.rooms[o.rooms[0]].base_m
    inner = o.rooms[0]
    width, height = o.width_m, o.high_m - o.low_m
    deep = WALL_M + 0.03
    thick = JAMB_M if o.passage is not Passage.ARCH else 0.02
    for s in (-1, 1):
        kit.box((s * (width - thick) / 2.0, 0, 0), (thick, deep, height), "frame", 0.004)
    kit.box((0, 0, height - thick), (width, deep, thick), "frame", 0.004)
    x, y = o.middle
    at = (x, y, base + o.low_m)
    turn = 0.0 if o.axis == 0 else 90.0
    if o.passage is Passage.WINDOW:
        return _window(rng, plan, o, kit, at, turn)
    found = [Fixture("door frame", kit.built(), "", "wood", inner, at, turn)]
    if o.passage is Passage.ARCH:
        return found
    colour = leaf if o.passage is Passage.DOOR else str(rng.choice(["red", "green", "blue", "brown", "black", "white"]))
    return [*found, _leaf(rng, plan, o, colour, base)]


def _leaf(rng: np.random.Generator, plan: Plan, o: Opening, colour: str, base: float) -> Fixture:
    """A door leaf, its origin at the hinge; inner doors stand open at a right angle, the front door is closed."""
    wide, high = o.width_m - 2 * JAMB_M - 0.006, o.high_m - JAMB_M - 0.01
    substance = "wood" if colour in ("light brown", "brown", "dark brown") else "painted wood"
    kit = Kit({"leaf": material(rng, substance, colour, axis=2), "handle": material(rng, "metal", "grey")}, rng)
    kit.box((wide / 2, 0, 0.006), (wide, 0.04, high), "leaf", 0.003)
    for y in (-1, 1):
        for z, tall in ((0.12, high * 0.36), (high * 0.52, high * 0.4)):
            kit.box((wide / 2, y * 0.02, z), (wide - 0.24, 0.012, tall), "leaf", 0.005)
        kit.cylinder_y((wide - 0.06, y * 0.04, 1.0), 0.009, 0.05, "handle")
        kit.box((wide - 0.1, y * 0.062, 0.99), (0.11, 0.014, 0.02), "handle", 0.006)
    (x, y), yaw = leaf_place(plan, o, shut=o.passage is Passage.FRONT)
    name = "front door" if o.passage is Passage.FRONT else "door"
    return Fixture(name, kit.built(), colour, "wood", o.leaf_room, (float(x), float(y), base), float(yaw))


def leaf_place(plan: Plan, o: Opening, *, shut: bool) -> tuple[tuple[float, float], float]:
    """Where a leaf hangs, world x and y of its hinge, and how it is turned, degrees: shut, or open at a right angle."""
    along = o.end_m - JAMB_M if o.hinge_end else o.start_m + JAMB_M
    step = -0.022 if o.hinge_end else 0.022
    cx, cy = plan.rooms[o.leaf_room].rect.centre
    inward = float(np.sign((cy if o.axis == 0 else cx) - o.line_m))
    if shut:
        spot, yaw = (along, o.line_m), (180.0 if o.hinge_end else 0.0) + (90.0 if o.axis == 1 else 0.0)
    else:
        spot = (along + step, o.line_m + inward * (WALL_M / 2 + 0.01))
        yaw = 90.0 * inward if o.axis == 0 else 90.0 - 90.0 * inward
    return (spot if o.axis == 0 else (spot[1], spot[0])), yaw


def _window(
    rng: np.random.Generator, plan: Plan, o: Opening, kit: Kit, at: tuple[float, float, float], turn: float
) -> list[Fixture]:
    width, height = o.width_m, o.high_m - o.low_m
    kit.box((0, 0, 0), (width, WALL_M + 0.03, JAMB_M), "frame", 0.004)
    bars = max(1, round(width / 0.65)) - 1
    for i in range(bars):
        kit.box(((i + 1) * width / (bars + 1) - width / 2, 0, 0), (0.045, 0.05, height), "frame", 0.004)
    if height > 1.1 and rng.uniform() < 0.5:
        kit.box((0, 0, height * 0.68), (width, 0.05, 0.04), "frame", 0.004)
    sky = Material(Pattern.SKY, (0.42, 0.62, 0.9), (0.36, 0.5, 0.28), height, 0.0, 2, int(rng.integers(1 << 16)), 1.0)
    kit.give("pane", sky)
    for s in (-1.0, 1.0):  # seen from either side
        kit.add(patch((-s * width / 2, 0.0, 0.0), (s, 0, 0), (0, 0, 1), (width, height)), (0, -s * 0.004, 0), "pane")
    if o.low_m > 0.8:
        inward = _inward(plan, o)
        kit.box((0, inward * (WALL_M / 2 + 0.05), -0.02), (width + 0.1, 0.16, 0.025), "frame", 0.006)
    return [Fixture("window", kit.built(), "white", "glass", o.rooms[0], at, turn)]


def _inward(plan: Plan, o: Opening) -> float:
    """+1 where the room lies on the +y side of the window's own frame."""
    cx, cy = plan.rooms[o.rooms[0]].rect.centre
    return float(np.sign(cy - o.line_m)) if o.axis == 0 else float(-np.sign(cx - o.line_m))


# stairs


def _stairs(rng: np.random.Generator, plan: Plan, s: Stairs) -> list[Fixture]:
    wood = str(rng.choice(["light brown", "brown", "dark brown", "white", "grey"]))
    post = str(rng.choice(["white", "black", "brown"]))
    finish = {
        "tread": material(rng, "wood" if "brown" in wood else "painted wood", wood, axis=1),
        "riser": material(rng, "painted wood", "white"),
        "post": material(rng, "painted wood" if post != "brown" else "wood", post, axis=2),
    }
    hall = {r.floor: r.room_id for r in plan.rooms if r.kind == "hallway"}
    base = s.floor * STOREY_M
    flight = Kit(finish, rng)
    tread, rise = (s.end_m - s.start_m) / s.steps, STOREY_M / s.steps
    middle, wide = (s.y0_m + s.y1_m) / 2.0, s.y1_m - s.y0_m
    for i in range(s.steps):
        x = s.start_m + (i + 0.5) * tread
        flight.box((x, middle, base), (abs(tread), wide - 0.005, (i + 1) * rise - 0.03), "riser", 0.0)
        flight.box(
            (x - np.sign(tread) * 0.012, middle, base + (i + 1) * rise - 0.03),
            (abs(tread) + 0.024, wide, 0.03),
            "tread",
            0.006,
        )
    rails = Kit(finish, rng)
    room = plan.rooms[hall[s.floor]].inside
    open_y = s.y1_m - 0.025 if abs(s.y0_m - room.y0) < 0.2 else s.y0_m + 0.025
    _handrail(rails, s, open_y, base, tread, rise)
    upper = Kit(finish, rng)
    top = base + STOREY_M
    out = 0.05 if open_y > middle else -0.05
    _railing(upper, (s.start_m, open_y + out), (s.end_m, open_y + out), top)
    _railing(upper, (s.start_m - np.sign(tread) * 0.03, s.y0_m), (s.start_m - np.sign(tread) * 0.03, s.y1_m), top)
    _shaft(upper, s.ground, base)
    return [
        Fixture("stairs", flight.built(), wood, "wood", hall[s.floor]),
        Fixture("railing", rails.built(), post, "wood", hall[s.floor]),
        Fixture("railing", upper.built(), post, "wood", hall[s.floor + 1]),
    ]


def _handrail(kit: Kit, s: Stairs, y: float, base: float, tread: float, rise: float) -> None:
    ends = []
    for i in range(0, s.steps - 1, 2):
        x, z = s.start_m + (i + 0.5) * tread, base + (i + 1) * rise
        kit.box((x, y, z), (0.035, 0.035, min(0.9, STOREY_M + base + 0.9 - z)), "post", 0.006)
        ends.append((x, y, z + 0.9))
    kit.tube([ends[0], ends[-1]], 0.026, "tread", 12)


def _railing(kit: Kit, a: tuple[float, float], b: tuple[float, float], z: float) -> None:
    start, end = np.array(a), np.array(b)
    length = float(np.linalg.norm(end - start))
    n = max(2, round(length / 0.13))
    for i in range(n + 1):
        p = start + (end - start) * i / n
        kit.box((p[0], p[1], z), (0.03, 0.03, 0.92), "post", 0.005)
    kit.tube([(*start, z + 0.93), (*end, z + 0.93)], 0.028, "tread", 12)


def _shaft(kit: Kit, g: Rect, base: float) -> None:
    """The edges of the hole between the ceiling below and the floor above."""
    z, high = base + CEILING_M, STOREY_M - CEILING_M
    for origin, u, length in (
        ((g.x0, g.y0, z), (1, 0, 0), g.width), ((g.x1, g.y0, z), (0, 1, 0), g.depth),
        ((g.x1, g.y1, z), (-1, 0, 0), g.width), ((g.x0, g.y1, z), (0, -1, 0), g.depth),
    ):  # fmt: skip
        part = patch(origin, u, (0, 0, 1), (length, high))
        inward = Part(part.vertices_m, -part.normals, part.faces[:, ::-1])
        kit.add(inward, (0, 0, 0), "riser")
