"""Sixteen numbers of a feature at a time.

LLVM makes vectors of a loop over a feature only when it is much longer than 16, and checks first, for every row, that
none of the arrays overlap. Here the vectors are written down; the arithmetic is the same, number by number.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16
_FLOATS, _HALVES = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(ir.HalfType(), LANES)
_BITS, _CHOICE = ir.VectorType(ir.IntType(16), LANES), ir.VectorType(ir.IntType(32), LANES)


def _sixteen(context: Any, builder: Any, kind: Any, array: Any, row: Any, first: Any, lanes: Any) -> Any:
    """Pointer to the 16 numbers of a row (N, D) from column `first` on."""
    values = context.make_array(kind)(context, builder, array)
    return builder.bitcast(cgutils.get_item_pointer(context, builder, kind, values, [row, first]), lanes.as_pointer())


def _everywhere(builder: Any, value: Any) -> Any:
    """A vector of 16 times the same number."""
    none = ir.Constant(_FLOATS, ir.Undefined)
    first = builder.insert_element(none, value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, none, ir.Constant(_CHOICE, [0] * LANES))


@intrinsic
def _average_in(typing_context, feature, row, k, patches, four, weights, share):
    """feature[row, k:k + 16] moves by `share` towards the weighted sum of four rows of `patches`, as 8-bit halves."""

    def codegen(context, builder, signature, args):
        """`averages._average_one` for 16 columns, in the same order of operations, so that the bits are the same."""
        feature, row, k, patches, four, weights, share = args
        of_feature, of_patches = signature.args[0], signature.args[3]
        new = None
        for at, weight in zip(cgutils.unpack_tuple(builder, four), cgutils.unpack_tuple(builder, weights), strict=True):
            place = _sixteen(context, builder, of_patches, patches, at, k, _FLOATS)
            part = builder.fmul(_everywhere(builder, weight), builder.load(place, align=4))
            new = part if new is None else builder.fadd(new, part)
        place = _sixteen(context, builder, of_feature, feature, row, k, _HALVES)
        old = builder.fpext(builder.load(place, align=2), _FLOATS)
        mean = builder.fadd(old, builder.fmul(builder.fsub(new, old), _everywhere(builder, share)))
        bits = builder.bitcast(builder.fptrunc(mean, _HALVES), _BITS)
        bits = builder.add(bits, ir.Constant(_BITS, [4] * LANES))  # as `half.eight_bits`
        bits = builder.and_(bits, ir.Constant(_BITS, [0xFFF8] * LANES))
        builder.store(bits, builder.bitcast(place, _BITS.as_pointer()), align=2)
        return context.get_dummy_value()

    indices, numbers = types.UniTuple(types.intp, 4), types.UniTuple(types.float32, 4)
    return types.void(feature, types.intp, types.intp, patches, indices, numbers, types.float32), codegen


average_in: Any = _average_in  # numba passes the typing context itself, which no type checker can know
