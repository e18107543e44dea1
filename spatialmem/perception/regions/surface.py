"""What the depth of a frame says of surfaces: where it breaks off, and the plane that fits around each pixel.

Everything is done in inverse depth, where a plane is linear in image coordinates and where the noise of a stereo or
structured-light camera, which grows with the square of depth, is the same everywhere.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from spatialmem.types import Camera

RADIUS_CLEAN, RADIUS_NOISY = 2, 4
"""pixels on each side that a plane is fitted to"""
NOISY_PER_M = 4e-4
"""noise of inverse depth from which the larger radius is taken"""
LEAST_STEP = 0.006
"""relative to inverse depth, below which nothing is a break"""
NOISES_OF_A_STEP = 3.0
STEEPEST = 12.0
"""tangent of the angle between a ray and a normal from which a surface is taken for a break: 85 degrees"""


def inverse_noise(inverse_depth: NDArray[np.float32]) -> float:
    """Standard deviation of the noise of inverse depth, 1/m, from its second differences along rows.

    70 % of the absolute values of a normal variable lie below 1.036 deviations; edges are among the others.
    """
    rows = inverse_depth[1::3] if len(inverse_depth) > 1 else inverse_depth
    second = np.abs(rows[:, 2:] - np.float32(2.0) * rows[:, 1:-1] + rows[:, :-2])
    known = second[np.isfinite(second)]
    if known.size == 0:
        return 0.0
    place = int(0.7 * (known.size - 1))
    return float(np.partition(known, place)[place]) / (1.036 * math.sqrt(6.0))


def fitted(
    depth_m: NDArray[np.float32], camera: Camera
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Points, normals and breaks of a depth image (h, w) with NaN where there is no reading.

    Returns:
        points (h, w, 3) in camera axes, metres, and unit normals (h, w, 3) towards the camera, of the plane fitted
        around each pixel, NaN without a reading; breaks (h, w) between a pixel and the one on its right, and the one
        below it.
    """
    inverse = (np.float32(1.0) / depth_m).astype(np.float32)
    noise = inverse_noise(inverse)
    across, down = np.empty(inverse.shape, np.bool_), np.empty(inverse.shape, np.bool_)
    step = NOISES_OF_A_STEP * noise
    find_breaks(inverse, step, LEAST_STEP, STEEPEST / camera.fx, across)
    find_breaks(inverse.T, step, LEAST_STEP, STEEPEST / camera.fy, down.T)
    radius = RADIUS_NOISY if noise > NOISY_PER_M else RADIUS_CLEAN
    sums = np.empty((*inverse.shape, 5), np.float32)
    sum_rows(inverse, across, radius, sums)
    points, normals = np.empty((*inverse.shape, 3), np.float32), np.empty((*inverse.shape, 3), np.float32)
    lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    fit_planes(inverse, down, radius, sums, lens, points, normals)
    return points, normals, across, down


@njit(nogil=True, cache=True, error_model="numpy")
def find_breaks(inverse, step, share, steepest, breaks):
    """Where a surface breaks off between a pixel and the next one of its row.

    A difference that goes on as before or after it is a slant, however steep up to `steepest` times the value; one
    that differs from both its neighbours by more than `step` plus `share` of the value is a break.
    inverse (h, w) float32 with NaN; breaks (h, w) bool is written, True in the last column and beside NaN.
    """
    h, w = inverse.shape
    for y in range(h):
        breaks[y, w - 1] = True
        for x in range(w - 1):
            here, there = inverse[y, x], inverse[y, x + 1]
            difference = there - here
            limit = step + share * min(here, there)
            if not (abs(difference) > limit):
                breaks[y, x] = difference != difference
                continue
            before = abs(difference)
            if x > 0 and inverse[y, x - 1] == inverse[y, x - 1]:
                before = abs(difference - (here - inverse[y, x - 1]))
            after = abs(difference)
            if x + 2 < w and inverse[y, x + 2] == inverse[y, x + 2]:
                after = abs(difference - (inverse[y, x + 2] - there))
            breaks[y, x] = min(before, after) > limit or abs(difference) > step + steepest * min(here, there)


@njit(nogil=True, cache=True, error_model="numpy")
def sum_rows(inverse, across, radius, sums):
    """Sums over the pixels of a row that are joined to one without a break, at most `radius` away.

    sums (h, w, 5) float32 is written: number, offsets, squared offsets, values, values times offsets.
    """
    h, w = inverse.shape
    for y in range(h):
        for x in range(w):
            here = inverse[y, x]
            number, offsets, squares, values, products = 1.0, 0.0, 0.0, here, 0.0
            if here == here:
                for d in range(1, radius + 1):
                    if x + d >= w or across[y, x + d - 1]:
                        break
                    value = inverse[y, x + d]
                    number += 1.0
                    offsets += d
                    squares += d * d
                    values += value
                    products += d * value
                for d in range(1, radius + 1):
                    if x - d < 0 or across[y, x - d]:
                        break
                    value = inverse[y, x - d]
                    number += 1.0
                    offsets -= d
                    squares += d * d
                    values += value
                    products -= d * value
            sums[y, x, 0], sums[y, x, 1], sums[y, x, 2] = number, offsets, squares
            sums[y, x, 3], sums[y, x, 4] = values, products


@njit(nogil=True, cache=True, error_model="numpy")
def fit_planes(inverse, down, radius, sums, lens, points, normals):
    """The plane 1/z = a dx + b dy + c of least squares over the rows of `sums` that are joined to a pixel from above
    and below: an adaptive cross as of Zhang, Lu and Lafruit ("Cross-based local stereo matching using orthogonal
    integral images", 2009). A slope that hardly any pixels support is drawn to zero, that of a surface which faces
    the camera.
    """
    h, w = inverse.shape
    fx, fy, cx, cy = lens
    for y in range(h):
        for x in range(w):
            if inverse[y, x] != inverse[y, x]:
                points[y, x, :] = np.nan
                normals[y, x, :] = np.nan
                continue
            first, last = y, y
            while first > 0 and y - first < radius and not down[first - 1, x]:
                first -= 1
            while last < h - 1 and last - y < radius and not down[last, x]:
                last += 1
            n = sx = sy = sxx = sxy = syy = sv = sxv = syv = 0.0
            for row in range(first, last + 1):
                d = row - y
                number, offsets = sums[row, x, 0], sums[row, x, 1]
                n += number
                sx += offsets
                sxx += sums[row, x, 2]
                sy += d * number
                syy += d * d * number
                sxy += d * offsets
                sv += sums[row, x, 3]
                sxv += sums[row, x, 4]
                syv += d * sums[row, x, 3]
            xx, yy, xy = sxx - sx * sx / n + 0.3, syy - sy * sy / n + 0.3, sxy - sx * sy / n
            xv, yv = sxv - sx * sv / n, syv - sy * sv / n
            det = xx * yy - xy * xy
            a, b = (yy * xv - xy * yv) / det, (xx * yv - xy * xv) / det
            middle = (sv - a * sx - b * sy) / n
            if not (middle > 0.5 * inverse[y, x]):
                middle = inverse[y, x]
            rx, ry = (x - cx) / fx, (y - cy) / fy
            points[y, x, 0], points[y, x, 1], points[y, x, 2] = rx / middle, ry / middle, 1.0 / middle
            nx, ny = a * fx, b * fy
            nz = middle - nx * rx - ny * ry
            length = math.sqrt(nx * nx + ny * ny + nz * nz)
            normals[y, x, 0], normals[y, x, 1], normals[y, x, 2] = -nx / length, -ny / length, -nz / length
