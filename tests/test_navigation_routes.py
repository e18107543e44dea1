"""Routes: links, fields and prices against plain loops, and small worlds made for one question each."""

from __future__ import annotations

import ground_cases as cases
import navigation_cases as walks
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policies.navigation.approach import places_near
from policies.navigation.graph import TIGHT, Graph, graph_of
from policies.navigation.walking import LONGEST, is_straight
from spatialmem.ground.floors import floors_of
from spatialmem.ground.links import SIDES, links_of
from spatialmem.ground.standing import GAP, Body, standing_of
from spatialmem.voxels.free_reading import FREE, OCCUPIED


def graph(state: np.ndarray, *trodden: tuple[int, int, int], body: Body = cases.BODY) -> Graph:
    """The graph of a state over some of whose voxels a camera was carried."""
    free = cases.space(state)
    track = free.origin_m + (np.array(trodden).reshape(-1, 3) + (0.5, 0.5, 4.0)) * free.voxel_size_m
    return graph_of(floors_of(standing_of(free, body), [track]))


def place(known: Graph, x: int, y: int, z: int = 1) -> int:
    found = known.place_at(np.array(walks.point(x, y, z)))
    assert known.standing.voxel[found].tolist() == [x, y, z]
    return found


# --- kernels against loops


@settings(max_examples=60, deadline=None)
@given(cases.spaces())
def test_links(space):
    assert LONGEST == GAP + 1
    standing = standing_of(space, cases.BODY)
    links, places = links_of(standing), [tuple(row) for row in standing.voxel.tolist()]
    assert links.shape == (len(standing), 8)
    for n in range(len(places)):
        straight = [cases.next_to(space.state, places, n, di, dj, cases.STEP) for di, dj in SIDES[:4]]
        assert links[n, :4].tolist() == straight
        for side, (di, dj) in enumerate(SIDES[4:], start=4):
            ways = []
            for first, second in (((di, 0), (0, dj)), ((0, dj), (di, 0))):
                one = cases.beside(places, n, *first, cases.STEP)
                ways.append(cases.beside(places, one, *second, cases.STEP) if one >= 0 else -1)
            corner = ways[0] if ways[0] == ways[1] else -1
            if corner >= 0 and abs(places[corner][2] - places[n][2]) > cases.STEP:
                corner = -1
            assert links[n, side] == corner


@settings(max_examples=60, deadline=None)
@given(cases.spaces(), st.integers(0, 2**16))
def test_the_cheapest_ways_are_those_of_a_plain_search(space, seed):
    known, rng = graph_of(floors_of(standing_of(space, cases.BODY), [])), np.random.default_rng(seed)
    count = len(known.standing)
    known = known.priced(np.where(rng.random(count) < 0.2, np.inf, 1.0 + rng.random(count)))
    goals = np.flatnonzero(rng.random(count) < 0.2)
    ways = known.field(goals)
    open_goals = [int(goal) for goal in goals if np.isfinite(known.price[goal])]
    assert ways.goals.tolist() == open_goals
    expected = walks.cheapest(known.links, known.price, known.standing.ground_m, open_goals)
    np.testing.assert_allclose(ways.cost_m, expected)
    for n in range(count):
        route = ways.route(n)
        assert (route is None) == (not np.isfinite(expected[n]))
        if route is not None:
            check_route(known, route, n, open_goals)


def check_route(known: Graph, route, start: int, goals: list[int]) -> None:
    places = route.places.tolist()
    assert places[0] == start and places[-1] in goals
    for one, other in zip(places[:-1], places[1:], strict=True):
        assert other in known.links[one] and np.isfinite(known.price[other])
        off = known.standing.voxel[one] - known.standing.voxel[other]
        assert abs(off[:2]).max() <= 4 and abs(off[2]) <= cases.STEP + 2
        assert abs(off[:2]).max() > 1 or abs(off[2]) <= cases.STEP
    pieces = np.linalg.norm(np.diff(route.points_m, axis=0), axis=1)
    assert route.length_m == pytest.approx(pieces.sum())
    assert route.length_m >= np.linalg.norm(route.points_m[-1] - route.points_m[0]) - 1e-9


@settings(max_examples=40, deadline=None)
@given(cases.spaces(), st.integers(0, 2**16))
def test_the_place_at_a_point(space, seed):
    known, rng = graph_of(floors_of(standing_of(space, cases.BODY), [])), np.random.default_rng(seed)
    ground = known.standing.ground_m
    for point in space.origin_m + rng.random((5, 3)) * np.array(space.state.shape) * cases.VOXEL_M:
        found = known.place_at(point)
        columns = np.floor((point[:2] - space.origin_m[:2]) / cases.VOXEL_M)
        away = np.hypot(*(ground[:, :2] - point[:2]).T)
        near = (away <= 0.3) | (known.standing.voxel[:, :2] == columns).all(axis=1)
        near &= np.abs(ground[:, 2] - point[2]) <= 0.35 + 1e-9
        assert (found >= 0) == near.any()
        if found >= 0:
            worth = away + np.where(np.isfinite(known.price), 0.0, 0.1)
            assert near[found] and worth[found] == pytest.approx(worth[near].min())


# --- small worlds


