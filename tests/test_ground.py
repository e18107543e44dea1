"""Standing, floors and frontiers: kernels against plain loops, small worlds made for one question each."""

from __future__ import annotations

import ground_cases as cases
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialmem.errors import InvalidValue
from spatialmem.ground.floors import BETWEEN, NOT_REACHED, _mark_level, floors_of
from spatialmem.ground.frontiers import _grouped, _mark_edges, frontiers_of
from spatialmem.ground.standing import Body, Standing, standing_of
from spatialmem.voxels.free_reading import FREE, OCCUPIED, UNKNOWN, FreeSpace

# --- kernels against loops


def triples(standing: Standing) -> list[tuple[int, int, int]]:
    return [tuple(row) for row in standing.voxel.tolist()]


@settings(max_examples=60, deadline=None)
@given(cases.spaces())
def test_places_and_their_clearance(space):
    standing = standing_of(space, cases.BODY)
    assert triples(standing) == cases.places(space.state)
    columns = [x * space.state.shape[1] + y for x, y, _ in triples(standing)]
    assert (
        standing.starts.tolist()
        == np.searchsorted(columns, np.arange(space.state.shape[0] * space.state.shape[1] + 1)).tolist()
    )
    expected = [cases.clearance(space.state, place) for place in triples(standing)]
    np.testing.assert_allclose(standing.clearance_m, expected, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(cases.spaces(), st.integers(0, 2**16), st.sampled_from([None, 1]))
def test_connected_pieces(space, seed, step):
    standing = standing_of(space, cases.BODY)
    passable = np.random.default_rng(seed).random(len(standing)) < 0.8
    labels = standing.components(passable, step)
    all_places = triples(standing)
    assert np.array_equal(labels >= 0, passable)
    linked = {
        (n, m) for n in range(len(all_places)) if passable[n] for di, dj in cases.SIDES
        if (m := cases.next_to(space.state, all_places, n, di, dj, cases.STEP if step is None else step)) >= 0
        and passable[m]
    }  # fmt: skip
    assert _pieces(linked, np.flatnonzero(passable).tolist()) == _sets(labels)


def _pieces(linked, members) -> set[frozenset[int]]:
    """What can be reached from the lowest member, then from the lowest of the rest, and so on."""
    left, found = set(members), set()
    for seed in sorted(members):
        if seed not in left:
            continue
        piece, todo = {seed}, [seed]
        left.discard(seed)
        while todo:
            n = todo.pop()
            for m in [b for a, b in linked if a == n and b in left]:
                left.discard(m)
                piece.add(m)
                todo.append(m)
        found.add(frozenset(piece))
    return found


def _sets(labels) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == n).tolist()) for n in range(labels.max(initial=-1) + 1)}


@settings(max_examples=40, deadline=None)
@given(cases.spaces(), st.integers(0, 2**16), st.integers(0, 3))
def test_what_is_near_over_ground(space, seed, rounds):
    standing = standing_of(space, cases.BODY)
    core = np.random.default_rng(seed).random(len(standing)) < 0.3
    all_places, expected = triples(standing), core.copy()
    for _ in range(rounds):
        beside = [
            cases.next_to(space.state, all_places, n, di, dj, cases.STEP)
            for n in np.flatnonzero(expected) for di, dj in cases.SIDES
        ]  # fmt: skip
        expected[[m for m in beside if m >= 0]] = True
    np.testing.assert_array_equal(standing.grown(core, rounds * cases.VOXEL_M), expected)


