"""A very small network: one hidden layer, a probability at the end."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Network:
    """sigmoid(outer @ s(inner @ ((x - shift) * scale) + bias) + last), s(x) = x / (1 + |x|)."""

    shift: NDArray[np.float64]
    """(P,) subtracted from the inputs"""
    scale: NDArray[np.float64]
    """(P,) they are multiplied by afterwards"""
    inner: NDArray[np.float64]
    """(H, P)"""
    bias: NDArray[np.float64]
    """(H,)"""
    outer: NDArray[np.float64]
    """(H,)"""
    last: NDArray[np.float64]
    """(1,)"""

    @classmethod
    def of(cls, numbers: Mapping[str, Any]) -> Network:
        """From lists of numbers by name, as JSON has them."""
        return cls(**{name: np.asarray(numbers[name], np.float64) for name in cls.__dataclass_fields__})

    @functools.cached_property
    def folded(self) -> tuple[NDArray[np.float64], ...]:
        """inner, bias, outer and last of a network that does without shift and scale, for kernels."""
        inner = np.ascontiguousarray(self.inner * self.scale)
        return inner, self.bias - inner @ self.shift, self.outer, self.last

    def __call__(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) of inputs (N, P)."""
        inner, bias, outer, last = self.folded
        hidden = np.einsum("np,hp->nh", inputs, inner) + bias  # in one thread, so the same on every number of cores
        hidden /= 1.0 + np.abs(hidden)
        return 1.0 / (1.0 + np.exp(-np.clip((hidden * outer).sum(axis=1) + last[0], -30.0, 30.0)))
