"""Asking for memory before it is needed.

Rows of one block lie in pages scattered over the pool: the processor cannot guess the next one, the kernel knows it.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_FOR_WRITING, _KEEP, _DATA = 1, 3, 1  # arguments of LLVM's prefetch


@intrinsic
def _prefetch(typing_context, array, index):
    """Fetch the cache line in which array[index] (tuple of integers) begins, to change it. Nothing is read."""

    def codegen(context, builder, signature, args):
        kind = signature.args[0]
        values = context.make_array(kind)(context, builder, args[0])
        place = cgutils.get_item_pointer(context, builder, kind, values, cgutils.unpack_tuple(builder, args[1]))
        pointer, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        form = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [pointer], form)
        builder.call(fetch, [builder.bitcast(place, pointer), *(number(n) for n in (_FOR_WRITING, _KEEP, _DATA))])
        return context.get_dummy_value()

    return types.void(array, index), codegen


prefetch: Any = _prefetch  # numba passes the typing context itself, which no type checker can know
