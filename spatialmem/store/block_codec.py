"""Voxel blocks as the file holds them: codec 1 of docs/format.md sections 5 and 7, exact."""

from __future__ import annotations

import itertools
import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, MemoryFileError
from spatialmem.store.compress import compress, compress_parts, decompress

CODEC_EXACT = 1
DOUBT_CYCLE = 65535  # doubt is told by the number of a frame modulo this
VOXELS = 512
_HEADER = struct.Struct("<HH")
_DENSE_BYTES = 2 * VOXELS + VOXELS + VOXELS // 8
_ROW_BYTES = 6 + 1 + 1 + 2 * 4 + 2  # colour, two weights, two lsn, doubt; features come on top
_FREE_BYTES = VOXELS * 9


@dataclass(frozen=True, eq=False)
class SurfaceBlock:
    """One block of 8x8x8 surface voxels; voxel index = (z * 8 + y) * 8 + x, rows in voxel order."""

    dist: NDArray[np.int16]
    """(512,) signed distance / truncation x 32767"""
    weight: NDArray[np.uint8]
    """(512,) eighths of an observation; 0 = never observed"""
    has_row: NDArray[np.bool_]
    """(512,) which voxels have a row; n of them"""
    features: NDArray[np.uint16]
    """(n, D) bits of float16"""
    colour: NDArray[np.uint16]
    """(n, 3) RGB x 256"""
    colour_weight: NDArray[np.uint8]
    """(n,) observations, at most 32"""
    feature_weight: NDArray[np.uint8]
    """(n,) observations, at most 32"""
    first: NDArray[np.uint32]
    """(n,) lsn of the first frame that agreed"""
    last: NDArray[np.uint32]
    """(n,) lsn of the latest frame that agreed"""
    doubt: NDArray[np.uint16]
    """(n,) 1 + (lsn modulo DOUBT_CYCLE) of the first frame that saw through it since, 0 = none"""


@dataclass(frozen=True, eq=False)
class FreeBlock:
    """One block of 8x8x8 free-space voxels."""

    log_odds: NDArray[np.int8]
    """(512,) positive = occupied"""
    last_free: NDArray[np.uint32]
    """(512,) lsn, 0 = never seen free"""
    last_occupied: NDArray[np.uint32]
    """(512,) lsn, 0 = never seen occupied"""


def pack_surface_block(block: SurfaceBlock) -> bytes:
    """Codec 1. Raises `InvalidValue` when shapes do not go together."""
    n, dim = block.features.shape
    if n != np.count_nonzero(block.has_row) or len(block.dist) != VOXELS or dim > 65535:
        raise InvalidValue(f"block has {np.count_nonzero(block.has_row)} voxels with rows, but {n} x {dim} features")
    dense = (_planes(block.dist, 2), block.weight.tobytes(), np.packbits(block.has_row).tobytes())
    weights = (block.colour_weight.tobytes(), block.feature_weight.tobytes())
    times = (_planes(block.first, 4), _planes(block.last, 4), _planes(block.doubt, 2))
    differences = (_difference_planes(block.features), _difference_planes(block.colour))
    return pack_surface_planes(b"".join((*dense, *differences, *weights, *times)), n, dim)