@settings(max_examples=60, deadline=None)
@given(cases.spaces(), st.integers(0, 2**16))
def test_ground_under_cameras(space, seed):
    standing, rng = standing_of(space, cases.BODY), np.random.default_rng(seed)
    among = rng.random(len(standing)) < 0.8
    cameras = space.origin_m + rng.random((6, 3)) * np.array(space.state.shape) * cases.VOXEL_M
    found = standing.under(cameras, among)
    points = (cameras - space.origin_m) / cases.VOXEL_M
    places = np.array(triples(standing)).reshape(-1, 3)
    away = np.hypot(*(places[None, :, :2] - np.floor(points[:, None, :2])).transpose(2, 0, 1))
    down = points[:, None, 2] - places[None, :, 2]
    right = (away == 0) & (down >= 1.0) & (down <= 25.0) & among
    usual = np.median([d[r].max() for d, r in zip(down, right, strict=True) if r.any()]) if right.any() else 9.0
    good = (away <= 5.0) & (np.abs(down - usual) <= 4.0 + 1e-9) & among
    for n in range(len(cameras)):
        assert (found[n] >= 0) == good[n].any()
        if found[n] >= 0:
            assert good[n, found[n]] and away[n, found[n]] == away[n, good[n]].min()


@settings(max_examples=40, deadline=None)
@given(cases.spaces())
def test_level_ground(space):
    standing = standing_of(space, cases.BODY)
    level = np.zeros(len(standing), bool)
    _mark_level(standing.voxel, standing.starts, np.array(space.state.shape), standing.step, level)
    all_places = triples(standing)
    for n in range(len(all_places)):
        heights = []
        for di, dj in cases.SIDES:
            at = n
            for _ in range(3):
                at = cases.beside(all_places, at, di, dj, cases.STEP)
                if at < 0:
                    break
                heights.append(all_places[at][2])
        assert level[n] == all(abs(z - all_places[n][2]) <= 1 for z in heights)


@settings(max_examples=60, deadline=None)
@given(cases.spaces(), st.integers(0, 2**16), st.booleans())
def test_edges(space, seed, sparse):
    standing = standing_of(space, cases.BODY)
    stands = np.random.default_rng(seed).random(len(standing)) < 0.8
    edge, into = np.zeros(len(standing), bool), np.zeros((len(standing), 2))
    _mark_edges(
        space.state, standing.below, standing.voxel, standing.starts, cases.STEP, cases.HEAD, sparse, stands, edge, into
    )
    all_places, (width, depth, _) = triples(standing), space.state.shape
    for n, (x, y, z) in enumerate(all_places):
        ways = []
        for di, dj in cases.SIDES if stands[n] else ():
            if cases.beside(all_places, n, di, dj, cases.STEP) >= 0:
                continue
            inside = 0 <= x + di < width and 0 <= y + dj < depth
            column = space.state[x + di, y + dj, z : z + cases.HEAD] if inside else np.empty(0, np.uint8)
            unseen = cases.HEAD - (column != UNKNOWN).sum()
            if (column[cases.STEP :] == OCCUPIED).any():
                continue
            if unseen >= 0.3 * cases.HEAD or (sparse and goes_on(space.state, all_places, n, di, dj)):
                ways.append((di, dj))
        np.testing.assert_array_equal(into[n], np.sum(ways, axis=0) if ways else (0, 0))
        assert edge[n] == (len(ways) > 0)


def goes_on(state, all_places, n: int, di: int, dj: int) -> bool:
    """Whether the ground of the column beside was not seen, with neither a place nor anything in the way beyond."""
    if cases.next_to(state, all_places, n, di, dj, cases.STEP) >= 0:
        return False
    x, y, z = all_places[n]
    for i, j in ((x + far * di, y + far * dj) for far in (1, 2, 3, 4)):
        if 0 <= i < state.shape[0] and 0 <= j < state.shape[1] and cases.blocked(state, i, j, z):
            return False
    around = state[x + di, y + dj, max(z - 1 - cases.STEP, 0) : z + cases.STEP]
    under = state[x + di, y + dj, max(z - 1 - cases.STEP, 0) : z]
    return not (around == OCCUPIED).any() and bool((under == UNKNOWN).any())


