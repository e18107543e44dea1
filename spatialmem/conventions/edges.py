"""Edges of depth looked for in colour images: how well a relation of the two cameras puts them on edges of colour."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from spatialmem.conventions.samples import Sample, Samples
from spatialmem.io.registration import ColourRegistration
from spatialmem.types import Camera

WIDTH: Final = 640.0
"""shifts and blurs are pixels of an image this wide"""
_FRAMES, _EDGES, _LEAST_EDGES = 16, 300, 60
_STEP_SHARE = 0.1  # an edge of depth: something this share farther away within two pixels
_INSIDE = 0.3  # of the edges must fall into the colour image
_ZOOMS = tuple(np.geomspace(0.6, 1.7, 27).tolist())
_SHIFTS = tuple(range(-24, 25, 8))
_COARSE_BLUR, _COARSE_EVERY, _CLIMBS = 5.0, 3, 6
_ROUNDS: Final = ((4.0, 0.02, 6.0), (2.5, 0.01, 3.0), (1.5, 0.005, 1.5))
"""of the search: blur, step of the zoom, step of the shifts"""
SHARP = _ROUNDS[-1][0]


class Relation(NamedTuple):
    """A colour camera beside the depth camera, same axes, as a change of "colour shares the pixels of depth"."""

    zoom: float = 1.0
    """focal length over that of the depth camera, images brought to one width"""
    parallax_px_m: float = 0.0
    """shift to the right at one metre, pixels of colour; it falls with depth"""
    right_px: float = 0.0
    """shift of the principal point, pixels of colour"""
    down_px: float = 0.0
    """likewise"""


@dataclass(frozen=True, eq=False)
class Edges:
    """Nearer sides of edges of depth of some frames, and the colour gradients to find them in."""

    declared: NDArray[np.float64]
    """(N, 2) x, y where the declared relation puts them in colour, pixels"""
    shared: NDArray[np.float64]
    """(N, 2) x, y where they are if colour shares the pixels of depth"""
    depth_m: NDArray[np.float64]
    """(N,)"""
    frame: NDArray[np.intp]
    """(N,) which of the gradients they belong to"""
    gradients: NDArray[np.float32]
    """(F, H, W) size of the colour gradient over its mean in the image"""
    colour: Camera
    """the depth camera at the size of the colour images"""

    @property
    def scale(self) -> float:
        """Pixels of these images for one of an image 640 wide."""
        return self.colour.width / WIDTH

    def blurred(self, blur: float) -> Edges:
        """The same edges in smoother gradients: a blunt search first, a sharp one after it."""
        import cv2

        smooth = [cv2.GaussianBlur(gradient, (0, 0), blur * self.scale) for gradient in self.gradients]
        return replace(self, gradients=np.stack(smooth))

    def of_frames(self, use: NDArray[np.bool_]) -> Edges:
        """Those of some frames, `use` (F,)."""
        kept = use[self.frame]
        number = np.cumsum(use) - 1
        return Edges(self.declared[kept], self.shared[kept], self.depth_m[kept], number[self.frame[kept]],
                     self.gradients[use], self.colour)  # fmt: skip

    def thinned(self, every: int) -> Edges:
        """Every so many of them, for a first search."""
        return Edges(self.declared[::every], self.shared[::every], self.depth_m[::every], self.frame[::every],
                     self.gradients, self.colour)  # fmt: skip

    def under(self, relation: Relation | None) -> NDArray[np.float64]:
        """(N, 2) pixels of the edges in colour; by the declared relation for None."""
        if relation is None:
            return self.declared
        centre = np.array([self.colour.cx, self.colour.cy])
        at = (self.shared - centre) * relation.zoom + centre + (relation.right_px, relation.down_px)
        at[:, 0] += relation.parallax_px_m / self.depth_m
        return at

    def apart_px(self, first: Relation | None, second: Relation | None) -> float:
        """Mean distance between where two relations put the edges, pixels."""
        return float(np.linalg.norm(self.under(first) - self.under(second), axis=1).mean())

    def contrast(self, relation: Relation | None, shift_px: tuple[float, float] = (0.0, 0.0)) -> NDArray[np.float64]:
        """(F,) mean gradient at the edges of each frame; NaN where most of them fall outside the image."""
        values, inside = self._at(self.under(relation) + shift_px)
        frames = len(self.gradients)
        count = np.bincount(self.frame[inside], minlength=frames)
        total = np.bincount(self.frame[inside], values, minlength=frames)
        enough = count > _INSIDE * np.bincount(self.frame, minlength=frames)
        return np.where(enough, total / np.maximum(count, 1), np.nan)

    def mean_contrast(self, relation: Relation) -> float:
        """Mean gradient at all edges; 0 where most of them fall outside the images."""
        values, inside = self._at(self.under(relation))
        return float(values.mean()) if len(values) > _INSIDE * len(inside) else 0.0

    def _at(self, pixels: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Gradients at the edges that fall inside, and (N,) which these are."""
        _, height, width = self.gradients.shape
        column, row = (pixels + 0.5).astype(np.intp).T
        inside = (column >= 0) & (row >= 0) & (column < width) & (row < height)
        at = (self.frame * height + row) * width + column
        return self.gradients.ravel()[at[inside]], inside


