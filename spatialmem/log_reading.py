"""The log of a file as opening reads it."""

from __future__ import annotations

from pathlib import Path

from spatialmem.errors import MemoryFileError
from spatialmem.log_rows import LogRows
from spatialmem.store.lsn_ranges import LsnRanges
from spatialmem.store.schema import LOG_ADVICE

_MOST_ERASED = 1 << 27
"""frames; a robot that stores one a second needs four years for them"""


def require_whole(path: Path, rows: LogRows, erased: LsnRanges, last_lsn: int) -> None:
    """`MemoryFileError` unless each frame has a row in the log or was erased, and no more were than arrays by their
    numbers have room for."""
    missing = LsnRanges.joined((erased, LsnRanges.of(rows))).gaps(last_lsn)
    if missing:
        raise MemoryFileError(
            f"{path}: the log has no row for frame {missing.pairs[0][0]} ({len(missing)} missing in all), so the "
            "layers cannot be restored; see what is left with: spatialmem info --verify"
        )
    if last_lsn - len(rows) > _MOST_ERASED:
        raise MemoryFileError(
            f"{path}: the log has {len(rows)} frames and says that {last_lsn - len(rows)} were erased, which is more "
            f"than {_MOST_ERASED}; {LOG_ADVICE}"
        )
