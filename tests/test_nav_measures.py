"""Success, SPL and SoftSPL against values worked out by hand, and what must hold of them always."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.tasks.measures import Leg, path_share, soft_spl, spl

METRES = st.floats(0.0, 1e3, allow_nan=False)
WAYS = st.floats(1e-3, 1e3, allow_nan=False)


@pytest.mark.parametrize(
    ("success", "shortest_m", "gone_m", "expected"),
    [(True, 4.0, 5.0, 0.8), (True, 4.0, 3.9, 1.0), (True, 4.0, 4.0, 1.0), (False, 4.0, 4.0, 0.0),
     (True, 0.0, 0.0, 1.0), (True, 0.0, 2.0, 0.0), (True, math.inf, 2.0, 0.0)],
)  # fmt: skip
def test_spl_by_hand(success, shortest_m, gone_m, expected):
    assert spl(success, shortest_m, gone_m) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("distance_m", "shortest_m", "gone_m", "expected"),
    [(1.0, 4.0, 3.0, 0.75), (1.0, 4.0, 6.0, 0.5), (0.0, 4.0, 8.0, 0.5), (6.0, 4.0, 2.0, 0.0), (4.0, 4.0, 0.0, 0.0),
     (0.0, 0.0, 0.0, 1.0), (0.5, 0.0, 0.5, 0.0), (math.inf, 4.0, 1.0, 0.0), (math.inf, math.inf, 1.0, 0.0)],
)  # fmt: skip
def test_soft_spl_by_hand(distance_m, shortest_m, gone_m, expected):
    assert soft_spl(distance_m, shortest_m, gone_m) == pytest.approx(expected)


@given(st.booleans(), WAYS, METRES)
def test_spl_never_exceeds_success_and_is_1_for_the_shortest_way_alone(success, shortest_m, gone_m):
    value = spl(success, shortest_m, gone_m)
    assert 0.0 <= value <= float(success)
    assert (value == 1.0) == (success and gone_m <= shortest_m)


@given(WAYS, METRES, METRES)
def test_longer_ways_never_score_more(shortest_m, one_m, other_m):
    short, long = sorted((one_m, other_m))
    assert path_share(shortest_m, long) <= path_share(shortest_m, short)


@given(METRES, METRES, WAYS, METRES)
def test_ending_nearer_never_scores_less(one_m, other_m, shortest_m, gone_m):
    near, far = sorted((one_m, other_m))
    assert 0.0 <= soft_spl(far, shortest_m, gone_m) <= soft_spl(near, shortest_m, gone_m) <= 1.0


@given(WAYS, METRES)
def test_at_the_goal_soft_spl_is_spl(shortest_m, gone_m):
    assert soft_spl(0.0, shortest_m, gone_m) == spl(True, shortest_m, gone_m)


def test_a_leg_adds_up_straight_lengths_climbs_included():
    leg = Leg(np.zeros(3), 5.0, 5.0)
    leg.moved(np.array([0.3, 0.0, 0.4]), 4.5, False)
    leg.moved(np.array([0.3, 0.0, 0.4]), 4.5, True)
    leg.moved(np.array([0.3, 1.0, 0.4]), 3.5, False)
    assert (leg.gone_m, leg.collisions, leg.distance_m) == (pytest.approx(1.5), 1, 3.5)


def test_success_needs_a_stop_strictly_inside_the_radius():
    leg = Leg(np.zeros(3), 5.0, 0.1)
    assert not leg.reached(0.1)
    leg.stopped = True
    assert not leg.reached(0.1)
    leg.distance_m = 0.0999
    assert leg.reached(0.1)


def test_soft_spl_of_a_goal_without_a_stop_counts_in_one_task_only():
    leg = Leg(np.zeros(3), 4.0, 1.0, steps=9, gone_m=3.0)
    assert leg.measured(0.1, soft_needs_stop=False)["softspl"] == 0.75
    assert leg.measured(0.1, soft_needs_stop=True)["softspl"] == 0.0
    leg.stopped = True
    assert leg.measured(0.1, soft_needs_stop=True)["softspl"] == 0.75
