"""A house from a seed: plan, furniture, things, checks; a layout that fails is drawn again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.house.category import Look
from sim.house.checks import unreachable_room, viewpoints
from sim.house.errors import InvalidHouse, NoHouse
from sim.house.house import House, HouseConfig
from sim.house.layout.furnisher import Furnisher
from sim.house.layout.passable import keep_passable
from sim.house.layout.placement import Placement
from sim.house.layout.planner import Bounds, draw_plan
from sim.house.layout.populate import populate, things_on_the_floor
from sim.house.layout.recipes import furnish
from sim.house.shape import placed
from sim.house.shapes.structure import Fixture, structure
from sim.house.thing import Thing

_PLANS = 400
"""plans drawn per attempt; one in three to twenty fits, depending on the number of rooms"""


def make_house(seed: int, config: HouseConfig | None = None) -> House:
    """The house of a seed. The same seed and config give the same house, on any machine.

    Raises:
        InvalidHouse: a seed that is not a whole number from 0.
        NoHouse: none of `config.attempts` layouts passed the checks; says what failed.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InvalidHouse(f"a seed must be a whole number from 0; given {seed!r}")
    config = config or HouseConfig()
    failures: list[str] = []
    for attempt in range(config.attempts):
        rng = np.random.default_rng([int(seed), attempt])
        house, failure = _attempt(rng, int(seed), attempt, config)
        if house is not None:
            return house
        failures.append(failure)
    raise NoHouse(
        f"seed {seed} gave no house in {config.attempts} attempts (last: {failures[-1]}); "
        "take another seed, raise attempts, or ask for fewer rooms or a lower density"
    )


def _attempt(rng: np.random.Generator, seed: int, attempt: int, config: HouseConfig) -> tuple[House | None, str]:
    floors = config.floors or int(rng.integers(1, 3))
    bounds = Bounds(floors, config.rooms_per_floor)
    plan = next((p for _ in range(_PLANS) if (p := draw_plan(rng, bounds)) is not None), None)
    if plan is None:
        return None, f"no plan of {floors} floors with {config.rooms_per_floor} rooms in {_PLANS} draws"
    furnishers = [Furnisher(rng, plan, room) for room in plan.rooms]
    for f in furnishers:
        furnish(f)
    for f in furnishers:
        things_on_the_floor(f, config.density)
        keep_passable(f, plan, config.body.radius_m, config.body.height_m)
    placements = populate(rng, furnishers, config.density)
    things = numbered(structure(rng, plan), placements)
    return _checked(House(seed, attempt, config, plan, things))


def _checked(house: House) -> tuple[House | None, str]:
    """The house without what nobody could look at, or what is wrong with it."""
    failure = unreachable_room(house, house.navigation)
    if failure:
        return None, failure
    found = viewpoints(house, house.navigation)
    asked = [t for t in house.things if t.category not in ("wall", "floor", "ceiling")]
    hidden = [t for t in asked if t.thing_id not in found]
    if any(t.group == "structure" for t in hidden):
        return None, f"{hidden[0].category} {hidden[0].thing_id} cannot be looked at"
    kept = _without(house.things, {t.thing_id for t in hidden})
    number = {old.thing_id: i + 1 for i, old in enumerate(kept)}
    things = tuple(replace(t, thing_id=number[t.thing_id], support_id=number.get(t.support_id, 0)) for t in kept)
    views = {number[i]: point for i, point in found.items() if i in number}
    return replace(house, things=things, viewpoints=views), ""


def _without(things: tuple[Thing, ...], gone: set[int]) -> list[Thing]:
    """The things left when some go, with all that they hold; supports come first, so one pass will do."""
    left = []
    for t in things:
        if t.thing_id in gone or t.support_id in gone:
            gone.add(t.thing_id)
        else:
            left.append(t)
    return left


def numbered(fixtures: list[Fixture], placements: list[Placement]) -> tuple[Thing, ...]:
    """Things with their ids: the house's own parts first, then what stands in it."""
    things = [
        Thing(i + 1, f.name, Look(f.colour, f.material), f.shape, placed(f.at, yaw_deg=f.yaw_deg), f.room_id)
        for i, f in enumerate(fixtures)
    ]
    first = len(things) + 1
    for p in placements:
        made = p.made
        held = p.support >= 0
        relation = placements[p.support].made.shape.regions[p.region].relation if held else ""
        things.append(
            Thing(
                len(things) + 1,
                made.category.name,
                made.look,
                made.shape,
                p.world_from_thing,
                p.room_id,
                first + p.support if held else 0,
                relation,
            )  # fmt: skip
        )
    return tuple(things)
