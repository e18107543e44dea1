"""A surface grid that looks before it fuses, for the tests of evidence of change."""

from __future__ import annotations

import numpy as np
from reference.change import Frame, Lens, judge
from synthetic import BOXES, RED_BOX, look, render_room, room_camera
from voxel_scenes import WIDTH, camera, contents, patch_features, small_config, smooth_rgb, view_of

from spatialmem.voxels.keys import unpack_keys
from spatialmem.voxels.pools import PAGE, PAGES_FREE
from spatialmem.voxels.surface import SurfaceGrid
from spatialmem.voxels.versions import live_blocks

CAM = camera()
ASIDE = look((0.0, 0.15, 1.0), (1.0, 0.0, 0.0))
"""15 cm beside FORWARD: another pose"""
NEARBY = look((0.0, 0.03, 1.0), (1.0, 0.05, 0.0))
"""3 cm and 3 degrees from FORWARD: the same pose"""


def flat(distance_m):
    return np.full((CAM.height, CAM.width), distance_m, np.float32)


def centre_and_axis(pose):
    return np.concatenate([pose[:3, 3], pose[:3, 2]])


def keys_of(blocks):
    return {tuple(int(c) for c in block) for block in unpack_keys(blocks)}


def assert_pages_are_sound(grid):
    """Every page is either in use by one block or free, and no block keeps one it does not need."""
    p = grid.pools
    used = [p.pages[b, : -(-int(p.n_rows[b]) // PAGE)] for b in live_blocks(p.table_keys, p.table_blocks)]
    pages = np.concatenate([*used, p.free_pages[: p.counters[PAGES_FREE]]])
    np.testing.assert_array_equal(np.sort(pages), np.arange(len(p.free_pages)))
    for b in live_blocks(p.table_keys, p.table_blocks):
        slots = p.slot[b][p.slot[b] > 0]
        np.testing.assert_array_equal(np.sort(slots), 1 + np.arange(p.n_rows[b]))


class Watch:
    """A surface grid that looks at each frame before fusing it, as a memory does; frames number themselves."""

    def __init__(self, first_lsn: int = 1) -> None:
        self.grid = SurfaceGrid(small_config(), WIDTH)
        self.lsn = first_lsn - 1
        self.poses = np.zeros((first_lsn, 6))

    def judge(self, depth, pose, cam=CAM, residual_m=None):
        """Look and judge as the next frame would; the map stays as it is."""
        view = view_of(self.grid, depth, pose, cam)
        found = self.grid.look(view)
        if residual_m is None:
            residual_m = float(np.nan_to_num(found.outcome.residual_m))
        poses = np.concatenate([self.poses, [centre_and_axis(pose)]])
        verdicts = self.grid.judge(view, found.examined, residual_m, self.lsn + 1, poses)
        return view, found, verdicts, Frame(view.packed, Lens.of(cam), pose, residual_m, self.lsn + 1, poses)

    def add(self, depth, pose, cam=CAM, rgb=None, features=None, residual_m=None, fused=True):
        """One frame in the order of a memory: judge, plan, carry out, fuse. Returns the verdicts."""
        view, _, verdicts, frame = self.judge(depth, pose, cam, residual_m)
        plan = self.grid.plan(view, frame.lsn) if fused else None
        self.grid.carry_out(verdicts)
        if plan is not None:
            self.grid.apply(plan, smooth_rgb(cam, frame.lsn) if rgb is None else rgb, features)
        self.lsn, self.poses = frame.lsn, frame.poses
        assert_pages_are_sound(self.grid)
        return verdicts

    def reference_verdicts(self, found, frame):
        grid, held = self.grid.grid, contents(self.grid)
        blocks = {block: held[block] for block in keys_of(found.examined) & held.keys()}
        return {b: judge(b, fields, frame, float(grid.voxel), float(grid.truncation)) for b, fields in blocks.items()}


def verdicts_by_block(grid, verdicts):
    blocks = unpack_keys(grid.pools.keys[verdicts.blocks])
    return {tuple(int(c) for c in b): v for b, v in zip(blocks, verdicts.verdicts, strict=True)}


def assert_same_verdicts(watch, found, verdicts, frame):
    mine, theirs = verdicts_by_block(watch.grid, verdicts), watch.reference_verdicts(found, frame)
    assert all(not mine[block].any() for block in mine.keys() - theirs.keys())
    for block, expected in theirs.items():
        np.testing.assert_array_equal(mine[block], expected)
    return theirs


def count(verdicts, kind):
    return int((verdicts.verdicts == kind).sum())


def doubts(grid):
    return np.concatenate([fields[-1] for fields in contents(grid).values()])


def room_depth(pose, cam, removed=False, seed=None):
    boxes = [b for b in BOXES if b != RED_BOX] if removed else BOXES
    rgb, depth = render_room(pose, cam, boxes)
    if seed is not None:
        rng = np.random.default_rng(seed)
        depth = (depth + (0.0012 + 0.0019 * (depth - 0.4) ** 2) * rng.standard_normal(depth.shape)).astype(np.float32)
        depth[rng.random(depth.shape) < 0.02] = np.nan
    return rgb, depth


ROOM_CAM = room_camera(160, 120)
ROOM_POSES = [look((-0.4, 0.35 * k, 1.3), (1.0, -0.14 * k, -0.4)) for k in (-1, 0, 1, 2)]


def room_watch():
    """The room with all its boxes, seen from four places."""
    watch = Watch()
    for n, pose in enumerate(ROOM_POSES):
        rgb, depth = room_depth(pose, ROOM_CAM, seed=n)
        watch.add(depth, pose, ROOM_CAM, rgb, patch_features(n))
    return watch