@settings(max_examples=40, deadline=None)
@given(cases.spaces(), st.integers(0, 2**16))
def test_places_near_each_other_are_one_group(space, seed):
    standing = standing_of(space, cases.BODY)
    chosen = np.flatnonzero(np.random.default_rng(seed).random(len(standing)) < 0.4)
    groups = list(_grouped(standing, chosen))
    at = standing.voxel
    linked = {
        (a, b) for a in chosen.tolist() for b in chosen.tolist()
        if np.abs(at[a, :2] - at[b, :2]).max() <= 2 and abs(at[a, 2] - at[b, 2]) <= cases.STEP
    }  # fmt: skip
    assert {frozenset(group.tolist()) for group in groups} == _pieces(linked, chosen.tolist())
    assert [int(group.min()) for group in groups] == sorted(int(group.min()) for group in groups)


# --- small worlds


def over(state: np.ndarray, *places: tuple[int, int, int], up: float = 0.4) -> np.ndarray:
    """Cameras over the ground of some voxels."""
    free = cases.space(state)
    return free.origin_m + (np.array(places) + (0.5, 0.5, 0.0)) * free.voxel_size_m + (0, 0, up)


def known(state: np.ndarray, *places: tuple[int, int, int]):
    """Floors of a state over some of whose places a camera was carried."""
    return floors_of(standing_of(cases.space(state), cases.BODY), [over(state, *places)])


def test_a_floor_is_what_the_camera_was_carried_over_and_what_is_connected():
    state = cases.room(20, 20)
    state[10, :, 1:12] = OCCUPIED  # a wall: beyond it is floor too, which cannot be reached
    found = known(state, (3, 3, 1))
    assert [(f.floor, round(f.height_m, 6)) for f in found.floors] == [(0, 3.1)]
    assert found.floors[0].area_m2 == pytest.approx(10 * 20 * 0.01)
    reached = found.standing.voxel[found.floor_of == 0]
    assert reached[:, 0].max() == 9 and (found.floor_of[found.standing.voxel[:, 0] > 10] == NOT_REACHED).all()


def test_a_table_is_not_ground_even_for_a_camera_that_leans_over_it():
    state = cases.room(20, 20, 20)
    state[4:9, 4:9, 6] = OCCUPIED
    free = cases.space(state)
    standing = standing_of(free, cases.BODY)
    cameras = over(state, *[(x, 15, 1) for x in range(1, 19)], (3, 6, 1), up=0.9)
    cameras = np.concatenate([cameras, over(state, (4, 6, 1), up=0.9)])
    under = standing.under(cameras, standing.clear)
    assert (under >= 0).all() and (standing.voxel[under, 2] == 1).all()
    assert tuple(standing.voxel[under[-1]]) != (4, 6, 7)
    floors = floors_of(standing, [cameras])
    assert len(floors.floors) == 1
    assert (floors.floor_of[standing.voxel[:, 2] == 7] == NOT_REACHED).all()


def test_stairs_join_two_floors_and_belong_to_none():
    state = cases.two_storeys()
    way = [(15, 12, 1), (21, 12, 3), (25, 12, 7), (31, 12, 13), (36, 12, 13)]
    found = known(state, *way)
    assert [round(f.height_m, 6) for f in found.floors] == [3.1, 4.3]
    assert found.floors[0].area_m2 == pytest.approx(20 * 24 * 0.01, abs=0.2)
    (stairs,) = found.stairs
    assert (stairs.lower, stairs.upper) == (0, 1)
    assert stairs.foot_m[2] == pytest.approx(3.1, abs=0.31) and stairs.head_m[2] == pytest.approx(4.3, abs=0.31)
    middle = np.isin(found.standing.voxel[:, 2], (7, 9))
    assert middle.any() and (found.floor_of[middle] == BETWEEN).all()
    assert known(state, *way, *way[::-1]).stairs == found.stairs  # down again: the same
    assert [found.floor_at(height_m) for height_m in (2.0, 3.2, 4.1, 4.25, 9.0)] == [0, 0, 0, 1, 1]
    with pytest.raises(InvalidValue, match="height"):
        found.floor_at(float("nan"))
    with pytest.raises(InvalidValue, match="least_m"):
        frontiers_of(found, least_m=float("nan"))


