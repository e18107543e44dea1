"""Numbers of frames as ranges, as the file lists those that were erased or given up: a short text may name billions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from typing import final

import numpy as np
from numpy.typing import NDArray


@final
class LsnRanges(Set[int]):
    """A set of lsn, never listed one by one. What it is compared with is: `ranges & some` looks at each of `some`."""

    def __init__(self, pairs: Iterable[Sequence[int]] = ()) -> None:
        """pairs: first and last of each run, in any order, overlapping or not; also (N, 2)."""
        given = np.array(pairs if isinstance(pairs, np.ndarray) else list(pairs), np.int64).reshape(-1, 2)
        given = given[np.argsort(given[:, 0], kind="stable")]
        reach = np.maximum.accumulate(given[:, 1])
        begins = np.ones(len(given), np.bool_)
        begins[1:] = given[1:, 0] > reach[:-1] + 1
        self._first = given[begins, 0]
        self._last = reach[np.append(begins[1:], True)] if len(given) else given[:, 1]

    @classmethod
    def of(cls, lsns: Iterable[int]) -> LsnRanges:
        """Of these numbers."""
        return cls(np.fromiter(lsns, np.int64).repeat(2))

    @classmethod
    def joined(cls, parts: Iterable[LsnRanges]) -> LsnRanges:
        """All that any of the parts has."""
        return cls(np.concatenate([np.zeros((0, 2), np.int64), *(part._ends for part in parts)]))

    @property
    def pairs(self) -> list[list[int]]:
        """[first, last] of each run, ascending."""
        return self._ends.tolist()

    @property
    def _ends(self) -> NDArray[np.int64]:
        return np.stack([self._first, self._last], 1)

    def within(self, lsns: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(N,) which of these (N,) are among them."""
        at = np.searchsorted(self._first, lsns, "right") - 1
        return (at >= 0) & (lsns <= np.append(self._last, 0)[at])

    def gaps(self, last_lsn: int) -> LsnRanges:
        """The numbers from 1 to `last_lsn` that are not among them."""
        first, last = np.append(1, self._last + 1), np.append(self._first - 1, last_lsn)
        last = np.minimum(last, last_lsn)
        return LsnRanges(np.stack([first, last], 1)[first <= last])

    def __and__(self, other: Set[int]) -> frozenset[int]:  # pyright: ignore[reportIncompatibleMethodOverride]
        some = np.fromiter(other, np.int64, len(other))
        return frozenset(some[self.within(some)].tolist())

    def __contains__(self, lsn: object) -> bool:
        return isinstance(lsn, (int, np.integer)) and bool(self.within(np.array([int(lsn)]))[0])

    def __iter__(self) -> Iterator[int]:
        for first, last in zip(self._first.tolist(), self._last.tolist(), strict=True):
            yield from range(first, last + 1)

    def __len__(self) -> int:
        return int((self._last - self._first + 1).sum())

    def __repr__(self) -> str:
        return f"LsnRanges({self.pairs})"
