"""float16 in numba on the CPU: the bits live in uint16 arrays, the arithmetic is float32.

numba's CPU target cannot address float16 arrays, LLVM can convert: one instruction on x86 with
F16C and on ARMv8.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from spatialmem.voxels.compiled import leaf


@intrinsic
def _half_to_float(typing_context, bits):
    """float32 value of the float16 whose bits are the given uint16."""

    def codegen(context, builder, signature, args):
        return builder.fpext(builder.bitcast(args[0], ir.HalfType()), ir.FloatType())

    return types.float32(types.uint16), codegen


@intrinsic
def _float_to_half(typing_context, value):
    """Bits (uint16) of the float16 nearest to the given float32, ties to even."""

    def codegen(context, builder, signature, args):
        return builder.bitcast(builder.fptrunc(args[0], ir.HalfType()), ir.IntType(16))

    return types.uint16(types.float32), codegen


half_to_float: Any = _half_to_float  # numba passes the typing context itself, which no type checker can know
float_to_half: Any = _float_to_half


@leaf
def eight_bits(bits):
    """The float16 with these bits, rounded to 8 significant bits (halves away from zero).

    What is below them in a mean of features is noise, and noise does not compress: a row takes 24 bytes less on file at
    64-d. A running mean of weight 32 still follows a new feature to a cosine of 0.998; int8 would stop at 0.7.
    """
    return np.uint16(((np.uint32(bits) + np.uint32(4)) >> np.uint32(3)) << np.uint32(3))