def test_a_floor_on_which_nobody_was_is_none_yet():
    found = known(cases.two_storeys(), (15, 12, 1))
    assert [f.floor for f in found.floors] == [0] and found.stairs == ()
    assert (found.floor_of[found.standing.voxel[:, 2] == 13] == BETWEEN).all()  # connected, and not yet a floor


def test_a_tread_that_was_not_seen_does_not_part_the_flight():
    state = cases.two_storeys()
    state[24:26, 10:14, 5:8] = UNKNOWN
    found = known(state, (15, 12, 1))
    assert (found.floor_of[found.standing.voxel[:, 2] == 13] == BETWEEN).all()
    state[24:26, 10:14, 5:20] = OCCUPIED  # a wall across it does
    found = known(state, (15, 12, 1))
    assert (found.floor_of[found.standing.voxel[:, 2] == 13] == NOT_REACHED).all()


def test_levels_of_a_floor_and_floors_of_their_own():
    for rise, floors in ((4, 1), (9, 2)):  # 0.4 m and 0.9 m, by steps of two voxels
        state = np.full((44, 24, 30), FREE, np.uint8)
        state[:20, :, 0] = OCCUPIED
        treads = rise // 2 + rise % 2
        for tread in range(treads):
            state[20 + 2 * tread : 22 + 2 * tread, :, min(2 * (tread + 1), rise)] = OCCUPIED
        state[20 + 2 * treads :, :, rise] = OCCUPIED
        found = known(state, (10, 12, 1), (40, 12, rise + 1))
        assert len(found.floors) == floors, rise
        upper = found.standing.voxel[:, 2] == rise + 1
        assert (found.floor_of[upper] == floors - 1).all()
        assert sum(f.area_m2 for f in found.floors) >= 0.01 * 24 * (44 - 2 * treads) - 0.01


def test_nobody_climbs_between_two_walks():
    state = cases.two_storeys()
    below, above = over(state, (15, 12, 1), (12, 12, 1)), over(state, (40, 12, 13), (38, 12, 13))
    standing = standing_of(cases.space(state), cases.BODY)
    assert len(floors_of(standing, [below, above]).floors) == 2
    assert floors_of(standing, [below, above]).stairs == ()
    assert len(floors_of(standing, [np.concatenate([below, above])]).stairs) == 1


def test_a_body_does_not_come_through_a_gap_that_is_too_narrow():
    state = cases.room(20, 20)
    state[10, :, 1:12] = OCCUPIED
    for width, reached in ((1, False), (2, False), (7, True)):
        state[10, 8 : 8 + width, 1:12] = FREE
        found = known(state, (3, 3, 1))
        assert (found.floor_of[found.standing.voxel[:, 0] > 13] == 0).any() == reached, width


def test_nothing_known_has_no_floor():
    for state in (np.zeros((0, 0, 0), np.uint8), np.zeros((3, 3, 3), np.uint8), cases.room()):
        found = floors_of(standing_of(cases.space(state), cases.BODY), [])
        assert found.floors == () and found.stairs == () and found.floor_at(0.0) is None
        assert frontiers_of(found) == ()


def test_a_frontier_lies_where_the_unknown_begins_and_looks_into_it():
    state = cases.room(30, 20)
    state[:, [0, -1], 1:12] = OCCUPIED
    state[0, :, 1:12] = OCCUPIED
    state[20:] = UNKNOWN
    found = frontiers_of(known(state, (5, 10, 1)))
    assert found and sum(f.width_m for f in found) == pytest.approx(18 * 0.1, abs=0.5)
    for frontier in found:
        assert frontier.floor == 0 and frontier.yaw_rad == pytest.approx(0.0, abs=1e-6)
        assert frontier.position_m[0] == pytest.approx(1.0 + 19.5 * 0.1) and frontier.position_m[2] == pytest.approx(
            3.1
        )
        assert frontier.width_m <= 1.6
    assert frontiers_of(known(state, (5, 10, 1)), least_m=5.0) == ()


