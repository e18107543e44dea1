"""Keys of blocks: looked up, joined and kept, against what numpy says of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialmem.gone import every_key
from spatialmem.key_lists import KeyLists, among, with_more
from spatialmem.voxels.keys import keys_of

KEYS = st.lists(st.one_of(st.integers(0, 40), st.integers(0, 2**63 - 1)), max_size=30)


def array(keys):
    return np.array(keys, np.int64)


@given(KEYS, KEYS, KEYS)
def test_keys_are_looked_up_and_joined_as_numpy_does(held, one, two):
    ascending, one, two = np.unique(array(held)), array(one), array(two)
    np.testing.assert_array_equal(among(one, ascending), np.isin(one, ascending))
    more = with_more(ascending, one, two)
    np.testing.assert_array_equal(more, np.unique(np.concatenate([ascending, one, two])))
    assert (more is ascending) == (len(more) == len(ascending)) and with_more(more, two, one) is more


@given(st.dictionaries(st.integers(1, 9), KEYS))
def test_lists_come_back_ascending_and_those_of_other_frames_are_empty(given_keys):
    lists = KeyLists()
    for lsn, keys in given_keys.items():
        lists[lsn] = array(keys)
    for lsn in range(1, 10):
        assert (lsn in lists) == (lsn in given_keys)
        assert lists[lsn].tolist() == sorted(set(given_keys.get(lsn, [])))
    assert {lsn: keys.tolist() for lsn, keys in lists.items()} == {n: sorted(set(k)) for n, k in given_keys.items()}


def test_lists_take_a_quarter_of_the_bytes_of_their_keys():
    lists, rng = KeyLists(), np.random.default_rng(1)
    wall = np.stack(np.meshgrid([7, 8], np.arange(20), np.arange(15), indexing="ij"), -1).reshape(-1, 3)
    for lsn in range(1, 50):
        keys = keys_of(wall[rng.random(len(wall)) < 0.8] + (0, lsn % 9, lsn % 7))
        lists[lsn] = rng.permutation(keys)
        np.testing.assert_array_equal(lists[lsn], np.sort(keys))
        assert len(lists._packed[lsn] or b"") < 2 * len(keys)


@pytest.mark.parametrize("count", [0, 1, 600])
def test_every_key_of_many_lists(count):
    rng = np.random.default_rng(count)
    lists = [rng.integers(0, 500, rng.integers(0, 9)) for _ in range(count)]
    expected = np.unique(np.concatenate([np.zeros(0, np.int64), *lists]))
    np.testing.assert_array_equal(every_key(iter(lists)), expected)
