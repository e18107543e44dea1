"""What of `ram_bytes` each pool may take."""

from __future__ import annotations

from dataclasses import dataclass

from spatialmem.config import MemoryConfig
from spatialmem.errors import InvalidValue

LEAST_BUDGET = 64 << 20
"""bytes below which a budget for RAM is refused: a frame in work, the codecs and the file's caches take 16 MiB"""


@dataclass(frozen=True)
class Shares:
    """Bytes of the pools."""

    surface: int
    free: int
    surface_aside: int = 0
    """of what readers fetch from the file"""
    free_aside: int = 0
    summaries: int = 0
    """of what is remembered of blocks that are on file alone"""

    @classmethod
    def without_file(cls, config: MemoryConfig) -> Shares:
        """Nothing can leave RAM, and all of `ram_bytes` is for the pools."""
        return cls(config.ram_bytes - config.free_space_bytes, config.free_space_bytes)

    @classmethod
    def with_file(cls, config: MemoryConfig) -> Shares:
        """With a budget, three quarters for pools; the last one for the rest: rows, sightings, frames in work, codecs,
        exports. Without one the pools are those without a file, and what serves blocks on file alone comes on top: it
        is touched only when the pools were full."""
        ram = config.ram_bytes
        free_aside, surface_aside, summaries = ram // 64, ram // 8, ram // 16
        if not config.has_budget:
            alone = cls.without_file(config)
            return cls(alone.surface, alone.free, surface_aside, free_aside, summaries)
        free = config.free_space_bytes - free_aside
        return cls(ram * 3 // 4 - free - free_aside - surface_aside - summaries, free, surface_aside, free_aside,
                   summaries)  # fmt: skip


def require_enough(ram_bytes: int) -> None:
    """Refuse a budget that does not hold what a memory needs beside its map."""
    if ram_bytes < LEAST_BUDGET:
        raise InvalidValue(
            f"a budget of {ram_bytes} bytes of RAM is too small; a memory with a file needs at least {LEAST_BUDGET} "
            f"({LEAST_BUDGET >> 20} MiB)"
        )