def test_ground_that_was_not_seen_below_seen_air_is_a_frontier_where_rays_are_sparse():
    state = cases.room(30, 20)
    state[:, [0, -1], 1:12] = state[0, :, 1:12] = OCCUPIED
    state[20:, :, 0] = UNKNOWN
    assert frontiers_of(known(state, (5, 10, 1))) == ()
    found = frontiers_of(known(state, (5, 10, 1)), sparse=True)
    assert found and all(abs(f.yaw_rad) < 1e-6 and f.position_m[0] == pytest.approx(1.0 + 19.5 * 0.1) for f in found)
    state[22, :, 0] = OCCUPIED  # the ground goes on beyond a gap
    assert not [f for f in frontiers_of(known(state, (5, 10, 1)), sparse=True) if f.position_m[0] < 1.0 + 21.0 * 0.1]
    state[20:, :, 0], state[22:, :, 1:12] = UNKNOWN, OCCUPIED  # or there is a wall
    assert frontiers_of(known(state, (5, 10, 1)), sparse=True) == ()


def test_walls_and_drops_are_no_frontiers():
    state = cases.room(30, 20, 20)
    state[:, :, 0], state[:, :, 4] = FREE, OCCUPIED
    state[20:, :, 4], state[20:, :, 0] = FREE, OCCUPIED  # a drop of four voxels, its ground seen
    state[:, [0, -1], 5:16], state[0, :, 5:16], state[-1, :, 1:16] = OCCUPIED, OCCUPIED, OCCUPIED
    state[20:, [0, -1], 1:16] = OCCUPIED
    assert frontiers_of(known(state, (5, 10, 5))) == ()


def test_a_flight_that_goes_on_out_of_sight_is_a_frontier():
    state = cases.two_storeys()
    state[26:] = UNKNOWN
    state[[0], :, 1:12], state[:20, [0, -1], 1:12] = OCCUPIED, OCCUPIED
    state[19, :10, 1:12], state[19, 14:, 1:12] = OCCUPIED, OCCUPIED
    found = frontiers_of(known(state, (10, 12, 1)), least_m=0.15)  # in a flight of 0.4 m the body has 0.2 m
    upward = [f for f in found if f.position_m[2] > 3.5]
    assert upward and all(f.floor == BETWEEN and abs(f.yaw_rad) < 0.8 for f in upward)


@pytest.mark.parametrize(
    "given_body", [{"radius_m": 0.0}, {"radius_m": 2.0}, {"step_m": 2.0}, {"height_m": float("nan")}]
)
def test_bodies_that_cannot_be_are_refused(given_body):
    with pytest.raises(InvalidValue, match="a body has"):
        Body(**given_body)


def test_turning_the_map_turns_the_frontiers():
    state = cases.room(30, 20)
    state[:, [0, -1], 1:12], state[0, :, 1:12], state[20:] = OCCUPIED, OCCUPIED, UNKNOWN
    turned = FreeSpace(np.zeros(3), cases.VOXEL_M, np.ascontiguousarray(state.transpose(1, 0, 2)))
    straight = FreeSpace(np.zeros(3), cases.VOXEL_M, state)
    camera = np.array([[0.55, 1.05, 0.5]])
    one = frontiers_of(floors_of(standing_of(straight, cases.BODY), [camera]))
    other = frontiers_of(floors_of(standing_of(turned, cases.BODY), [camera[:, [1, 0, 2]]]))
    assert one and len(one) == len(other)
    points, turned_points = ([f.position_m for f in found] for found in (one, other))
    np.testing.assert_allclose(np.sort(np.array(points)[:, 1]), np.sort(np.array(turned_points)[:, 0]), atol=0.11)
    assert {round(f.yaw_rad, 6) for f in other} == {round(np.pi / 2, 6)}
