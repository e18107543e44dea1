"""Corrected poses where images were given up: what these frames left moves with them (docs/format.md, section 10)."""

from __future__ import annotations

import dataclasses
import shutil

import budget_helpers as bh
import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from cli_helpers import run
from test_correction import assert_equals_its_rebuild, corrections
from test_equality import walk
from test_forgetting import assert_nowhere, pieces

from spatialmem.errors import MemoryFileError, OutOfRoom
from spatialmem.geometry import exp_so3, make_transform
from spatialmem.memory import SpatialMemory
from spatialmem.residence import Residence
from spatialmem.store import codec, maintenance
from spatialmem.store.file import MemoryFile
from spatialmem.voxels.blocks import block_of, keys_in_order, read_block

LAP, LAPS, VOXEL_M = 12, 2, 0.06
FIRST = range(1, 7)
"""frames of the first of two places; the images of all but the last were given up"""


def true_poses():
    return [room.room_pose(i, LAP) for i in range(LAP * LAPS)]


@pytest.fixture(scope="module")
def drifted(tmp_path_factory):
    """Two laps around the room by poses that drift apart, to 15 cm and 3 degrees at the end."""
    path, frames = tmp_path_factory.mktemp("drifted") / "a.mem", []
    for i in range(LAP * LAPS):
        share = i / (LAP * LAPS - 1)
        drift = make_transform(exp_so3((0.0, 0.0, np.radians(3.0) * share)), np.array([0.15, 0.09, 0.03]) * share)
        frame = room.room_frame(i, LAP)
        frames.append(mh.at(frame, i, world_from_camera=drift @ frame.world_from_camera))
    mh.create(path, frames, voxel_size_m=VOXEL_M, ram_bytes=96 << 20, file_bytes=1 << 30).close()
    return path


def close_the_loop(memory):
    return memory.correct_poses(dict(enumerate(true_poses(), 1)))


def error_m(memory):
    """Mean distance of the map's points to the surfaces of the room."""
    return float(room.distance_to_surface_m(memory.points().position_m).mean())


def extents_m(memory):
    """(4, 6) the box around the best hit for each of the boxes of the room."""
    hits = [memory.query(box.name)[0] for box in room.BOXES]
    return np.array([np.concatenate([hit.box_min_m, hit.box_max_m]) for hit in hits])


def thin(memory, share, seed=0):
    lsns = [k.lsn for k in memory.trajectory()]
    lsns = [lsn for lsn in lsns if lsn not in bh.evicted(memory)]
    chosen = np.random.default_rng(seed).choice(lsns, int(share * len(lsns)), replace=False)
    memory._keeper.complete_round(memory._layers)
    memory._keeper.thinning._evict(sorted(int(lsn) for lsn in chosen))


@pytest.fixture(scope="module")
def closed(drifted, tmp_path_factory):
    """Of a memory with all its images, after the loop was closed: (error, where things are, share seen)."""
    path = shutil.copyfile(drifted, tmp_path_factory.mktemp("whole") / "a.mem")
    with SpatialMemory.open(path, "a") as memory:
        before = error_m(memory)
        assert close_the_loop(memory).moved_blocks == 0
        return before, error_m(memory), extents_m(memory)


@pytest.mark.parametrize("share", [0.6, 1.0])
def test_a_loop_that_drifted_is_closed_nearly_as_well_as_with_all_images(drifted, closed, tmp_path, share):
    path = shutil.copyfile(drifted, tmp_path / "a.mem")
    before, best, extents = closed
    memory = SpatialMemory.open(path, "a")
    thin(memory, share)
    off = np.quantile(np.abs(extents_m(memory) - extents), 0.8)  # a back that is seen, or not, is no matter of place
    done = close_the_loop(memory)
    assert done.moved_blocks > 300 and (done.replayed == 0) == (share == 1.0)
    assert error_m(memory) < 0.3 * before and error_m(memory) < best + 0.1 * VOXEL_M
    assert np.quantile(np.abs(extents_m(memory) - extents), 0.8) < 1.01 * VOXEL_M < off
    for pose in true_poses()[::5]:
        frame = room.render_room(pose, room.room_camera(160, 120))[1]
        seen = memory.render(pose, room.room_camera(160, 120)).depth_m
        assert np.isfinite(seen).mean() > 0.95 and np.nanmedian(np.abs(seen - frame)) < 0.5 * VOXEL_M
    assert_equals_its_rebuild(path, memory)


# --- two places: all or nothing, and equal to what is read back


