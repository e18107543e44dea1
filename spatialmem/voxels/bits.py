"""Sets of a block's voxels and cells as bits, so that they grow, meet and are counted in a few operations.

A set of voxels is 8 words, voxel i being bit i % 64 of word i // 64: one word is a layer of equal z. A cell is 2^3
voxels; the 4^3 cells of a block are the bits of one word, x fastest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.keys import BLOCK

LAYERS = BLOCK
_CELLS = 4  # cells along a block's edge
_X, _Y, _Z = np.uint64(1), np.uint64(4), np.uint64(16)  # shifts by one cell
ONE, NONE = np.uint64(1), np.uint64(0)
_NIBBLE, _BYTE = np.uint64(15), np.uint64(255)


@intrinsic
def _count_bits(typing_context, word):
    def codegen(context, builder, signature, args):
        return builder.trunc(builder.ctpop(args[0]), ir.IntType(32))

    return types.int32(types.uint64), codegen


@intrinsic
def _lowest_bit(typing_context, word):
    def codegen(context, builder, signature, args):
        return builder.trunc(builder.cttz(args[0], ir.Constant(ir.IntType(1), 0)), ir.IntType(32))

    return types.int32(types.uint64), codegen


@intrinsic
def _leading_zeros(typing_context, word):
    def codegen(context, builder, signature, args):
        return builder.trunc(builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0)), ir.IntType(32))

    return types.int32(types.uint64), codegen


count_bits: Any = _count_bits
"""Number of set bits of a uint64, int32."""
lowest_bit: Any = _lowest_bit
"""Number of the lowest set bit of a uint64, int32; 64 when there is none."""
_zeros_above: Any = _leading_zeros


@leaf
def highest_bit(word):
    """Number of the highest set bit; -1 when there is none."""
    return np.int32(63) - _zeros_above(word)


def _layer(axis: int, number: int) -> np.uint64:
    cells = [c for c in range(_CELLS**3) if c // _CELLS**axis % _CELLS == number]
    return np.uint64(sum(1 << c for c in cells))


_X0, _X3, _Y0, _Y3, _Z0, _Z3 = (_layer(axis, number) for axis in range(3) for number in (0, _CELLS - 1))
_DOUBLED = np.array([sum(3 << 2 * n for n in range(4) if row >> n & 1) for row in range(16)], np.uint64)
"""a row of 4 cells as a row of 8 voxels"""


@leaf
def cells_of_voxels(layers):
    """The cells that hold voxels of the set layers (8,)."""
    cells = NONE
    for square in range(_CELLS):
        pairs = layers[2 * square] | layers[2 * square + 1]
        pairs |= pairs >> ONE
        pairs |= pairs >> np.uint64(BLOCK)
        for y in range(_CELLS):
            for x in range(_CELLS):
                there = (pairs >> np.uint64(2 * x + 2 * BLOCK * y)) & ONE
                cells |= there << np.uint64(x + _CELLS * y + _CELLS * _CELLS * square)
    return cells


@leaf
def voxels_of_cells(cells, z):
    """The voxels of layer z that lie in these cells."""
    square = cells >> np.uint64(16 * (z // 2))
    word = NONE
    for row in range(_CELLS):
        byte = _DOUBLED[(square >> np.uint64(4 * row)) & _NIBBLE]
        word |= (byte | byte << np.uint64(BLOCK)) << np.uint64(2 * BLOCK * row)
    return word


@leaf
def row_of(layer):
    """The x of a layer's voxels as 8 bits."""
    layer |= layer >> np.uint64(32)
    layer |= layer >> np.uint64(16)
    return (layer | layer >> np.uint64(8)) & _BYTE


@leaf
def _spread(cells, shift, first, last, step):
    """Cells along one axis: step 0 grows them by one each way; 1 and -1: what touches the next block, seen there."""
    if step > 0:
        return (cells & last) >> (np.uint64(3) * shift)
    if step < 0:
        return (cells & first) << (np.uint64(3) * shift)
    return cells | ((cells & ~last) << shift) | ((cells & ~first) >> shift)


@leaf
def touched(cells, dx, dy, dz):
    """Cells of the block (dx, dy, dz) further that touch these by a face, an edge or a corner; themselves included."""
    cells = _spread(cells, _X, _X0, _X3, dx)
    cells = _spread(cells, _Y, _Y0, _Y3, dy)
    return _spread(cells, _Z, _Z0, _Z3, dz)