def pack_surface_planes(content: bytes | NDArray[np.uint8], n: int, dim: int) -> bytes:
    """Codec 1 of a block of n rows whose planes of bytes stand in a row. Raises `InvalidValue` for another size."""
    if len(content) != _DENSE_BYTES + n * (2 * dim + _ROW_BYTES):
        raise InvalidValue(f"the arrays of a surface block do not all have {n} rows or have foreign dtypes")
    planes = memoryview(content)  # pyright: ignore[reportArgumentType]
    # the low bytes of features are noise, the high ones are not: one table for both would fit neither
    lengths = (_DENSE_BYTES, n * dim, n * dim + _ROW_BYTES * n)
    ends = list(itertools.accumulate(lengths))
    parts = [planes[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    return _HEADER.pack(n, dim) + compress_parts(parts)


def unpack_surface_block(data: bytes) -> SurfaceBlock:
    """The inverse of `pack_surface_block`, bit for bit; arrays may be read-only."""
    n, dim = surface_block_size(data)
    content = decompress(memoryview(data)[_HEADER.size :], _DENSE_BYTES + n * (2 * dim + _ROW_BYTES), "surface block")
    has_row = np.unpackbits(np.frombuffer(content, np.uint8, VOXELS // 8, 3 * VOXELS)).view(np.bool_)
    if np.count_nonzero(has_row) != n:
        raise MemoryFileError(f"surface block is damaged: {n} rows, {np.count_nonzero(has_row)} voxels that have one")
    colour_at = _DENSE_BYTES + 2 * dim * n
    weights_at = colour_at + 6 * n
    lsn_at = weights_at + 2 * n
    return SurfaceBlock(
        dist=_from_planes(content, 0, VOXELS, 2).view(np.int16),
        weight=np.frombuffer(content, np.uint8, VOXELS, 2 * VOXELS),
        has_row=has_row,
        features=_from_difference_planes(content, _DENSE_BYTES, n, dim),
        colour=_from_difference_planes(content, colour_at, n, 3),
        colour_weight=np.frombuffer(content, np.uint8, n, weights_at),
        feature_weight=np.frombuffer(content, np.uint8, n, weights_at + n),
        first=_from_planes(content, lsn_at, n, 4),
        last=_from_planes(content, lsn_at + 4 * n, n, 4),
        doubt=_from_planes(content, lsn_at + 8 * n, n, 2),
    )


def surface_block_size(data: bytes) -> tuple[int, int]:
    """(n, D): rows and feature width, from the header alone."""
    if len(data) < _HEADER.size:
        raise MemoryFileError(f"surface block is damaged: it has {len(data)} bytes, fewer than its header")
    n, dim = _HEADER.unpack_from(data)
    if n > VOXELS:
        raise MemoryFileError(f"surface block is damaged: header says {n} rows of {VOXELS} voxels")
    return n, dim


def problem_of(block: SurfaceBlock, lsn: int, width: int) -> str | None:
    """What cannot be of a block that contains the frames up to `lsn`, in a memory whose features are `width` wide."""
    if block.features.shape[1] != width:
        return f"has features {block.features.shape[1]} wide, those of its memory are {width}"
    if block.last.max(initial=0) > lsn:
        return f"contains frames after its tag, {lsn}"
    if block.first.min(initial=1) == 0 or (block.first > block.last).any():
        return "has voxels that no frame saw first"
    if lsn < DOUBT_CYCLE and ((block.doubt == 1) | (block.doubt > lsn + 1)).any():  # later any number is of some frame
        return f"is doubted by frames after its tag, {lsn}"
    return None


def pack_free_block(block: FreeBlock) -> bytes:
    """Codec 1. Raises `InvalidValue` when an array is not of 512 voxels."""
    content = block.log_odds.tobytes() + _planes(block.last_free, 4) + _planes(block.last_occupied, 4)
    if len(content) != _FREE_BYTES:
        raise InvalidValue(f"a free-space block must hold {VOXELS} voxels of int8, uint32, uint32")
    return compress(content)


def unpack_free_block(data: bytes) -> FreeBlock:
    """The inverse of `pack_free_block`; arrays may be read-only."""
    content = decompress(data, _FREE_BYTES, "free-space block")
    return FreeBlock(
        np.frombuffer(content, np.int8, VOXELS),
        _from_planes(content, VOXELS, VOXELS, 4),
        _from_planes(content, 5 * VOXELS, VOXELS, 4),
    )


def _planes(values: NDArray, width: int) -> bytes:
    """Lowest bytes of all values, then the next bytes, and so on: neighbours share their high bytes."""
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), width).T.tobytes()


def _from_planes(content: bytes, offset: int, count: int, width: int) -> NDArray:
    planes = np.frombuffer(content, np.uint8, width * count, offset).reshape(width, count)
    return np.ascontiguousarray(planes.T).view(f"<u{width}").reshape(count)


def _difference_planes(values: NDArray[np.uint16]) -> bytes:
    """(n, D): differences down each column modulo 2^16, as (D, n) low bytes, then high bytes."""
    steps = values.copy()
    steps[1:] -= values[:-1]
    return steps.view(np.uint8).reshape(*values.shape, 2).transpose(2, 1, 0).tobytes()


def _from_difference_planes(content: bytes, offset: int, n: int, dim: int) -> NDArray[np.uint16]:
    planes = np.frombuffer(content, np.uint8, 2 * dim * n, offset).reshape(2, dim, n)
    steps = np.ascontiguousarray(planes.transpose(2, 1, 0)).view("<u2").reshape(n, dim)
    return np.cumsum(steps, axis=0, dtype=np.uint16)
