"""A script from a house and a seed: each resident's days are drawn from routines, then lived through in order."""

from __future__ import annotations

import numpy as np

from sim.house.days.clock import DAY_NS, HOUR_NS, SECOND_NS
from sim.house.days.deed import NAMES, DaysConfig, Script
from sim.house.days.errands import Errands
from sim.house.days.furniture import Furniture
from sim.house.days.household import Event, Household
from sim.house.days.routines import ERRANDS, SLEEP_ROOMS, WEEKEND, WORK, WORK_ROOMS
from sim.house.errors import InvalidHouse
from sim.house.house import House

_TIDY_A_DAY = 4
_MINUTE_NS = 60 * SECOND_NS


def make_script(house: House, seed: int, config: DaysConfig | None = None) -> Script:
    """The days of a seed in a house: the same arguments give the same script, on any machine.

    Nobody holds anything when it ends but what was eaten or found no place on coming home.

    Raises:
        InvalidHouse: a seed that is not a whole number from 0.
    """
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InvalidHouse(f"a seed must be a whole number from 0; given {seed!r}")
    config = config or DaysConfig()
    rng = np.random.default_rng([int(seed), house.seed, house.attempt])
    residents = tuple(str(n) for n in rng.permutation(NAMES)[: config.residents])
    home = Household(house, residents, rng)
    planner = _Planner(home, config)
    for day in range(config.days):
        for who in residents:
            planner.plan(day, who)
    home.run()
    return Script(house.digest, int(seed), config, residents, tuple(home.deeds))


class _Planner:
    """Puts what residents intend into the calendar of a household."""

    def __init__(self, home: Household, config: DaysConfig) -> None:
        self.home, self.config = home, config
        self.errands = Errands(home, config.days * DAY_NS)
        self.furniture = Furniture(home, may_shut=config.shut_rooms)

    def plan(self, day: int, who: str) -> None:
        """One day of one resident."""
        self._outings(day, who)
        for errand in ERRANDS:
            if day % 7 in errand.days and self._likely(errand.chance):
                when = self._at(day, errand.hours)
                self._add(when, lambda t, e=errand, w=when: self.errands.run(t, who, e, w))
        for _ in range(_TIDY_A_DAY):
            if self._likely(0.5):
                when = self._at(day, (17.5, 22.5))
                self._add(when, lambda t, w=when: self.errands.tidy(t, who, w))
        if self._likely(0.3):
            when = self._at(day, (10.0, 21.0))
            self._add(when, lambda t, w=when: self.errands.eat(t, who, w))
        self._seats(day, who)
        self._doors(day, who)

    def _outings(self, day: int, who: str) -> None:
        """To work on workdays, or for a walk."""
        weekend = day % 7 in WEEKEND
        why, share, leaves, away = ("going for a walk", 0.6, (10.0, 16.0), (0.7, 3.0)) if weekend else (
            ("going to work", 0.55, (8.0, 9.2), (4.0, 9.5)) if self.home.rng.uniform() < 0.7
            else ("going shopping", 0.6, (10.0, 16.5), (0.6, 1.8))
        )  # fmt: skip
        if self._likely(share):
            when = self._at(day, leaves)
            until = when + int(self.home.rng.uniform(*away) * HOUR_NS)
            self._add(when, lambda t: self.errands.go_out(t, who, when, until, why))

    def _seats(self, day: int, who: str) -> None:
        for hours, why in (((6.9, 8.2), "breakfast"), ((9.0, 16.0), WORK), ((18.5, 20.0), "dinner")):
            if self._likely(0.55):
                self._add(self._at(day, hours), lambda t, w=why: self.furniture.pull_out(t, who, w))
        if self._likely(0.5):
            self._add(self._at(day, (20.0, 22.0)), lambda t: self.furniture.push_in(t, who, "tidying up"))
        if self._likely(0.35):
            self._add(self._at(day, (9.0, 21.0)), lambda t: self.furniture.carry(t, who, "making room"))

    def _doors(self, day: int, who: str) -> None:
        rng = self.home.rng
        for hours in ((6.8, 8.0), (12.0, 18.0), (20.5, 22.5)):
            if self._likely(0.6):
                until = int(rng.uniform(4.0, 14.0) * _MINUTE_NS)
                self._add(
                    self._at(day, hours),
                    lambda t, u=until: self.furniture.behind_doors(t, who, ("bathroom",), "in the bathroom", t + u),
                )
        if self._likely(0.3):
            until = int(rng.uniform(40.0, 110.0) * _MINUTE_NS)
            self._add(
                self._at(day, (9.0, 15.0)),
                lambda t, u=until: self.furniture.behind_doors(t, who, WORK_ROOMS, "working undisturbed", t + u),
            )
        if day + 1 < self.config.days and self._likely(0.7):
            until = (day + 1) * DAY_NS + int(rng.uniform(6.6, 7.2) * HOUR_NS)
            self._add(
                self._at(day, (22.7, 22.95)),
                lambda t, u=until: self.furniture.behind_doors(t, who, SLEEP_ROOMS, "sleeping", u),
            )

    def _likely(self, chance: float) -> bool:
        return bool(self.home.rng.uniform() < min(1.0, chance * self.config.busy))

    def _at(self, day: int, hours: tuple[float, float]) -> int:
        return day * DAY_NS + int(self.home.rng.uniform(*hours) * 3600.0) * SECOND_NS

    def _add(self, when: int, event: Event) -> None:
        """Into the calendar, if it begins within the hours of the day."""
        low, high = self.config.hours
        if low * HOUR_NS <= when % DAY_NS <= high * HOUR_NS:
            self.home.later(when, event)
