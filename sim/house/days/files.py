"""Scripts as JSON lines: a header, then one deed a line, in numbers and in words."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from sim.house.days.clock import said
from sim.house.days.deed import DaysConfig, Deed, Place, Script, Verb
from sim.house.days.words import deed_in_words, place_in_words, thing_in_words
from sim.house.errors import InvalidHouse
from sim.house.house import House

SCRIPT_VERSION = 1


def write_script(script: Script, house: House, path: str | Path) -> Path:
    """Write a script as JSON lines (.jsonl). Stamps in nanoseconds from Monday 00:00; poses 4x4 row by row, metres."""
    target = Path(path)
    if target.suffix.lower() != ".jsonl":
        raise InvalidHouse(f"the file must end in .jsonl; given {target.name!r}")
    if not target.parent.is_dir():
        raise InvalidHouse(f"the folder {str(target.parent)!r} does not exist; make it first")
    _same_house(script.house_digest, house, "the script")
    header = {
        "version": SCRIPT_VERSION, "house_seed": house.seed, "house_digest": script.house_digest, "seed": script.seed,
        "config": dataclasses.asdict(script.config), "residents": script.residents,
    }  # fmt: skip
    lines = [header, *(_row(house, d) for d in script.deeds)]
    target.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return target


def read_script(path: str | Path, house: House) -> Script:
    """Read what `write_script` wrote for this house.

    Raises:
        InvalidHouse: no such file, a line that is broken or says something else than is expected, another house.
    """
    source = Path(path)
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidHouse(f"{source.name} cannot be read as text: {error}") from error
    number = 1
    try:
        header = json.loads(lines[0])
        if header["version"] != SCRIPT_VERSION:
            raise InvalidHouse(f"{source.name} has version {header['version']!r}; expected {SCRIPT_VERSION}")
        _same_house(header["house_digest"], house, source.name)
        config = header["config"]
        config["hours"] = tuple(config["hours"])
        deeds: list[Deed] = []
        for line in lines[1:]:
            number += 1
            deeds.append(_deed(house, json.loads(line)))
        number = 1
        return Script(
            header["house_digest"], int(header["seed"]), DaysConfig(**config), tuple(header["residents"]), tuple(deeds)
        )
    except InvalidHouse:
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise InvalidHouse(
            f"{source.name}, line {number}: {error!r}; expected JSON lines as write_script writes them"
        ) from error


def _row(house: House, d: Deed) -> dict[str, Any]:
    return {
        "stamp_ns": d.stamp_ns,
        "until_ns": d.until_ns,
        "when": said(d.stamp_ns),
        "who": d.who,
        "verb": d.verb.value,
        "thing_id": d.thing_id,
        "thing": thing_in_words(house.thing(d.thing_id)),
        "from": _place_row(house, d.source),
        "to": _place_row(house, d.target),
        "why": d.why,
        "text": deed_in_words(house, d),
    }


def _place_row(house: House, place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    room = house.rooms[place.room_id].kind if place.room_id >= 0 else ""
    words = place_in_words(house, place)
    return {**dataclasses.asdict(place), "room": room, "words": words}


def _deed(house: House, row: dict[str, Any]) -> Deed:
    house.thing(row["thing_id"])
    return Deed(
        _whole(row["stamp_ns"]), _whole(row["until_ns"]), str(row["who"]), Verb(row["verb"]), _whole(row["thing_id"]),
        _place(house, row["from"]), _place(house, row["to"]), str(row["why"]),
    )  # fmt: skip


def _place(house: House, row: dict[str, Any] | None) -> Place | None:
    if row is None:
        return None
    pose = tuple(float(v) for v in row["pose"])
    if len(pose) != 16 or not -1 <= _whole(row["room_id"]) < len(house.rooms):
        raise ValueError(f"a place needs 16 numbers and a room within -1 to {len(house.rooms) - 1}")
    if row["support_id"]:
        house.thing(row["support_id"])
    return Place(row["room_id"], _whole(row["support_id"]), str(row["relation"]), pose)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"a whole number was expected, not {value!r}")
    return value


def _same_house(digest: str, house: House, what: str) -> None:
    if digest != house.digest:
        raise InvalidHouse(
            f"{what} was made for a house of digest {str(digest)[:12]}, this one's is {house.digest[:12]} "
            f"(seed {house.seed}); give the house that it was made for"
        )
