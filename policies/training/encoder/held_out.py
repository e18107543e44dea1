"""What training never sees: houses, textures, colours of some kinds of things, wordings. Frozen, with a hash."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from sim.errors import InvalidSetting, unknown_name

SHA256 = "da8f52270dccb52e66c793637e86e451ea9e6c271dc79ff6c9045224ce389343"
"""of held_out.json, which holds that of wordings.json; an encoder of another hash was trained on other things"""


def _bytes(name: str) -> bytes:
    return files("policies.training.encoder").joinpath(name).read_bytes()


@functools.cache
def _split() -> Mapping[str, Any]:
    found = hashlib.sha256(_bytes("held_out.json")).hexdigest()
    if found != SHA256:
        raise InvalidSetting(
            f"held_out.json has SHA-256 {found}, expected {SHA256}; put the frozen file back, or write the new hash "
            "into policies/training/encoder/held_out.py: then encoders and results do not compare with earlier ones"
        )
    return json.loads(_bytes("held_out.json"))


def houses(split: str) -> range:
    """Seeds of a split: train, develop (choices made while training), calibrate (scores) or test (results)."""
    found = _split()["houses"]
    if split not in found:
        raise unknown_name("split", split, found)
    return range(found[split]["first"], found[split]["first"] + found[split]["count"])


@functools.cache
def textures() -> Mapping[str, str]:
    """Pattern that no training picture shows -> the one that stands in for it there."""
    return dict(_split()["textures"])


@functools.cache
def combinations() -> frozenset[tuple[str, str]]:
    """(colour, category) pairs: such things are neither named nor supervised in training."""
    return frozenset((colour, category) for colour, category in _split()["combinations"])


@functools.cache
def wordings(part: str) -> Mapping[str, tuple[str, ...]]:
    """kind -> wordings of "train" or "test"."""
    data, expected = _bytes("wordings.json"), _split()["sha256"]["wordings.json"]
    if hashlib.sha256(data).hexdigest() != expected:
        raise InvalidSetting(
            f"wordings.json has SHA-256 {hashlib.sha256(data).hexdigest()}, held_out.json expects {expected}; put the "
            "frozen file back, or write the new hash into held_out.json"
        )
    if part not in ("train", "test"):
        raise unknown_name("set of wordings", part, ("train", "test"))
    return {kind: tuple(sets[part]) for kind, sets in json.loads(data).items()}
