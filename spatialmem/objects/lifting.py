"""From the detections of a frame to observations: their points, boxes and features, and what hid or showed them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.things import MOST_DETECTIONS, Detection, Observations
from spatialmem.types import Camera

LEAST_PIXELS = 12
"""of a mask; fewer say nothing"""
LEAST_POINTS = 6
"""of a detection; with fewer it has no place"""
_POINTS = 64
"""of a detection at most"""
_LOOKED_AT = 768
"""pixels of a mask that are looked at for points, at most"""
_SAMPLES = 128
"""of the grids along the longer side of the image, about"""
_GAP_M, _GAP_SHARE = 0.10, 0.05
"""depths of a thing that are further apart, in metres or as a share of the depth, are of two things"""
_FARTHEST_M = 32.0
"""camera coordinates are kept as millimetres in 16 bits"""


def observations_of(
    detections: Sequence[Detection], depth_m: NDArray[np.float32], valid: NDArray[np.bool_] | None, camera: Camera,
    dense: NDArray[np.float32] | None, reach_m: tuple[float, float],
) -> Observations:  # fmt: skip
    """Lift the detections of a frame into camera axes.

    Args:
        detections: masks of the frame's size; of those that overlap the smaller is in front. The 255 largest count.
        depth_m: (H, W) float32, NaN without a reading.
        valid: (H, W) bool, False on pixels that are to be ignored; None: none are.
        dense: (h, w, D) features of the encoder; None where the frame is not encoded.
        reach_m: least and greatest depth that counts.

    Detections with fewer than 12 pixels, or without depth enough for a place, are left out.
    """
    usable = np.isfinite(depth_m) & (depth_m >= reach_m[0]) & (depth_m <= min(reach_m[1], _FARTHEST_M))
    if valid is not None:
        usable &= valid
    stride = max(1, math.ceil(max(camera.width, camera.height) / _SAMPLES))
    found = [item for d in _by_size(detections, depth_m.shape, valid) if (item := _lifted(d, depth_m, usable, camera))]
    grid = np.s_[stride // 2 :: stride, stride // 2 :: stride]
    sampled = np.where(usable[grid], depth_m[grid], np.float32(np.nan)).astype(np.float32)
    kept = [d for d, _ in found]
    counts = np.array([0, *(len(points) for _, points in found)], np.int32)
    return Observations(
        camera, stride, sampled, _in_sight(kept, grid, stride, sampled.shape), tuple(d.label for d in kept),
        np.array([d.score for d in kept], np.float32), _boxes(kept),
        np.array([np.count_nonzero(d.mask) for d in kept], np.int32), np.cumsum(counts, dtype=np.int32),
        np.concatenate([np.empty((0, 3), np.float32), *(points for _, points in found)]), _features(kept, dense),
    )  # fmt: skip


def _by_size(
    detections: Sequence[Detection], shape: tuple[int, ...], valid: NDArray[np.bool_] | None
) -> list[Detection]:
    """The largest first; without pixels that are to be ignored."""
    sized: list[tuple[int, int, Detection]] = []
    for n, detection in enumerate(detections):
        if detection.mask.shape != shape:
            raise InvalidValue(
                f"detection {n} has a mask of shape {detection.mask.shape}, its frame {shape}; give masks of the "
                "frame's own size"
            )
        if valid is not None and not valid[detection.mask].all():
            detection = Detection(detection.mask & valid, detection.label, detection.score)
        pixels = int(np.count_nonzero(detection.mask))
        if pixels >= LEAST_PIXELS:
            sized.append((-pixels, n, detection))
    return [detection for _, _, detection in sorted(sized, key=lambda s: s[:2])[:MOST_DETECTIONS]]


def _lifted(
    detection: Detection, depth_m: NDArray[np.float32], usable: NDArray[np.bool_], camera: Camera
) -> tuple[Detection, NDArray[np.float32]] | None:
    """A detection with its points; None where it has no place."""
    rows, columns = np.nonzero(detection.mask & usable)
    if len(rows) < LEAST_POINTS:
        return None
    some = _spread(len(rows), _LOOKED_AT)
    rows, columns = rows[some], columns[some]
    z = depth_m[rows, columns]
    near = _one_thing(z)
    rows, columns, z = rows[near], columns[near], z[near]
    some = _spread(len(z), _POINTS)
    if len(some) < LEAST_POINTS:
        return None
    rows, columns, z = rows[some], columns[some], z[some]
    points = np.stack([(columns - camera.cx) / camera.fx * z, (rows - camera.cy) / camera.fy * z, z], axis=1)
    return detection, np.clip(points, -_FARTHEST_M, _FARTHEST_M).astype(np.float32)


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """Numbers below `count`, at most so many, spread by the golden ratio: no row or column of pixels stands out."""
    if count <= most:
        return np.arange(count)
    return np.unique((np.arange(most) * (math.sqrt(5.0) - 1.0) / 2.0 % 1.0 * count).astype(np.int64))


def _one_thing(z: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(N,) which depths are of the thing: the largest group without a gap. Masks run over edges."""
    order = np.argsort(z, kind="stable")
    ordered = z[order]
    ends = np.flatnonzero(np.diff(ordered) > np.maximum(_GAP_M, _GAP_SHARE * ordered[:-1])) + 1
    groups = np.split(order, ends)
    kept = np.zeros(len(z), np.bool_)
    kept[max(groups, key=len)] = True
    return kept


