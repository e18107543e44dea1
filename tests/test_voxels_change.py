"""Voxels that frames doubt and clear, against the reference and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from reference.change import CYCLE, DOUBT, carry_out, to_surface
from synthetic import Box, look, render_room
from voxel_scenes import FORWARD, WIDTH, assert_same_map, contents, patch_features, smooth_rgb, threads, view_of
from voxel_watch import (
    ASIDE,
    CAM,
    NEARBY,
    ROOM_CAM,
    ROOM_POSES,
    Watch,
    assert_pages_are_sound,
    assert_same_verdicts,
    centre_and_axis,
    count,
    doubts,
    flat,
    keys_of,
    room_depth,
    room_watch,
    verdicts_by_block,
)

from spatialmem.voxels import change
from spatialmem.voxels.cast import cast_depth
from spatialmem.voxels.keys import unpack_keys
from spatialmem.voxels.pools import BLOCKS_USED, PAGES_FREE
from spatialmem.voxels.surface import SurfaceGrid

WEIGHT, VOXELS_WITH_ROW = 1, 2
"""fields of `contents`"""


# --- verdicts against the reference


def test_judging_and_clearing_a_removed_box_equals_the_reference():
    watch, kinds = room_watch(), np.zeros(4, int)
    for n, pose in enumerate([ROOM_POSES[0], ROOM_POSES[0], ROOM_POSES[2], ROOM_POSES[1], ROOM_POSES[3]]):
        rgb, depth = room_depth(pose, ROOM_CAM, removed=True, seed=40 + n)
        _, found, verdicts, frame = watch.judge(depth, pose, ROOM_CAM)
        expected = contents(watch.grid)
        for block, verdict in assert_same_verdicts(watch, found, verdicts, frame).items():
            kinds += np.bincount(verdict, minlength=4)
            after = carry_out(expected.pop(block), verdict, frame.lsn)
            if after is not None:
                expected[block] = after
        assert_carried_out(watch.grid, verdicts, expected)
        watch.add(depth, pose, ROOM_CAM, rgb)
    assert kinds[1:].min() > 50, f"every kind of verdict occurs often: {kinds}"


def test_a_block_is_passed_over_only_where_none_of_its_voxels_can_be_seen_through():
    rng, kinds, grid = np.random.default_rng(5), [0, 0], room_watch().grid
    voxel = grid.grid.voxel
    centres = np.stack(np.meshgrid(*[np.arange(8)] * 3, indexing="ij"), -1).reshape(-1, 3) * np.float64(voxel)
    for _ in range(400):
        pose = np.eye(4)
        pose[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        pose[:3, :3] *= np.linalg.det(pose[:3, :3])
        depth = rng.choice([0.6, 1.5, 3.0], (ROOM_CAM.height // 8, ROOM_CAM.width // 8)).repeat(8, 0).repeat(8, 1)
        depth = (depth + rng.normal(0, 0.01, depth.shape)).astype(np.float32)
        depth[rng.random(depth.shape) < 0.05] = np.nan
        view = view_of(grid, depth, pose, ROOM_CAM)
        origin, rows = rng.uniform((-1, -1, 0), (1, 1, 3)), view.camera_from_map
        hidden = change._hidden(view.packed.reshape(-1), view.pinhole, tuple(origin), rows, voxel)
        kinds[hidden] += 1
        local = origin + centres @ rows[:, :3].T
        local = local[local[:, 2] >= 0.01]
        u = np.floor(local[:, 0] / local[:, 2] * ROOM_CAM.fx + ROOM_CAM.cx + 0.5).astype(int)
        v = np.floor(local[:, 1] / local[:, 2] * ROOM_CAM.fy + ROOM_CAM.cy + 0.5).astype(int)
        inside = (u >= 0) & (v >= 0) & (u < ROOM_CAM.width) & (v < ROOM_CAM.height)
        behind = np.nan_to_num(depth[v[inside], u[inside]], nan=0.0) - local[inside, 2] > voxel
        assert not (hidden and behind.any())
    assert min(kinds) > 50, f"both happen often: {kinds}"


def assert_carried_out(grid, verdicts, expected):
    """On a copy of the grid, the verdicts leave the expected contents, and mark the blocks they change."""
    copy = SurfaceGrid(grid.config, WIDTH)
    copy.pools = type(grid.pools)(*(array.copy() for array in grid.pools))
    copy.carry_out(verdicts)
    assert_same_map(contents(copy), expected)
    assert_pages_are_sound(copy)
    changed = {b for b, v in verdicts_by_block(copy, verdicts).items() if v.any()}
    lsn_of = zip(keys_in_order(copy), copy.pools.changed.tolist(), strict=False)
    assert {block for block, lsn in lsn_of if lsn == verdicts.lsn} == changed


def keys_in_order(grid):
    return [tuple(int(c) for c in b) for b in unpack_keys(grid.pools.keys[: len(grid)])]


@pytest.mark.parametrize("seed", range(5))
def test_judging_holes_masks_and_outlines_equals_the_reference(seed):
    rng = np.random.default_rng(seed)
    watch = Watch()
    watch.add(flat(1.5), FORWARD)
    watch.add(flat(2.4), FORWARD, residual_m=0.0, fused=False)  # doubts everywhere
    depth = flat(2.4) + rng.normal(0, 0.02, (60, 80)).astype(np.float32)
    depth[rng.random(depth.shape) < 0.03] = np.nan
    depth[rng.integers(10, 50) :, rng.integers(10, 70) :] = 1.6
    pose = look((0.0, *rng.uniform(-0.2, 0.2, 2) + (0.0, 1.0)), (1.0, *rng.uniform(-0.2, 0.2, 2)))
    _, found, verdicts, frame = watch.judge(depth, pose, residual_m=rng.uniform(0.0, 0.02))
    theirs = assert_same_verdicts(watch, found, verdicts, frame)
    assert count(verdicts, change.CLEAR) > 50 and sum((v == 0).sum() for v in theirs.values()) > 500
    cleared = watch.grid.cleared(verdicts)
    assert_cleared_rows(cleared, contents(watch.grid), theirs)


def assert_cleared_rows(cleared, held, verdicts):
    """The copies of the rows to be cleared are those of the map."""
    expected = {}
    for (bx, by, bz), verdict in verdicts.items():
        _, _, voxels, feature, colour, _, _, first, last, _ = held[bx, by, bz]
        for n in np.flatnonzero(verdict[voxels] == change.CLEAR):
            i = int(voxels[n])
            voxel = (8 * bx + i % 8, 8 * by + i // 8 % 8, 8 * bz + i // 64)
            expected[voxel] = (feature[n].view(np.float16), colour[n] / 256, first[n], last[n])
    assert len(cleared.voxel) == len(expected) > 0
    for n, voxel in enumerate(cleared.voxel):
        feature, rgb, first, last = expected[tuple(int(c) for c in voxel)]
        np.testing.assert_array_equal(cleared.feature[n], feature.astype(np.float32))
        np.testing.assert_allclose(cleared.rgb[n], rgb, rtol=1e-6)
        assert (cleared.first[n], cleared.last[n]) == (first, last)


def test_any_number_of_threads_judges_alike():
    watch, answers = doubted_wall(), []
    every = np.sort(watch.grid.pools.keys[: len(watch.grid)])
    view, *_, frame = watch.judge(flat(2.5), ASIDE)
    for n in (1, 3):
        with threads(n):
            answers.append(watch.grid.judge(view, every, 0.0, frame.lsn, frame.poses))
    assert answers[0].clears and len(answers[0].blocks) == len(every) > 40
    np.testing.assert_array_equal(answers[0].verdicts, answers[1].verdicts)


# --- doubt, and what it takes to clear


def doubted_wall(first_lsn=1):
    """A wall at 1.5 m seen by frame `first_lsn`, seen through from the same place by the next, which was not fused."""
    watch = Watch(first_lsn)
    watch.add(flat(1.5), FORWARD, features=patch_features(1))
    verdicts = watch.add(flat(2.5), FORWARD, residual_m=0.0, fused=False)
    assert count(verdicts, DOUBT) > 300 and count(verdicts, DOUBT) == (verdicts.verdicts > 0).sum()
    return watch


def test_a_doubt_is_the_frame_that_first_saw_through():
    watch = doubted_wall()
    assert set(doubts(watch.grid)) - {0} == {1 + 2}
    before = contents(watch.grid)
    watch.add(flat(2.5), FORWARD, residual_m=0.0, fused=False)
    assert_same_map(contents(watch.grid), before)


@pytest.mark.parametrize("pose", [FORWARD, NEARBY])
def test_one_pose_never_clears_however_often_it_looks(pose):
    watch = doubted_wall()
    for _ in range(4):
        verdicts = watch.add(flat(2.5), pose, residual_m=0.0, fused=False)
        assert not verdicts.clears and count(verdicts, change.CLEAR_ROWLESS) == 0


@pytest.mark.parametrize(
    "pose",
    [ASIDE, look((0.0, 0.06, 1.0), (1.0, 0.0, 0.0)), look((0.0, 0.0, 1.0), (1.0, np.tan(np.radians(5.5)), 0.0))],
)
def test_five_centimetres_or_five_degrees_are_another_pose(pose):
    watch = doubted_wall()
    verdicts = watch.add(flat(2.5), pose, residual_m=0.0, fused=False)
    assert count(verdicts, change.CLEAR) > 300


def test_nothing_in_view_of_both_is_left_of_a_removed_wall():
    watch = doubted_wall()
    watch.add(flat(2.5), ASIDE, residual_m=0.0)
    seen = cast_depth(watch.grid.pools, watch.grid.grid, FORWARD, CAM)
    assert np.nanmin(seen[8:-8, 16:-8]) > 2.4
    watch = doubted_wall()
    watch.add(flat(2.5), FORWARD, residual_m=0.0)
    seen = cast_depth(watch.grid.pools, watch.grid.grid, FORWARD, CAM)
    assert np.nanmax(seen[8:-8, 8:-8]) < 1.6, "after a look from one place the wall is still there"


def test_a_fused_agreement_resets_the_doubt():
    watch = doubted_wall()
    watch.add(flat(1.5), FORWARD)
    assert set(doubts(watch.grid)) == {0}
    verdicts = watch.add(flat(2.5), ASIDE, residual_m=0.0, fused=False)
    assert not verdicts.clears and count(verdicts, DOUBT) > 300
    assert set(doubts(watch.grid)) <= {0, 1 + 4}
    assert watch.add(flat(2.5), FORWARD, residual_m=0.0, fused=False).clears


@pytest.mark.parametrize("first_lsn", [CYCLE - 3, CYCLE - 2, CYCLE - 1, CYCLE, 2 * CYCLE - 1])
def test_doubts_are_kept_modulo_their_cycle(first_lsn):
    watch = doubted_wall(first_lsn)
    assert set(doubts(watch.grid)) - {0} == {1 + (first_lsn + 1) % CYCLE}
    assert not watch.add(flat(2.5), NEARBY, residual_m=0.0, fused=False).clears
    for _ in range(3):
        watch.add(flat(np.nan), ASIDE, fused=False)
    assert watch.add(flat(2.5), ASIDE, residual_m=0.0, fused=False).clears


# --- what is no evidence


def margin_of(u, v):
    return [(u, v), (u - 1, v), (u + 1, v), (u, v - 1), (u, v + 1)]


def pixel_of_rows(watch, pose, surface=False):
    """Pixel of every voxel with a row, {(block, voxel): (u, v)}; those outside the image left out.

    surface: that of the surface the row stands for.
    """
    pixels, truncation_m = {}, float(watch.grid.grid.truncation)
    for block, fields in contents(watch.grid).items():
        i = fields[VOXELS_WITH_ROW].astype(int)
        within = np.stack([i % 8, i // 8 % 8, i // 64], axis=-1)
        points = (8 * np.array(block) + within + 0.5) * float(watch.grid.grid.voxel)
        points = points + to_surface(fields[0], fields[WEIGHT], truncation_m)[i] if surface else points
        points = (points - pose[:3, 3]) @ pose[:3, :3]
        u = np.floor(points[:, 0] / points[:, 2] * CAM.fx + CAM.cx + 0.5).astype(int)
        v = np.floor(points[:, 1] / points[:, 2] * CAM.fy + CAM.cy + 0.5).astype(int)
        inside = (u >= 0) & (v >= 0) & (u < CAM.width) & (v < CAM.height)
        at = zip(i[inside].tolist(), u[inside].tolist(), v[inside].tolist(), strict=True)
        pixels |= {(block, n): (a, b) for n, a, b in at}
    return pixels


@pytest.mark.parametrize("value", [np.nan, 1.5, 1.3])
def test_a_pixel_without_evidence_protects_itself_and_its_neighbours(value):
    watch = Watch()
    watch.add(flat(1.5), FORWARD)
    view, found, *_ = watch.judge(flat(2.5), FORWARD)
    pixels = {pixel for (b, _), pixel in pixel_of_rows(watch, FORWARD).items() if b in keys_of(found.examined)}
    u, v = max(sorted(pixels), key=lambda pixel: len(pixels & set(margin_of(*pixel))))
    protected = pixels & set(margin_of(u, v))
    assert len(protected) >= 4
    view.packed[v, u] = 0 if np.isnan(value) else round(value * 1e5) << 8 | 5
    mine = verdicts_by_block(watch.grid, watch.grid.judge(view, found.examined, 0.0, 2, np.zeros((3, 6))))
    surface = pixel_of_rows(watch, FORWARD, surface=True)
    for at, pixel in pixel_of_rows(watch, FORWARD).items():
        if at[0] in mine:
            shown = pixel in protected or at not in surface or surface[at] in margin_of(u, v)
            assert mine[at[0]][at[1]] == (0 if shown else DOUBT)


def test_neighbours_outside_the_image_are_not_asked():
    watch = Watch()
    watch.add(flat(1.5), FORWARD)
    verdicts = watch.judge(flat(2.5), FORWARD, residual_m=0.0)[2]
    mine, in_view = verdicts_by_block(watch.grid, verdicts), pixel_of_rows(watch, FORWARD)
    pixels = {at: pixel for at, pixel in pixel_of_rows(watch, FORWARD, surface=True).items() if at in in_view}
    rim = [mine[b][i] for (b, i), (u, v) in pixels.items() if b in mine and not (4 <= u < 76 and 4 <= v < 56)]
    assert len(rim) > 30 and set(rim) == {DOUBT}


@pytest.mark.parametrize("depth", [flat(np.nan), flat(1.0), flat(1.5)])
def test_missing_nearer_and_equal_readings_are_no_evidence(depth):
    watch = doubted_wall()
    every = np.sort(watch.grid.pools.keys[: len(watch.grid)])
    view = view_of(watch.grid, depth, ASIDE, CAM)
    poses = np.concatenate([watch.poses, [centre_and_axis(ASIDE)]])
    assert not watch.grid.judge(view, every, 0.0, watch.lsn + 1, poses).verdicts.any()


def test_only_examined_blocks_are_judged():
    watch = doubted_wall()
    view = view_of(watch.grid, flat(2.5), ASIDE, CAM)
    poses = np.concatenate([watch.poses, [centre_and_axis(ASIDE)]])
    every = np.sort(watch.grid.pools.keys[: len(watch.grid)])
    chosen = np.array([every[len(every) // 2], 7], np.int64)  # there is no block of key 7
    verdicts = watch.grid.judge(view, np.sort(chosen), 0.0, watch.lsn + 1, poses)
    assert watch.grid.pools.keys[verdicts.blocks].tolist() == [every[len(every) // 2]]


def test_a_large_residual_protects():
    watch = Watch()
    watch.add(flat(1.5), FORWARD)  # its rows stand at 1.46, 1.50 and 1.54 m
    doubted = []
    for residual_m in (0.0, 0.03, 0.045, 0.1):
        _, found, verdicts, frame = watch.judge(flat(1.65), FORWARD, residual_m=residual_m)
        assert_same_verdicts(watch, found, verdicts, frame)
        doubted.append(count(verdicts, DOUBT))
        for block, verdict in verdicts_by_block(watch.grid, verdicts).items():
            x = (8 * block[0] + np.arange(512) % 8 + 0.5) * 0.04
            reach = 1.65 - 0.04 - 3 * np.hypot(0.0012 + 0.0019 * 1.25**2, residual_m)
            assert (x[verdict == DOUBT] < reach + 1e-6).all()
    assert doubted[0] > doubted[1] > doubted[2] == doubted[3] == 0


SCREEN = Box("screen", (-1.0, 0.01, 0.0), (0.5, 0.1, 2.2), (200, 25, 30))
"""a partition; the rows on its near face stand up to 3 cm in front of it"""


def test_looks_along_a_wall_hardly_doubt_it_and_those_through_its_place_do():
    watch = Watch()
    for x in (-0.8, -0.2, 0.4):
        rgb, depth = render_room(look((x, -1.2, 1.2), (0.0, 1.0, 0.0)), ROOM_CAM, [SCREEN])
        watch.add(depth, look((x, -1.2, 1.2), (0.0, 1.0, 0.0)), ROOM_CAM, rgb)
    every = np.sort(watch.grid.pools.keys[: len(watch.grid)])
    along = look((-1.2, -0.018, 1.2), (1.0, 0.0, 0.0))
    doubted = []
    for boxes in ([SCREEN], []):
        view, *_, frame = watch.judge(render_room(along, ROOM_CAM, boxes)[1], along, ROOM_CAM, residual_m=0.0)
        doubted.append(count(watch.grid.judge(view, every, 0.0, frame.lsn, frame.poses), DOUBT))
    assert doubted[0] < 50 and doubted[1] > 900, "the far rim alone, where the surface has no side"


# --- clearing


def test_voxels_without_a_row_go_with_the_block_in_which_a_row_went():
    watch = doubted_wall()
    rowless_before = rowless_in_front(watch)
    verdicts = watch.add(flat(2.5), ASIDE, residual_m=0.0, fused=False)
    assert rowless_before > 200 and count(verdicts, change.CLEAR_ROWLESS) > 200
    cleared = [v for v in verdicts.verdicts if (v == change.CLEAR_ROWLESS).any()]
    assert all((v == change.CLEAR).any() for v in cleared)


def rowless_in_front(watch):
    return sum(
        int((fields[WEIGHT] > 0).sum()) - len(fields[VOXELS_WITH_ROW]) for fields in contents(watch.grid).values()
    )


def test_voxels_without_a_row_need_the_truncation():
    gap = 0.2  # more than 3 sigma and a voxel behind the rows, but behind few of the others by the truncation, 12 cm
    watch = Watch()
    watch.add(flat(1.5), FORWARD)
    watch.add(flat(1.5 + gap), FORWARD, residual_m=0.0, fused=False)
    _, found, verdicts, frame = watch.judge(flat(1.5 + gap), ASIDE, residual_m=0.0)
    assert_same_verdicts(watch, found, verdicts, frame)
    limit = 1.5 + gap - 0.12 - 3 * (0.0012 + 0.0019 * (1.5 + gap - 0.4) ** 2)
    kept = 0
    for block, verdict in verdicts_by_block(watch.grid, verdicts).items():
        x = (8 * block[0] + np.arange(512) % 8 + 0.5) * 0.04
        gone = verdict == change.CLEAR_ROWLESS
        assert (x[gone] < limit + 1e-4).all()
        fields = contents(watch.grid).get(block)
        if fields is None:  # a neighbour that was touched and never observed
            continue
        rowless = fields[WEIGHT] > 0
        rowless[fields[VOXELS_WITH_ROW]] = False
        kept += (rowless & ~gone & (x > limit)).sum()
    assert count(verdicts, change.CLEAR_ROWLESS) > 50 and kept > 50


def test_pages_come_back_and_rows_keep_their_content():
    watch = doubted_wall()
    pools = watch.grid.pools
    free, before, rows = int(pools.counters[PAGES_FREE]), contents(watch.grid), watch.grid.rows_used
    depth = flat(2.5)
    depth[:, :37] = 1.5  # the left of the wall still stands
    verdicts = watch.add(depth, ASIDE, residual_m=0.0, fused=False)
    after, told = contents(watch.grid), verdicts_by_block(watch.grid, verdicts)
    mixed = 0
    for block, fields in after.items():
        kept = told.get(block, np.zeros(512))[before[block][VOXELS_WITH_ROW]] != change.CLEAR
        mixed += 0 < kept.sum() < len(kept)
        for old, new in zip(before[block][2:], fields[2:], strict=True):
            np.testing.assert_array_equal(new, old[kept])
    assert mixed > 2, "blocks of which rows went and rows stayed"
    assert rows - watch.grid.rows_used == count(verdicts, change.CLEAR) > 100
    assert int(pools.counters[PAGES_FREE]) - free > 10


def test_pages_that_came_back_are_used_again():
    watch = Watch()
    used = []
    for _ in range(4):  # a wall comes and goes
        watch.add(flat(1.5), FORWARD)
        watch.add(flat(1.5), FORWARD)
        used.append(watch.grid.rows_used)
        watch.add(flat(4.9), FORWARD, residual_m=0.0, fused=False)
        watch.add(flat(4.9), look((0.0, 0.06, 1.0), (1.0, 0.0, 0.0)), residual_m=0.0, fused=False)
    assert used[0] == pytest.approx(used[-1], rel=0.02)


def test_blocks_from_a_file_are_not_judged_by_frames_they_contain():
    watch = doubted_wall()
    pools, used = watch.grid.pools, int(watch.grid.pools.counters[BLOCKS_USED])
    pools.contains[: used // 2] = watch.lsn + 1
    pools.contains[used // 2 : used] = watch.lsn
    before = contents(watch.grid)
    verdicts = watch.add(flat(2.5), ASIDE, residual_m=0.0, fused=False)
    touched = verdicts.blocks[verdicts.verdicts.any(axis=1)]
    assert verdicts.clears and (touched >= used // 2).all() and (verdicts.blocks < used // 2).any()
    after = contents(watch.grid)
    contained = {tuple(int(c) for c in b) for b in unpack_keys(pools.keys[: used // 2])}
    assert_same_map(*({b: f for b, f in held.items() if b in contained} for held in (before, after)))
    assert watch.add(flat(2.5), FORWARD, residual_m=0.0, fused=False).lsn == watch.lsn


def test_a_voxel_cleared_and_fused_by_one_frame_finds_room_for_its_row():
    watch = doubted_wall()  # rounding can send judging and fusing to neighbouring pixels; here all voxels are both
    verdicts = watch.judge(flat(2.5), ASIDE, residual_m=0.0)[2]
    plan = watch.grid.plan(view_of(watch.grid, flat(1.5), ASIDE, CAM), verdicts.lsn)
    watch.grid.carry_out(verdicts)
    watch.grid.apply(plan, smooth_rgb(CAM), None)
    assert_pages_are_sound(watch.grid)
    assert verdicts.clears and set(doubts(watch.grid)) <= {0, 3}
