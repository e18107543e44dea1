"""Matrix products for scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_ALONE = 1 << 18
"""multiplications up to which OpenBLAS computes a product in the thread that asks"""
_ALONE_VECTOR = 9216
"""the same for a matrix and a vector"""


def products(rows: NDArray[np.float32], columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """rows (N, D) @ columns (D, K) or (D,), a slice at a time.

    A question asks for a few thousand rows. OpenBLAS would share them out to its own threads, which gains little and
    then keep spinning for a while: on cores that the kernels of the same question need.
    """
    step = max(1, (_ALONE_VECTOR if columns.ndim == 1 else _ALONE) // max(1, columns.size))
    out = np.empty((len(rows), *columns.shape[1:]), np.float32)
    for start in range(0, len(rows), step):
        np.matmul(rows[start : start + step], columns, out=out[start : start + step])
    return out
