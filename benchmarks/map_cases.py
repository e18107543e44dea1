"""What is asked of the fused maps of held-out houses, and when an answer is right; for encoder_map.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

import numpy as np
from numpy.typing import NDArray

from policies.training.encoder.held_out import combinations
from sim.house import House
from sim.house.thing import Thing
from sim.tasks.naming.phrases import SEEN_PIXELS
from spatialmem.cli.calibration_crops import present_crops
from spatialmem.cli.calibration_walks import Rescored, Walk
from spatialmem.perception import Encoder
from spatialmem.types import Answer, Hit

WITHIN_M = 0.5
LEVELS = tuple(np.arange(0.95, 0.0, -0.05).round(2).tolist())
"""cosines from which voxels may be a hit, falling"""
BEST_GUESS, SHIPPED = "best guess", "as shipped"
NEVER = "colour and category, never seen together"


@final
class Asking(Rescored):
    """An encoder as it is, or one that refuses nothing: its score is the cosine, what reaches a level is a hit."""

    level: float | None = None

    @property
    def calibrated(self) -> bool:
        return self.level is None and self.bare.calibrated

    @property
    def min_similarity(self) -> float:
        return self.bare.min_similarity if self.level is None else self.level

    @property
    def hit_score(self) -> float:
        return self.bare.hit_score if self.level is None else self.level

    @property
    def cosine_decides(self) -> bool:
        return self.level is not None or self.bare.cosine_decides

    @property
    def for_images(self) -> Encoder:
        return self if self.level is not None else self.bare.for_images

    def score(self, features: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.level is None:
            return self.bare.score(features, query)
        length = np.linalg.norm(features, axis=1)
        cosine = features @ query / np.where(length > 0, length, 1.0)
        return np.clip(cosine, 0.0, 1.0).astype(np.float32)

    def first(self, way: str, ask: Callable[[], Answer]) -> Hit | None:
        """The first hit as shipped, or at the highest level that has one."""
        if way == SHIPPED:
            self.level = None
            return next(iter(ask().hits), None)
        best, low, high = None, 0, len(LEVELS)
        while low < high:  # what has a hit at one level has one at all lower ones
            middle = (low + high) // 2
            self.level = LEVELS[middle]
            hits = ask().hits
            if hits:
                best, high = hits[0], middle
            else:
                low = middle + 1
        return best


@dataclass(frozen=True)
class Asked:
    """A question to the map of a house, and how its first hit lies."""

    kind: str
    near: bool
    """within 0.5 m of the box of a right thing"""
    on: bool
    """on one, as the frames of its evidence show it"""
    chance: float
    """share of all surface of the walk that lies as near; for one of several of its kind, that of the right ones"""


def by_text(walk: Walk, house: House, surface_m: NDArray[np.float64], ask: Callable[[str], Hit | None]) -> list[Asked]:
    """Every phrase about the house that is true of something that was seen well."""
    found = []
    for named in walk.named:
        if named.box_m is None and named.present:
            kind, things = named.kind, [house.thing(i) for i in sorted(named.true_ids)]
            if kind == "colour and category" and _never_together(named.text):
                kind = NEVER
            found.append(_asked(kind, things, walk, surface_m, ask(named.text)))
    return found


def by_image(
    walk: Walk, house: House, surface_m: NDArray[np.float64], ask: Callable[[NDArray[np.uint8]], Hit | None]
) -> list[Asked]:
    """A crop of a thing as another camera sees it; right is that thing, or one that looks the same."""
    found, largest = [], walk.largest_px()
    for crop in present_crops(walk, house):
        right, kin = (
            [house.thing(i) for i in sorted(ids) if largest.get(i, 0) >= SEEN_PIXELS]
            for ids in (crop.true_ids, crop.true_ids | crop.unclear_ids)
        )
        asked = _asked("the only look of its kind", right, walk, surface_m, ask(crop.rgb))
        if len(right) < len(kin):
            asked = replace(asked, kind="of several of its kind", chance=len(right) / len(kin))
        found.append(asked)
    return found


def surface_of(walk: Walk) -> NDArray[np.float64]:
    """(N, 3) points of all surface that the walk saw, as often as it saw them."""
    points = []
    for frame in walk.seen:
        sight = frame.few
        rows, columns = np.nonzero(np.isfinite(sight.depth_m))
        z, camera = sight.depth_m[rows, columns].astype(np.float64), sight.camera
        local = np.stack([(columns - camera.cx) / camera.fx * z, (rows - camera.cy) / camera.fy * z, z], axis=1)
        points.append(local @ sight.world_from_camera[:3, :3].T + sight.world_from_camera[:3, 3])
    return np.concatenate(points)


def _asked(kind: str, things: list[Thing], walk: Walk, surface_m: NDArray[np.float64], hit: Hit | None) -> Asked:
    chance = float((_nearest_m(things, surface_m) <= WITHIN_M).mean())
    if hit is None:
        return Asked(kind, False, False, chance)
    near = bool(_nearest_m(things, hit.position_m[None])[0] <= WITHIN_M)
    return Asked(kind, near, not walk.things_at(hit).isdisjoint(t.thing_id for t in things), chance)


def _nearest_m(things: list[Thing], points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) distance to the nearest of the things' boxes, 0 inside."""
    best = np.full(len(points_m), np.inf)
    for thing in things:
        low, high = thing.shape.box_m
        local = (points_m - thing.world_from_thing[:3, 3]) @ thing.world_from_thing[:3, :3]
        outside = np.maximum(np.maximum(low - local, local - high), 0.0)
        best = np.minimum(best, np.linalg.norm(outside, axis=1))
    return best


def _never_together(text: str) -> bool:
    return any(text == f"{colour} {category}" for colour, category in combinations())
