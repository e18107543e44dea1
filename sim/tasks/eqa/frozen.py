"""What is frozen: wordings, what is known of kinds of things, what is common, and the scenes held out. split.json holds
the hashes; its own hash goes into the manifest of results."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from sim.errors import InvalidSetting

SPLIT_SHA256 = "3d20a96787afc57079d436e9d511c9869c02236fab9749de18bdb88f730c2745"
"""of split.json; questions of another hash are other questions, and their results are not compared"""
_FILES = ("wordings.json", "knowledge.json", "common.json")


def _bytes(name: str) -> bytes:
    return files("sim.tasks.eqa").joinpath(name).read_bytes()


def sha256_of(name: str) -> str:
    """Of a file of this package."""
    return hashlib.sha256(_bytes(name)).hexdigest()


@functools.cache
def split() -> Mapping[str, Any]:
    """What split.json says; `InvalidSetting` when a file is not the one that was frozen."""
    if sha256_of("split.json") != SPLIT_SHA256:
        raise InvalidSetting(
            f"split.json has SHA-256 {sha256_of('split.json')}, expected {SPLIT_SHA256}; put the frozen file back, or "
            "write the new hash into sim/tasks/eqa/frozen.py: then results do not compare with earlier ones"
        )
    data: dict[str, Any] = json.loads(_bytes("split.json"))
    for name in _FILES:
        if sha256_of(name) != data["sha256"][name]:
            raise InvalidSetting(
                f"{name} has SHA-256 {sha256_of(name)}, split.json expects {data['sha256'][name]}; "
                "put the frozen file back, or freeze new ones with tools/eqa_freeze.py"
            )
    return data


def held_out(world: str) -> list[str] | None:
    """The scenes of the test split of a world; None where none were frozen."""
    found = split()["held_out"].get(world)
    return None if found is None else [str(scene) for scene in range(found["first"], found["first"] + found["count"])]


@functools.cache
def common() -> Mapping[str, Mapping[str, Mapping[str, int]]]:
    """kind -> subject -> answer -> how often that is so in train houses (tools/eqa_common.py)."""
    split()
    return json.loads(_bytes("common.json"))


@functools.cache
def wordings() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """kind -> set ("train", "test") -> wordings."""
    split()
    data = json.loads(_bytes("wordings.json"))
    return {kind: {name: tuple(lines) for name, lines in sets.items()} for kind, sets in data.items()}


def wording_set(split_name: str) -> str:
    """Which wordings a split is asked in: the test split in its own, all others in those for training."""
    return "test" if split_name == "test" else "train"
