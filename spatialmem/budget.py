"""How many bytes a memory may take, in RAM and on disk."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import final

from spatialmem.checks import described, whole_number
from spatialmem.config import MemoryConfig
from spatialmem.errors import InvalidValue
from spatialmem.voxels.shares import require_enough

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]I?)?B?\s*", re.IGNORECASE)


@final
@dataclass(frozen=True)
class ByteBudget:
    """Upper bounds in bytes; each is a whole number or a text such as "500 MB" or "2 GiB"."""

    ram: int
    """what the memory may take in RAM beyond what the process needs without it; at least 64 MiB"""
    file: int
    """what the memory file, its -wal and its -shm may take together"""

    def __post_init__(self) -> None:
        for name in ("ram", "file"):
            object.__setattr__(self, name, size_in_bytes(name, getattr(self, name)))
        require_enough(self.ram)

    @classmethod
    def of(cls, given: object) -> ByteBudget:
        """A budget as it is; a single figure bounds both."""
        return given if isinstance(given, cls) else cls(size_in_bytes("budget", given), size_in_bytes("budget", given))

    def put_into(self, config: MemoryConfig) -> MemoryConfig:
        """The configuration with these bounds."""
        return dataclasses.replace(config, ram_bytes=self.ram, file_bytes=self.file)


def size_in_bytes(name: str, given: object) -> int:
    """Bytes of a whole number, or of a text with a unit: kB, MB, GB are powers of 1000, KiB, MiB, GiB of 1024."""
    size = whole_number(given)
    if isinstance(given, str) and (match := _SIZE.fullmatch(given)):
        size = int(float(match[1]) * _UNITS[(match[2] or "").upper()])
    if size is None or size <= 0:
        raise InvalidValue(f'{name} must be bytes, such as 2_000_000_000 or "2 GB"; given {described(given)}')
    return size
