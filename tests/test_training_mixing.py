"""Pictures with parts of others: what is pasted is unsupervised, and nothing else changes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.training.encoder.mixing import mixed, noise

SIZE = 24


def pictures(rng: np.random.Generator, count: int = 3):
    rgb = [rng.integers(0, 256, (SIZE, SIZE, 3)).astype(np.uint8) for _ in range(count)]
    ids = [rng.integers(0, 5, (SIZE, SIZE)).astype(np.uint8) for _ in range(count)]
    walls = [np.isin(np.arange(256), (3, 4)) for _ in range(count)]
    return rgb, ids, walls


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.sampled_from((0.0, 0.3, 1.0)))
def test_what_keeps_its_id_keeps_its_pixels(seed, share):
    rgb, ids, walls = pictures(np.random.default_rng(seed))
    before = [picture.copy() for picture in rgb]
    for (new, kept, was), own, own_ids in zip(
        mixed(rgb, ids, walls, share, np.random.default_rng(seed)), rgb, ids, strict=True
    ):
        assert np.isin(kept, (0, *np.unique(own_ids))).all() and (kept[kept > 0] == own_ids[kept > 0]).all()
        assert (new[kept > 0] == own[kept > 0]).all() and new.shape == own.shape and new.dtype == np.uint8
        assert was or ((new == own).all() and (kept == own_ids).all())
    assert all((a == b).all() for a, b in zip(before, rgb, strict=True))


def test_all_of_the_building_is_replaced_and_things_stay_but_under_patches():
    rgb, ids, walls = pictures(np.random.default_rng(1))
    for new, kept, was in mixed(rgb, ids, walls, 1.0, np.random.default_rng(2)):
        assert was and not np.isin(kept, (3, 4)).any() and np.isin(kept, (1, 2)).any() and new.any()


def test_no_share_changes_nothing_and_the_same_seed_gives_the_same():
    rgb, ids, walls = pictures(np.random.default_rng(3))
    assert not any(was for _, _, was in mixed(rgb, ids, walls, 0.0, np.random.default_rng(4)))
    one, two = (mixed(rgb, ids, walls, 0.5, np.random.default_rng(5)) for _ in range(2))
    assert all((a[0] == b[0]).all() and (a[1] == b[1]).all() for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("seed", range(4))
def test_noise_is_a_picture(seed):
    made = noise(SIZE, np.random.default_rng(seed))
    assert made.shape == (SIZE, SIZE, 3) and made.dtype == np.uint8 and made.std() > 1.0
