"""Block keys and the hash table against dict."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spatialmem.voxels.keys import KEY_OFFSET, empty_table, find, insert, pack_key, unpack_keys

ANY = st.integers(-KEY_OFFSET, KEY_OFFSET - 1)
NEAR = st.integers(-40, 40)
COORDINATES = st.one_of(st.tuples(ANY, ANY, ANY), st.tuples(NEAR, NEAR, NEAR))


def expected_key(x, y, z):
    return (x + 2**20) * 2**42 + (y + 2**20) * 2**21 + (z + 2**20)


@given(st.lists(COORDINATES, min_size=1, max_size=50))
def test_keys_go_there_and_back(coordinates):
    keys = np.array([pack_key(*c) for c in coordinates], dtype=np.int64)
    assert [int(k) for k in keys] == [expected_key(*c) for c in coordinates]
    assert (keys >= 0).all()
    np.testing.assert_array_equal(unpack_keys(keys), np.array(coordinates))


@given(COORDINATES, COORDINATES)
def test_keys_are_ordered_as_coordinates_are(a, b):
    assert (pack_key(*a) < pack_key(*b)) == (a < b)


@given(st.lists(COORDINATES, unique=True, max_size=120), st.lists(COORDINATES, max_size=40), st.integers(0, 3))
def test_table_is_a_dict(inserted, asked, spare):
    table = empty_table(max(1, len(inserted) + spare))
    known = {}
    for block, c in enumerate(inserted):
        assert find(*table, pack_key(*c)) == -1
        insert(*table, pack_key(*c), block)
        known[c] = block
    for c in [*inserted, *asked]:
        assert find(*table, pack_key(*c)) == known.get(c, -1)


def test_a_full_reserve_is_found_again():
    rng = np.random.default_rng(3)
    coordinates = np.unique(rng.integers(-30, 30, (4000, 3)), axis=0)
    table = empty_table(len(coordinates))
    assert len(table[0]) >= 2 * len(coordinates) and len(table[0]) & (len(table[0]) - 1) == 0
    for block, c in enumerate(coordinates):
        insert(*table, pack_key(*c), block)
    assert [find(*table, pack_key(*c)) for c in coordinates] == list(range(len(coordinates)))
    assert find(*table, pack_key(31, 31, 31)) == -1
