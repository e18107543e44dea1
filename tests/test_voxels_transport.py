"""Content that moves: the kernels against a plain reference, and what is joined to what."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import transport as plain
from voxel_scenes import threads

from spatialmem.geometry import exp_so3, make_transform
from spatialmem.voxels import carry, free_carry, half_way
from spatialmem.voxels.blocks import BlockArrays, block_of, write_block
from spatialmem.voxels.integrate import Grid
from spatialmem.voxels.keys import VOXELS, keys_of, unpack_keys
from spatialmem.voxels.pools import reserve
from spatialmem.voxels.transport import NOTHING, Transport

VOXEL_M, WIDTH = 0.25, 64
BLOCKS = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, -1)])


def random_block(rng, width=WIDTH) -> BlockArrays:
    weight = np.where(rng.random(VOXELS) < 0.7, rng.integers(1, 256, VOXELS), 0).astype(np.uint8)
    has_row = (weight > 0) & (rng.random(VOXELS) < 0.5)
    n = int(has_row.sum())
    feature = carry._eight_bits(rng.normal(size=(n, width)).astype(np.float32))
    lsns = np.sort(rng.integers(1, 9, (2, n)), axis=0).astype(np.uint32)
    return BlockArrays(
        rng.integers(-32767, 32768, VOXELS).astype(np.int16), weight, has_row, feature,
        rng.integers(0, 65281, (n, 3)).astype(np.uint16), rng.integers(1, 33, n).astype(np.uint8),
        rng.integers(1, 33, n).astype(np.uint8), lsns[0], lsns[1], rng.integers(0, 2, n).astype(np.uint16),
    )  # fmt: skip


def scene(seed, width=WIDTH):
    """Pools of four blocks, the motion that each voxel follows, and three motions."""
    rng = np.random.default_rng(seed)
    keys = np.sort(keys_of(BLOCKS))
    pools, blocks = reserve(16, 16 * 64, width), [random_block(rng, width) for _ in keys]
    for key, block in zip(keys, blocks, strict=True):
        write_block(pools, int(key), block, 9)
    motion = rng.integers(0, 3, (len(keys), VOXELS)).astype(np.int32)
    motion[np.stack([block.weight for block in blocks]) == 0] = NOTHING
    step = [rng.normal(size=3) * 0.6 for _ in range(2)]
    turn = [exp_so3(rng.normal(size=3) * 0.1) for _ in range(2)]
    return pools, keys, blocks, motion, np.stack([np.eye(4), *map(make_transform, turn, step)])


def as_voxels(keys, blocks, motion, anew):
    old = {}
    for key, block, follows, is_anew in zip(keys, blocks, motion, anew, strict=True):
        rows = np.cumsum(block.has_row) - 1
        for i in range(VOXELS):
            at = unpack_keys(np.array([key]))[0] * 8 + (i % 8, i // 8 % 8, i // 64)
            feature = block.feature[rows[i]].view(np.float16) if block.has_row[i] else None
            seen = int(block.feature_weight[rows[i]]) if block.has_row[i] else 0
            voxel = plain.Voxel(int(block.dist[i]), int(block.weight[i]), int(follows[i]), is_anew, feature, seen)
            old[tuple(int(v) for v in at)] = voxel
    return old


@pytest.mark.parametrize("seed", range(3))
def test_what_arrives_is_what_the_plain_reference_says(seed):
    pools, keys, blocks, motion, motions = scene(seed)
    anew = np.array([False, False, True, False])
    whole = keys[:1]
    transport = Transport(keys, motion, anew, motions, VOXEL_M, whole, True)
    old = as_voxels(keys, blocks, motion, anew)
    assert len(transport.targets) > 8 and (np.diff(transport.targets) > 0).all()
    rng, targets = np.random.default_rng(seed), transport.targets
    moved, _ = transport.chosen(targets)
    arrivals = carry.gathered(pools, targets, moved, transport.back, VOXEL_M)
    for n, i in [(int(rng.integers(len(targets))), int(rng.integers(VOXELS))) for _ in range(400)]:
        at = unpack_keys(targets[n : n + 1])[0] * 8 + (i % 8, i // 8 % 8, i // 64)
        dist, weight, feature = plain.arrives((at + 0.5) * VOXEL_M, old, motions, VOXEL_M, targets[n] in whole)
        block = carry.settled(arrivals, n)
        assert block.weight[i] == min(255, weight)
        assert abs(block.dist[i] - dist) <= 1
        assert block.has_row[i] == (feature is not None)
        if feature is not None:
            mine = block.feature[np.count_nonzero(block.has_row[:i])].view(np.float16)
            np.testing.assert_allclose(mine, feature, atol=2e-2, rtol=2e-2)


def test_targets_are_all_blocks_that_anything_reaches_and_no_others():
    _, keys, blocks, motion, motions = scene(7)
    anew = np.zeros(len(keys), np.bool_)
    transport = Transport(keys, motion, anew, motions, VOXEL_M, keys, True)
    old = as_voxels(keys, blocks, motion, anew)
    reached = set()
    for at in np.ndindex(5, 5, 5):
        corner = (np.array(at) - 2) * 8
        for i in range(0, VOXELS, 3):
            p = (corner + (i % 8, i // 8 % 8, i // 64) + 0.5) * VOXEL_M
            if plain.sources(p, old, motions, VOXEL_M, True):
                reached.add(int(keys_of(corner // 8)))
                break
    assert reached <= set(transport.targets.tolist())
    ways = transport.sources_of()
    assert set(ways[:, 1].tolist()) == set(transport.targets.tolist())
    assert set(ways[:, 1].tolist()) <= set(transport.targets.tolist())
    for some in (transport.targets[1::3], transport.targets[:1], np.array([5, *transport.targets[-2:]]), keys[:0]):
        assert transport.origins(some).tolist() == np.unique(ways[np.isin(ways[:, 1], some), 0]).tolist()


@pytest.mark.parametrize(("seed", "voxels"), [(7, 3.0), (8, 0.8), (9, 0.3)])
def test_every_block_that_is_read_is_named(seed, voxels):
    """Also those that stay themselves and fill a gap, and those that only lie beside what comes."""
    _, keys, blocks, motion, motions = scene(seed)
    small = motions.copy()
    small[1:, :3, 3] *= voxels * VOXEL_M / np.linalg.norm(motions[1:, :3, 3], axis=1).max()
    anew = np.zeros(len(keys), np.bool_)
    transport = Transport(keys, motion, anew, small, VOXEL_M, keys, True)
    old = as_voxels(keys, blocks, motion, anew)
    named = {target: set(transport.origins(np.array([target])).tolist()) for target in transport.targets.tolist()}
    rng = np.random.default_rng(seed)
    for target in rng.permutation(transport.targets)[:6].tolist():
        for i in rng.permutation(VOXELS)[:120]:
            p = (unpack_keys(np.array([target]))[0] * 8 + (i % 8, i // 8 % 8, i // 64) + 0.5) * VOXEL_M
            for number, at in plain.sources(p, old, small, VOXEL_M, True):
                q = np.linalg.inv(small[number])
                low = np.floor((q[:3, :3] @ p + q[:3, 3]) / VOXEL_M - 0.5).astype(np.int64)
                corners = low + np.array(list(np.ndindex(2, 2, 2)))
                held = {int(keys_of(corner >> 3)) for corner in corners if tuple(corner.tolist()) in old}
                assert held | {int(keys_of(np.array(at) >> 3))} <= named[target]


@pytest.mark.parametrize("width", [3, 64])
def test_nothing_depends_on_threads(width):
    pools, keys, _, motion, motions = scene(3, width)
    found = []
    for count in (1, 2):
        with threads(count):
            transport = Transport(keys, motion, np.zeros(len(keys), np.bool_), motions, VOXEL_M, keys, True)
            moved, places = transport.chosen(transport.targets)
            found.append([transport.targets, moved, places,
                          *carry.gathered(pools, transport.targets, moved, transport.back, VOXEL_M)])  # fmt: skip
    for one, two in zip(*found, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_whole_number_of_voxels_brings_everything_over_bit_for_bit():
    pools, keys, blocks, motion, _ = scene(1)
    motion = np.where(motion == NOTHING, NOTHING, 1).astype(np.int32)
    motions = np.stack([np.eye(4), make_transform(np.eye(3), np.array([16.0, -8.0, 8.0]) * VOXEL_M)])
    transport = Transport(keys, motion, np.zeros(len(keys), np.bool_), motions, VOXEL_M, keys, True)
    np.testing.assert_array_equal(transport.targets, np.sort(keys_of(unpack_keys(keys) + (2, -1, 1))))
    moved, _ = transport.chosen(transport.targets)
    arrivals = carry.gathered(pools, transport.targets, moved, transport.back, VOXEL_M)
    for key, block in zip(keys, blocks, strict=True):
        there = int(np.searchsorted(transport.targets, keys_of(unpack_keys(np.array([key])) + (2, -1, 1))[0]))
        came = carry.settled(arrivals, there)
        for name in BlockArrays._fields:
            mine, theirs = getattr(came, name), getattr(block, name)
            if name == "dist":
                mine, theirs = mine[block.weight > 0], theirs[block.weight > 0]
            np.testing.assert_array_equal(mine, theirs, err_msg=name)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_joining_takes_means_by_weight_and_leaves_what_is_alone(seed):
    rng = np.random.default_rng(seed)
    one, two, stays = random_block(rng, 4), random_block(rng, 4), rng.random(VOXELS) < 0.6
    both = carry.joined(one, stays, two)
    own, other = np.where(stays, one.weight, 0).astype(int), two.weight.astype(int)
    np.testing.assert_array_equal(both.weight, np.minimum(own + other, 255))
    mean = (own * one.dist.astype(float) + other * two.dist) / np.maximum(own + other, 1)
    assert (np.abs(both.dist - mean)[own + other > 0] <= 1).all()
    alone, lone = stays & one.has_row & ~two.has_row, two.has_row & ~(stays & one.has_row)
    for block, chosen in ((one, alone), (two, lone)):
        rows, mine = np.cumsum(both.has_row)[chosen] - 1, np.cumsum(block.has_row)[chosen] - 1
        for name in BlockArrays._fields[3:]:
            np.testing.assert_array_equal(getattr(both, name)[rows], getattr(block, name)[mine])
    assert (both.colour_weight <= 32).all() and (both.feature_weight <= 32).all()
    assert (both.first <= both.last).all() and len(both.first) == np.count_nonzero(both.has_row)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1))
def test_what_frames_made_anew_is_completed_where_they_saw_little(seed):
    rng = np.random.default_rng(seed)
    made, other = random_block(rng, 4), random_block(rng, 4)
    made = made._replace(weight=np.where(rng.random(VOXELS) < 0.3, made.weight % 8, made.weight))
    both, seen = carry.completed(made, other), made.weight >= carry.ENOUGH
    np.testing.assert_array_equal(both.dist[seen], made.dist[seen])
    np.testing.assert_array_equal(both.weight[seen], made.weight[seen])
    np.testing.assert_array_equal(both.has_row[seen], made.has_row[seen])
    rest = carry.joined(made, np.ones(VOXELS, np.bool_), other)
    for name in ("dist", "weight", "has_row"):
        np.testing.assert_array_equal(getattr(both, name)[~seen], getattr(rest, name)[~seen])
    for name in BlockArrays._fields[3:]:
        assert len(getattr(both, name)) == np.count_nonzero(both.has_row)


def test_which_motion_a_voxel_follows():
    """First and last frame part by less than the truncation: the middle; by more: the last; far from all: otherwise."""

    def shift(metres):
        return make_transform(np.eye(3), (metres, 0.0, 0.0))

    motions = np.stack([np.eye(4), shift(0.3), shift(0.6), shift(5.0)])
    motion_of = np.array([0, 0, 1, 2, 3], np.int32)  # frames 1 to 4
    block = random_block(np.random.default_rng(0), 4)
    has_row = np.zeros(VOXELS, np.bool_)
    has_row[[0, 1, 2]] = True
    weight = np.zeros(VOXELS, np.uint8)
    weight[[0, 1, 2, 3, 511]] = 8
    rows = {name: getattr(block, name)[:3] for name in BlockArrays._fields[3:]}
    rows |= {"first": np.array([1, 1, 2], np.uint32), "last": np.array([3, 4, 2], np.uint32)}
    pools = reserve(16, 64, 4)
    write_block(pools, int(keys_of(np.zeros(3, int))), BlockArrays(block.dist, weight, has_row, **rows), 4)
    found = carry.followed(
        pools, Grid(np.float32(VOXEL_M), np.float32(1.0)), np.array([block_of(pools, keys_of(np.zeros(3, int)))]),
        motion_of, motions, np.array([2], np.int32),
    )[0]  # fmt: skip
    assert found[[0, 1, 2]].tolist() == [1, 3, 1]
    assert found[3] == 1, "the nearest voxel that has a row is its neighbour"
    assert found[511] == 2 and (found[weight == 0] == NOTHING).all()


@settings(max_examples=12)
@given(st.integers(0, 10**6))
def test_the_motion_half_way_is_looked_for_among_all(seed):
    """Each voxel with a row, against the plain reference that looks through every motion."""
    pools, keys, blocks, _, _ = scene(seed, 4)
    rng = np.random.default_rng(seed)
    shifts = rng.normal(size=(40, 3)) * rng.choice([0.05, 0.5])
    turns = rng.normal(size=(40, 3)) * rng.choice([0.0, 0.02, 0.3])
    motions = np.stack([make_transform(exp_so3(turn), shift) for turn, shift in zip(turns, shifts, strict=True)])
    motion_of, at = rng.integers(0, 40, 9).astype(np.int16), np.array([block_of(pools, key) for key in keys])
    grid = Grid(np.float32(VOXEL_M), np.float32(1.0))
    found = carry.followed(pools, grid, at, motion_of, motions, np.zeros(len(keys), np.int16))
    for key, block, follows in zip(keys, blocks, found, strict=True):
        for row, i in enumerate(np.flatnonzero(block.has_row)):
            centre_m = (unpack_keys(np.array([key]))[0] * 8 + (i % 8, i // 8 % 8, i // 64) + 0.5) * VOXEL_M
            ends = motion_of[block.first[row]], motion_of[block.last[row]]
            wanted = plain.half_way(centre_m, *ends, motions, 1.0)
            assert follows[i] == wanted or {follows[i], wanted} <= set(ends), "both ends are as near, but for rounding"


def test_around_a_block_few_motions_can_be_half_way():
    """Of a thousand along a drift of 0.5 m and 3 degrees; those that are not listed are never the nearest."""
    share = np.linspace(0.0, 1.0, 1000)
    to = np.stack([make_transform(exp_so3((0.0, 0.0, 0.05 * s)), (0.5 * s, 0.1 * s, 0.0)) for s in share])[:, :3]
    listed, centre, radius = np.empty(1000, np.int32), np.array([2.0, 1.0, 0.5]), 0.3
    count = half_way._list(to, 200, 900, *centre, radius, listed)
    assert 0 < count < 100 and (np.diff(listed[:count]) > 0).all()
    rng = np.random.default_rng(0)
    for point in centre + rng.uniform(-1.0, 1.0, (50, 3)) * radius / np.sqrt(3.0):
        assert plain.half_way(point, 200, 900, to, 1.0) in listed[:count]


def test_free_space_adds_up_within_its_limits():
    def block(log_odds, free, occupied):
        return free_carry.FreeArrays(
            np.full(VOXELS, log_odds, np.int8), np.full(VOXELS, free, np.uint32), np.full(VOXELS, occupied, np.uint32)
        )  # fmt: skip

    one, two = block(-20, 7, 0), block(-8, 5, 3)
    stays = np.arange(VOXELS) < 100
    both = free_carry.joined(one, stays, two)
    assert (both.log_odds[:100] == -24).all() and (both.log_odds[100:] == -8).all()
    filled = free_carry.completed(one, block(9, 8, 3))
    assert (filled.log_odds == -20).all() and (filled.last_free == 8).all() and (filled.last_occupied == 3).all()
    assert (free_carry.completed(block(0, 0, 0), two).log_odds == -8).all()
    assert (both.last_free[:100] == 7).all() and (both.last_free[100:] == 5).all() and (both.last_occupied == 3).all()
