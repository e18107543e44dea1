"""What of `ram_bytes` each pool may take."""

from __future__ import annotations

from dataclasses import dataclass

from spatialmem.config import MemoryConfig
from spatialmem.errors import InvalidValue

LEAST_BUDGET = 64 << 20
"""bytes below which a budget for RAM is refused: three eighths of it are for the map"""
_LEAST_REST = 40 << 20
"""bytes of a budget that are not for pools, whatever it is: frames in work, codecs, caches of the file, parts of a mesh
or a view, and what the heap loses between them; `benchmarks/budget.py` measures them"""


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
        """With a budget, a quarter of it, or 40 MiB, is left for the rest: rows, sightings, frames in work, codecs,
        exports. Without one the pools are those without a file, and what serves blocks on file alone comes on top: it
        is touched only when the pools were full."""
        ram = config.ram_bytes
        if not config.has_budget:
            alone = cls.without_file(config)
            return cls(alone.surface, alone.free, ram // 8, ram // 64, ram // 16)
        pools = ram - max(ram // 4, min(_LEAST_REST, ram * 5 // 8))
        free, free_aside, surface_aside, summaries = pools // 6, pools // 48, pools * 2 // 9, pools // 12
        return cls(pools - free - surface_aside - summaries, free - free_aside, surface_aside, free_aside, summaries)


def require_enough(ram_bytes: int) -> None:
    """Refuse a budget that does not hold what a memory needs beside its map."""
    if ram_bytes < LEAST_BUDGET:
        raise InvalidValue(
            f"a budget of {ram_bytes} bytes of RAM is too small; a memory with a file needs at least {LEAST_BUDGET} "
            f"({LEAST_BUDGET >> 20} MiB)"
        )