def test_a_way_keeps_to_the_middle_and_is_as_long_as_it_is():
    state = cases.room(40, 14)
    state[:, [0, -1], 1:12] = OCCUPIED
    known = graph(state)
    route = known.field(np.array([place(known, 37, 3)])).route(place(known, 2, 3))
    assert route is not None and route.floors == ()
    middle = known.standing.voxel[route.places][10:-10, 1]
    assert ((middle >= 5) & (middle <= 8)).all()  # not along the wall, though that is a little shorter
    assert 3.5 <= route.length_m <= 3.5 * 1.1
    assert route.clearance_m == pytest.approx(0.3)


def wall_with_gaps(*gaps: tuple[int, int]) -> np.ndarray:
    """A room parted by a wall with gaps: first row and width."""
    state = cases.room(24, 40)
    state[12, :, 1:12] = OCCUPIED
    for first, width in gaps:
        state[12, first : first + width, 1:12] = FREE
    return state


@pytest.mark.parametrize(("width", "passes"), [(1, False), (2, False), (3, True), (5, True)])
def test_a_gap_is_passed_when_the_body_fits(width, passes):
    known = graph(wall_with_gaps((20, width)))
    route = known.field(np.array([place(known, 20, 21)])).route(place(known, 4, 21))
    assert (route is not None) == passes


def test_a_tight_gap_is_taken_only_where_there_is_no_other():
    body = Body(0.22, 0.9, 0.2)  # which a gap of three columns may be too narrow for
    alone, beside = graph(wall_with_gaps((4, 3)), body=body), graph(wall_with_gaps((4, 3), (20, 9)), body=body)
    for known, tight in ((alone, True), (beside, False)):
        route = known.field(np.array([place(known, 20, 5)])).route(place(known, 4, 5))
        assert route is not None and (known.price[route.places].max() == TIGHT) == tight
        assert (route.clearance_m < body.radius_m) == tight


def test_a_way_leads_over_stairs_to_another_floor():
    state = cases.two_storeys()
    known = graph(state, (15, 12, 1), (21, 12, 3), (25, 12, 7), (31, 12, 13), (36, 12, 13))
    start, end = place(known, 5, 5), place(known, 40, 20, 13)
    route = known.field(np.array([end])).route(start)
    assert route is not None and route.floors == (0, 1)
    assert np.linalg.norm(np.subtract(walks.point(5, 5, 1), walks.point(40, 20, 13))) < route.length_m < 6.5
    back = known.field(np.array([start])).route(end)
    assert back is not None and back.floors == (1, 0) and back.length_m == pytest.approx(route.length_m)
    hidden = state.copy()
    hidden[24:26, 10:14, 5:8] = 0  # a tread that was not seen
    known = graph(hidden, (15, 12, 1))
    assert known.field(np.array([place(known, 40, 20, 13)])).route(place(known, 5, 5)) is not None


def test_no_way_leads_to_an_island():
    state = cases.room(24, 24)
    state[10:20, [10, 19], 1:12] = state[[10, 19], 10:20, 1:12] = OCCUPIED
    known = graph(state)
    ways = known.field(np.array([place(known, 15, 15)]))
    assert ways.route(place(known, 3, 3)) is None and ways.route(-1) is None
    assert known.field(np.empty(0, np.int64)).route(place(known, 3, 3)) is None


def test_a_straight_walk_does_not_cut_corners():
    state = cases.room(24, 24)
    state[12:, 12, 1:12] = OCCUPIED
    known = graph(state)
    corner, beyond = walks.point(20, 8, 1), walks.point(20, 16, 1)
    assert not is_straight(known, place(known, 20, 8), np.array(corner), np.array(beyond))
    assert not is_straight(known, place(known, 20, 8), np.array(corner), np.array(walks.point(8, 14, 1)))
    assert is_straight(known, place(known, 20, 8), np.array(corner), np.array(walks.point(5, 9, 1)))
    assert is_straight(known, place(known, 8, 8), np.array(walks.point(8, 8, 1)), np.array(walks.point(6, 20, 1)))


def test_places_near_a_thing_are_on_its_side_of_a_wall():
    state = cases.room(24, 24, 20)
    state[12, :20, 1:20] = OCCUPIED
    state[17, 8:11, 6] = OCCUPIED  # a shelf beyond it
    known = graph(state, (5, 10, 1))
    thing = np.array(walks.point(17, 9, 6))
    near = places_near(known, thing, 0.9, eye_m=0.8)
    assert len(near) > 3 and (known.standing.voxel[near, 0] > 12).all() and np.isfinite(known.price[near]).all()
    state[12, 8:11, 5:9] = FREE  # a hatch through which it is seen
    hatch = graph(state, (5, 10, 1))
    assert (hatch.standing.voxel[places_near(hatch, thing, 0.9, eye_m=0.8), 0] < 12).any()
    assert len(places_near(known, np.array(walks.point(14, 9, 1)) + (0.0, 0.0, 9.0), 0.6)) == 0


def test_places_near_a_thing_are_on_its_floor():
    state = cases.two_storeys()
    known = graph(state, (15, 12, 1), (21, 12, 3), (25, 12, 7), (31, 12, 13), (36, 12, 13))
    near = places_near(known, np.array(walks.point(40, 12, 16)), 0.8, eye_m=0.8)
    assert len(near) and (known.standing.voxel[near, 2] == 13).all()
