"""Memory for the pools, straight from the system and back to it."""

from __future__ import annotations

import math
import mmap
import sys
from contextlib import suppress

import numpy as np
from numpy.typing import DTypeLike, NDArray

_LEAST_BYTES = 1 << 20
"""below which a mapping of its own is not worth its pages"""


def reserved(shape: tuple[int, ...], kind: DTypeLike) -> NDArray:
    """Zeros of this shape and kind, which take RAM as they are touched, and give it back when they go.

    Zeros of numpy come from the heap once the process has freed anything as large: used memory, cleared and so touched
    at once, which what is allocated later splits up, so that it never goes back.
    """
    size = math.prod(shape) * np.dtype(kind).itemsize
    if size < _LEAST_BYTES or sys.platform == "win32":
        return np.zeros(shape, kind)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if sys.platform == "linux":
        with suppress(OSError):  # as numpy does, which does not mind kernels without huge pages either
            memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, kind).reshape(shape)
