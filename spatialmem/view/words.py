"""Times and lengths as people write them."""

from __future__ import annotations

from datetime import datetime, timezone

_NS = 1_000_000_000
_EPOCH_BEGINS_S = 631_152_000  # 1990: smaller stamps count from the start of a device, not from 1970


def when(stamp_ns: int) -> str:
    """A stamp as date and time (UTC), or as seconds where it does not count from 1970."""
    seconds = stamp_ns / _NS
    if not counts_from_1970(stamp_ns):
        return f"{seconds:.2f} s"
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S")


def counts_from_1970(stamp_ns: int) -> bool:
    """Whether a stamp is a date, and not the time since a device was started."""
    return stamp_ns / _NS >= _EPOCH_BEGINS_S


def clock(stamp_ns: int) -> str:
    """The time of day alone (UTC), or seconds where the stamp does not count from 1970."""
    text = when(stamp_ns)
    return text.split(" ")[1] if "-" in text else text


def size(n_bytes: int | float) -> str:
    """A number of bytes: "4.2 MB"."""
    value = float(n_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000.0:
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000.0
    return f"{value:.1f} TB"
