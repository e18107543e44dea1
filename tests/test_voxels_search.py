"""Scanning the surface against numpy over the contents of the map."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import look, room_frame
from voxel_scenes import WIDTH, contents, fuse, patch_features, small_config, threads

from spatialmem.voxels.look import carry_out
from spatialmem.voxels.search import Filter
from spatialmem.voxels.surface import SurfaceGrid

VOXEL_M = 0.04
FRAMES = 8
STAMPS = np.array([0, *(1_000 * n for n in range(1, FRAMES + 1))], np.int64)
WITHIN = np.stack([np.arange(512) % 8, np.arange(512) // 8 % 8, np.arange(512) // 64], axis=-1)


class Rows:
    """The rows near the surface by key and voxel: what a scan may find."""

    def __init__(self, grid: SurfaceGrid) -> None:
        near = 32767 // 3
        parts = []
        for key, (dist, weight, voxels, feature, _, _, feature_n, first, last, doubt) in sorted(contents(grid).items()):
            keep = (weight[voxels] > 0) & (np.abs(dist[voxels].astype(int)) <= near)
            place = 8 * np.array(key) + WITHIN[voxels]
            parts.append([f[keep] for f in (place, feature.view(np.float16), feature_n, first, last, doubt)])
        fields = [np.concatenate(f) for f in zip(*parts, strict=True)]
        self.voxel, feature, self.feature_n, self.first, self.last, self.doubt = fields
        self.feature = feature.astype(np.float64)
        self.centre_m = (self.voxel + 0.5) * VOXEL_M

    def cosines(self, query):
        norm = np.linalg.norm(self.feature, axis=1)
        return np.where(norm > 0, self.feature @ query / np.where(norm > 0, norm, 1.0), -1.0)


@pytest.fixture(scope="module")
def grid():
    grid = SurfaceGrid(small_config(), WIDTH)
    for lsn in range(1, FRAMES + 1):
        frame = room_frame(lsn, 2 * FRAMES, 80, 60, noise=True)
        features = patch_features(lsn) if lsn not in (4, 5) else None
        fuse(grid, frame.depth_m, frame.world_from_camera, frame.camera, lsn, frame.rgb, features)
    pose = look((0.0, 0.0, 1.5), (-1.0, 0.3, 0.0))
    view = fuse(grid, np.full((60, 80), 1.0, np.float32), pose, frame.camera, FRAMES)
    through = type(view).of(np.full((60, 80), 1.6, np.float32), None, frame.camera, pose, grid.config)
    verdicts = grid.judge(through, grid.look(through).examined, 0.0, FRAMES, np.zeros((FRAMES + 1, 6)))
    carry_out(grid.pools, verdicts)
    return grid


@pytest.fixture(scope="module")
def rows(grid):
    rows = Rows(grid)
    assert len(rows.voxel) > 3000 and (rows.feature_n == 0).sum() > 100 and (rows.doubt > 0).sum() > 30
    assert len(np.unique(rows.last)) == FRAMES
    return rows


def unit(*values):
    return (np.array(values) / np.linalg.norm(values)).astype(np.float32)


def is_among(voxels, others):
    there = {tuple(v) for v in others.tolist()}
    return np.array([tuple(v) in there for v in voxels.tolist()])


def assert_found(found, rows, expected):
    places = found.places()
    np.testing.assert_array_equal(found.voxels(places), rows.voxel[expected])
    for mine, theirs in zip(found.seen(found.rows(places)), (rows.first, rows.last, rows.doubt), strict=True):
        np.testing.assert_array_equal(mine, theirs[expected])
    assert len(found) == expected.sum()


def test_without_a_query_everything_near_the_surface_is_found(grid, rows):
    found = grid.reading().search(None, 0.0, Filter())
    assert_found(found, rows, np.ones(len(rows.voxel), bool))
    assert (
        (found.similarity(found.rows(found.places())) == 1).all()
        and found.scanned == len(rows.voxel)
        and found.without_feature == 0
    )


@pytest.mark.parametrize("least", [0.05, 0.4, 0.9])
@pytest.mark.parametrize("query", [unit(1, 0, 0, 0), unit(-1, 2, 0.5, -0.3), unit(-1, -1, -1, 1)])
def test_similarity(grid, rows, query, least):
    cosines = rows.cosines(query.astype(np.float64))
    close = np.abs(cosines - least) < 1e-5  # rounding may decide otherwise: such voxels follow the scan
    assert close.sum() < 10
    expected = (rows.feature_n > 0) & (cosines >= least)
    found = grid.reading().search(query, least, Filter())
    expected = np.where(close, (rows.feature_n > 0) & is_among(rows.voxel, found.voxels(found.places())), expected)
    assert_found(found, rows, expected)
    assert 10 < len(found) < len(rows.voxel)
    assert np.abs(found.similarity(found.rows(found.places())) - cosines[expected]).max() < 1e-5
    assert found.scanned == len(rows.voxel) and found.without_feature == (rows.feature_n == 0).sum()


def test_a_query_against_everything_it_knows_finds_none(grid):
    found = grid.reading().search(unit(1, 1, 1, 1), 1.01, Filter())
    assert len(found) == 0 and found.places().shape == (0,) and found.scanned > 0


def test_features_of_chosen_candidates(grid, rows):
    found = grid.reading().search(None, 0.0, Filter())
    chosen = np.array([5, 900, 17, len(rows.voxel) - 1])
    features = found.features(found.rows(found.places()[chosen]))
    np.testing.assert_array_equal(features, rows.feature[chosen].astype(np.float32))
    assert found.features(np.zeros(0, np.int64)).shape == (0, WIDTH)


@pytest.mark.parametrize(
    "box", [((-1, -1.5, 0.3), (1.0, 1.9, 1.1)), ((-2.6, 1.7, 0.0), (2.6, 2.1, 0.5)), ((9,) * 3, (10,) * 3)]
)
def test_box(grid, rows, box):
    box = np.array(box, float)
    found = grid.reading().search(None, 0.0, Filter(box_m=box))
    expected = ((rows.centre_m >= box[0]) & (rows.centre_m <= box[1])).all(1)
    assert_found(found, rows, expected)
    assert len(found) <= found.scanned < len(rows.voxel), "blocks out of reach are not looked at"
    assert (len(found) > 20) == (box[0, 0] < 9) and (found.scanned > 0) == (box[0, 0] < 9)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_every_face_of_a_box_cuts(grid, rows, axis, side, share):
    box = np.array([(-9.0,) * 3, (9.0,) * 3])
    box[side, axis] = np.quantile(rows.centre_m[:, axis], share) + 0.013  # not in the middle of a voxel
    expected = ((rows.centre_m >= box[0]) & (rows.centre_m <= box[1])).all(1)
    assert_found(grid.reading().search(None, 0.0, Filter(box_m=box)), rows, expected)
    assert 100 < expected.sum() < len(expected) - 100


@pytest.mark.parametrize(("centre", "radius"), [((0.0, 1.5, 0.5), 0.8), ((-1.5, 0.1, 0.2), 0.45), ((0, 0, 50), 3.0)])
def test_ball(grid, rows, centre, radius):
    centre = np.array(centre, float)
    found = grid.reading().search(None, 0.0, Filter(centre_m=centre, radius_m=radius))
    expected = np.linalg.norm(rows.centre_m - centre, axis=1) <= radius
    assert_found(found, rows, expected)
    assert len(found) <= found.scanned < len(rows.voxel) and (len(found) > 20) == (centre[2] < 50)


@pytest.mark.parametrize(("since", "until"), [(3_000, 5_000), (0, 2_999), (6_001, 2**63 - 1), (4_000, 4_000)])
def test_times_include_both_ends(grid, rows, since, until):
    found = grid.reading().search(None, 0.0, Filter(stamp_of=STAMPS, since_ns=since, until_ns=until))
    stamp = STAMPS[rows.last]
    expected = (stamp >= since) & (stamp <= until)
    assert_found(found, rows, expected)
    assert 0 < len(found) < len(rows.voxel) and found.scanned == len(rows.voxel)


def test_everything_together(grid, rows):
    query, box = unit(1, -1, 0.5, 0), np.array([(-2.6, -2.1, 0.0), (2.6, 2.1, 2.0)])
    centre, radius, least = np.array((0.0, 1.0, 0.5)), 1.8, 0.2
    chosen = Filter(box, centre, radius, STAMPS, 2_000, 7_000)
    found = grid.reading().search(query, least, chosen)
    inside = ((rows.centre_m >= box[0]) & (rows.centre_m <= box[1])).all(1)
    inside &= np.linalg.norm(rows.centre_m - centre, axis=1) <= radius
    inside &= (STAMPS[rows.last] >= 2_000) & (STAMPS[rows.last] <= 7_000)
    assert_found(found, rows, inside & (rows.feature_n > 0) & (rows.cosines(query.astype(float)) >= least))
    assert found.without_feature == (inside & (rows.feature_n == 0)).sum()
    assert len(found) > 20


def test_any_number_of_threads_answers_alike(grid):
    answers = []
    for count in (1, 3):
        with threads(count):
            found = grid.reading().search(unit(1, 0.2, 0, 0), 0.3, Filter())
            places = found.places()
            answers.append((found.voxels(places), found.similarity(found.rows(places))))
    for one, other in zip(*answers, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_empty_map_has_no_candidates():
    found = (
        SurfaceGrid(small_config(), WIDTH)
        .reading()
        .search(unit(1, 0, 0, 0), 0.1, Filter(box_m=np.array([(0,) * 3, (1,) * 3])))
    )
    assert len(found) == found.scanned == found.without_feature == 0
