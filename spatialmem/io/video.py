"""Frames of a video file in any order, each exactly as it is when the file is played from the start.

A frame is decoded from the key frame before it, always the same one, whatever was read before it: the frames between
two key frames lean on each other, those on either side of a key frame do not. Reading in order decodes each frame once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from fractions import Fraction
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import ReadError, require
from spatialmem.io.reader import BadFrame, BadReason

_PLANES_OF_12_BITS = ("gray12le", "yuv420p12le", "yuv422p12le", "yuv444p12le")
_LARGEST_PIXELS = 64 * 1024 * 1024
_LAST = 2**63


class Video:
    """The first video stream of a file, opened when its first frame is asked for."""

    def __init__(self, path: Path, extra: str, *, edited: bool = True) -> None:
        """Remember the file; nothing is read yet.

        Args:
            path: an MP4 file, or another that FFmpeg knows.
            extra: the extra of this package that brings PyAV, for the message when it is missing.
            edited: leave out the frames that the file's edit list hides, as players do; False: every stored frame.
        """
        self.path = path
        self._extra = extra
        self._edited = edited
        self._container: Any = None
        self._decoded: Iterator[Any] | None = None
        self._group = -1
        self._last_pts = 0

    def __len__(self) -> int:
        """Number of frames."""
        return len(self._index[0])

    @cached_property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels, as the file declares them."""
        stream = self._stream()
        size = stream.codec_context.width, stream.codec_context.height
        if not 0 < size[0] * size[1] <= _LARGEST_PIXELS:
            raise ReadError(f"{self.path} is damaged: frames of {size[0]} x {size[1]} pixels")
        return size

    @property
    def ticks(self) -> list[int]:
        """Time of each frame, rising, in units of `tick_s`."""
        return self._index[0]

    @property
    def tick_s(self) -> Fraction:
        """Seconds of one tick."""
        return Fraction(self._stream().time_base)

    def nearest(self, seconds: float, tolerance_s: float) -> int:
        """Number of the frame shown at a time; `BadFrame(UNREADABLE)` when none lies within the tolerance."""
        ticks = self.ticks
        at = seconds / float(self.tick_s)
        after = bisect_right(ticks, at)
        near = [i for i in (after - 1, after) if 0 <= i < len(ticks)]
        best = min(near, key=lambda i: abs(ticks[i] - at), default=None)
        if best is None or abs(ticks[best] - at) * float(self.tick_s) > tolerance_s:
            raise BadFrame(BadReason.UNREADABLE, f"{self.path} has no frame at {seconds:.6f} s")
        return best

    def rgb(self, number: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8, red first, of a frame; `BadFrame(UNREADABLE)` when it is missing or damaged."""
        frame = self._frame(number)
        return np.ascontiguousarray(frame.to_ndarray(format="rgb24"))

    def codes(self, number: int) -> NDArray[np.uint16]:
        """(H, W) uint16, 0 to 4095: the first plane of a frame of 12 bits, as stored."""
        frame = self._frame(number)
        if frame.format.name not in _PLANES_OF_12_BITS:
            raise BadFrame(BadReason.UNREADABLE, f"{self.path} holds {frame.format.name}; expected 12-bit grey")
        plane = frame.planes[0]
        rows = np.frombuffer(plane, dtype="<u2").reshape(plane.height, plane.line_size // 2)
        return rows[:, : plane.width].copy()

    def _frame(self, number: int) -> Any:
        ticks, keys = self._index
        if not 0 <= number < len(ticks):
            raise BadFrame(BadReason.UNREADABLE, f"{self.path} has {len(ticks)} frames, none for number {number}")
        try:
            frame = self._decode(ticks[number], max(bisect_right(keys, (ticks[number], _LAST)) - 1, 0), keys)
        except self._broken as error:
            self._close()
            raise BadFrame(BadReason.UNREADABLE, f"{self.path} cannot be decoded at frame {number}: {error}") from error
        if frame is None or frame.is_corrupt:
            self._close()
            raise BadFrame(BadReason.UNREADABLE, f"{self.path} is damaged at frame {number}")
        if (frame.width, frame.height) != self.size:
            raise BadFrame(BadReason.SIZE_MISMATCH, f"{self.path} is {frame.width} x {frame.height} at frame {number}")
        return frame

    def _decode(self, pts: int, group: int, keys: list[tuple[int, int]]) -> Any:
        """The frame at `pts`, reached from key frame `group`; None when decoding passes it by."""
        if self._decoded is None or group != self._group or pts <= self._last_pts:
            self._decoded, self._group = self._from(keys[group][1]), group
        for frame in self._decoded:
            if frame.pts is None or frame.pts < pts:
                continue
            self._last_pts = frame.pts
            return frame if frame.pts == pts else None
        return None

    def _from(self, key_dts: int) -> Iterator[Any]:
        """Frames in the order they are shown, decoded from the key frame with this decoding time, or from before it."""
        stream = self._stream()
        self._container.seek(key_dts, stream=stream, backward=True)
        packets = self._container.demux(stream)
        first = next(packets, None)
        if first is not None and (first.dts is None or first.dts > key_dts):  # the container's own index is off
            self._close()
            stream, first = self._stream(), None
            packets = self._container.demux(stream)
        for packet in packets if first is None else chain([first], packets):
            yield from packet.decode()

    @cached_property
    def _index(self) -> tuple[list[int], list[tuple[int, int]]]:
        """From one pass over the packets: times of all frames; times of key frames, shown and decoded. Both rising."""
        stream = self._stream()
        try:
            packets = [p for p in self._container.demux(stream) if p.size and p.pts is not None and p.dts is not None]
            shown = sorted({p.pts for p in packets if not p.is_discard})
            keys = sorted({(p.pts, p.dts) for p in packets if p.is_keyframe})
        except self._broken as error:
            raise ReadError(f"{self.path} cannot be read: {error}") from error
        finally:
            self._close()
        if not shown or not keys:
            raise ReadError(f"{self.path} holds no frame of video")
        return shown, keys

    def _stream(self) -> Any:
        if self._container is None:
            av = require("av", self._extra)
            options = {} if self._edited else {"ignore_editlist": "1"}
            try:
                self._container = av.open(str(self.path), options=options)
            except self._broken as error:
                raise ReadError(f"{self.path} is no video that can be read: {error}") from error
            if not self._container.streams.video:
                self._close()
                raise ReadError(f"{self.path} holds no video")
            self._container.streams.video[0].codec_context.options = {"err_detect": "explode"}
        return self._container.streams.video[0]

    @cached_property
    def _broken(self) -> tuple[type[Exception], ...]:
        """What PyAV raises at a file that is missing, damaged or none of its kind."""
        return (require("av", self._extra).FFmpegError, OSError, ValueError, EOFError, RuntimeError, MemoryError)

    def _close(self) -> None:
        if self._container is not None:
            self._container.close()
        self._container, self._decoded = None, None