@pytest.mark.parametrize("lsns", [[3], [6], [2, 12], FIRST, range(1, 15)])
def test_live_reopened_and_rebuilt_are_equal(half, lsns):
    memory = SpatialMemory.open(half, "a")
    with bh.watched(memory, bh.LARGE):
        before, near = contents(memory), {key for lsn in FIRST for key in left_by(memory, lsn)}
        done = memory.correct_poses(corrections(memory, lsns, seed=1, metres=0.1))
    assert (done.recorded, done.applied) == (len(lsns), len(lsns)) and done.moved_blocks > 0
    near |= {key for lsn in FIRST for key in left_by(memory, lsn)} | marked(memory)
    if max(lsns) <= 6:  # the second place stays, bit for bit
        now = contents(memory)
        far = before.keys() - near
        assert far and far == now.keys() - near and all(same(now[key], before[key]) for key in far)
    mh.observe_all(memory, bh_later(3))
    assert_equals_its_rebuild(half, memory)


def contents(memory):
    pools = memory._layers.surface.pools
    return {int(key): read_block(pools, block_of(pools, key)) for key in keys_in_order(pools, 0)}


def same(one, two):
    return all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def marked(memory):
    return {row.key for row in memory._keeper.file.moved() if row.layer == "surface"}


def left_by(memory, lsn):
    (blob,) = memory.sql("SELECT examined FROM frames WHERE lsn = ?", [lsn])[0]
    return set(codec.decode_examined(blob).tolist())


def bh_later(count):
    for i in range(count):
        frame = mh.frame_at((-1.0, 0.0, 1.2), (-1.0, 0.05 * i, -0.2), 0)
        yield bh.noisy(frame, 14 + i)


def moved_by(memory, motion, lsns):
    return {k.lsn: motion @ k.map_from_camera for k in memory.trajectory() if k.lsn in set(lsns)}


def test_what_does_not_move_stays_bit_for_bit(half):
    with SpatialMemory.open(half, "a") as memory:
        hashed, session = memory.canonical_hash(), memory.trajectory()[0].session_id
        assert memory.correct_poses(anchor=(session, np.eye(4))).moved_blocks == 0
        assert memory.canonical_hash() == hashed
        small = moved_by(memory, make_transform(np.eye(3), (0.01, 0.0, 0.0)), FIRST)
        assert memory.correct_poses(small).applied == 0 and memory.canonical_hash() == hashed


def test_there_and_back_lands_within_a_voxel(half):
    there = make_transform(exp_so3((0.0, 0.0, 0.1)), (-0.13, 0.07, 0.05))
    memory = SpatialMemory.open(half, "a")
    place, before = memory.query("blue")[0].position_m, memory.points().position_m
    memory.correct_poses(moved_by(memory, there, FIRST))
    away = memory.query("blue")[0].position_m
    assert np.linalg.norm(away - (there[:3, :3] @ place + there[:3, 3])) < memory.config.voxel_size_m
    memory.correct_poses(moved_by(memory, np.linalg.inv(there), FIRST))
    assert np.linalg.norm(memory.query("blue")[0].position_m - place) < 0.5 * memory.config.voxel_size_m
    now = memory.points().position_m
    near = np.array([np.linalg.norm(before - point, axis=1).min() for point in now[::7]])
    assert np.quantile(near, 0.99) < memory.config.voxel_size_m and len(now) > 0.9 * len(before)
    assert_equals_its_rebuild(half, memory)


def test_a_session_that_is_moved_takes_the_whole_map_along(half):
    there = make_transform(exp_so3((0.0, 0.0, 0.4)), (0.5, -0.3, 0.2))
    memory = SpatialMemory.open(half, "a")
    poses = [k.map_from_camera for k in memory.trajectory()]
    camera = room.room_camera(80, 60)
    views, places = [memory.render(pose, camera).depth_m for pose in poses], [h.position_m for h in memory.query("red")]
    done = memory.correct_poses(anchor=(memory.trajectory()[0].session_id, there))
    assert done.applied == 14 and done.moved_blocks > 0
    for pose, view in zip(poses, views, strict=True):
        now = memory.render(there @ pose, camera).depth_m
        assert np.isfinite(now).mean() > 0.97 * np.isfinite(view).mean()
        assert np.nanmedian(np.abs(now - view)) < 0.25 * memory.config.voxel_size_m
    for hit, place in zip(memory.query("red"), places, strict=False):
        assert np.linalg.norm(hit.position_m - there[:3, :3] @ place - there[:3, 3]) < 2 * memory.config.voxel_size_m
    assert_equals_its_rebuild(half, memory)


