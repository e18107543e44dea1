"""How far a depth reading is to be trusted: noise grows with z squared, edges and grazing views are refused."""

from __future__ import annotations

import numpy as np

from spatialmem.voxels.compiled import kernel, leaf
from spatialmem.voxels.dispatch import DISPATCHER

DEPTH_UNIT_M = 1e-5
"""unit of depth in a packed reading; the 23 bits above the weight, without the sign, reach 83.8 m"""
FULL_WEIGHT = 8
"""weight units of one full observation"""
_FULL_WEIGHT_DEPTH_M = 1.5
_EDGE_RATIO = 0.05  # a step of 5 % of the depth between neighbouring pixels is two surfaces, not one
_MIN_COSINE = 0.08  # 85 degrees of incidence


@leaf
def axial_sigma(z):
    """One-sigma axial noise (m) of a structured-light camera at depth z (m): Nguyen et al., 3DIM 2012, eq. 3."""
    return 0.0012 + 0.0019 * (z - 0.4) * (z - 0.4)


@leaf
def _reading(z, left, right, above, below, x, y, fx, fy, low, high):
    """Packed reading of one pixel, without a branch so that LLVM can vectorise a row of them.

    The cosine of incidence follows from the depth gradient of a pinhole image: with a = z/fx,
    b = z/fy and ray r, the surface normal n of z(u, v) satisfies n . r = a b.
    """
    zero, one, half = np.float32(0), np.float32(1), np.float32(0.5)
    use = (z >= low) & (z <= high)  # False for NaN
    has_l, has_r = (left >= low) & (left <= high), (right >= low) & (right <= high)
    has_a, has_b = (above >= low) & (above <= high), (below >= low) & (below <= high)
    dl, dr = (z - left if has_l else zero), (right - z if has_r else zero)
    da, db = (z - above if has_a else zero), (below - z if has_b else zero)
    limit = z * np.float32(_EDGE_RATIO)
    edge = (abs(dl) > limit) | (abs(dr) > limit) | (abs(da) > limit) | (abs(db) > limit)
    zu = (dl + dr) * (half if has_l & has_r else one)
    zv = (da + db) * (half if has_a & has_b else one)
    a, b = z / fx, z / fy
    nu, nv, nz = b * zu, a * zv, a * b + a * y * zv + b * x * zu
    cosine = a * b / np.sqrt((nu * nu + nv * nv + nz * nz) * (x * x + y * y + one))
    ratio = np.float32(_FULL_WEIGHT_DEPTH_M) / z
    near = min(one, ratio * ratio)
    weight = max(np.int32(1), np.int32(np.float32(FULL_WEIGHT) * near * cosine + half))
    keep = use & (not edge) & (cosine >= np.float32(_MIN_COSINE))
    reading = (np.int32(z * np.float32(1.0 / DEPTH_UNIT_M) + half) << np.int32(8)) | weight
    return reading if keep else np.int32(0)


@kernel
def pack_readings(start, stop, depth, fx, fy, cx, cy, low, high, packed):
    """Rows start..stop-1 of `packed` (H, W) int32: depth in 10 um << 8 | weight in eighths; 0 = not usable."""
    height, width = depth.shape
    none = np.float32(np.nan)
    outside = np.full(width, none)  # beyond the border there is no reading, as in a hole
    for v in range(start, stop):
        y = (np.float32(v) - cy) / fy
        here, out = depth[v], packed[v]
        above, below = (depth[v - 1] if v > 0 else outside), (depth[v + 1] if v < height - 1 else outside)
        for u in range(1, width - 1):
            x = (np.float32(u) - cx) / fx
            out[u] = _reading(here[u], here[u - 1], here[u + 1], above[u], below[u], x, y, fx, fy, low, high)
        for u in (0, width - 1):
            x = (np.float32(u) - cx) / fx
            left, right = (here[u - 1] if u > 0 else none), (here[u + 1] if u < width - 1 else none)
            out[u] = _reading(here[u], left, right, above[u], below[u], x, y, fx, fy, low, high)


def packed_readings(depth_m, mask, camera, low_m, high_m) -> np.ndarray:
    """(H, W) int32 packed readings of a (H, W) float32 depth image; see `pack_readings`."""
    f = np.float32
    packed = np.empty(depth_m.shape, dtype=np.int32)
    DISPATCHER.run(
        pack_readings, depth_m.shape[0], depth_m, f(camera.fx), f(camera.fy), f(camera.cx), f(camera.cy),
        f(low_m), f(high_m), packed, grain=32,
    )  # fmt: skip
    if mask is not None:
        packed[~mask] = 0
    return packed
