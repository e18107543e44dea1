"""The houses on which calibrations are fitted, and those on which they are judged: neither is ever trained on."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from sim.errors import InvalidSetting, unknown_name
from sim.house.house import HouseConfig

SPLIT_SHA256 = "91a1819e725e3dc77faf0eb4d20bde0c0e0120e486276cb6e512169579c9b99d"
"""of split.json; calibrations and results of another hash are about other houses"""


@functools.cache
def _split() -> Mapping[str, Any]:
    data = files("sim.tasks.naming").joinpath("split.json").read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != SPLIT_SHA256:
        raise InvalidSetting(
            f"split.json has SHA-256 {found}, expected {SPLIT_SHA256}; put the frozen file back, or write the new hash "
            "into sim/tasks/naming/frozen.py: then calibrations and results do not compare with earlier ones"
        )
    return json.loads(data)


def houses(part: str, count: int) -> tuple[str, ...]:
    """The first `count` scenes of "fit" or "test"; `InvalidSetting` when there are not so many."""
    parts = _split()["houses"]
    if part not in parts:
        raise unknown_name("part of the split", part, parts)
    if not 1 <= count <= parts[part]["count"]:
        raise InvalidSetting(f"{part} has {parts[part]['count']} houses; given {count}; take 1 to that many")
    return tuple(str(parts[part]["first"] + n) for n in range(count))


def house_config() -> HouseConfig:
    """What these houses are like: small enough that much is absent from each."""
    split = _split()
    low, high = split["rooms_per_floor"]
    return HouseConfig(floors=split["floors"], rooms_per_floor=(low, high))
