"""What is known of blocks that are on file alone: which they are, what they cannot answer, which a camera may see."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import look, room_camera

from spatialmem.voxels import reach
from spatialmem.voxels.blocks import BlockArrays
from spatialmem.voxels.keys import BLOCK, VOXELS, keys_of, unpack_keys
from spatialmem.voxels.shelf import Shelf
from spatialmem.voxels.summaries import Summaries

KEYS = st.sets(st.integers(0, 60), max_size=12)


@given(st.lists(st.tuples(st.booleans(), KEYS), max_size=12), KEYS)
def test_a_shelf_knows_what_was_put_and_taken(steps, asked):
    shelf, away, rows, doubtful = Shelf.empty(), {}, {}, {}
    for number, (put, chosen) in enumerate(steps, start=1):
        keys = np.array(sorted(chosen if put else chosen & away.keys()), np.int64)
        if put:
            shelf = shelf.put(keys, (keys % 7).astype(np.int32) + number, keys % 3 == 0, number, keys.astype(np.int32))
            away.update(dict.fromkeys(keys.tolist(), True))
            rows.update({int(key): int(key) % 7 + number for key in keys})
            doubtful.update({int(key): key % 3 == 0 for key in keys})
        else:
            before = shelf.away_keys.copy()
            less = shelf.without(keys)
            np.testing.assert_array_equal(shelf.away_keys, before)  # a value: who holds the old one keeps it
            shelf = less
            for key in keys.tolist():
                del away[key]
    assert shelf.away_keys.tolist() == sorted(away) and len(shelf) == len(away)
    assert shelf.among(np.array(sorted(asked), np.int64)).tolist() == sorted(asked & away.keys())
    assert shelf.doubtful_keys.tolist() == sorted(key for key in away if doubtful[key])
    here = np.array(sorted(away), np.int64)
    assert shelf.rows_of(here).tolist() == [rows[key] for key in here.tolist()]
    assert shelf.slot[shelf.places(here)].tolist() == here.tolist()
    assert (np.diff(shelf.keys) > 0).all()


def block_of(features, seen=None):
    """A block whose first voxels have these features (N, D)."""
    n = len(features)
    has_row = np.arange(VOXELS) < n
    zeros = np.zeros(n, np.uint32)
    weights = np.ones(n, np.uint8) if seen is None else seen
    return BlockArrays(
        np.zeros(VOXELS, np.int16), has_row.astype(np.uint8), has_row, np.asarray(features, np.float16).view(np.uint16),
        np.zeros((n, 3), np.uint16), np.ones(n, np.uint8), weights, zeros, zeros, zeros.astype(np.uint16),
    )  # fmt: skip


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 80), st.integers(1, 6), st.floats(0.0, 1.0))
def test_no_voxel_exceeds_what_a_summary_says(seed, rows, groups, spread):
    rng = np.random.default_rng(seed)
    middles = rng.normal(size=(groups, 16))
    features = middles[rng.integers(groups, size=rows)] + spread * rng.normal(size=(rows, 16))
    features *= rng.uniform(0.1, 3.0, (rows, 1))
    summaries = Summaries(10_000, 16, 1000)
    slot = summaries.new_slot()
    summaries.write(slot, block_of(features))
    kept = np.asarray(features, np.float16).astype(np.float64)
    unit = kept / np.linalg.norm(kept, axis=1, keepdims=True)
    for query in (unit[0], -unit[0], *rng.normal(size=(20, 16))):
        query = query / np.linalg.norm(query)
        highest = summaries.highest(np.array([slot, -1], np.int32), query.astype(np.float32), 0)
        assert highest[0] >= (unit @ query).max() - 1e-4 and highest[1] == 1.0
    assert summaries.voxels(np.array([slot, -1], np.int32)).tolist() == [[rows, 0], [0, 0]]


def test_a_summary_rules_out_what_is_unlike():
    summaries = Summaries(10_000, 16, 1000)
    features = np.repeat(np.eye(16)[:2], 10, 0)
    summaries.write(summaries.new_slot(), block_of(features))
    assert summaries.highest(np.array([0], np.int32), np.eye(16, dtype=np.float32)[5], 0)[0] < 0.05
    assert summaries.highest(np.array([0], np.int32), np.eye(16, dtype=np.float32)[1], 0)[0] > 0.99


def test_voxels_without_feature_are_counted_and_answer_nothing():
    summaries = Summaries(10_000, 16, 1000)
    summaries.write(summaries.new_slot(), block_of(np.zeros((9, 16)), np.zeros(9, np.uint8)))
    assert summaries.voxels(np.array([0], np.int32)).tolist() == [[9, 9]]
    assert summaries.highest(np.array([0], np.int32), np.eye(16, dtype=np.float32)[1], 0)[0] == -1.0


def test_older_epochs_know_nothing_of_a_block_that_was_summarised_again():
    summaries, query = Summaries(10_000, 16, 1000), np.eye(16, dtype=np.float32)[5]
    slot = np.array([summaries.new_slot()], np.int32)
    summaries.write(slot[0], block_of(np.repeat(np.eye(16)[5:6], 10, 0)))
    assert summaries.highest(slot, query, 6)[0] > 0.99
    summaries.write(slot[0], block_of(np.repeat(np.eye(16)[:2], 10, 0)), 7)
    assert [bool(summaries.highest(slot, query, number)[0] > 0.99) for number in (6, 7, 8)] == [True, False, False]


def test_summaries_for_which_there_is_no_room_tell_the_same_from_the_disk():
    rng = np.random.default_rng(3)
    small, large = Summaries(1000, 16, 1000), Summaries(10**6, 16, 1000)
    for number in range(40):
        block = block_of(rng.normal(size=(20, 16)))
        for summaries in (small, large):
            slot = summaries.new_slot()
            assert slot == number
            summaries.write(slot, block, number % 3)
    slots = rng.permutation(np.arange(-2, 40)).astype(np.int32)
    for query in rng.normal(size=(5, 16)).astype(np.float32):
        query /= np.linalg.norm(query)
        told = [summaries.highest(slots, query, 1) for summaries in (small, large)]
        np.testing.assert_array_equal(*told)
        assert (told[0][slots < 0] == 1.0).all() and (told[0][slots % 3 == 2] == 1.0).all() and told[0].min() < 1.0
    np.testing.assert_array_equal(small.voxels(slots), large.voxels(slots))


def test_a_disk_without_space_leaves_nothing_known(monkeypatch):
    def full(*given, **more):
        raise OSError(28, "No space left on device")

    summaries, query = Summaries(100, 16, 1000), np.eye(16, dtype=np.float32)[5]
    slots = np.array([summaries.new_slot() for _ in range(3)], np.int32)
    monkeypatch.setattr("spatialmem.voxels.summaries.tempfile.TemporaryFile", full)
    for slot in slots:
        summaries.write(slot, block_of(np.repeat(np.eye(16)[:2], 10, 0)))
    assert summaries.highest(slots, query, 0).tolist()[1:] == [1.0, 1.0]


@settings(max_examples=40)
@given(st.integers(0, 10**6), st.floats(0.05, 0.7), st.floats(1.0, 6.0))
def test_every_block_that_a_ray_comes_upon_is_in_view(seed, edge_m, far_m):
    rng = np.random.default_rng(seed)
    camera, pose = room_camera(64, 48), look(rng.uniform(-2, 2, 3), rng.normal(size=3))
    pixels = rng.uniform((0, 0), (camera.width - 1, camera.height - 1), (400, 2))
    rays = np.column_stack([(pixels - (camera.cx, camera.cy)) / (camera.fx, camera.fy), np.ones(len(pixels))])
    points = pose[:3, 3] + (rays * rng.uniform(0.0, far_m, (len(rays), 1))) @ pose[:3, :3].T
    beside = points + rng.uniform(-3, 3, points.shape) * edge_m / BLOCK  # three voxels off
    around = np.floor(beside / edge_m).astype(np.int64)
    keys = np.unique(keys_of(around))
    assert reach.nearer_than(keys, edge_m, pose, camera, 1, np.full((camera.height, camera.width), far_m)).all()
    bounds = reach.pixel_bounds(keys_of(around), edge_m, pose, camera, far_m)
    u, v = pixels.T
    assert ((bounds[:, 0] <= u + 1) & (bounds[:, 2] >= u - 1) & (bounds[:, 1] <= v + 1) & (bounds[:, 3] >= v - 1)).all()


def test_blocks_behind_the_camera_and_beyond_its_range_are_not_in_view():
    pose, camera = look((0.0, 0.0, 0.0), (1.0, 0.0, 0.0)), room_camera(64, 48)
    behind, ahead, beyond, aside = (
        int(keys_of(np.array(b))) for b in ((-20, 0, 0), (10, 0, 0), (60, 0, 0), (5, 40, 0))
    )
    keys = np.array(sorted((behind, ahead, beyond, aside)), np.int64)
    limits = np.full((camera.height, camera.width), 3.0)
    assert keys[reach.nearer_than(keys, 0.1, pose, camera, 1, limits)].tolist() == [ahead]
    limits[12:36, 20:44] = 0.0  # these rays end at once
    assert not reach.nearer_than(keys, 0.1, pose, camera, 1, limits).any()
    assert unpack_keys(keys_of(np.array([(-5, 7, 1 << 19)]))).tolist() == [[-5, 7, 1 << 19]]


def test_blocks_far_beside_the_camera_are_not_in_view():
    """In its plane what is projected has no bound outwards, but one inwards."""
    x, y = np.mgrid[-60:61, -60:61]
    blocks = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size, np.int64)]).astype(np.int64)
    camera, pose = room_camera(64, 48), look((0.0, 0.0, 0.05), (1.0, 0.0, 0.0))
    limits = np.full((camera.height, camera.width), 2.0)
    found = blocks[reach.nearer_than(keys_of(blocks), 0.1, pose, camera, 1, limits)]
    in_its_plane = found[np.abs(found[:, 0]) <= 1]
    assert len(in_its_plane) and np.abs(in_its_plane[:, 1]).max() <= 6
