"""A view through more blocks than can be looked at together, pixel for pixel that of all of them at once.

A ray that comes to a block that is not at hand stops there, and goes on from where it stands when the block has come:
its steps are those of a ray that had every block from the beginning. What it met is placed and painted afterwards, from
all blocks around it. Some rows of pixels are worked out at a time, so that what is known of their rays stays small.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.types import Camera, View
from spatialmem.voxels import cast
from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.dispatch import DISPATCHER
from spatialmem.voxels.integrate import Grid
from spatialmem.voxels.keys import NO_BLOCK, empty_table, find, keys_of, pack_key, refill_table, unpack_keys
from spatialmem.voxels.pools import Pools
from spatialmem.voxels.raycast import ENDED, REACH_VOXELS, START, TILE, direction, ending, field_of, march, set_off
from spatialmem.voxels.shading import paint_of, rows_of, shade
from spatialmem.voxels.views import Pinhole, pinhole

_KNOWN = 9
"""numbers that say where a ray stands (`raycast.march`)"""
_AT_ONCE_BYTES = 2 << 20
"""of what is known of the rays of some rows"""


class Away(NamedTuple):
    """Table of the blocks that are not at hand, or were not."""

    keys: NDArray[np.int64]
    blocks: NDArray[np.int32]


class Rays(NamedTuple):
    """Where the rays of some rows of pixels stand."""

    waits: NDArray[np.int64]
    """(rows, columns) key of the block that a ray waits for, START or ENDED"""
    stand: NDArray[np.float64]
    """(rows, columns, 9)"""


class Lens(NamedTuple):
    """From where, and how, a view looks at the voxels."""

    map_from_camera: NDArray[np.float64]
    camera: Pinhole
    per_voxel: float
    first_row: int
    """of the image, of which the first of the rays are"""


@leaf
def _origin(m, per_voxel):
    return m[0, 3] * per_voxel, m[1, 3] * per_voxel, m[2, 3] * per_voxel


@leaf
def march_rows(start, stop, pools, away, lens, truncation_voxels, min_weight, gap_voxels, near, far, rays):
    """Let rays of rows start..stop-1 go on as far as they find their blocks; near, far: of the tiles of the image."""
    field, m = field_of(pools), lens.map_from_camera
    ox, oy, oz = _origin(m, lens.per_voxel)
    waits, stand = rays.waits, rays.stand
    for j in range(start, stop):
        v = lens.first_row + j
        for i in range(waits.shape[1]):
            waited = waits[j, i]
            if waited == ENDED or (waited >= 0 and find(pools.table_keys, pools.table_blocks, waited) == NO_BLOCK):
                continue
            low, high = near[v // TILE, i // TILE], far[v // TILE, i // TILE]
            if low > high:
                waits[j, i], stand[j, i, 7] = ENDED, np.nan
                continue
            s, ray = stand[j, i], set_off(low)
            if waited != START:
                ray = s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8]
            dx, dy, dz = direction(m, lens.camera, i, v, lens.per_voxel)
            waits[j, i], ray = march(
                field, away.keys, away.blocks, min_weight, truncation_voxels, gap_voxels, ox, oy, oz, dx, dy, dz, high,
                ray,
            )  # fmt: skip
            s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], s[8] = ray


@leaf
def list_surroundings(start, stop, pixels, lens, stand, reach_voxels, corners):
    """Keys of the lowest and the highest block (N, 2) that have a say in what is seen in each pixel (N, 2)."""
    ox, oy, oz = _origin(lens.map_from_camera, lens.per_voxel)
    for n in range(start, stop):
        j, i = pixels[n, 0], pixels[n, 1]
        dx, dy, dz = direction(lens.map_from_camera, lens.camera, i, lens.first_row + j, lens.per_voxel)
        past = reach_voxels / np.sqrt(dx * dx + dy * dy + dz * dz)
        a, b = stand[j, i, 5] - past, stand[j, i, 7] + past
        # the slope is taken a voxel to both sides, of distances between the eight voxels around each place
        corners[n, 0] = pack_key(
            int(np.floor(min(ox + a * dx, ox + b * dx) - 1.5)) >> 3,
            int(np.floor(min(oy + a * dy, oy + b * dy) - 1.5)) >> 3,
            int(np.floor(min(oz + a * dz, oz + b * dz) - 1.5)) >> 3,
        )
        corners[n, 1] = pack_key(
            int(np.floor(max(ox + a * dx, ox + b * dx) + 1.5)) >> 3,
            int(np.floor(max(oy + a * dy, oy + b * dy) + 1.5)) >> 3,
            int(np.floor(max(oz + a * dz, oz + b * dz) + 1.5)) >> 3,
        )


@leaf
def paint_pixels(start, stop, pixels, pools, lens, min_weight, stand, depth, normal, rgb, feature, has_feature):
    """What is seen in these pixels (N, 2), rows counted as the rays are."""
    field, rows, paint, m = field_of(pools), rows_of(pools), paint_of(pools), lens.map_from_camera
    ox, oy, oz = _origin(m, lens.per_voxel)
    for n in range(start, stop):
        j, i = pixels[n, 0], pixels[n, 1]
        v = lens.first_row + j
        dx, dy, dz = direction(m, lens.camera, i, v, lens.per_voxel)
        depth[v, i] = ending(
            field, min_weight, ox, oy, oz, dx, dy, dz, stand[j, i, 5], stand[j, i, 6], stand[j, i, 7], stand[j, i, 8]
        )
        if depth[v, i] > 0:
            shade(
                field, rows, paint, m, lens.camera, lens.per_voxel, min_weight, v, i, depth[v, i], normal, rgb, feature,
                has_feature,
            )  # fmt: skip


@final
class FarView:
    """For one view: for each of its `parts`, `march` until no ray waits any more, then `paint` all that was `met`."""

    def __init__(
        self, here: Pools, away: NDArray[np.int64], grid: Grid, pose: NDArray[np.float64], camera: Camera,
        features: bool,
    ) -> None:  # fmt: skip
        """here: what is always at hand. away: (N,) keys of the other blocks. pose: map_from_camera."""
        self.pose, self.camera = pose, camera
        self._grid, self._features = grid, features
        shape = camera.height, camera.width
        every = np.concatenate([cast.keys_at_hand(here), away])
        self._near, self._far = cast.depth_ranges(every, grid, pose, camera, 1, 0, shape)
        self._away = Away(*empty_table(len(away)))
        refill_table(*self._away, away, np.arange(len(away)))
        self._depth, self._normal = np.full(shape, np.nan, np.float32), np.full((*shape, 3), np.nan, np.float32)
        self._rgb = np.zeros((*shape, 3), np.uint8)
        self._feature = np.zeros((*shape, here.feature.shape[1]) if features else (1, 1, 1), np.float32)
        self._lens = self._lens_from(0)
        self._rays = Rays(np.zeros((0, shape[1]), np.int64), np.zeros((0, shape[1], _KNOWN)))
        self._pixels, self._starts = np.zeros((0, 2), np.int64), np.zeros(1, np.int64)
        self._corners = np.zeros((0, 2), np.int64)

    def parts(self) -> Iterator[None]:
        """Take up some rows of pixels after the other."""
        height, width = self._depth.shape
        number = max(1, _AT_ONCE_BYTES // (8 * (_KNOWN + 1) * width))
        for first in range(0, height, number):
            shape = min(number, height - first), width
            self._rays = Rays(np.full(shape, START, np.int64), np.full((*shape, _KNOWN), np.nan))
            self._lens = self._lens_from(first)
            yield

    def march(self, pools: Pools) -> NDArray[np.int64]:
        """Let the rays go on among these blocks. Ascending keys of those that they wait for then."""
        DISPATCHER.run(
            march_rows, len(self._rays.waits), pools, self._away, self._lens,
            float(self._grid.truncation) * self._lens.per_voxel,
            cast.MIN_WEIGHT, cast.GAP_VOXELS, self._near, self._far, self._rays, grain=4,
        )  # fmt: skip
        waits = self._rays.waits
        return np.unique(waits[waits >= 0])

    def limits_m(self) -> NDArray[np.float64]:
        """(H, W) depth up to which rays look for surfaces: 0 for those that have ended, and for those of other rows."""
        limits = np.zeros(self._depth.shape)
        first = self._lens.first_row
        limits[first : first + len(self._rays.waits)] = np.where(self._rays.waits >= 0, cast.FAR_M, 0.0)
        return limits

    def met(self) -> int:
        """How many different sets of blocks have a say in what the rays have met."""
        pixels = np.argwhere(~np.isnan(self._rays.stand[..., 7]))
        corners = np.empty((len(pixels), 2), np.int64)
        DISPATCHER.run(
            list_surroundings, len(pixels), pixels, self._lens, self._rays.stand, REACH_VOXELS, corners, grain=256
        )
        order = np.lexsort((corners[:, 1], corners[:, 0]))
        pixels, corners = pixels[order], corners[order]
        self._pixels = pixels
        fresh = np.ones(len(corners), np.bool_)
        fresh[1:] = (corners[1:] != corners[:-1]).any(1)
        self._starts = np.append(np.flatnonzero(fresh), len(corners))
        self._corners = corners[fresh]
        return len(self._corners)

    def around(self, start: int, stop: int) -> NDArray[np.int64]:
        """(stop - start, K) keys of the blocks of each of these sets, some several times; some stand nowhere."""
        low, high = (unpack_keys(self._corners[start:stop, end]) for end in (0, 1))
        steps = np.array(list(np.ndindex(*((high - low).max(axis=0) + 1))), np.int64)
        return keys_of(np.minimum(low[:, None] + steps, high[:, None]))

    def paint(self, pools: Pools, some: NDArray[np.int64]) -> None:
        """Place and paint what was met around these sets, ascending, whose blocks are at hand now."""
        pixels = np.concatenate([self._pixels[self._starts[n] : self._starts[n + 1]] for n in some])
        DISPATCHER.run(
            paint_pixels, len(pixels), pixels, pools, self._lens, cast.MIN_WEIGHT, self._rays.stand, self._depth,
            self._normal, self._rgb, self._feature, self._features, grain=256,
        )  # fmt: skip

    def view(self) -> View:
        """All of it."""
        return View(self._depth, self._normal, self._rgb, self._feature if self._features else None)

    def _lens_from(self, first_row: int) -> Lens:
        return Lens(self.pose, pinhole(self.camera), 1.0 / float(self._grid.voxel), first_row)
