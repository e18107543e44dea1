"""The free-space layer against its reference and against scenes worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from reference.change import Lens
from reference.free_space import ReferenceFreeSpace
from synthetic import look, room_frame
from voxel_scenes import camera, small_config

from spatialmem.errors import OutOfRoom
from spatialmem.geometry import exp_se3
from spatialmem.types import Camera
from spatialmem.voxels.free_reading import FREE, OCCUPIED, UNKNOWN
from spatialmem.voxels.freespace import FreeSpaceGrid
from spatialmem.voxels.keys import pack_key, unpack_keys
from spatialmem.voxels.views import DepthView

EYE = (0.03, 0.05, 1.03)
AHEAD = look(EYE, (1.0, 0.0, 0.0))
AXIAL = Camera(57.0, 57.0, 36.0, 28.0, 80, 60)
"""one of its rays is the optical axis: from EYE along AHEAD it stays in the voxels (x, 0, 12)"""
LOG_ODDS, LAST_FREE, LAST_OCCUPIED = range(3)


def view_of(grid, depth, pose, cam, valid=None):
    return DepthView.of(np.ascontiguousarray(depth, np.float32), valid, cam, pose, grid.config)


def add(grid, depth, pose, cam, lsn, valid=None):
    """Plan and apply one frame; returns a copy of the cells in view, {block: [occupied, free]}."""
    plan = grid.plan(view_of(grid, depth, pose, cam, valid))
    grid.apply(plan, lsn)
    blocks = [tuple(int(c) for c in block) for block in unpack_keys(plan.cell_keys)]
    assert blocks == sorted(blocks)
    return dict(zip(blocks, plan.cells.tolist(), strict=True))


def touched(grid):
    """{voxel: (log-odds, last free, last occupied)} of the voxels that a frame ever saw."""
    held, p = {}, grid.pools
    for block in range(len(grid)):
        x, y, z = (int(c) * 8 for c in unpack_keys(p.keys[block]))
        for i in np.flatnonzero((p.last_free[block] > 0) | (p.last_occupied[block] > 0)):
            voxel = (x + int(i) % 8, y + int(i) // 8 % 8, z + int(i) // 64)
            held[voxel] = (int(p.log_odds[block, i]), int(p.last_free[block, i]), int(p.last_occupied[block, i]))
    return held


def of_reference(reference):
    stamps = reference.last_free, reference.last_occupied
    return {v: (odds, *(s.get(v, 0) for s in stamps)) for v, odds in reference.log_odds.items()}


def centre(grid, voxel):
    return (np.array(voxel) + 0.5) * grid.voxel_m


def wall(distance_m, cam=None):
    cam = cam or camera()
    return np.full((cam.height, cam.width), distance_m, np.float32)


class Pair:
    """The grid under test and the reference, fed with the same frames."""

    def __init__(self, **options) -> None:
        self.grid = FreeSpaceGrid(small_config(**options))
        config = self.grid.config
        self.reference = ReferenceFreeSpace(config.free_voxel_m, config.max_depth_m, config.workspace_m)

    def add(self, depth, pose, cam, lsn, valid=None) -> None:
        cells = add(self.grid, depth, pose, cam, lsn, valid)
        view = view_of(self.grid, depth, pose, cam, valid)
        assert cells == self.reference.update(view.packed.astype(np.int64), view.beyond, Lens.of(cam), pose, lsn)

    def assert_equal(self, least=100) -> None:
        held = touched(self.grid)
        assert held == of_reference(self.reference) and len(held) >= least
        states = self.grid.reading().states(np.array([centre(self.grid, voxel) for voxel in held]))
        assert states.tolist() == [self.reference.state(voxel) for voxel in held]


# --- against the reference


@pytest.mark.parametrize("options", [{}, {"free_voxel_m": 0.15, "max_depth_m": 2.2}])
def test_a_walk_through_the_room(options):
    pair = Pair(**options)
    for lsn in range(1, 6):
        frame = room_frame(2 * lsn, 24, 120, 90, noise=True)
        pair.add(frame.depth_m, frame.world_from_camera, frame.camera, lsn)
    pair.assert_equal(1000)
    held = touched(pair.grid).values()
    assert {v[LOG_ODDS] > 0 for v in held} == {True, False}
    assert any(v[LAST_FREE] and v[LAST_OCCUPIED] for v in held), "some voxels were seen as both"


@pytest.mark.parametrize("seed", range(8))
def test_any_pose_and_negative_coordinates(seed):
    rng = np.random.default_rng(seed)
    pair = Pair()
    pose = exp_se3(np.concatenate([rng.normal(size=3) * 3, rng.normal(size=3)]))
    depth = rng.uniform(0.5, 6.5) + rng.normal(0, 0.02, (60, 80))
    depth[rng.random(depth.shape) < 0.1] = np.nan
    pair.add(depth, pose, camera(), 1, rng.random(depth.shape) < 0.8)
    pair.assert_equal(10)


def test_the_list_of_voxels_grows():
    pair = Pair(free_voxel_m=0.04)
    frame = room_frame(1, 8, 160, 120)
    pair.add(frame.depth_m, frame.world_from_camera, frame.camera, 1)
    pair.assert_equal((1 << 14) + 1)  # longer than the list starts out


def test_workspace_keeps_voxels_out():
    box = (0.2, -0.5, 0.5, 1.6, 0.6, 1.5)
    pair, whole = Pair(workspace_m=box), Pair()
    for lsn, distance in enumerate((1.4, 3.0), start=1):
        pair.add(wall(distance), AHEAD, camera(), lsn)
        whole.add(wall(distance), AHEAD, camera(), lsn)
    pair.assert_equal()
    voxels = np.array(list(touched(pair.grid)))
    low, high = np.floor(np.array(box) / pair.grid.voxel_m).reshape(2, 3)
    assert (voxels >= low).all() and (voxels <= high).all()
    assert len(voxels) < len(touched(whole.grid)), "the view reaches out of the box"


# --- log-odds, stamps, states


def test_a_wall_by_hand():
    grid = FreeSpaceGrid(small_config())
    add(grid, wall(1.5), AHEAD, AXIAL, 7)
    held = touched(grid)
    ahead = [held.get((x, 0, 12)) for x in range(-1, 22)]  # voxels of 8 cm; the wall is at 1.53 m, in voxel 19
    assert ahead[0] is None, "behind the camera"
    assert ahead[1:19] == [(-4, 7, 0)] * 18
    assert ahead[19] == (-4, 7, 0), "a ray ends one voxel before the reading"
    assert ahead[20] == (6, 0, 7) and ahead[21:] == [None, None]
    points = [(1.0, 0.05, 1.0), (1.55, 0.05, 1.0), (1.7, 0.05, 1.0), (-5.0, 0.0, 0.0)]
    assert grid.reading().states(np.array(points)).tolist() == [FREE, OCCUPIED, UNKNOWN, UNKNOWN]
    assert grid.reading().last_looked(np.array(points)).tolist() == [7, 7, 0, 0]


def test_log_odds_add_up_to_the_limits():
    grid = FreeSpaceGrid(small_config())
    free, occupied, odds = (6, 0, 12), (19, 0, 12), []
    for lsn in range(1, 9):
        add(grid, wall(1.5), AHEAD, AXIAL, lsn)
        held = touched(grid)
        odds.append((held[free][LOG_ODDS], held[occupied][LOG_ODDS]))
    assert odds == [(max(-4 * n, -24), min(6 * n, 24)) for n in range(1, 9)]
    for lsn in range(9, 16):  # the wall is gone: the state follows once the sum is no longer positive
        add(grid, wall(3.0), AHEAD, AXIAL, lsn)
        odds = 24 - 4 * (lsn - 8)
        assert touched(grid)[occupied] == (odds, lsn, 8)
        assert grid.reading().states(centre(grid, occupied)[None]).tolist() == [OCCUPIED if odds > 0 else FREE]


def test_once_a_frame_and_occupied_wins_over_free():
    cam, depth = camera(), wall(2.0)
    depth[:, :36] = 1.0  # the left half is nearer: rays of the right half pass beside it through the same voxels
    pair = Pair(free_voxel_m=0.5)
    pair.add(depth, AHEAD, cam, 3)
    pair.assert_equal(8)
    values = set(touched(pair.grid).values())
    assert values == {(-4, 3, 0), (6, 0, 3)}, "every voxel changed once, and never both ways"
    _, near, far = (view_of(pair.grid, d, AHEAD, cam) for d in (depth, wall(1.0), np.where(depth < 1.5, np.nan, depth)))
    only_near, only_far = FreeSpaceGrid(pair.grid.config), FreeSpaceGrid(pair.grid.config)
    only_near.apply(only_near.plan(near), 3)
    only_far.apply(only_far.plan(far), 3)
    won = [v for v, s in touched(pair.grid).items() if s[0] > 0 and touched(only_far).get(v, (0,))[0] < 0]
    assert won, "the scene has voxels that are free for one ray and occupied for another"


def test_stamps_and_last_looked_are_those_of_the_latest_frame():
    grid = FreeSpaceGrid(small_config())
    add(grid, wall(1.5), AHEAD, AXIAL, 3)
    add(grid, wall(1.5), look(EYE, (-1.0, 0.0, 0.0)), AXIAL, 4)
    add(grid, wall(3.0), AHEAD, AXIAL, 9)
    assert touched(grid)[(19, 0, 12)] == (2, 9, 3)
    points = [centre(grid, (19, 0, 12)), centre(grid, (-10, 0, 12)), centre(grid, (37, 0, 12)), (0.0, 9.0, 0.0)]
    assert grid.reading().last_looked(np.array(points)).tolist() == [9, 4, 9, 0]


# --- which readings count


def test_readings_beyond_the_range_carve_up_to_it_and_mark_nothing():
    grid = FreeSpaceGrid(small_config(max_depth_m=2.0))
    cells = add(grid, wall(7.5), AHEAD, AXIAL, 1)
    held = touched(grid)
    assert {v[LOG_ODDS] for v in held.values()} == {-4} and all(occupied == 0 for occupied, _ in cells.values())
    assert max(x for x, _, _ in held) == 24  # the range ends at 2.03 m, in voxel 25; a ray ends one voxel before
    assert all(held.get((x, 0, 12)) for x in range(0, 25))


@pytest.mark.parametrize("value", [np.nan, 0.0, -1.0, np.inf, 0.05])
def test_missing_readings_say_nothing(value):
    grid = FreeSpaceGrid(small_config(max_depth_m=2.0))
    cells = add(grid, wall(value), AHEAD, camera(), 1)
    assert cells == {} and len(grid) == 0


@pytest.mark.parametrize("distance", [1.5, 7.5])
def test_masked_readings_say_nothing(distance):
    grid = FreeSpaceGrid(small_config(max_depth_m=2.0))
    valid = np.zeros((60, 80), bool)
    assert add(grid, wall(distance), AHEAD, camera(), 1, valid) == {} and len(grid) == 0
    valid[:, 40:] = True
    add(grid, wall(distance), AHEAD, camera(), 2, valid)
    y = np.array([v[1] for v in touched(grid)])
    assert len(y) > 20 and (y <= 0).all(), "the right half of the image lies at y < 0.05"


# --- blocks from a file


def filled(lsn_of_file=5):
    grid = FreeSpaceGrid(small_config())
    for lsn in range(1, lsn_of_file + 1):
        add(grid, wall(1.5), AHEAD, camera(), lsn)
    return grid


def blocks_of(grid):
    p = grid.pools
    return [(int(p.keys[b]), p.log_odds[b].copy(), p.last_free[b].copy(), p.last_occupied[b].copy())
            for b in range(len(grid))]  # fmt: skip


def test_loaded_blocks_skip_the_frames_they_contain():
    source = filled()
    grid = FreeSpaceGrid(source.config)
    blocks = blocks_of(source)
    late = {block[0] for block in blocks[::2]}  # written at frame 5; the others at frame 3
    earlier = {block[0]: block for block in blocks_of(filled(3))}
    for key, *content in blocks:
        grid.load(key, *((5, *content) if key in late else (3, *earlier[key][1:])))
    for lsn in (4, 5):
        cells = add(grid, wall(1.5), AHEAD, camera(), lsn)
        assert len(cells) == len(blocks), "what was seen is told of every block"
    assert touched(grid) == touched(source)
    add(grid, wall(1.5), AHEAD, camera(), 6)
    add(source, wall(1.5), AHEAD, camera(), 6)
    assert touched(grid) == touched(source) and max(v[LAST_FREE] for v in touched(grid).values()) == 6


def test_a_loaded_block_is_as_changed_as_the_file_knows():
    source, grid = filled(), FreeSpaceGrid(small_config())
    for key, *content in blocks_of(source):
        grid.load(key, 5, *content)
    used = len(grid)
    assert (grid.pools.contains[:used] == 5).all() and (grid.pools.changed[:used] == 5).all()
    add(grid, wall(1.5), AHEAD, camera(), 5)
    assert (grid.pools.changed[:used] == 5).all() and touched(grid) == touched(source)
    add(grid, wall(1.5), AHEAD, camera(), 6)
    assert set(grid.pools.changed[:used]) == {6}


def test_reset_forgets_everything():
    grid = filled()
    grid.reset()
    assert len(grid) == 0 and touched(grid) == {}
    assert grid.reading().states(np.array([(1.0, 0.05, 1.0)])).tolist() == [UNKNOWN]
    for lsn in range(1, 6):
        add(grid, wall(1.5), AHEAD, camera(), lsn)
    assert touched(grid) == touched(filled())


# --- room


def crowded(spare):
    """A grid with room for `spare` more blocks; the others are in use far away from the camera."""
    grid = FreeSpaceGrid(small_config(ram_bytes=16 << 20, max_depth_m=1.0))
    nothing = np.zeros(512, np.int8), np.zeros(512, np.uint32), np.zeros(512, np.uint32)
    for n in range(grid.pools.keys.shape[0] - spare):
        grid.load(int(pack_key(1000 + n, 0, 0)), 0, *nothing)
    return grid


def test_out_of_room_comes_before_anything_changes_and_is_taken_back():
    grid = crowded(spare=40)
    add(grid, wall(0.8), AHEAD, camera(), 1)
    before, used = touched(grid), len(grid)
    keys = grid.pools.table_keys.copy()
    wide = camera(160, 120, 150.0)
    with pytest.raises(OutOfRoom, match="ram_bytes"):
        add(grid, wall(60.0, wide), look(EYE, (-1.0, 0.0, 0.0)), wide, 2)
    assert touched(grid) == before
    grid.withdraw(grid.taken_since(used), 1)
    grid.publish(1)
    grid.reclaim(())
    assert len(grid) == used
    assert set(grid.pools.table_keys) == set(keys)
    add(grid, wall(0.8), AHEAD, camera(), 2)
    assert touched(grid).keys() == before.keys()


def test_a_file_with_too_many_blocks_is_refused():
    grid = crowded(spare=3)
    nothing = np.zeros(512, np.int8), np.zeros(512, np.uint32), np.zeros(512, np.uint32)
    with pytest.raises(OutOfRoom):
        for n in range(4):
            grid.load(int(pack_key(-1000 - n, 0, 0)), 0, *nothing)
    assert len(grid) == grid.pools.keys.shape[0]


# --- the dense box


def test_the_dense_box_is_what_single_points_say():
    grid = FreeSpaceGrid(small_config())
    for lsn in range(1, 4):
        frame = room_frame(5 * lsn, 16, 80, 60)
        add(grid, frame.depth_m, frame.world_from_camera, frame.camera, lsn)
    dense = grid.reading().dense()
    held = touched(grid)
    states = {v: OCCUPIED if s[LOG_ODDS] > 0 else FREE for v, s in held.items()}
    low = np.round(dense.origin_m / dense.voxel_size_m).astype(int)
    np.testing.assert_allclose(low * dense.voxel_size_m, dense.origin_m)
    at = np.argwhere(dense.state != UNKNOWN)
    assert {tuple(int(c) for c in low + a): dense.state[tuple(a)] for a in at} == states
    every = low + np.argwhere(np.ones(dense.state.shape))
    np.testing.assert_array_equal(grid.reading().states(centre(grid, every)), dense.state.ravel())
    blocks = unpack_keys(grid.pools.keys[: len(grid)])
    assert dense.state.shape == tuple((blocks.max(0) - blocks.min(0) + 1) * 8)


def test_an_empty_layer_has_an_empty_box():
    dense = FreeSpaceGrid(small_config()).reading().dense()
    assert dense.state.shape == (0, 0, 0) and dense.voxel_size_m == 0.08