def gather_edges(samples: Samples, depth_factor: float) -> Edges | None:
    """Edges of up to 16 frames, depth as read times `depth_factor`; None where no frame shows enough of them."""
    chosen = np.unique(np.linspace(0, len(samples.frames) - 1, _FRAMES).astype(int))
    size = samples.frames[0].rgb.shape
    gradients, parts = [], []
    for sample in (samples.frames[i] for i in chosen):
        pixels = _edges_of(sample)
        if len(pixels) < _LEAST_EDGES or sample.rgb.shape != size:
            continue
        placed = _placed(sample, pixels, samples.registration, depth_factor)
        parts.append((*placed, np.full(len(pixels), len(gradients))))
        gradients.append(_gradient(sample.rgb))
    if not parts:
        return None
    declared, shared, depth_m, frame = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    camera = samples.frames[0].camera.scaled_to(size[1], size[0])
    return Edges(declared, shared, depth_m, frame, np.stack(gradients), camera)


def search(edges: Edges) -> Relation:
    """The relation with most contrast: zoom and shift on a wide grid, then everything in ever finer steps."""
    shifts = [shift * edges.scale for shift in _SHIFTS]
    grid = [Relation(zoom, 0.0, right, down) for zoom in _ZOOMS for right in shifts for down in shifts]
    best = max([Relation(), *grid], key=edges.thinned(_COARSE_EVERY).blurred(_COARSE_BLUR).mean_contrast)
    for blur, zoom_step, shift_step in _ROUNDS:
        best = _climbed(edges.blurred(blur), best, zoom_step, shift_step * edges.scale)
    return best


def _climbed(edges: Edges, start: Relation, zoom_step: float, shift_px: float) -> Relation:
    """The best of a relation and its neighbours on the grid, again and again while there is a better one."""
    best, score = start, edges.mean_contrast(start)
    for _ in range(_CLIMBS):
        around = [
            Relation(best.zoom + a * zoom_step, best.parallax_px_m + b * 2 * shift_px, best.right_px + c * shift_px,
                     best.down_px + d * shift_px)
            for a, b, c, d in itertools.product((0, -1, 1), repeat=4)
        ]  # fmt: skip
        scores = [edges.mean_contrast(relation) for relation in around]
        highest = int(np.argmax(scores))
        if not scores[highest] > score:
            break
        best, score = around[highest], scores[highest]
    return best


def _edges_of(sample: Sample) -> NDArray[np.intp]:
    """(N, 2) x, y of readings with something clearly farther beside them, drawn at random where there are many."""
    import cv2

    known = np.isfinite(sample.depth_m) & (sample.depth_m > 0)
    depth_m = np.where(known, sample.depth_m, np.float32(0.0))
    farther = cv2.dilate(depth_m, np.ones((5, 5), np.uint8)) > (1.0 + _STEP_SHARE) * depth_m
    y, x = np.nonzero(known & farther)
    kept = np.random.default_rng(0).permutation(len(x))[:_EDGES]
    return np.stack([x[kept], y[kept]], axis=-1)


def _placed(
    sample: Sample, pixels: NDArray[np.intp], registration: ColourRegistration | None, depth_factor: float
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(N, 2) by the declared relation, (N, 2) with shared pixels, (N,) depth in metres."""
    height, width = sample.rgb.shape[:2]
    shared = (pixels + 0.5) * (width / sample.camera.width, height / sample.camera.height) - 0.5
    depth_m = depth_factor * sample.depth_m[pixels[:, 1], pixels[:, 0]].astype(np.float64)
    declared = shared if registration is None else registration.colour_pixels(pixels, depth_m)
    return np.nan_to_num(np.asarray(declared, np.float64), nan=-1e6), np.asarray(shared, np.float64), depth_m


def _gradient(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(H, W) size of the colour gradient over its mean; strong ones are cut, so that a few do not decide."""
    import cv2

    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    size = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    size = np.minimum(size, np.percentile(size[::4, ::4], 95))
    return (size / max(float(size.mean()), 1e-6)).astype(np.float32)
