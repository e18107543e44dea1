"""float16 bits in kernels against numpy's float16."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from spatialmem.voxels.half import eight_bits, float_to_half, half_to_float


@njit
def widen(bits, out):
    for i in range(bits.shape[0]):
        out[i] = half_to_float(bits[i])


@njit
def narrow(values, out):
    for i in range(values.shape[0]):
        out[i] = float_to_half(values[i])


@njit
def shorten(bits, out):
    for i in range(bits.shape[0]):
        out[i] = eight_bits(bits[i])


def narrowed(values):
    out = np.empty(len(values), np.uint16)
    narrow(np.ascontiguousarray(values, np.float32), out)
    return out


def numpy_bits(values):
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32).astype(np.float16).view(np.uint16)


@pytest.fixture(scope="module")
def patterns():
    bits = np.arange(65536, dtype=np.uint16)
    wide = np.empty(65536, np.float32)
    widen(bits, wide)
    return bits, wide


def test_every_pattern_widens_as_numpy_does(patterns):
    bits, wide = patterns
    expected = bits.view(np.float16).astype(np.float32)
    nan = np.isnan(expected)
    assert nan.sum() == 2 * 1023 and np.isnan(wide[nan]).all()
    np.testing.assert_array_equal(wide[~nan].view(np.uint32), expected[~nan].view(np.uint32))


def test_every_pattern_comes_back(patterns):
    bits, wide = patterns
    nan = np.isnan(wide)
    back = narrowed(wide)
    np.testing.assert_array_equal(back[~nan], bits[~nan])
    assert np.isnan(back[nan].view(np.float16)).all()


def test_narrowing_rounds_to_nearest_ties_to_even(patterns):
    _, wide = patterns
    finite = np.unique(wide[np.isfinite(wide)])
    ties = ((finite[:-1].astype(np.float64) + finite[1:]) / 2).astype(np.float32)
    for values in (ties, np.nextafter(ties, np.float32(np.inf)), np.nextafter(ties, np.float32(-np.inf))):
        np.testing.assert_array_equal(narrowed(values), numpy_bits(values))


def test_narrowing_any_value():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**32, 200_000, dtype=np.uint64).astype(np.uint32).view(np.float32)
    values = values[~np.isnan(values)]
    common = rng.normal(size=50_000).astype(np.float32)
    special = np.array([0.0, -0.0, np.inf, -np.inf, 65504, 65519.996, 65520, 1e-8, 5.9604645e-08], np.float32)
    for given in (values, common, special):
        np.testing.assert_array_equal(narrowed(given), numpy_bits(given))


def test_eight_bits_are_the_nearest_ones_halves_away_from_zero(patterns):
    bits, wide = patterns
    bits, value = bits[np.isfinite(wide)], wide[np.isfinite(wide)].astype(np.float64)
    short = np.empty_like(bits)
    shorten(bits, short)
    eight = np.arange(128.0, 256.0)
    scale = [np.ldexp(eight, n) for n in range(30)]
    expressible = np.ldexp(np.concatenate([eight - 128, *scale, [np.ldexp(1.0, 37)]]), -21)  # all from 0 to 2^16
    above = np.searchsorted(expressible, np.abs(value))
    up, down = expressible[above], expressible[np.maximum(above - 1, 0)]
    nearest = np.where(up - np.abs(value) <= np.abs(value) - down, up, down)
    given = short.view(np.float16).astype(np.float64)
    np.testing.assert_array_equal(
        np.where(np.isinf(given), np.copysign(65536.0, given), given), nearest * np.sign(value)
    )
    np.testing.assert_array_equal(np.signbit(given), np.signbit(value))
