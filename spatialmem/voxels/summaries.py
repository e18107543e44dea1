"""What is remembered of the features of a block that is on file alone: enough to tell that it cannot answer.

A block's features are covered by a few balls on the unit sphere (centres by farthest-point selection, Gonzalez,
Theoretical Computer Science 1985). A feature within the angle r of a centre has at most the cosine
cos(angle(query, centre) - r) with a query: below what an answer needs, no voxel of the block can be one.
"""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Iterator
from typing import IO, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.blocks import BlockArrays
from spatialmem.voxels.reserve import reserved

_BALLS = 3
_SLACK_RAD = 0.004  # of rounding, here and in a scan
_EXACT = 127.0
_AT_ONCE = 4096


@final
class Summaries:
    """Summaries of blocks by slot: in an array reserved once, and, where that is full, in a temporary file."""

    def __init__(self, reserved_bytes: int, width: int, near: int) -> None:
        """near: stored distance up to which a voxel counts as surface, as a scan takes it."""
        self._kind = np.dtype([
            ("centre", np.int8, (_BALLS, width)), ("radius", np.float32, (_BALLS,)), ("voxels", np.uint16, (2,)),
            ("since", np.int64),
        ])  # fmt: skip
        self._near = near
        self._here = reserved((reserved_bytes // self._kind.itemsize,), self._kind)
        self._there = _OnDisk(self._kind)
        self._used = 0

    def new_slot(self) -> int:
        """A slot that is not in use."""
        self._used += 1
        return self._used - 1

    @property
    def used(self) -> int:
        """Number of slots in use."""
        return self._used

    def take_back(self, used: int) -> None:
        """All slots that were given after so many had come into use are not needed after all."""
        self._used = used

    def write(self, slot: int, block: BlockArrays, number: int = 0) -> None:
        """Summarise a block, for epoch `number` and those that follow; for older ones nothing is known any more."""
        told = self._told(block)
        told["since"] = number
        if slot >= len(self._here):
            self._there.write(slot - len(self._here), told)
            return
        self._here["since"][slot] = number  # first: see `highest`
        self._here[slot] = told[0]

    def _told(self, block: BlockArrays) -> NDArray[np.void]:
        """(1,) what is to be known of a block."""
        told = np.zeros(1, self._kind)
        surface = (np.abs(block.dist.astype(np.int32)) <= self._near) & (block.weight > 0) & block.has_row
        blind = surface[block.has_row] & (block.feature_weight == 0)
        told["voxels"] = surface.sum(), blind.sum()
        told["radius"] = -1.0
        feature = block.feature[block.feature_weight > 0].view(np.float16).astype(np.float32)
        norm = np.linalg.norm(feature, axis=1)
        unit = feature[norm > 0] / norm[norm > 0, None]
        if len(unit):
            centre = _centres(unit)
            told["centre"][0, : len(centre)] = centre
            told["radius"][0, : len(centre)] = _radii(unit, centre)
        return told

    def highest(self, slots: NDArray[np.int32], query: NDArray[np.float32], number: int) -> NDArray[np.float32]:
        """(N,) cosine with a unit vector (D,) that no voxel of the blocks exceeds in epoch `number`; 1 where nothing is
        known."""
        out = np.ones(len(slots), np.float32)
        for chosen, told in self._read(slots):
            centre = told["centre"].astype(np.float32)
            length = np.maximum(np.linalg.norm(centre, axis=2), 1e-9)
            angle = np.arccos(np.clip(centre @ query / length, -1.0, 1.0))
            bound = np.cos(np.maximum(0.0, angle - told["radius"] - _SLACK_RAD))
            best = np.where(told["radius"] < 0, -1.0, bound).max(1)
            here = slots[chosen] < len(self._here)  # last: what was read may have been written meanwhile
            since = np.where(here, self._here["since"][np.where(here, slots[chosen], 0)], told["since"])
            out[chosen] = np.where(since > number, 1.0, best)
        return out

    def voxels(self, slots: NDArray[np.int32]) -> NDArray[np.int64]:
        """(N, 2) surface voxels of the blocks, and how many of these have no feature; 0 where nothing is known."""
        out = np.zeros((len(slots), 2), np.int64)
        for chosen, told in self._read(slots):
            out[chosen] = told["voxels"]
        return out

    def _read(self, slots: NDArray[np.int32]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.void]]]:
        """Which of the slots (N,), and what is known of each of them, some at a time; those without a slot never."""
        order = np.argsort(slots, kind="stable")
        here, there = np.searchsorted(slots[order], [0, len(self._here)])
        for start in range(here, there, _AT_ONCE):
            chosen = order[start : min(start + _AT_ONCE, there)]
            yield chosen, self._here[slots[chosen]]
        yield from self._there.read(order[there:], slots[order[there:]] - len(self._here))


