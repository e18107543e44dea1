"""Colour of one camera at the pixels of another, against a room whose every ray is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import render_room, room_camera, room_frame

from spatialmem.errors import ReadError
from spatialmem.geometry import apply, back_project, exp_so3, inverse, make_transform, project
from spatialmem.io.registration import ColourRegistration, filled_inverse
from spatialmem.io.textfiles import seconds_text, stamp_ns
from spatialmem.io.tum import associate
from spatialmem.types import Camera

DEPTH = room_camera(160, 120)
COLOUR = Camera(150.0, 152.0, 101.0, 77.0, 200, 150)
MOVES = {
    "to the right": make_transform(np.eye(3), (-0.1, 0.0, 0.0)),
    "up and turned": make_transform(exp_so3((0.02, 0.05, -0.03)), (0.02, 0.09, 0.04)),
    "turned only": make_transform(exp_so3((0.0, 0.06, 0.02)), (0.0, 0.0, 0.0)),
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("step", [0, 7])
def test_colour_is_that_of_the_surface_and_the_mask_tells_where_it_is_not(move, step):
    frame = room_frame(step, 30)
    colour_from_depth = MOVES[move]
    world_from_colour = frame.world_from_camera @ inverse(colour_from_depth)
    rgb, colour_depth_m = render_room(world_from_colour, COLOUR)
    seen, usable = ColourRegistration(COLOUR, DEPTH, colour_from_depth).register(rgb, frame.depth_m)
    points = apply(colour_from_depth, back_project(frame.depth_m, DEPTH).reshape(-1, 3)).reshape(120, 160, 3)
    pixel = project(points, COLOUR)
    column, row = np.rint(np.nan_to_num(pixel, nan=-9)).astype(int).transpose(2, 0, 1)
    inside = (column >= 0) & (column < COLOUR.width) & (row >= 0) & (row < COLOUR.height)
    there = colour_depth_m[np.clip(row, 0, 149), np.clip(column, 0, 199)]
    visible = inside & (np.abs(there - points[..., 2]) < 0.03)
    hidden = ~inside | (points[..., 2] > there + 0.3)
    assert usable[visible].mean() > 0.97
    assert hidden.sum() > 100 and (~usable)[hidden].mean() > 0.9
    off = np.abs(seen.astype(int) - frame.rgb).max(axis=2)
    assert (off[usable] > 40).mean() < 0.02
    assert np.median(off[usable]) <= 3


def test_cameras_in_one_place_hide_nothing_and_need_no_depth():
    frame = room_frame(3, 30)
    registration = ColourRegistration(DEPTH, DEPTH)
    blind = np.full_like(frame.depth_m, np.nan)
    for depth_m in (frame.depth_m, blind):
        rgb, usable = registration.register(frame.rgb, depth_m)
        assert np.array_equal(rgb, frame.rgb)
        assert usable.all()


def test_holes_take_the_farther_neighbour_of_their_row():
    nan = np.nan
    depth_m = np.array([[nan, 2.0, nan, 4.0, nan], [nan] * 5, [1.0, nan, nan, nan, 0.0]], dtype=np.float32)
    expected = [[2.0, 2.0, 4.0, 4.0, 4.0], [5.0] * 5, [1.0] * 5]
    np.testing.assert_allclose(1.0 / filled_inverse(depth_m), expected, rtol=1e-6)


@given(st.integers(0, 2**63 - 1))
def test_stamps_survive_text_exactly(stamp):
    assert stamp_ns("file", 1, seconds_text(stamp)) == stamp


@pytest.mark.parametrize("text", ["nan", "-1", "1e300", "inf", "", "12:30", "9999999999999999999999"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ReadError, match="file, line 7"):
        stamp_ns("file", 7, text)


STAMPS = st.lists(st.integers(0, 60), unique=True, max_size=6)


@given(STAMPS, STAMPS, st.integers(0, 12))
def test_association_makes_the_closest_pairs_first(first, second, limit):
    pairs = associate(first, second, limit)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(abs(first[i] - second[j]) <= limit for i, j in pairs)
    assert [first[i] for i, _ in pairs] == sorted(first[i] for i, _ in pairs)
    taken: list[tuple[int, int]] = []
    distances = sorted((abs(a - b), i, j) for (i, a), (j, b) in itertools.product(enumerate(first), enumerate(second)))
    for distance, i, j in distances:
        if distance <= limit and all(i != k and j != m for k, m in taken):
            taken.append((i, j))
    assert sorted(taken) == sorted(pairs)
