"""Time of a script: nanoseconds from Monday 00:00 of its first week, and how people say it."""

from __future__ import annotations

import re

from sim.house.errors import InvalidHouse

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
SECOND_NS = 1_000_000_000
HOUR_NS = 3600 * SECOND_NS
DAY_NS = 24 * HOUR_NS
_SAID = re.compile(r"\s*([A-Za-z]+)\s+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*")


def stamp_of(when: str, *, week: int = 0) -> int:
    """The stamp, in nanoseconds, of words such as "Thursday 14:05" or "Thursday 14:05:30"; `week` counts from 0.

    Raises:
        InvalidHouse: words that name no such time, or a week before the first.
    """
    found = _SAID.fullmatch(when) if isinstance(when, str) else None
    day = [d for d in WEEKDAYS if found and d.lower() == found[1].lower()]
    hour, minute, second = (int(v or 0) for v in found.groups()[1:]) if found else (0, 0, 0)
    if not day or hour > 23 or minute > 59 or second > 59 or week < 0:
        raise InvalidHouse(f'a time is said as "Thursday 14:05" or "Thursday 14:05:30", weeks from 0; given {when!r}')
    days = 7 * week + WEEKDAYS.index(day[0])
    return days * DAY_NS + hour * HOUR_NS + (60 * minute + second) * SECOND_NS


def said(stamp_ns: int) -> str:
    """A stamp in words, to the second: "Thursday 14:05:30", and "of week 2" when the first has passed."""
    week, rest = divmod(int(stamp_ns), 7 * DAY_NS)
    day, rest = divmod(rest, DAY_NS)
    seconds = rest // SECOND_NS
    words = f"{WEEKDAYS[day]} {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{words} of week {week + 1}" if week else words