@final
class _OnDisk:
    """Records by number, in a file of no name. What cannot be written there is not known any more."""

    def __init__(self, kind: np.dtype) -> None:
        self._kind, self._guard = kind, threading.Lock()
        self._data: IO[bytes] | None = None
        self._full = False

    def write(self, number: int, record: NDArray[np.void]) -> None:
        """Keep a record (1,)."""
        with self._guard:
            try:
                if self._data is None:
                    self._data = tempfile.TemporaryFile(buffering=0, prefix="spatialmem-")  # noqa: SIM115
                    weakref.finalize(self, self._data.close)
                self._data.seek(number * self._kind.itemsize)
                left = memoryview(record.tobytes())
                while len(left):
                    left = left[self._data.write(left) :]
            except OSError:  # no space: then blocks are read to be sure, which takes longer and is right
                self._full = True

    def read(
        self, places: NDArray[np.int64], numbers: NDArray[np.int32]
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.void]]]:
        """The records with these ascending numbers (N,), a window at a time, each with its part of `places` (N,)."""
        start = 0
        while start < len(numbers) and not self._full:
            first = int(numbers[start])
            stop = int(np.searchsorted(numbers, first + _AT_ONCE))
            some = self._window(first, int(numbers[stop - 1]) + 1 - first)
            known = numbers[start:stop] - first < len(some)
            yield places[start:stop][known], some[numbers[start:stop][known] - first]
            start = stop

    def _window(self, first: int, count: int) -> NDArray[np.void]:
        with self._guard:
            if self._data is None:
                return np.zeros(0, self._kind)
            self._data.seek(first * self._kind.itemsize)
            content = self._data.read(count * self._kind.itemsize)
        return np.frombuffer(content[: len(content) // self._kind.itemsize * self._kind.itemsize], self._kind)


def _centres(unit: NDArray[np.float32]) -> NDArray[np.int8]:
    """(K, D) up to `_BALLS` of the unit vectors (N, D), far from each other, as int8 of any length."""
    chosen = [int(np.argmax(unit @ unit.mean(0)))]
    nearest = unit @ unit[chosen[0]]
    while len(chosen) < _BALLS and nearest.min() < 0.9999:
        chosen.append(int(np.argmin(nearest)))
        nearest = np.maximum(nearest, unit @ unit[chosen[-1]])
    picked = unit[chosen]
    return np.rint(picked * (_EXACT / np.abs(picked).max(1, keepdims=True))).astype(np.int8)


def _radii(unit: NDArray[np.float32], centre: NDArray[np.int8]) -> NDArray[np.float32]:
    """(K,) angle from each centre within which all vectors lie that are nearest to it; -1: it has none."""
    as_kept = centre.astype(np.float32)
    as_kept /= np.linalg.norm(as_kept, axis=1, keepdims=True)
    cosine = unit @ as_kept.T
    nearest, angle = cosine.argmax(1), np.arccos(np.clip(cosine.max(1), -1.0, 1.0))
    return np.array([angle[nearest == k].max(initial=-1.0) for k in range(len(centre))], np.float32)
