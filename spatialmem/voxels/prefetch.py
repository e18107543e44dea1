"""Asking for memory before it is needed.

Rows of one block lie in pages scattered over the pool: the processor cannot guess the next one, the kernel knows it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from spatialmem.voxels.compiled import leaf

_READING, _WRITING, _KEEP, _DATA = 0, 1, 3, 1  # arguments of LLVM's prefetch


def _fetching(purpose: int) -> Any:
    def fetch(typing_context, array, index):
        def codegen(context, builder, signature, args):
            kind = signature.args[0]
            values = context.make_array(kind)(context, builder, args[0])
            place = cgutils.get_item_pointer(context, builder, kind, values, cgutils.unpack_tuple(builder, args[1]))
            pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
            form = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
            fetch = builder.module.declare_intrinsic("llvm.prefetch", [pointer], form)
            builder.call(fetch, [builder.bitcast(place, pointer), *(number(n) for n in (purpose, _KEEP, _DATA))])
            return context.get_dummy_value()

        return types.void(array, index), codegen

    return intrinsic(fetch)


prefetch: Any = _fetching(_WRITING)
"""Fetch the cache line in which array[index] (tuple of integers) begins, to change it. Nothing is read."""
prefetch_to_read: Any = _fetching(_READING)
"""The same, only to read it."""

_LINE = 32
"""float16 numbers in a cache line"""


@leaf
def fetch_feature(feature, row):
    """Fetch a row of features (N, D), to change it."""
    k = 0
    while k < feature.shape[1]:  # LLVM leaves the loops around a `range` with a step as they are: half as fast
        prefetch(feature, (row, k))
        k += _LINE


@leaf
def fetch_feature_to_read(feature, row):
    """Fetch a row of features (N, D), only to read it."""
    k = 0
    while k < feature.shape[1]:
        prefetch_to_read(feature, (row, k))
        k += _LINE
