"""Frames of rendered houses with the truth of every pixel, and how well detections fit it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from policies.training.encoder.views import HouseViews, ViewConfig
from sim.house import House, RasterRenderer
from sim.house.sensors import DepthNoise, sensed_depth
from spatialmem.things import Detection
from spatialmem.types import Frame

SIZE_PX, HFOV_DEG = 256, 90.0
BUILDING = ("wall", "floor", "ceiling")
LEAST_VISIBLE_PX = 60
RIGHT_IOU = 0.5


@dataclass(frozen=True, eq=False)
class Case:
    """One frame and what it shows."""

    frame: Frame
    ids: NDArray[np.int32]
    """(H, W) instance of each pixel, 0 where nothing is"""
    groups: dict[int, str]
    """instance -> furniture, object, fixture (doors, windows, stairs) or building (walls, floors, ceilings)"""
    names: dict[int, str]
    """instance -> its kind"""
    kind: str
    """walk, look or close"""

    def visible(self) -> dict[int, int]:
        """Pixels of every thing (furniture or object) that shows enough of itself to be asked for."""
        ids, counts = np.unique(self.ids, return_counts=True)
        things = ((int(i), int(n)) for i, n in zip(ids, counts, strict=True) if n >= LEAST_VISIBLE_PX)
        return {i: n for i, n in things if self.groups.get(i) in ("furniture", "object")}


def groups_of(house: House) -> dict[int, str]:
    """Instance -> its group, see `Case`."""
    found = {}
    for thing in house.things:
        outside = "building" if thing.category in BUILDING else "fixture"
        found[thing.thing_id] = outside if thing.group == "structure" else thing.group
    return found


def cases(seed: int, walks: int, looks: int, closes: int, noise: DepthNoise | None = None) -> Iterator[Case]:
    """Pairs of views of a house, as many as `walks`, `looks` and `closes`; `noise`: depth as a camera reads it."""
    config = ViewConfig(SIZE_PX, (HFOV_DEG, HFOV_DEG), walks, looks, closes)
    source = HouseViews(seed, config)
    groups, rng = groups_of(source.house), np.random.default_rng([seed, 5])
    names = {thing.thing_id: thing.category for thing in source.house.things}
    plain = RasterRenderer(source.house, light=False) if noise is not None else None
    for number, view in enumerate(view for pair in source.pairs() for view in pair):
        depth_m = view.depth_m
        if plain is not None and noise is not None:
            exact = plain.render(view.world_from_camera, view.camera, normals=True)
            depth_m = sensed_depth(exact, noise, rng)
        frame = Frame(view.rgb, depth_m, view.camera, view.world_from_camera, number + 1, depth_unit="m")
        yield Case(frame, view.instance_ids, groups, names, view.kind)


def overlaps(case: Case, detections: Sequence[Detection]) -> tuple[list[int], NDArray[np.float64]]:
    """Instances in sight, and the IoU (detections, instances) of each detection with each."""
    ids, inverse = np.unique(case.ids, return_inverse=True)
    size = np.bincount(inverse.ravel(), minlength=len(ids)).astype(np.float64)
    found = np.zeros((len(detections), len(ids)))
    for i, detection in enumerate(detections):
        shared = np.bincount(inverse.ravel()[detection.mask.ravel()], minlength=len(ids))
        found[i] = shared / np.maximum(size + shared.sum() - shared, 1.0)
    return [int(i) for i in ids], found


@dataclass(frozen=True, eq=False)
class Score:
    """How detections fit one frame."""

    best: dict[int, float]
    """thing that is visible -> best IoU of a detection"""
    right: int
    """detections that fit a thing, IoU from RIGHT_IOU on"""
    wrong: int
    """detections that fit nothing, or a part of the building; those that fit a fixture are neither"""


def score(case: Case, detections: Sequence[Detection]) -> Score:
    """Detections against the truth of a frame."""
    ids, found = overlaps(case, detections)
    things = [case.groups.get(i) in ("furniture", "object") for i in ids]
    fixtures = [case.groups.get(i) == "fixture" for i in ids]
    fits = found >= RIGHT_IOU
    right = fits[:, things].any(axis=1)
    neither = ~right & fits[:, fixtures].any(axis=1)
    place = {i: n for n, i in enumerate(ids)}
    best = {i: float(found[:, place[i]].max(initial=0.0)) for i in case.visible()}
    return Score(best, int(right.sum()), int((~right & ~neither).sum()))


def without_depth(case: Case) -> Case:
    """The same case as a colour camera sees it."""
    return replace(case, frame=replace(case.frame, depth_m=None))
