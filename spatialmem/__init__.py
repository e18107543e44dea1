"""spatialmem: a robot's spatial memory. See docs/ and `spatialmem --help`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from spatialmem.errors import SpatialMemError
from spatialmem.types import Answer, Camera, Evidence, Frame, Hit, Outcome, Presence, Skipped, Stored, View

if TYPE_CHECKING:
    from spatialmem.budget import ByteBudget
    from spatialmem.config import MemoryConfig
    from spatialmem.io import read
    from spatialmem.memory import SpatialMemory

__version__ = "0.1.0"

__all__ = [
    "Answer", "ByteBudget", "Camera", "Evidence", "Frame", "Hit", "MemoryConfig", "Outcome", "Presence", "Skipped",
    "SpatialMemError", "SpatialMemory", "Stored", "View", "read",
]  # fmt: skip

_LAZY = {
    "SpatialMemory": "spatialmem.memory",
    "ByteBudget": "spatialmem.budget",
    "MemoryConfig": "spatialmem.config",
    "read": "spatialmem.io",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'spatialmem' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_LAZY[name]), name)
