"""What a memory still answers, and what it refuses, where images of frames were given up."""

from __future__ import annotations

import shutil

import budget_helpers as bh
import cv2
import memory_helpers as mh
import numpy as np
import pytest
from cli_helpers import cut_recording, run, run_json
from test_correction import corrections

from spatialmem.errors import BeforeHorizon, Evicted, MemoryFileError
from spatialmem.keeper import Keeper
from spatialmem.memory import SpatialMemory
from spatialmem.view.evidence import image_of
from spatialmem.voxels.blocks import block_of, read_block


def keys_left_by(memory, lsns):
    return sorted({int(key) for lsn in lsns for key in memory._keeper.file.left_by(lsn)})


def test_what_can_be_replayed_is_repaired_and_what_cannot_is_said(half, tmp_path):
    with SpatialMemory.open(half, "a") as memory:
        hashed, gone = memory.canonical_hash(), keys_left_by(memory, range(1, 6))
        keys = [key for (key,) in memory.sql("SELECT key FROM surface_blocks")]
        assert 0 < len(set(keys) & set(gone)) < len(keys)
        memory.rebuild()
        assert memory.canonical_hash() == hashed
    for damaged, sound in ((set(keys) - set(gone), True), (set(keys) & set(gone), False)):
        copy = shutil.copyfile(half, tmp_path / "copy.mem")
        with SpatialMemory.open(copy, "a") as memory:
            connection = memory._keeper.file._writer._connection
            connection.execute("UPDATE surface_blocks SET data = zeroblob(9) WHERE key = ?", (min(damaged),))
        with pytest.raises(MemoryFileError, match="spatialmem rebuild"):
            SpatialMemory.open(copy)
        if sound:
            SpatialMemory.repair(copy)
            with SpatialMemory.open(copy) as memory:
                assert memory.canonical_hash() == hashed and memory.check() == []
        else:
            before = copy.read_bytes()
            with pytest.raises(MemoryFileError, match="cannot be made anew: images of 5 frames were given up"):
                SpatialMemory.repair(copy)
            assert copy.read_bytes() == before


def test_poses_are_corrected_where_frames_are_stored(half):
    with SpatialMemory.open(half, "a") as memory, bh.watched(memory, bh.LARGE):
        hashed = memory.canonical_hash()
        small = {3: memory.trajectory()[2].map_from_camera + 1e-3 * np.eye(4, k=3)}
        assert memory.correct_poses(small).applied == 0
        done = memory.correct_poses(corrections(memory, [9, 12], seed=1, metres=0.1))
        assert done.applied == 2 and done.moved_blocks == 0 and memory.canonical_hash() != hashed
        hashed = memory.canonical_hash()
        memory.rebuild()
        assert memory.canonical_hash() == hashed
    with SpatialMemory.open(half) as memory:
        assert memory.canonical_hash() == hashed and memory.check() == []


@pytest.mark.parametrize("lsns", [[1, 2, 3, 4, 5, 6], [2, 4], [6], [10, 11], [3, 12]])
def test_forgotten_frames_leave_nothing_whether_or_not_they_were_evicted(half, lsns):
    with SpatialMemory.open(half, "a") as memory, bh.watched(memory, bh.LARGE):
        departed = memory.info()["departed_regions"]
        left = set(keys_left_by(memory, [lsn for lsn in lsns if lsn < 6]))
        memory.forget(frames=lsns)
        assert memory.check() == []
        assert {k.lsn for k in memory.trajectory()} == set(range(1, 15)) - set(lsns)
        seen = {int(s) for block in left for s in first_and_last(memory, block)}
        assert not seen & set(lsns), "a voxel still names a frame that was erased"
        if lsns == [1, 2, 3, 4, 5, 6]:
            assert len(memory.query("blue")) == 0 and len(memory.query("red")) > 0
            assert memory.info()["departed_regions"] == departed
        hashed = memory.canonical_hash()
        memory.rebuild()
        assert memory.canonical_hash() == hashed
    with SpatialMemory.open(half) as memory:
        assert memory.canonical_hash() == hashed and memory.check() == []


def first_and_last(memory, key):
    pools = memory._layers.surface.pools
    block = block_of(pools, key)
    arrays = read_block(pools, block) if block >= 0 else None
    return [] if arrays is None else [*arrays.first, *arrays.last]


# --- looking


def test_pictures_draw_the_map_where_the_image_was_given_up(made, tmp_path):
    with SpatialMemory.open(made) as memory:
        assert image_of(memory, 6)[1] == "" and image_of(memory, 6)[0].shape == (120, 160, 3)
        rgb, said = image_of(memory, 2)
        assert "given up" in said and rgb.shape == (120, 160, 3) and rgb.std() > 10
        hits = memory.query("blue")
        assert hits and {e.lsn for hit in hits for e in hit.evidence} & bh.evicted(memory)
    run("query", made, "blue", "--picture", tmp_path / "blue.png")
    assert cv2.imread(str(tmp_path / "blue.png")) is not None


