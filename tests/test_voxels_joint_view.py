"""A view through some blocks after the other against what its rays meet in all of them, in plain numpy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spatialmem.voxels.joint_view import JointView

from spatialmem.types import Camera, View
from spatialmem.voxels import joint_view

SHAPE = ROWS, COLUMNS = 6, 8
CAMERA = Camera(4.0, 4.0, 3.5, 2.5, COLUMNS, ROWS)
GRID = SimpleNamespace(voxel=0.04)
PAST_M, FAR_M, SURFACES = 0.4, 60.0, 4
PIECES = ((-np.inf, 4.0), (2.0, 6.0), (4.0, 8.0), (6.0, np.inf))
"""depths between which the blocks of each piece lie; those in the middle lie in two of them"""


class Piece(NamedTuple):
    """What rays meet in some of the blocks: it stands for their pools."""

    observed_m: np.ndarray
    view: View


def walls(rng):
    """(SURFACES, H, W) depths of what stands in each ray's way, and whether it was observed or is inferred."""
    depth_m = 0.3 + np.cumsum(rng.uniform(0.1, 3.5, (SURFACES, *SHAPE)), 0)
    depth_m[rng.random(depth_m.shape) < 0.4] = np.nan
    return depth_m.astype(np.float32), rng.random(depth_m.shape) < 0.6


def first(depth_m, among):
    """(H, W) the nearest of those, NaN where there is none."""
    nearest = np.where(among & np.isfinite(depth_m), depth_m, np.inf).min(0)
    return np.where(np.isinf(nearest), np.nan, nearest).astype(np.float32)


def met(depth_m, observed):
    """The rule for blocks that are there at once: the first observed surface, without one the first inferred."""
    seen_m = first(depth_m, observed)
    return seen_m, np.where(np.isnan(seen_m), first(depth_m, ~observed), seen_m)


def piece_of(number, depth_m, observed, rng, features):
    """What the rays meet in a piece; colours, normals and features say which piece it was. Depths differ by up to a
    quarter voxel, for a ray's steps depend on where it starts."""
    begin_m, end_m = PIECES[number]
    here_m = np.where((depth_m >= begin_m) & (depth_m < end_m), depth_m, np.nan)
    seen_m, any_m = met(here_m + rng.uniform(-0.01, 0.01, SHAPE), observed)
    told = np.full((*SHAPE, 3), number)
    feature = np.full((*SHAPE, 2), number, np.float32) if features else None
    return Piece(seen_m, View(any_m, told.astype(np.float32), told.astype(np.uint8), feature))


@pytest.fixture(scope="module", autouse=True)
def pieces_stand_for_pools():
    with pytest.MonkeyPatch.context() as patch:
        render, cast_depth = lambda piece, *_: piece.view, lambda piece, *_, gap_voxels: piece.observed_m
        patch.setattr(joint_view, "cast", SimpleNamespace(render=render, cast_depth=cast_depth))
        yield


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), features=st.booleans())
def test_pieces_put_together_are_what_all_of_them_show(seed, features):
    rng = np.random.default_rng(seed)
    depth_m, observed = walls(rng)
    limits_m = rng.uniform(1.0, FAR_M, SHAPE)
    joint = JointView(np.eye(4), CAMERA, features, limits_m, PAST_M)
    np.testing.assert_array_equal(joint.limits_m(), limits_m)
    pieces = [piece_of(number, depth_m, observed, rng, features) for number in range(len(PIECES))]
    for number, piece in enumerate(pieces):
        end_m = PIECES[number][1]
        joint.look_at(piece, GRID, *PIECES[number])
        nearest_m = first(np.where(depth_m < end_m, depth_m, np.nan), observed)
        left_m = np.minimum(limits_m, np.where(np.isnan(nearest_m), np.inf, nearest_m + PAST_M))
        ended, near = nearest_m + PAST_M < end_m, np.abs(nearest_m + PAST_M - end_m) < 0.03
        np.testing.assert_allclose(joint.limits_m()[~near], np.where(ended, 0.0, left_m)[~near], atol=0.02)
    view, (seen_m, any_m) = joint.view(), met(depth_m, observed)
    np.testing.assert_allclose(view.depth_m, any_m, atol=0.0101)
    assert_shown_as_by(view, pieces, seen_m)


def assert_shown_as_by(view, pieces, seen_m):
    """An observed surface looks as in the first piece in which all that it is shaded from is there."""
    expected, sure = np.full(SHAPE, -1), np.zeros(SHAPE, np.bool_)
    for number, (begin_m, end_m) in enumerate(PIECES):
        here_m = pieces[number].observed_m
        within = (here_m > begin_m) & (here_m + PAST_M < end_m) & (np.abs(here_m - seen_m) < 0.011)
        expected[within & ~sure] = number
        sure |= within
    assert not np.isnan(seen_m[sure]).any()
    for told in (view.normal, view.rgb, view.feature):
        if told is not None:
            assert (told[sure] == expected[sure][:, None]).all()
    depth_m = np.stack([piece.view.depth_m for piece in pieces])
    from_it = np.take_along_axis(depth_m, view.rgb[None, :, :, 0].astype(np.int64), 0)[0]
    np.testing.assert_array_equal(view.depth_m, np.where(np.isnan(view.depth_m), np.nan, from_it))


@pytest.mark.parametrize(("begin_m", "shown"), [(2.0, 2), (3.95, 1)])
def test_a_surface_at_the_end_of_a_piece_is_shaded_anew_where_the_next_has_all_around_it(begin_m, shown):
    one, two = flat(1, 3.9), flat(2, 3.905)
    joint = JointView(np.eye(4), CAMERA, False, np.full(SHAPE, FAR_M), PAST_M)
    joint.look_at(one, GRID, *PIECES[0])
    assert (joint.limits_m() > 3.9).all()
    joint.look_at(two, GRID, begin_m, 6.0)
    assert (joint.view().rgb == shown).all() and (joint.view().normal == shown).all()
    assert (joint.limits_m() == 0.0).all()
    joint.look_at(flat(3, 3.8), GRID, *PIECES[2])
    assert (joint.view().rgb == shown).all()


def flat(number, at_m):
    """A piece in which every ray meets one wall."""
    depth_m = np.full(SHAPE, at_m, np.float32)
    told = np.full((*SHAPE, 3), number)
    return Piece(depth_m, View(depth_m.copy(), told.astype(np.float32), told.astype(np.uint8), None))
