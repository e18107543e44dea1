"""Episodes as JSON and back, so that what was run is on file and every worker runs the same."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sim.errors import BadEpisodes
from sim.tasks.episode import Episode, Goal, ImageView


def episode_values(episode: Episode) -> dict[str, Any]:
    """An episode as values of JSON."""
    try:
        return json.loads(json.dumps(dataclasses.asdict(episode), allow_nan=False, default=_plain))
    except (TypeError, ValueError) as error:
        raise BadEpisodes(f"episode {episode.episode_id!r} cannot be written down as JSON: {error}") from error


def episode_of(values: Mapping[str, Any]) -> Episode:
    """The episode that `episode_values` gave."""
    goals = tuple(_goal(goal) for goal in values["goals"])
    return Episode(**{**values, "goals": goals, "start_m": tuple(values["start_m"])})


def digest(values: Mapping[str, Any]) -> str:
    """The first 16 hexadecimal digits of SHA-256 over an episode's canonical form."""
    return hashlib.sha256(_canonical(values).encode()).hexdigest()[:16]


def split_digest(episodes: Sequence[Mapping[str, Any]]) -> str:
    """SHA-256 over episodes in their order."""
    return hashlib.sha256("\n".join(map(_canonical, episodes)).encode()).hexdigest()


def _canonical(values: Mapping[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _goal(values: Mapping[str, Any]) -> Goal:
    image = values["image"]
    if image is not None:
        image = ImageView(**{**image, "world_from_camera": tuple(image["world_from_camera"])})
    lists = {name: tuple(values[name]) for name in ("object_ids", "choices", "answers")}
    viewpoints = tuple((x, y, z) for x, y, z in values["viewpoints_m"])
    return Goal(**{**values, **lists, "image": image, "viewpoints_m": viewpoints})


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} {value!r} is no plain value")