def test_exports_work(made, tmp_path, capsys):
    out = run_json(capsys, "export", made, "--ply", tmp_path / "a.ply", "--trajectory", tmp_path / "a.txt", "--glb",
                   tmp_path / "a.glb", "--rrd", tmp_path / "a.rrd")  # fmt: skip
    assert out["rrd"]["pictures"] == 9 and len((tmp_path / "a.txt").read_text().splitlines()) >= 14


def test_info_in_words_and_in_json(made, capsys):
    out = run_json(capsys, "info", made, "--verify")
    (total,) = out["evicted"]
    assert (total["what"], total["frames"], total["at_lsn"]) == ("frames", 5, 14) and total["bytes"] > 50_000
    assert out["budget"]["file_bytes"] == bh.LARGE and out["horizon_lsn"] == 14 and out["problems"] == []
    run("info", made)
    text = capsys.readouterr().out
    assert "images and depth of 5 frames" in text and "budget.file_bytes" in text


def test_build_takes_a_budget(tmp_path, capsys):
    recording, path = cut_recording(tmp_path / "recording", range(0, 12, 3)), tmp_path / "a.mem"
    run("build", recording, "--out", path, "--budget", "96 MiB", "--quiet")
    with SpatialMemory.open(path) as memory:
        assert memory.config.file_bytes == memory.config.ram_bytes == 96 << 20 and len(memory.trajectory()) > 0
    run("build", recording, "--out", path, "--append", "--budget", "96 MiB", code=1)
    assert "--budget is fixed once a memory exists" in capsys.readouterr().err
    for given, words in (
        ("1 kB", "is too small; a memory with a file needs at least"),
        ("much", 'such as 2_000_000_000 or "2 GB"'),
    ):
        run("build", recording, "--out", tmp_path / "b.mem", "--budget", given, code=1)
        assert words in capsys.readouterr().err and not (tmp_path / "b.mem").exists()


# --- image vectors


def test_image_vectors_go_when_no_image_is_left_and_localising_forgets_them(half):
    with SpatialMemory.open(half, "a") as memory:
        memory.localize(bh.noisy(mh.frame_at((1.2, 0.0, 1.2), (1.0, 0.0, -0.3), 0), 99))
        known = set(memory._vectors[1])
        assert known == set(range(1, 15))
        assert memory._keeper.thinning._evict_vectors()
        assert not memory._keeper.thinning._evict_vectors(), "those of frames with images stay"
        memory.localize(bh.noisy(mh.frame_at((1.2, 0.0, 1.2), (1.0, 0.0, -0.3), 0), 99))
        assert set(memory._vectors[1]) == set(range(6, 15)) and memory.check() == []
        assert [total["what"] for total in memory.info()["evicted"]] == ["frames", "vectors"]
        hashed = memory.canonical_hash()
    with SpatialMemory.open(half) as memory:
        assert memory.canonical_hash() == hashed and memory.check() == []


# --- a reader beside the writer


def test_a_reader_opens_while_the_tail_it_is_reading_is_thinned(tmp_path, monkeypatch):
    path = tmp_path / "a.mem"
    with bh.create(path, bh.LARGE, checkpoint_frames=100) as writer:
        mh.observe_all(writer, bh.stream(0, 12))
        restore, thinned = Keeper.restore_rows, []

        def thin_first(keeper, *given):
            restore(keeper, *given)
            if not thinned:
                thinned.extend([4, 5, 8])
                writer._keeper.complete_round(writer._layers)
                writer._keeper.thinning._evict(thinned)

        monkeypatch.setattr(Keeper, "restore_rows", thin_first)
        with SpatialMemory.open(path) as reader:
            assert thinned and reader.canonical_hash() == writer.canonical_hash()
            assert reader.info()["base_lsn"] == 12 and reader.keyframe(7).seq == 6
            with pytest.raises(Evicted):
                reader.keyframe(5)


# --- going back


def test_the_past_reaches_back_to_what_was_not_given_up(half):
    with SpatialMemory.open(half) as memory:
        last, horizon = memory.trajectory()[-1].lsn, memory.horizon
        assert horizon is not None and 5 < horizon.lsn <= last
        assert memory.at(lsn=last).canonical_hash() == memory.canonical_hash()
        then = memory.at(lsn=4)
        assert not then.exact and len(then.trajectory()) == 4
        with pytest.raises(BeforeHorizon, match=f"from frame {horizon.lsn}"):
            then.query("red")


def test_a_later_past_of_a_thinned_memory_is_exact(tmp_path):
    with bh.create(tmp_path / "a.mem") as memory:
        for frame in bh.stream(0, 100):
            memory.observe(frame)
        assert bh.evicted(memory)
        horizon = memory.horizon
        hashes = {memory.trajectory()[-1].lsn: memory.canonical_hash()}
        for frame in bh.stream(100, 4):
            memory.observe(frame)
            hashes[memory.trajectory()[-1].lsn] = memory.canonical_hash()
        assert memory.horizon.lsn >= horizon.lsn
        reached = [lsn for lsn in hashes if lsn >= memory.horizon.lsn]
        assert len(reached) >= 2, "nothing before the last frame is compared"
        for lsn in reached:
            assert memory.at(lsn=lsn).canonical_hash() == hashes[lsn]
        assert memory.at(lsn=max(hashes)).exact