def _in_sight(
    kept: Sequence[Detection], grid: tuple[slice, slice], stride: int, shape: tuple[int, ...]
) -> NDArray[np.uint8]:
    """(h, w) 1 + number of the detection at each sample; one that falls between samples has those around it."""
    of = np.zeros(shape, np.uint8)
    for n, detection in enumerate(kept, start=1):  # the smaller ones come later, and are in front
        sampled = detection.mask[grid]
        of[sampled] = n
        if np.count_nonzero(sampled) < 4:
            rows, columns = np.nonzero(detection.mask)
            rows, columns = rows // stride, columns // stride
            inside = (rows < shape[0]) & (columns < shape[1])
            of[rows[inside], columns[inside]] = n
    return of


def _boxes(kept: Sequence[Detection]) -> NDArray[np.float32]:
    boxes = np.empty((len(kept), 4), np.float32)
    for n, detection in enumerate(kept):
        columns, rows = np.flatnonzero(detection.mask.any(axis=0)), np.flatnonzero(detection.mask.any(axis=1))
        boxes[n] = columns[0], rows[0], columns[-1], rows[-1]
    return boxes


def _features(kept: Sequence[Detection], dense: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """(N, D) unit rows: the mean of the patches of each, those that show little else above others."""
    import cv2

    if dense is None:
        return None
    h, w, dim = dense.shape
    features = np.zeros((len(kept), dim), np.float32)
    for n, detection in enumerate(kept):
        share = cv2.resize(detection.mask.astype(np.float32), (w, h), interpolation=cv2.INTER_AREA)
        weight = (share * share).ravel()
        some = np.flatnonzero(weight > 0.0)
        mean = weight[some] @ dense.reshape(-1, dim)[some]
        features[n] = mean / max(float(np.linalg.norm(mean)), 1e-12)
    return features


def with_features(seen: Observations, dense: NDArray[np.float32] | None) -> Observations:
    """The same with features of another encoder, from its (h, w, D) of the image; None: without any. What is in sight
    is known at samples alone, so they are a little less sharp than those of the masks."""
    if dense is None:
        return replace(seen, features=None)
    size = (seen.camera.height, seen.camera.width)
    rows = (np.arange(size[0]) // seen.stride).clip(max=seen.detection_of.shape[0] - 1)
    columns = (np.arange(size[1]) // seen.stride).clip(max=seen.detection_of.shape[1] - 1)
    shown = seen.detection_of[rows[:, None], columns[None]]
    kept = [Detection(shown == n + 1) for n in range(len(seen))]
    return replace(seen, features=_features(kept, dense))
