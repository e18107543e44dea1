"""`regions`: things of an RGB-D frame by shape and colour, whatever they are."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.perception.encoder import Encoding
from spatialmem.perception.fingerprint import fingerprint
from spatialmem.perception.regions import choosing, graph, joining, pieces, surface
from spatialmem.perception.regions.grid import Grid, feature_sums, grid_of, on_frame
from spatialmem.perception.regions.network import Network
from spatialmem.perception.segmenter import Segmenter
from spatialmem.things import Detection
from spatialmem.types import Frame

VERSION = 1
"""raised whenever the method changes, for the fingerprint"""
LEAST_PIXELS = 30
"""of the grid that a thing covers"""
PRICE = 0.25
"""probability of being a thing from which a region is worth a detection"""


@dataclass(frozen=True, eq=False)
class Fit:
    """The numbers that were fitted to rendered houses, in fit.json."""

    pair: Network
    """whether two regions are of one thing"""
    thing: Network
    """whether a region is a thing"""
    digest: str


@functools.cache
def shipped_fit() -> Fit:
    """That of this package."""
    text = files("spatialmem.perception.regions").joinpath("fit.json").read_text(encoding="utf-8")
    numbers: dict[str, Any] = json.loads(text)
    return Fit(Network.of(numbers["pair"]), Network.of(numbers["thing"]), fingerprint(**numbers))


def labelled(grid: Grid) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.int32], NDArray[np.float64]]:
    """Pieces of a grid, labels (h, w); what is known of each; the pairs that touch; what is known of their borders."""
    points, normals, across, down = surface.fitted(grid.depth_m, grid.camera)
    labels, count = pieces.pieces(points, normals, grid.lab, across, down)
    sums = np.zeros((count, graph.REGION_SUMS))
    graph.region_sums(labels, points, normals, grid.lab, sums)
    pairs, borders = graph.borders(labels, count, points, normals, grid.lab, across, down)
    return labels, sums, pairs, borders


def sampled(grid: Grid) -> NDArray[np.float32]:
    """(S, 3) points of the grid, evenly spread, camera axes, metres."""
    rows, columns = np.nonzero(np.isfinite(grid.depth_m))
    every = max(1, len(rows) // choosing.SAMPLES)
    rows, columns = rows[every // 2 :: every], columns[every // 2 :: every]
    z, lens = grid.depth_m[rows, columns], grid.camera
    x, y = (columns - lens.cx) / lens.fx, (rows - lens.cy) / lens.fy
    return np.column_stack([x * z, y * z, z]).astype(np.float32)


@final
class Regions(Segmenter):
    """Class-agnostic things from depth, normals, colour, and the encoder's patch features when there are any."""

    @property
    def name(self) -> str:
        return "regions"

    @functools.cached_property
    def fingerprint(self) -> str:
        return fingerprint(name="regions", version=VERSION, fit=shipped_fit().digest)

    def segment(self, frame: Frame, encoding: Encoding | None) -> Sequence[Detection]:
        """Nothing without depth. The score is the probability that a detection fits a thing, by half at least."""
        if frame.depth_m is None:
            return []
        grid = grid_of(frame, frame.depth_m)
        labels, sums, pairs, borders = labelled(grid)
        if len(sums) == 0:
            return []
        fit, share = shipped_fit(), 1.0 / labels.size
        tree = joining.join(pairs, borders, sums, feature_sums(labels, len(sums), encoding), fit.pair)
        chance = choosing.chance_of_thing(tree, sampled(grid), share, LEAST_PIXELS, fit.thing)
        chosen = choosing.choose(tree, chance, PRICE)
        labels = pieces.filled(labels, grid.lab, grid.looked_at)
        things = np.append(choosing.members(tree, chosen), np.int32(-1))[labels]
        large = on_frame(things, grid, frame)
        return [
            Detection(mask, "", float(chance[region])) for i, region in enumerate(chosen) if (mask := large == i).any()
        ]
