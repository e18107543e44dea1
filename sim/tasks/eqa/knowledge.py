"""What people know of kinds of things, in words: what they are called, mistaken for, made for (knowledge.json)."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any


@dataclass(frozen=True)
class Kind:
    """What is known of one category."""

    said: str
    """what a thing of it is called, in the singular"""
    many: str
    also: tuple[str, ...] = ()
    """what else people call it"""
    like: tuple[str, ...] = ()
    """categories that people may mean when they say this name"""
    colour_of: str | None = ""
    """the part whose colour is told, such as "the frame of"; empty: all of it; None: no one colour can be told"""
    material_of: str | None = ""
    vague: bool = False
    """there are others of its kind that are parts of furniture: never asked about"""


@dataclass(frozen=True)
class Use:
    """Something that one does with things of some categories."""

    tools: tuple[str, ...]
    perhaps: tuple[str, ...]
    """categories with which it could be done too, if need be"""
    phrases: Mapping[str, tuple[str, ...]]
    """set of wordings -> infinitives"""


@dataclass(frozen=True)
class Sort:
    """A word for things of several categories."""

    one: str
    plenty: str
    members: tuple[str, ...]
    perhaps: tuple[str, ...]
    """categories that some would count in and others not"""


@dataclass(frozen=True)
class Knowledge:
    """All of it."""

    kinds: Mapping[str, Kind]
    uses: Mapping[str, Use]
    sorts: Mapping[str, Sort]
    rooms: Mapping[str, tuple[str, ...]]
    """name -> other names"""
    colours: Mapping[str, tuple[str, ...]]
    materials: Mapping[str, tuple[str, ...]]
    holds: Mapping[str, frozenset[str]]
    """relation -> categories of which one can see whether anything is on, in or under them"""
    shows: frozenset[str]
    """further categories whose things can be named, though parts of their own may lie there too"""
    seats: frozenset[str]
    fixed: frozenset[str]
    """categories that hang on walls and ceilings, or lie flat on the floor"""
    beds: Mapping[str, int]
    """category -> how many sleep in one"""

    def kind(self, category: str) -> Kind:
        """What is known of a category; one that nobody wrote down is called by its name."""
        found = self.kinds.get(category)
        return found if found is not None else Kind(category, f"{category}s", colour_of=None, material_of=None)


@functools.cache
def knowledge() -> Knowledge:
    """What knowledge.json says."""
    data: dict[str, Any] = json.loads(files("sim.tasks.eqa").joinpath("knowledge.json").read_text(encoding="utf-8"))
    return Knowledge(
        kinds={name: _kind(name, entry) for name, entry in data["things"].items()},
        uses={
            name: Use(tuple(e["with"]), tuple(e["could"]), {"train": tuple(e["train"]), "test": tuple(e["test"])})
            for name, e in data["uses"].items()
        },
        sorts={
            name: Sort(e["one"], e["plenty"], tuple(e["members"]), tuple(e["perhaps"]))
            for name, e in data["groups"].items()
        },
        rooms=_tuples(data["rooms"]),
        colours=_tuples(data["colours"]),
        materials=_tuples(data["materials"]),
        holds={relation: frozenset(names) for relation, names in data["holds"].items()},
        shows=frozenset(data["shows"]),
        seats=frozenset(data["seats"]),
        fixed=frozenset(data["fixed"]),
        beds=data["beds"],
    )


def _tuples(lists: Mapping[str, list[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(also) for name, also in lists.items()}


def _kind(name: str, entry: Mapping[str, Any]) -> Kind:
    said = entry.get("said", name)
    colour, material = entry.get("colour", ""), entry.get("material_of", "")
    return Kind(
        said, entry.get("many", f"{said}s"), tuple(entry.get("also", ())), tuple(entry.get("like", ())),
        None if colour is False else colour, None if entry.get("material") is False else material,
        bool(entry.get("vague", False)),
    )  # fmt: skip
