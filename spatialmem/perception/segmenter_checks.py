"""Does a segmenter keep its contract? For authors of segmenters; the tests of this package use it too."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from spatialmem.perception.encoder import Encoding
from spatialmem.perception.segmenter import Segmenter
from spatialmem.things import Detection
from spatialmem.types import Camera, Frame

_SIZES_HW = ((48, 64), (31, 57), (5, 3), (1, 1))


def check_segmenter(segmenter: Segmenter) -> list[str]:
    """Everything about `segmenter` that breaks the contract, in words; an empty list means it is sound.

    Runs it on small frames of awkward sizes: with depth and without, with none of it read, with a mask, encoded and
    not; checks masks, scores, labels, repeatability, and that frames are left as they were.
    """
    found = list(_properties(segmenter))
    for size_hw in _SIZES_HW:
        for what, frame in _frames(size_hw).items():
            where = f"on a {size_hw[1]} x {size_hw[0]} frame, {what}"
            found += [f"{problem} {where}" for problem in _on_frame(segmenter, frame)]
    return found


def _properties(segmenter: Segmenter) -> Iterator[str]:
    if not segmenter.name:
        yield "name is empty"
    if len(segmenter.fingerprint) < 16 or not set(segmenter.fingerprint) <= set(string.hexdigits):
        yield f"fingerprint must be at least 16 hex digits; it is {segmenter.fingerprint!r}"


def _frames(size_hw: tuple[int, int]) -> dict[str, Frame]:
    """Two boxes before a wall, with everything that a frame may lack."""
    h, w = size_hw
    rng = np.random.default_rng(5)
    rgb = rng.integers(90, 110, (h, w, 3), dtype=np.uint8)
    depth_m = np.full((h, w), 2.5, np.float32)
    for (top, left), colour in (((h // 3, w // 8), (200, 30, 30)), ((h // 4, w // 2), (30, 60, 200))):
        inside = (slice(top, top + h // 3), slice(left, left + w // 4))
        rgb[inside], depth_m[inside] = colour, 1.5
    holes = np.where(rng.uniform(size=(h, w)) < 0.2, np.float32(np.nan), depth_m)
    valid = np.ones((h, w), bool)
    valid[: h // 2] = False
    plain = Frame(rgb, depth_m, Camera.from_hfov(70.0, w, h), None, 1)
    return {
        "plain": plain, "with holes in depth": replace(plain, depth_m=holes),
        "with a mask": replace(plain, valid=valid), "all of it masked": replace(plain, valid=np.zeros((h, w), bool)),
        "no depth read": replace(plain, depth_m=np.full((h, w), np.nan, np.float32)),
        "depth of zero and infinity": replace(plain, depth_m=np.where(depth_m < 2, 0, np.inf).astype(np.float32)),
        "without depth": replace(plain, depth_m=None),
        "of one colour and depth": replace(plain, rgb=np.full_like(rgb, 80), depth_m=np.full((h, w), 2, np.float32)),
    }  # fmt: skip


def _on_frame(segmenter: Segmenter, frame: Frame) -> Iterator[str]:
    height, width = frame.rgb.shape[:2]
    dense = np.random.default_rng(6).normal(size=(max(1, height // 8), max(1, width // 8), 16)).astype(np.float32)
    dense /= np.linalg.norm(dense, axis=2, keepdims=True)
    kept = [None if a is None else a.copy() for a in (frame.rgb, frame.depth_m, frame.valid)]
    for encoding in (None, Encoding(dense, dense[0, 0])):
        found, again = segmenter.segment(frame, encoding), segmenter.segment(frame, encoding)
        yield from _detections(frame, found)
        if not _same(found, again):
            yield "segment gives two answers"
    for before, now in zip(kept, (frame.rgb, frame.depth_m, frame.valid), strict=True):
        if now is not None and not np.array_equal(before, now, equal_nan=now.dtype.kind == "f"):  # type: ignore[arg-type]
            yield "segment writes into the frame"


def _detections(frame: Frame, found: Sequence[Detection]) -> Iterator[str]:
    for detection in found:
        if not isinstance(detection, Detection):
            yield f"segment must give Detections; it gave {type(detection).__name__}"
            return
        if detection.mask.shape != frame.rgb.shape[:2]:
            yield f"a mask must have the frame's size; it has {detection.mask.shape}"
            return
        if not detection.mask.any():
            yield "a mask must hold a pixel"
        if frame.valid is not None and (detection.mask & ~frame.valid).any():
            yield "a mask must leave out what the frame's own mask does"


def _same(one: Sequence[Detection], other: Sequence[Detection]) -> bool:
    return len(one) == len(other) and all(
        np.array_equal(a.mask, b.mask) and (a.label, a.score) == (b.label, b.score)
        for a, b in zip(one, other, strict=True)
    )
