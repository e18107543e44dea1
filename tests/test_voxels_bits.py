"""Sets of voxels and cells as bits against plain numpy."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spatialmem.voxels.bits import (
    cells_of_voxels,
    count_bits,
    highest_bit,
    lowest_bit,
    row_of,
    touched,
    voxels_of_cells,
)
from spatialmem.voxels.compiled import leaf

WORDS = st.integers(0, 2**64 - 1).map(np.uint64)


@leaf
def measures(word):
    return count_bits(word), lowest_bit(word), highest_bit(word), row_of(word)


def layers_of(there):
    """A block's voxels, bool (z, y, x), as 8 words."""
    return np.packbits(there.reshape(8, 64), axis=1, bitorder="little").view(np.uint64).reshape(8)


def cells_as_array(cells):
    """A word of cells as bool (z, y, x)."""
    return np.unpackbits(np.array([cells], np.uint64).view(np.uint8), bitorder="little").reshape(4, 4, 4).astype(bool)


@given(WORDS)
def test_measures_of_a_word(word):
    bits = [n for n in range(64) if int(word) >> n & 1]
    rows = [int(word) >> 8 * y & 255 for y in range(8)]
    expected = (len(bits), min(bits, default=64), max(bits, default=-1), int(np.bitwise_or.reduce(rows)))
    assert measures(word) == expected


@given(st.integers(0, 2**31), st.sampled_from([0.0, 0.01, 0.2, 1.0]))
def test_cells_of_voxels(seed, share):
    there = np.random.default_rng(seed).random((8, 8, 8)) < share
    cells = cells_as_array(cells_of_voxels(layers_of(there)))
    np.testing.assert_array_equal(cells, there.reshape(4, 2, 4, 2, 4, 2).any(axis=(1, 3, 5)))


@given(WORDS)
def test_voxels_of_cells(cells):
    layers = np.array([voxels_of_cells(cells, z) for z in range(8)], np.uint64)
    expected = cells_as_array(cells).repeat(2, 0).repeat(2, 1).repeat(2, 2)
    np.testing.assert_array_equal(layers, layers_of(expected))


@given(WORDS, st.tuples(*[st.integers(-1, 1)] * 3))
def test_cells_that_touch(cells, step):
    space = np.zeros((14, 14, 14), bool)  # three blocks along each axis, and one cell around
    space[5:9, 5:9, 5:9] = cells_as_array(cells)
    grown = np.zeros_like(space)
    for z, y, x in np.ndindex(3, 3, 3):
        grown |= np.roll(space, (z - 1, y - 1, x - 1), (0, 1, 2))
    z, y, x = (5 + 4 * step[axis] for axis in (2, 1, 0))
    there = cells_as_array(touched(cells, *step))
    np.testing.assert_array_equal(there, grown[z : z + 4, y : y + 4, x : x + 4])
