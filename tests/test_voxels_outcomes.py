"""How a depth image compares with the map before it is fused, against the reference and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from reference.change import Lens, blocks_seen_through, outcomes
from synthetic import look
from voxel_scenes import FORWARD, WIDTH, small_config, view_of
from voxel_watch import CAM, ROOM_CAM, ROOM_POSES, Watch, flat, keys_of, room_depth, room_watch

from spatialmem.voxels import change
from spatialmem.voxels.cast import cast_depth
from spatialmem.voxels.surface import SurfaceGrid


def compare(packed, surface, pose=FORWARD, cam=CAM, voxel_m=0.04):
    """Kernel results on hand-made surface depths: counts, residuals, examined blocks."""
    grid = SurfaceGrid(small_config(), WIDTH)
    counts, residuals, examined = np.zeros(4, np.int64), np.empty(surface.size, np.float32), np.empty(surface.size, int)
    view = view_of(grid, flat(1.0), pose, cam)
    n, m = change.compare(grid.pools, packed, view.map_from_camera, view.pinhole, 8, np.float32(voxel_m),
                          surface.astype(np.float32), counts, residuals, examined)  # fmt: skip
    return counts, residuals[:n], examined[:m]


@pytest.mark.parametrize("seed", range(6))
def test_any_surface_and_readings(seed):
    rng = np.random.default_rng(seed)
    z = rng.uniform(0.3, 4.5, (60, 80))
    packed = np.where(rng.random(z.shape) < 0.8, np.round(z * 1e5).astype(np.int32) << 8 | 5, 0).astype(np.int32)
    surface = (z[4::8, 4::8] + rng.normal(0, 0.15, (7, 10))).astype(np.float32)
    surface[rng.random(surface.shape) < 0.2] = np.nan
    pose = look(rng.normal(size=3), rng.normal(size=3))
    counts, residuals, examined = compare(packed, surface, pose)
    voxel = float(np.float32(0.04))
    expected, median, through = outcomes(packed[4::8, 4::8], surface, voxel)
    assert counts.tolist() == expected.tolist() and counts.min() > 0
    assert np.median(residuals) == pytest.approx(median, rel=1e-6)
    assert keys_of(examined) == blocks_seen_through(through, surface, Lens.of(CAM), pose, voxel, 8)
    assert len(examined) == counts[change.SEEN_THROUGH]


@pytest.mark.parametrize(("z", "limit"), [(1.0, 0.04 + 3 * (0.0012 + 0.0019 * 0.36)), (3.0, 0.04 + 3 * 0.014044)])
def test_the_limit_is_three_sigma_and_a_voxel(z, limit):
    packed = np.full((60, 80), round(z * 1e5) << 8 | 5, np.int32)
    for gap, outcome in ((0.999, 0), (1.001, change.SEEN_THROUGH), (-0.999, 0), (-1.001, change.OCCLUDED)):
        counts, residuals, _ = compare(packed, np.full((7, 10), z - gap * limit))
        assert counts[outcome] == counts.sum() == 70
        assert np.median(residuals) == pytest.approx(abs(gap * limit), abs=1e-5)


def test_residuals_are_taken_within_ten_voxels():
    packed = np.full((60, 80), 200_000 << 8 | 5, np.int32)
    for gap, n in ((0.395, 70), (-0.395, 70), (0.405, 0), (-0.405, 0)):
        assert len(compare(packed, np.full((7, 10), 2.0 - gap))[1]) == n


def test_missing_readings_are_not_rays():
    watch = Watch()
    watch.add(flat(1.5), FORWARD)
    depth = flat(2.5)
    depth[:, :40] = np.nan
    found = watch.judge(depth, FORWARD)[1]
    assert found.outcome.rays == 60 * 40 and found.outcome.seen_through >= 0.98
    found = watch.judge(flat(np.nan), FORWARD)[1]
    assert found.outcome.rays == 0 and np.isnan(found.outcome.residual_m) and len(found.examined) == 0
    assert found.outcome[:4] == (0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("distance", "outcome"), [(1.5, "agrees"), (2.2, "seen_through"), (1.0, "occluded"), (1.53, "agrees")]
)
def test_a_wall_that_stays_goes_or_is_hidden(distance, outcome):
    watch = Watch()
    watch.add(flat(1.5), FORWARD)
    found = watch.judge(flat(distance), FORWARD)[1]
    shares = found.outcome
    assert getattr(shares, outcome) + shares.no_return == pytest.approx(1.0) and shares.no_return <= 0.02  # at the rim
    assert shares.rays == 60 * 80
    assert (len(found.examined) > 0) == (outcome == "seen_through")
    if outcome == "agrees":
        assert found.outcome.residual_m == pytest.approx(distance - 1.5, abs=1e-3)


def test_an_unmapped_direction_has_no_return():
    watch = Watch()
    watch.add(flat(1.5), FORWARD)
    found = watch.judge(flat(1.5), look((0.0, 0.0, 1.0), (-1.0, 0.0, 0.0)))[1]
    assert found.outcome.no_return == 1.0 and np.isnan(found.outcome.residual_m)


def test_outcomes_in_the_room_after_a_box_was_taken():
    watch = room_watch()
    for n, pose in enumerate([*ROOM_POSES[:2], look((-0.3, 0.2, 1.2), (1.0, 0.1, -0.3))]):
        depth = room_depth(pose, ROOM_CAM, removed=True, seed=20 + n)[1]
        view, found, *_ = watch.judge(depth, pose, ROOM_CAM)
        grid = watch.grid.grid
        surface = cast_depth(watch.grid.pools, grid, pose, ROOM_CAM, 3, 1, gap_voxels=0.0)
        counts, median, through = outcomes(view.packed[1::3, 1::3], surface, float(grid.voxel))
        assert found.outcome.rays == counts.sum()
        np.testing.assert_allclose(found.outcome[:4], counts / counts.sum())
        assert found.outcome.residual_m == pytest.approx(median, rel=1e-5)
        blocks = blocks_seen_through(through, surface, Lens.of(ROOM_CAM), pose, float(grid.voxel), 3)
        around = {tuple(np.add(block, step)) for block in blocks for step in np.ndindex(3, 3, 3)}
        allowed = {tuple(int(c) - 1 for c in block) for block in around}
        assert blocks <= keys_of(found.examined) <= allowed and (np.diff(found.examined) > 0).all()
        box = room_depth(pose, ROOM_CAM)[1] < depth - 0.15
        assert found.outcome.seen_through == pytest.approx(box[1::3, 1::3].mean(), abs=0.03)
