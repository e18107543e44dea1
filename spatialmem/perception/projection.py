"""From the full width of a model to the width of the map."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, require
from spatialmem.perception.fingerprint import Part

FILE_NAME = "projection.safetensors"
"""a fitted projection, beside the weights: one float32 tensor "projection" of shape (full width, map width)"""
_SEED = 20260101


@dataclass(frozen=True, eq=False)
class Projection:
    """A linear map of features; part of the encoder, and of its fingerprint."""

    matrix: NDArray[np.float32]
    """(F, D)"""
    identity: Part
    """what stands for it in the fingerprint"""

    @property
    def dim(self) -> int:
        return self.matrix.shape[1]

    def __call__(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(..., F) to unit rows (..., D) float32."""
        return unit_rows(features @ self.matrix)


def unit_rows(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows divided by their length; a row of zeros becomes the first axis, so that every row is a direction."""
    rows = np.asarray(features, dtype=np.float64)
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    first_axis = np.eye(1, rows.shape[-1])[0]
    return np.where(length > 0, rows / np.where(length > 0, length, 1.0), first_axis).astype(np.float32)


def random_orthonormal(full_width: int, dim: int) -> Projection:
    """Orthonormal columns in random directions (Haar), the same for every machine and run.

    It keeps cosines only roughly (standard deviation about 1 / sqrt(dim)); a fitted one keeps more.
    The QR factors are made unique by a positive diagonal (Mezzadri, Notices of the AMS 54, 2007).
    """
    dim = min(dim, full_width)
    normal = np.random.Generator(np.random.PCG64(_SEED)).standard_normal((full_width, dim))
    q, r = np.linalg.qr(normal)
    return Projection((q * np.sign(np.diag(r))).astype(np.float32), ["random orthonormal", _SEED, full_width, dim])


def load_projection(path: Path, full_width: int) -> Projection:
    """The fitted projection in a file; `InvalidValue` when it is damaged or of another shape."""
    numpy_files = require("safetensors.numpy", "clip")
    error_type = require("safetensors", "clip").SafetensorError
    try:
        tensors = numpy_files.load_file(path)
    except (error_type, OSError) as error:
        raise InvalidValue(f"cannot read the projection {path}: {error}; remove the file or save it again") from error
    matrix = tensors.get("projection")
    if matrix is None or matrix.ndim != 2 or matrix.shape[0] != full_width or matrix.shape[1] % 8:
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        raise InvalidValue(
            f"{path} holds {shapes}; expected one tensor 'projection' of shape ({full_width}, D), D a multiple of 8"
        )
    if not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix) < min(matrix.shape):
        raise InvalidValue(f"the projection in {path} holds NaN or infinity, or loses rank; fit it again")
    matrix = np.ascontiguousarray(matrix, dtype=np.float32)
    return Projection(matrix, ["fitted", matrix])


def projection_beside(weights: Path | None, full_width: int, dim: int) -> Projection:
    """The fitted projection beside a weight file (or in a folder), else a random one of width `dim`."""
    if weights is not None:
        path = (weights if weights.is_dir() else weights.parent) / FILE_NAME
        if path.is_file():
            return load_projection(path, full_width)
    return random_orthonormal(full_width, dim)