def test_departed_things_move_with_the_frame_that_saw_them_gone(half):
    there = make_transform(np.eye(3), (0.0, 0.3, 0.1))
    memory = SpatialMemory.open(half, "a")
    memory._keeper.thinning._evict([7, 8, 11, 12, 13, 14])
    before = memory._layers.departed[:]
    memory.correct_poses(moved_by(memory, there, [row.valid_from for row in before]))
    assert before and len(memory._layers.departed[:]) == len(before)
    for row, now in zip(before, memory._layers.departed[:], strict=True):
        np.testing.assert_allclose(np.array(now.position_m) - row.position_m, there[:3, 3], atol=1e-9)
        np.testing.assert_allclose(np.array(now.box_max_m) - row.box_max_m, there[:3, 3], atol=1e-9)
    assert_equals_its_rebuild(half, memory)


def test_blocks_on_file_alone_move_as_those_in_ram(half, tmp_path):
    hashes = []
    for path in (half, shutil.copyfile(half, tmp_path / "b.mem")):
        with SpatialMemory.open(path, "a") as memory:
            if path != half:
                assert memory._layers.residence.give_up_all() and len(memory._layers.surface) == 0
            memory.correct_poses(corrections(memory, range(1, 10), seed=4, metres=0.2))
            hashes.append(memory.canonical_hash())
            assert memory.check() == []
    with SpatialMemory.open(path) as memory:
        assert hashes == [memory.canonical_hash()] * 2


def test_blocks_that_stay_are_not_deleted_because_they_are_on_file_alone(half, monkeypatch):
    make_room, correct, stayed = Residence.room_to_start_over, MemoryFile.correct, set()

    def give_up_all(residence, surface, free):
        make_room(residence, surface, free)
        residence.give_up_all()

    def looked_at(file, poses, used, anchor, layers):
        layers = dataclasses.replace(layers, surface=list(layers.surface), free=list(layers.free))
        for rows, bare in ((layers.surface, layers.bare_surface), (layers.free, layers.bare_free)):
            assert {row.key for row in rows}.isdisjoint(bare)
        stayed.update({row.key for row in layers.surface} & set(memory._layers.residence.surface.away_keys.tolist()))
        correct(file, poses, used, anchor, layers)

    monkeypatch.setattr(Residence, "room_to_start_over", give_up_all)
    monkeypatch.setattr(MemoryFile, "correct", looked_at)
    memory = SpatialMemory.open(half, "a")
    assert memory.correct_poses(corrections(memory, [3], seed=4, metres=0.2)).moved_blocks > 0 and stayed
    assert_equals_its_rebuild(half, memory)


# --- forgetting


