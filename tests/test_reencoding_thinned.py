"""Moving a memory to another encoder where images were given up, and within a file budget."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path

import budget_helpers as bh
import memory_helpers as mh
import numpy as np
import pytest
from cli_helpers import run, run_json
from hypothesis import given, settings
from hypothesis import strategies as st
from patch_encoder import Patches
from test_correction import assert_equals_its_rebuild, corrections
from test_reencoding import pair, reencoded

from spatialmem.errors import Evicted, OutOfRoom
from spatialmem.memory import SpatialMemory
from spatialmem.perception import encoder as encoders
from spatialmem.reencoding import Reencoded, _with_features
from spatialmem.store import writer
from spatialmem.store.block_codec import SurfaceBlock, unpack_surface_block
from spatialmem.store.queries import disk_sizes

ENCODER = Patches()
GEOMETRY = ("dist", "weight", "has_row", "colour", "colour_weight", "first", "last", "doubt")


def blocks(path: Path) -> dict[int, SurfaceBlock]:
    """Those of the file that say anything."""
    with SpatialMemory.open(path) as memory:
        found = memory.sql("SELECT key, data FROM surface_blocks ORDER BY key")
    unpacked = {key: unpack_surface_block(data) for key, data in found}
    return {key: block for key, block in unpacked.items() if block.weight.any()}


def touched(path: Path) -> set[int]:
    """Blocks that frames without images touched."""
    with SpatialMemory.open(path) as memory:
        file = memory._keeper.on_file()
        return {int(key) for lsn in bh.evicted(memory) for key in file.left_by(lsn)}


def tables(path: Path, *names: str) -> list[list[tuple]]:
    with SpatialMemory.open(path) as memory:
        return [mh.tables(memory)[name] for name in names]


@pytest.fixture
def path(half) -> Path:
    return Path(half)


@pytest.fixture(scope="module")
def moved(made, tmp_path_factory) -> tuple[Path, Reencoded]:
    """The memory of two places with another encoder, not to be changed, and what was said of it."""
    path = Path(shutil.copyfile(made, tmp_path_factory.mktemp("moved") / "a.mem"))
    return path, reencoded(path, ENCODER, accept_loss=True)


# --- what has no images


def test_it_is_refused_with_figures_unless_the_loss_is_accepted(path):
    before = path.read_bytes()
    words = r"images of 5 of 14 frames were given up.* In \d+ of \d+ surface blocks.*--accept-loss, or accept_loss=True"
    with pytest.raises(Evicted, match=words):
        SpatialMemory.reencode(path, ENCODER)
    assert path.read_bytes() == before and mh.names(path) == {""}


def test_the_map_is_as_it_was_but_for_its_features(made, moved):
    path, done = moved
    assert (done.frames, done.encoded, done.without_images, done.given_up) == (14, 9, 5, 0)
    old, new, gone = blocks(made), blocks(path), touched(made)
    assert old.keys() == new.keys() and 0 < len(gone & old.keys()) < len(old)
    bare = 0
    for key, block in new.items():
        for name in GEOMETRY:
            np.testing.assert_array_equal(getattr(block, name), getattr(old[key], name))
        none = block.feature_weight == 0
        assert block.features.shape[1] == 24 and not block.features[none].any()
        assert key in gone or not none.any()
        bare += int(none.sum())
    assert bare == done.voxels_without_feature > 0
    assert done.voxels == sum(len(block.last) for block in new.values()) > 2 * bare
    same = "keyframes", "sightings", "tombstones", "sessions", "anchors"
    assert tables(made, *same) == tables(path, *same)


def test_features_are_those_of_the_frames_that_are_left(made, moved, tmp_path):
    """In the first place frame 6 alone has its images: its features, where it saw anything."""
    alone = tmp_path / "a.mem"
    with SpatialMemory.open(made) as memory:
        left, config = [memory.keyframe(lsn) for lsn in range(6, 15)], memory.config
    with SpatialMemory.create(alone, ENCODER, config) as memory:
        mh.observe_all(memory, left)
    new, fresh, cosines = blocks(moved[0]), blocks(alone), []
    for key in touched(made) & new.keys():
        mine = features(new[key])
        theirs = features(fresh[key]) if key in fresh else {}
        assert mine.keys() <= theirs.keys()
        cosines += [cosine(feature, theirs[voxel]) for voxel, feature in mine.items()]
    assert len(cosines) > 500 and min(cosines) > 0.8 and np.mean(cosines) > 0.99  # JPEG was written twice


def features(block: SurfaceBlock) -> dict[int, np.ndarray]:
    """By voxel, of those that have one."""
    known = block.feature_weight > 0
    values = block.features[known].view(np.float16).astype(np.float32)
    return dict(zip(np.flatnonzero(block.has_row)[known].tolist(), values, strict=True))


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_departed_regions_keep_all_but_features_that_nobody_knows(made, moved):
    old, new = tables(made, "departed")[0], tables(moved[0], "departed")[0]
    assert [row[1:-2] for row in old] == [row[1:-2] for row in new] and len(new) > 0
    assert all(row[-2] is None or len(row[-2]) == 2 * 24 for row in new)


def test_image_vectors_that_cannot_be_made_are_recorded_as_given_up(moved):
    with SpatialMemory.open(moved[0]) as memory:
        assert memory.check() == []
        (what,) = memory.sql("SELECT what, at_lsn, rows, reason FROM evictions WHERE kind = 'vectors'")
        assert what == ('{"lsn": [[1, 5]]}', 14, 5, "moved to encoder patches:24")
        assert memory.sql("SELECT count(*), min(lsn), max(length(vector)) FROM vectors") == [(9, 6, 2 * 216)]


def test_it_goes_on_as_any_thinned_memory(moved, tmp_path):
    path = Path(shutil.copyfile(moved[0], tmp_path / "a.mem"))
    memory = SpatialMemory.open(path, "a", ENCODER)
    assert len(memory.query("red")) > 0 and memory.info()["horizon_lsn"] == 14
    hashed = memory.canonical_hash()
    memory.rebuild()
    assert memory.canonical_hash() == hashed
    done = memory.correct_poses(corrections(memory, [3, 6, 12], seed=5, metres=0.1))
    assert done.applied == 3 and done.moved_blocks > 0
    mh.observe_all(memory, [bh.noisy(mh.frame_at((1.2, 0.0, 1.2), (1.0, 0.1, -0.3), 0), 14)])
    memory.forget(frames=[2, 10])
    with pytest.raises(Evicted):
        memory.keyframe(4)
    assert_equals_its_rebuild(path, memory)
    assert reencoded(path, "colours", accept_loss=True).without_images == 4
    with SpatialMemory.open(path, "a") as memory:
        hashed = memory.canonical_hash()
        assert memory.check() == [] and memory.sql("SELECT count(*) FROM moved")[0][0] > 0
        memory.rebuild()
        assert memory.canonical_hash() == hashed


def test_what_a_killed_writer_left_after_its_last_checkpoint_is_taken_over(made, tmp_path):
    path = Path(shutil.copyfile(made, tmp_path / "a.mem"))
    with SpatialMemory.open(path, "a") as memory:
        mh.observe_all(memory, [bh.noisy(mh.frame_at((-1.0, 0.0, 1.2), (-1.0, 0.1, -0.2), 0), 20)])
        copy = mh.as_a_crash_leaves_it(path, tmp_path / "killed" / "a.mem")
        hits = len(memory.query("blue"))
    before = blocks(path)
    done = reencoded(copy, ENCODER, accept_loss=True)
    assert done.encoded == 10 and hits > 0
    after = blocks(copy)
    assert before.keys() == after.keys()
    for key, block in after.items():
        for name in GEOMETRY:
            np.testing.assert_array_equal(getattr(block, name), getattr(before[key], name))


@settings(max_examples=60)
@given(st.data())
def test_features_are_taken_where_both_have_a_row_and_nothing_was_gone_before(data):
    block, other = (_random_block(np.random.default_rng(data.draw(st.integers(0, 10**6)))) for _ in range(2))
    made = _with_features(block, other)
    for name in GEOMETRY:
        assert getattr(made, name) is getattr(block, name)
    mine, theirs, result = (_by_voxel(one) for one in (block, other, made))
    assert result.keys() == mine.keys()
    for voxel, (first, feature, weight) in mine.items():
        taken = voxel in theirs and theirs[voxel][0] >= first and theirs[voxel][2] > 0
        expected = theirs[voxel][1:] if taken else (feature, weight)
        assert result[voxel][1:] == expected


def _random_block(rng: np.random.Generator) -> SurfaceBlock:
    has_row = rng.random(512) < rng.random()
    n = int(has_row.sum())
    first = rng.integers(1, 9, n).astype(np.uint32)
    return SurfaceBlock(
        np.zeros(512, np.int16), has_row.astype(np.uint8), has_row, rng.integers(0, 99, (n, 2)).astype(np.uint16),
        np.zeros((n, 3), np.uint16), np.ones(n, np.uint8), rng.integers(0, 3, n).astype(np.uint8), first, first,
        np.zeros(n, np.uint16),
    )  # fmt: skip


def _by_voxel(block: SurfaceBlock) -> dict[int, tuple]:
    rows = zip(block.first.tolist(), map(tuple, block.features.tolist()), block.feature_weight.tolist(), strict=True)
    return dict(zip(np.flatnonzero(block.has_row).tolist(), rows, strict=True))


# --- the budget


@contextmanager
def watching(monkeypatch, folder: Path):
    """Whatever a writer does, no memory in the folder takes more than the limit; yields the largest figure by name."""
    opened, most = writer._open, {}

    def watched(path):
        connection = opened(path)

        def look(*_):
            for name in {entry.name.removesuffix("-wal").removesuffix("-shm") for entry in folder.iterdir()}:
                if not name.endswith(("-lock", "-new", "-journal")):
                    most[name] = max(most.get(name, 0), disk_sizes(folder / name)["total"])

        connection.set_trace_callback(look)
        return connection

    with monkeypatch.context() as patched:
        patched.setattr(writer, "_open", watched)
        yield most


@pytest.fixture(scope="module")
def day(tmp_path_factory) -> Path:
    """A memory whose budget is full, and most of whose images were given up."""
    path = tmp_path_factory.mktemp("day") / "a.mem"
    with bh.create(path) as memory:
        mh.observe_all(memory, bh.stream(0, 60))
        assert 10 < len(bh.evicted(memory)) < 50
    return path


def test_the_file_budget_holds_while_it_moves_and_afterwards(day, tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    path, wide = Path(shutil.copyfile(day, tmp_path / "folder" / "a.mem")), Patches(64)
    with watching(monkeypatch, path.parent) as most:
        done = reencoded(path, wide, accept_loss=True)
    assert set(most) == {"a.mem", "a.mem-building"} and max(most.values()) <= bh.LIMIT
    assert done.width == 64 and done.encoded + done.without_images == done.frames == 60
    with SpatialMemory.open(path) as memory:
        assert memory.check() == [] and memory.info()["budget"]["file_bytes"] == bh.LIMIT
        assert len(bh.evicted(memory)) == done.without_images + done.given_up
        assert bh.evicted(memory) == bh.recorded(memory)
    old, new = blocks(day), blocks(path)
    assert old.keys() == new.keys()
    assert all(np.array_equal(getattr(old[key], name), getattr(new[key], name)) for key in old for name in GEOMETRY)
    with SpatialMemory.open(path, "a", wide) as memory, bh.watched(memory):
        hashed = memory.canonical_hash()
        memory.rebuild()
        assert memory.canonical_hash() == hashed
        mh.observe_all(memory, bh.stream(60, 6))
    with SpatialMemory.open(path) as memory:
        assert memory.check() == [] and len(memory.trajectory()) == 66


def test_images_are_given_up_for_wider_features_and_nothing_of_the_map(tmp_path):
    """Nothing was given up with narrow ones; with wider ones the same budget holds fewer images. The map is that of a
    memory that has all the room it wants."""
    (path, other), frames, wide = pair(tmp_path), list(bh.stream(0, 16)), Patches(256)
    for memory in (bh.create(path), bh.create(other, None)):
        with memory:
            mh.observe_all(memory, frames)
    assert reencoded(other, wide).given_up == 0
    with SpatialMemory.open(other) as memory:
        hashed = memory.canonical_hash()
    done = reencoded(path, wide)
    assert (done.without_images, done.encoded, done.voxels_without_feature) == (0, 16, 0) and done.given_up > 0
    with SpatialMemory.open(path, "a", wide) as memory:
        assert len(bh.evicted(memory)) == done.given_up and memory.check() == []
        assert memory.canonical_hash() == hashed
        memory.rebuild()
        assert memory.canonical_hash() == hashed


def test_a_budget_without_room_for_wider_features_leaves_the_old_memory(day, tmp_path):
    (tmp_path / "folder").mkdir()
    path = Path(shutil.copyfile(day, tmp_path / "folder" / "a.mem"))
    with pytest.raises(OutOfRoom, match="stays with encoder 'colours'"):
        SpatialMemory.reencode(path, Patches(2048), accept_loss=True)
    assert path.read_bytes() == day.read_bytes() and mh.names(path) == {""}


# --- the command


@pytest.fixture
def named(monkeypatch):
    monkeypatch.setitem(encoders.ENCODERS, "patches", "patch_encoder:Patches")


def test_the_command_says_what_is_lost(path, named, capsys):
    run("rebuild", path, "--encoder", "patches", code=1)
    captured = capsys.readouterr()
    assert "images of 5 of 14 frames" in captured.err and "--accept-loss" in captured.err and captured.out == ""
    out = run_json(capsys, "rebuild", path, "--encoder", "patches", "--accept-loss")
    assert out["changed"] is True and out["frames"] == 14
    assert out["moved"]["encoder_before"] == "colours" and out["moved"]["without_images"] == 5
    assert run_json(capsys, "info", path, "--hash", "--verify")["canonical_hash"] == out["canonical_hash"]
    run("rebuild", path, "--encoder", "colours", "--accept-loss")
    captured = capsys.readouterr()
    assert "encoding 14 frames with colours" in captured.err
    assert "patches:24" in captured.out and "5 frames had no images any more" in captured.out
    run("rebuild", path, "--encoder", "colours")
    assert "its own: nothing was encoded" in capsys.readouterr().out


def test_wrong_lines(path, capsys):
    before = path.read_bytes()
    run("rebuild", path, "--encoder", "colors", code=1)
    assert "did you mean 'colours'" in capsys.readouterr().err
    run("rebuild", path, "--accept-loss", code=1)
    assert "--encoder NAME" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_whole_memory_by_the_command(tmp_path, named, capsys):
    path = tmp_path / "a.mem"
    mh.create(path, [mh.at(bh.view(i, True), i) for i in range(4)]).close()
    run("rebuild", path, "--encoder", "patches:64")
    captured = capsys.readouterr()
    assert "features 64 wide, before 16" in captured.out and "4 frames" in captured.out and "lost" not in captured.out
    out = run_json(capsys, "query", path, "red")
    assert len(out["hits"]) > 0
    out = run_json(capsys, "rebuild", path, "--encoder", "patches:64")
    assert out["moved"] is None and out["changed"] is False
