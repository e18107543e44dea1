"""Distances and ways: exact where they are known, sound everywhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from house_cases import box_room, small_house, tall_house
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.house import House, InvalidHouse
from sim.house.layout.plan import STOREY_M
from sim.house.navigation import CELL_M
from sim.house.paths import distances_from, pulled_path


def grid(shape=(40, 60)):
    free = np.zeros((1, *shape), dtype=bool)
    free[0, 1:-1, 1:-1] = True
    return free, np.zeros((1, *shape)), np.full((1, *shape), -1, dtype=np.int32)


@settings(max_examples=30, derandomize=True, deadline=None)
@given(a=st.tuples(st.integers(1, 38), st.integers(1, 58)), b=st.tuples(st.integers(1, 38), st.integers(1, 58)))
def test_in_the_open_the_way_is_straight(a, b):
    free, height, links = grid()
    cost, _ = distances_from(free, height, links, 0.05, (0, *a))
    assert cost[0, b[0], b[1]] == pytest.approx(0.05 * math.dist(a, b), abs=1e-9)


def test_around_a_wall_the_way_bends_at_its_end():
    free, height, links = grid()
    free[0, 1:30, 30] = False
    start, end = (0, 5, 20), (0, 5, 40)
    cost, parent = distances_from(free, height, links, 0.05, start)
    straight = 0.05 * (math.dist((5, 20), (30, 29)) + 2 * 0.5 + math.dist((30, 31), (5, 40)))
    assert cost[end] == pytest.approx(straight, rel=0.01)
    corners = pulled_path(parent, end)
    assert corners[0] == end
    assert corners[-1] == start
    assert 3 <= len(corners) <= 5


def test_what_is_cut_off_is_infinitely_far():
    free, height, links = grid()
    free[0, :, 30] = False
    cost, _ = distances_from(free, height, links, 0.05, (0, 5, 20))
    assert np.isinf(cost[0, 5, 40])


def cells_of(house: House, count: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = np.argwhere(house.navigation.reachable)
    chosen = rows[rng.choice(len(rows), count, replace=False)]
    return [house.navigation.point_of((int(a), int(b), int(c))) for a, b, c in chosen]


@pytest.mark.parametrize("make", [small_house, tall_house], ids=["small", "tall"])
def test_distances_are_symmetric_and_no_shorter_than_the_crow_flies(make):
    house = make()
    points = cells_of(house, 8, 1)
    d = np.array([[house.navigation.distance_m(p, q) for q in points] for p in points])
    crow = np.linalg.norm(np.array(points)[:, None] - np.array(points)[None], axis=2)
    assert np.isfinite(d).all()
    np.testing.assert_allclose(d, d.T, rtol=0.02, atol=0.03)
    assert np.all(d >= crow - 1e-6)
    assert np.all(d[:, None, :] <= d[:, :, None] + d[None, :, :].transpose(0, 1, 2) + 0.06 + 0.02 * d[:, None, :])


@pytest.mark.parametrize("make", [small_house, tall_house], ids=["small", "tall"])
def test_ways_keep_clear_of_obstacles(make):
    house = make()
    navigation = house.navigation
    points = cells_of(house, 6, 2)
    for p, q in zip(points[:-1], points[1:], strict=True):
        path = navigation.path(p, q)
        np.testing.assert_allclose(path[0], p)
        np.testing.assert_allclose(path[-1], q)
        for a, b in zip(path[:-1], path[1:], strict=True):
            for share in np.linspace(0.0, 1.0, 20):
                at = a + (b - a) * share
                layer, row, column = navigation.cell_of(at)
                assert navigation.clearance_m[layer, row, column] > house.config.body.radius_m - 0.06


def test_stairs_join_the_floors():
    house = tall_house()
    below = [p for p in cells_of(house, 200, 3) if p[2] < 0.01][:3]
    above = [p for p in cells_of(house, 200, 3) if abs(p[2] - STOREY_M) < 0.01][:3]
    stairs = house.plan.stairs
    assert stairs is not None
    slope = math.hypot(stairs.end_m - stairs.start_m, STOREY_M)
    for p in below:
        for q in above:
            path = house.navigation.path(p, q)
            assert house.navigation.distance_m(p, q) > slope
            climbing = (path[:, 2] > 0.01) & (path[:, 2] < STOREY_M - 0.01)
            on_the_flight = np.array([stairs.ground.grown(0.3).holds(x, y) for x, y in path[:, :2]])
            assert np.all(on_the_flight[climbing])
            assert on_the_flight.sum() >= 2


def test_clearance_is_the_distance_to_the_walls_of_an_empty_room():
    navigation = box_room().navigation
    for x, y in ((0.5, 0.5), (2.5, 2.0), (4.7, 1.0)):
        layer, row, column = navigation.cell_of(np.array([x, y, 0.0]))
        cx, cy, _ = navigation.point_of((layer, row, column))
        wall = min(cx - 0.06, 4.94 - cx, cy - 0.06, 3.94 - cy)
        assert navigation.clearance_m[layer, row, column] == pytest.approx(min(wall, 1.0), abs=1e-9)


def test_places_that_are_taken_snap_to_free_ones_or_are_refused():
    navigation = box_room().navigation
    corner = np.array([0.1, 0.1, 0.0])
    assert not navigation.is_free(corner)
    assert navigation.is_free(navigation.snap(corner))
    with pytest.raises(InvalidHouse, match="no free place within 0.01 m"):
        navigation.snap(corner, within_m=0.01)
    with pytest.raises(InvalidHouse, match="outside the house"):
        navigation.cell_of(np.array([50.0, 0.0, 0.0]))
    with pytest.raises(InvalidHouse, match="cannot stand"):
        navigation.distance_m(corner, np.array([2.0, 2.0, 0.0]))


def test_at_the_edge_of_a_cell_the_body_is_where_walks_say():
    """(0.85 + 0.2) / 0.05 is 21, but (0.85 + 0.2) // 0.05 is 20."""
    navigation = tall_house().navigation
    for n in range(20, 120):
        x, y = (origin + n * CELL_M for origin in navigation.origin_m)
        for at in ((x, y), (round(x, 3), round(y, 3))):
            _, row, column = navigation.cell_of(np.array([*at, 0.0]))
            assert (row, column) == tuple(math.floor((at[i] - navigation.origin_m[i]) / CELL_M) for i in (1, 0))