@pytest.mark.parametrize("metres", [0.1, 1.9])
def test_what_has_moved_is_forgotten_as_if_it_had_never_moved(half, tmp_path, metres):
    """1.9 m: into the second place, among what other frames see there."""
    with SpatialMemory.open(shutil.copyfile(half, tmp_path / "b.mem"), "a") as memory:
        memory.forget(frames=FIRST)
        hashed = memory.canonical_hash()
    memory = SpatialMemory.open(half, "a")
    memory.correct_poses(moved_by(memory, make_transform(np.eye(3), (metres, 0.0, 0.0)), FIRST))
    told = pieces(memory, FIRST)
    rows = dict(memory.sql("SELECT key, data FROM surface_blocks"))
    told += [rows[key][len(rows[key]) // 2 :][:16] for key in marked(memory) if len(rows[key]) > 64]
    assert len(told) > 10
    memory.forget(frames=FIRST)
    assert memory.canonical_hash() == hashed and memory.check() == []
    assert memory.sql("SELECT count(*) FROM moved") == [(0,)] and memory.info()["moved_blocks"] == 0
    assert len(memory.query("blue")) == 0
    assert_nowhere(half, told)
    assert_equals_its_rebuild(half, memory)


@pytest.mark.parametrize("lsns", [FIRST, range(1, 6)])
def test_a_frame_with_images_is_forgotten_wherever_its_traces_have_come(half, lsns):
    """Frame 6 has its images; what it left in blocks of the others moved with these, or stayed where it was not."""
    memory = SpatialMemory.open(half, "a")
    memory.correct_poses(moved_by(memory, make_transform(np.eye(3), (0.0, 0.4, 0.3)), lsns))
    assert memory.sql("SELECT count(*) FROM moved WHERE frames LIKE '%6%'")[0][0] > 0
    memory.forget(frames=[6])
    assert not any(6 in block.last or 6 in block.first for block in contents(memory).values())
    assert memory.sql("SELECT count(*) FROM moved WHERE frames LIKE '%6%'") == [(0,)]
    assert_equals_its_rebuild(half, memory)


def test_who_left_traces_in_a_box_is_forgotten_with_it(half):
    memory = SpatialMemory.open(half, "a")
    place = memory.query("blue")[0].position_m
    shift = np.array([0.0, 0.0, 3.0])
    memory.correct_poses(moved_by(memory, make_transform(np.eye(3), shift), FIRST))
    done = memory.forget(box_m=np.array([place + shift - 0.1, place + shift + 0.1]))
    assert done.frames >= 6 and not {k.lsn for k in memory.trajectory()} & set(FIRST)
    memory.close()


def test_thinning_correcting_forgetting_and_observing_in_turn(tmp_path):
    seed, frames, path = 1, walk(16), tmp_path / "a.mem"
    rng = np.random.default_rng(seed)
    memory = mh.create(path, frames[:8], **{**bh.OPTIONS, "checkpoint_frames": 5, "file_bytes": bh.LARGE})
    for at in (8, 12):
        thin(memory, 0.4, seed)
        rows = [k.lsn for k in memory.trajectory()]
        some = [int(lsn) for lsn in rng.choice(rows, 3, replace=False)]
        memory.correct_poses(corrections(memory, some, seed, metres=rng.uniform(0.1, 0.4)))
        mh.observe_all(memory, [mh.at(f, f.seq) for f in frames[at : at + 4]])
        memory.forget(frames=some[:2])
        assert not any(set(some[:2]) & {*block.first, *block.last} for block in contents(memory).values())
        memory.correct_poses(
            anchor=(memory.trajectory()[0].session_id, make_transform(np.eye(3), (0.1 * at, 0.0, 0.0)))
        )
    assert_equals_its_rebuild(path, memory)


# --- going back, marks


def test_the_horizon_moves_to_the_correction(half):
    with SpatialMemory.open(half, "a") as memory:
        mh.observe_all(memory, bh_later(3))
        assert memory.horizon.lsn == 14 and memory.at(lsn=15).exact
        memory.correct_poses(corrections(memory, FIRST, seed=1, metres=0.1))
        hashed = memory.canonical_hash()
        assert memory.horizon.lsn == 17 and not memory.at(lsn=15).exact
        assert memory.at(lsn=17).canonical_hash() == hashed
        mh.observe_all(memory, [mh.at(f, 17 + i) for i, f in enumerate(bh_later(2))])
        assert memory.at(lsn=17).canonical_hash() == hashed


def test_moved_blocks_are_marked_for_people(half, capsys, tmp_path):
    with SpatialMemory.open(half) as memory:
        assert memory.info()["moved_blocks"] == 0
        stamps = [(k.stamp_ns, k.map_from_camera) for k in memory.trajectory() if k.lsn in FIRST]
    lines = [f"{stamp / 1e9:.9f} {p[0, 3] + 0.2} {p[1, 3]} {p[2, 3]} {quat(p)}" for stamp, p in stamps]
    (tmp_path / "t.txt").write_text("\n".join(lines) + "\n")
    run("correct", half, "--trajectory", tmp_path / "t.txt")
    said = " ".join(capsys.readouterr().out.split())
    assert "blocks of frames without images moved with them" in said
    with SpatialMemory.open(half, "a") as memory:
        found = memory.sql("SELECT count(*), min(at_lsn), max(at_lsn) FROM moved WHERE layer = 'surface'")
        assert found == [(memory.info()["moved_blocks"], 14, 14)] and found[0][0] > 0
        connection = memory._keeper.file._writer._connection
        connection.execute("UPDATE moved SET frames = '[[9, 99]]'")
        assert any("checksum" in line for line in memory.check())
        with pytest.raises(MemoryFileError, match="table moved is damaged"):
            memory.correct_poses(corrections(memory, [3], seed=2))


def quat(pose):
    from spatialmem.geometry import quat_wxyz_from_matrix

    w, x, y, z = quat_wxyz_from_matrix(pose[:3, :3])
    return f"{x} {y} {z} {w}"


# --- all or nothing


def test_what_the_file_or_ram_has_no_room_for_leaves_the_old_map(half, monkeypatch):
    memory = SpatialMemory.open(half, "a")
    hashed, wanted = memory.canonical_hash(), corrections(memory, FIRST, seed=1)
    for where, error in (
        ("spatialmem.store.maintenance.put_blocks", MemoryFileError("disk full")),
        ("spatialmem.store.moved.replace", OutOfRoom("no room in the file")),
        ("spatialmem.voxels.surface.SurfaceGrid.rewrite", OutOfRoom("no room in RAM")),
    ):

        def fail(*_, error=error):
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(where, fail)
            with pytest.raises(type(error), match="disk full|no room|has no room"):
                memory.correct_poses(wanted)
        assert memory.canonical_hash() == hashed and memory.sql("SELECT * FROM pose_revisions") == []
        assert memory.sql("SELECT name FROM sqlite_master WHERE name = 'moved'") == [] and memory.check() == []
    assert memory.correct_poses(wanted).moved_blocks > 0
    assert_equals_its_rebuild(half, memory)


def test_a_file_that_is_full_stays_within_its_bound(tmp_path):
    """Frames are given up while it is written; what was worked out with their images goes on to hold."""
    path = tmp_path / "a.mem"
    memory = bh.create(path)
    mh.observe_all(memory, bh.stream(0, 28))
    gone = bh.evicted(memory)
    with bh.watched(memory):
        done = memory.correct_poses(corrections(memory, range(1, 28, 2), seed=5, metres=0.1))
    assert gone and done.moved_blocks > 0 and done.replayed > 0
    assert_equals_its_rebuild(path, memory)


def test_a_kill_at_any_moment_leaves_the_old_map_or_the_new_one(half, tmp_path, monkeypatch):
    memory, copies = SpatialMemory.open(half, "a"), []
    before = memory.canonical_hash()

    def copied(function):
        def work(*args):
            copies.append(mh.as_a_crash_leaves_it(half, tmp_path / str(len(copies)) / "a.mem"))
            out = function(*args)
            copies.append(mh.as_a_crash_leaves_it(half, tmp_path / str(len(copies)) / "a.mem"))
            return out

        return work

    with monkeypatch.context() as patch:
        patch.setattr(maintenance, "put_corrected", copied(maintenance.put_corrected))
        patch.setattr("spatialmem.keeper.Keeper.revise", copied(type(memory._keeper).revise))
        memory.correct_poses(corrections(memory, FIRST, seed=1))
    after, hashes = memory.canonical_hash(), []
    for copy in copies:
        with SpatialMemory.open(copy, "a") as recovered:
            hashes.append(recovered.canonical_hash())
            assert recovered.check() == []
    assert hashes == [before, before, after, after]
    memory.close()


@pytest.mark.parametrize("where", ["spatialmem.voxels.carry.settled", "spatialmem.layers.Layers.publish"])
def test_ctrl_c_leaves_the_old_map_or_says_so(half, monkeypatch, where):
    memory = SpatialMemory.open(half, "a")
    hashed, wanted = memory.canonical_hash(), corrections(memory, FIRST, seed=1)

    def struck(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(where, struck)
        with pytest.raises(KeyboardInterrupt):
            memory.correct_poses(wanted)
    if where.endswith("settled"):
        assert memory.canonical_hash() == hashed and memory.correct_poses(wanted).moved_blocks > 0
    else:
        with pytest.raises(Exception, match="interrupted; close it and open it again"):
            memory.query("red")
        memory.close()
        memory = SpatialMemory.open(half, "a")
        assert memory.canonical_hash() != hashed
    assert_equals_its_rebuild(half, memory)


def test_more_than_fits_into_ram_is_refused_before_it_is_worked_out(tmp_path):
    path = tmp_path / "a.mem"
    frames = [mh.at(room.room_frame(i, LAP), i) for i in range(LAP)]
    with mh.create(path, frames, voxel_size_m=0.02, ram_bytes=64 << 20, file_bytes=1 << 30) as memory:
        thin(memory, 1.0)
        hashed = memory.canonical_hash()
        with (
            bh.watched(memory, bh.LARGE),
            pytest.raises(OutOfRoom, match="have touched"),
        ):
            memory.correct_poses(corrections(memory, range(1, LAP + 1), seed=4, metres=0.1))
        assert memory.canonical_hash() == hashed and memory.check() == []
        assert memory.correct_poses(corrections(memory, [3], seed=4, metres=0.1)).moved_blocks > 0
