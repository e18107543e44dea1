"""Moving a memory to another encoder: afterwards it is the one that was made with that encoder from the start."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Literal

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from patch_encoder import Patches
from test_correction import corrections
from test_equality import walk
from test_repair import change

from spatialmem.errors import (
    EncoderMismatch,
    InvalidValue,
    MemoryFileError,
    MemoryLocked,
    OutOfRoom,
    SpatialMemError,
    UnknownName,
)
from spatialmem.memory import SpatialMemory
from spatialmem.perception import Encoder, check_encoder, load_encoder
from spatialmem.reencoding import Reencoded
from spatialmem.store.codec import decode_colour, encode_colour
from spatialmem.types import Frame

ENCODER = Patches()
SAME = ("keyframes", "frames", "vectors", "sightings", "departed", "sessions", "anchors", "cameras", "pose_revisions",
        "tombstones", "evictions", "row_counts")  # fmt: skip


def settled(frames: list[Frame]) -> list[Frame]:
    """The frames with pictures that JPEG gives back as they are, so that what an encoder sees does not depend on when
    it is asked."""
    return [dataclasses.replace(frame, rgb=_settled(frame.rgb)) for frame in frames]


def _settled(rgb: np.ndarray) -> np.ndarray:
    for _ in range(100):
        again = decode_colour(encode_colour(rgb, 90))
        if np.array_equal(again, rgb):
            return rgb
        rgb = again
    raise AssertionError("these pictures never come to rest")


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return settled(walk(14))


def made_with(path: Path, frames: list[Frame], encoder: str | Encoder = "colours", **options) -> SpatialMemory:
    memory = SpatialMemory.create(path, encoder, mh.config(**options))
    mh.observe_all(memory, frames)
    return memory


def reencoded(path: Path, encoder: str | Encoder = ENCODER, **options) -> Reencoded:
    """What was done: it was another encoder."""
    done = SpatialMemory.reencode(path, encoder, **options)
    assert done is not None
    return done


def opened(path: Path, mode: Literal["r", "a"] = "r", encoder: Encoder = ENCODER) -> SpatialMemory:
    return SpatialMemory.open(path, mode, encoder)


def pair(folder: Path) -> tuple[Path, Path]:
    """Two files, each in a folder of its own."""
    for name in ("one", "two"):
        (folder / name).mkdir()
    return folder / "one" / "a.mem", folder / "two" / "a.mem"


def assert_alike(path: Path, other: Path, encoder=ENCODER) -> None:
    """Hash, log and everything derived of two memories, but for what says when blocks were written."""
    with opened(path, encoder=encoder) as one, opened(other, encoder=encoder) as two:
        assert one.canonical_hash() == two.canonical_hash()
        mine, theirs = mh.tables(one), mh.tables(two)
        assert mine.keys() == theirs.keys()
        assert {name for name in SAME if mine[name] != theirs[name]} == set()
        assert [row[:2] for row in mine["meta"]] == [row[:2] for row in theirs["meta"]]
        assert one.check() == two.check() == []
    assert mh.names(path) == {""}


def test_the_second_encoder_is_one():
    assert check_encoder(ENCODER) == check_encoder(Patches(64)) == []


@pytest.mark.parametrize("options", [{}, {"encode_every": 3}, {"checkpoint_frames": 3, "refine_poses": True}], ids=str)
def test_it_is_as_if_it_had_been_made_with_that_encoder(tmp_path, frames, options):
    path, other = pair(tmp_path)
    made_with(path, frames, **options).close()
    made_with(other, frames, ENCODER, **options).close()
    seen = []
    done = reencoded(path, progress=lambda *told: seen.append(told))
    encoded = sum(1 for lsn in range(14) if lsn % options.get("encode_every", 1) == 0)
    assert (done.frames, done.without_images, done.given_up, done.voxels_without_feature) == (14, 0, 0, 0)
    assert (done.width, done.width_before, done.encoder_before) == (24, 16, "colours") and done.voxels > 1000
    assert seen[-1] == (14, done.encoded) and (done.encoded == encoded or options.get("encode_every"))
    assert_alike(path, other)
    with opened(path) as memory:
        assert memory.info()["departed_regions"] > 0 and len(memory.query("red")) > 0


def test_there_and_back_again(tmp_path, frames):
    """To a wider one and back: the pictures are the same, so all is."""
    path = tmp_path / "a.mem"
    made_with(path, frames).close()
    with SpatialMemory.open(path) as memory:
        before = memory.canonical_hash(), {name: mh.tables(memory)[name] for name in SAME}
    for encoder in (Patches(64), "colours"):
        assert reencoded(path, encoder).encoded == 14
    with SpatialMemory.open(path) as memory:
        assert before == (memory.canonical_hash(), {name: mh.tables(memory)[name] for name in SAME})


def lived(memory: SpatialMemory, frames: list[Frame]) -> None:
    """Two sessions, one moved, frames with other poses, frames forgotten, up declared."""
    mh.observe_all(memory, frames[:8])
    turned = np.eye(4)
    turned[:2, :2], turned[:2, 3] = [[0.0, -1.0], [1.0, 0.0]], (0.3, -0.2)
    memory.add_session("second", turned)
    back = np.linalg.inv(turned)
    others = [dataclasses.replace(f, session_id="second", world_from_camera=back @ f.pose) for f in frames[8:12]]
    mh.observe_all(memory, others)
    memory.correct_poses(corrections(memory, [2, 6, 7], seed=3))
    turned[:3, 3] += (0.05, 0.03, 0.0)
    memory.correct_poses(anchor=("second", turned), reason="moved")
    memory.forget(frames=[3, 5, 12])
    memory.declare_up((0.0, 0.0, 1.0))


def lives_on(memory: SpatialMemory, frames: list[Frame]) -> None:
    mh.observe_all(memory, frames[12:])
    memory.correct_poses(corrections(memory, [1, 9, 13], seed=4))
    memory.forget(frames=[8])


def test_a_memory_with_a_past_goes_on_as_one_that_was_made_with_that_encoder(tmp_path, frames):
    path, other = pair(tmp_path)
    with made_with(path, []) as memory, made_with(other, [], ENCODER) as second:
        lived(memory, frames)
        lived(second, frames)
    assert reencoded(path, ENCODER).frames == 9
    assert_alike(path, other)
    with opened(path, "a") as memory, opened(other, "a") as second:
        lives_on(memory, frames)
        lives_on(second, frames)
        hashed = memory.canonical_hash()
        assert hashed == second.canonical_hash()
        with memory.at(lsn=7) as then, second.at(lsn=7) as before:
            assert then.canonical_hash() == before.canonical_hash()
        memory.rebuild()
        assert memory.canonical_hash() == hashed
    assert_alike(path, other)


def test_blocks_that_do_not_fit_into_ram_change_nothing(tmp_path):
    path, other = pair(tmp_path)
    options = {"voxel_size_m": 0.02, "max_depth_m": 2.0, "ram_bytes": 16 << 20, "checkpoint_frames": 5}
    frames = settled([room.room_frame(i, 16) for i in range(16)])
    wide = Patches(64)
    made_with(path, frames, **options).close()
    made_with(other, frames, wide, **options).close()
    with opened(other, "a", wide) as memory:
        assert memory.info()["surface_blocks_on_file_alone"] > 0
    assert reencoded(path, wide).width == 64
    assert_alike(path, other, wide)


def test_an_empty_memory_moves_too(tmp_path, frames):
    path = tmp_path / "a.mem"
    made_with(path, []).close()
    assert reencoded(path, ENCODER).frames == 0
    with opened(path, "a") as memory:
        mh.observe_all(memory, frames[:2])
        assert memory.encoder is ENCODER and memory.check() == []


def test_a_killed_writers_frames_come_along(tmp_path, frames):
    path, other = pair(tmp_path)
    with made_with(path, frames[:5], checkpoint_frames=2):
        copy = mh.as_a_crash_leaves_it(path, tmp_path / "killed" / "a.mem")
    made_with(other, frames[:5], ENCODER, checkpoint_frames=2).close()
    assert reencoded(copy, ENCODER).frames == 5
    assert_alike(copy, other)


def test_places_are_recognised_by_the_new_vectors(tmp_path, frames):
    path = tmp_path / "a.mem"
    made_with(path, frames).close()
    SpatialMemory.reencode(path, ENCODER)
    with opened(path) as memory:
        assert {len(vector) for (vector,) in memory.sql("SELECT vector FROM vectors")} == {2 * ENCODER.vector_dim}
        found = memory.localize(frames[8])
        assert found is not None and np.abs(found.map_from_camera - frames[8].pose).max() < 0.05


# --- what is refused, and what is left then


@pytest.fixture(scope="module")
def plain(tmp_path_factory, frames) -> Path:
    path = tmp_path_factory.mktemp("plain") / "a.mem"
    made_with(path, frames[:6]).close()
    return path


@pytest.fixture
def path(plain, tmp_path) -> Path:
    return Path(shutil.copyfile(plain, tmp_path / "a.mem"))


def assert_untouched(path: Path, plain: Path) -> None:
    assert path.read_bytes() == plain.read_bytes() and mh.names(path) == {""}


def test_its_own_encoder_makes_the_layers_anew(path, plain):
    with SpatialMemory.open(plain) as memory:
        before = memory.canonical_hash()
    assert SpatialMemory.reencode(path, "colours") is None
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == before and memory.encoder.name == "colours"


def test_another_version_of_the_same_name_is_another_encoder(path):
    first, second = Patches(version=1), Patches(version=2)
    for encoder in (first, second):
        assert reencoded(path, encoder).encoded == 6
    assert SpatialMemory.reencode(path, second) is None
    with pytest.raises(EncoderMismatch, match="spatialmem rebuild FILE --encoder"):
        opened(path, encoder=first)


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ("colors", UnknownName, "did you mean 'colours'"),
        (7, InvalidValue, "encoder must be a name or an Encoder"),
        ("colours:64", InvalidValue, "takes nothing after its name"),
    ],
)
def test_encoders_that_are_none(path, plain, wrong, error, words):
    with pytest.raises(error, match=words):
        SpatialMemory.reencode(path, wrong)
    assert_untouched(path, plain)


def test_a_memory_without_a_file_is_refused():
    with pytest.raises(InvalidValue, match="one made without a path has no file"):
        SpatialMemory.reencode(None, ENCODER)  # type: ignore[arg-type]
    with (
        SpatialMemory.create(None, encoder="colours") as memory,
        pytest.raises(SpatialMemError, match="ephemeral memory has no file"),
    ):
        memory.rebuild()


def test_files_that_are_none(tmp_path):
    with pytest.raises(MemoryFileError, match="there is no file"):
        SpatialMemory.reencode(tmp_path / "a.mem", ENCODER)
    (tmp_path / "b.mem").write_bytes(b"hello" * 1000)
    with pytest.raises(MemoryFileError, match="not an SQLite file"):
        SpatialMemory.reencode(tmp_path / "b.mem", ENCODER)
    assert [entry.name for entry in tmp_path.iterdir()] == ["b.mem"]


def test_one_that_is_written_is_refused(path):
    with SpatialMemory.open(path, "a") as memory:
        with pytest.raises(MemoryLocked, match="open for appending"):
            SpatialMemory.reencode(path, ENCODER)
        assert memory.encoder.name == "colours" and len(memory.query("red")) > 0


def test_one_that_must_not_be_written_is_refused(path, plain, monkeypatch):
    def denied(given):
        raise MemoryFileError(f"{given} cannot be written (Permission denied)")

    monkeypatch.setattr("spatialmem.reencoding.refuse_unwritable", denied)
    with pytest.raises(MemoryFileError, match="cannot be written"):
        SpatialMemory.reencode(path, ENCODER)
    assert_untouched(path, plain)


def test_who_reads_the_old_one_is_told(path):
    with SpatialMemory.open(path) as reader:
        before = len(reader.query("red"))
        reader.keyframe(1)
        SpatialMemory.reencode(path, ENCODER)
        with pytest.raises(MemoryFileError, match="was replaced by another file.*open it again"):
            reader.keyframe(1)
        assert before > 0
    with pytest.raises(EncoderMismatch, match="made with encoder 'patches:24'"):
        SpatialMemory.open(path, encoder=load_encoder("colours"))


def test_the_new_file_has_the_permissions_of_the_old_one(path):
    path.chmod(0o640)
    SpatialMemory.reencode(path, ENCODER)
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "damage", ["UPDATE frames SET colour = zeroblob(9) WHERE lsn = 4", "DELETE FROM frames WHERE lsn = 4"]
)
def test_a_damaged_frame_is_named_and_nothing_is_changed(path, damage):
    change(path, damage)
    before = path.read_bytes()
    with pytest.raises(MemoryFileError, match="frame 4 of the log"):
        SpatialMemory.reencode(path, ENCODER)
    assert path.read_bytes() == before and mh.names(path) == {""}


def test_damaged_layers_are_not_needed(path, tmp_path, frames):
    change(path, "UPDATE surface_blocks SET data = zeroblob(9)", "DELETE FROM sightings WHERE lsn = 2")
    SpatialMemory.reencode(path, ENCODER)
    other = pair(tmp_path)[1]
    made_with(other, frames[:6], ENCODER).close()
    with opened(path) as memory, opened(other) as second:
        assert memory.canonical_hash() == second.canonical_hash()


def test_an_encoder_that_breaks_its_word_is_refused(path, plain):
    class Narrow(Patches):
        def encode(self, rgb):
            whole = super().encode(rgb)
            return dataclasses.replace(whole, dense=whole.dense[..., :8])

    with pytest.raises(InvalidValue, match=r"\(h, w, 24\)"):
        SpatialMemory.reencode(path, Narrow())
    assert_untouched(path, plain)


def test_what_does_not_fit_into_ram_leaves_the_old_memory(path, plain):
    with pytest.raises(OutOfRoom, match="stays with encoder 'colours'.*ram_bytes"):
        SpatialMemory.reencode(path, Patches(16384))
    assert_untouched(path, plain)
