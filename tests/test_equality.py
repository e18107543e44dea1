"""Live, reopened, recovered and rebuilt memories are one and the same, bit for bit (docs/format.md, section 8)."""

from __future__ import annotations

import hashlib
import struct
import subprocess

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from hypothesis import example, given, settings
from hypothesis import strategies as st
from voxel_scenes import threads

from spatialmem.errors import MemoryFileError
from spatialmem.memory import SpatialMemory
from spatialmem.store import block_codec, codec
from spatialmem.types import Frame

NEVER = 1000
"""checkpoint_frames of a memory that makes no checkpoint while it is open"""
FLOATING = room.Box("red", (1.5, -0.3, 0.5), (2.0, 0.3, 1.1), (200, 25, 30))
BEFORE, AFTER = [*mh.without("red"), FLOATING], mh.without("red")


def walk(count: int = 20, size=(160, 120)) -> list[Frame]:
    """Views from changing poses, most of them of one place where a box comes, goes and comes back, some of noise,
    one without depth, one with a mask."""
    frames = []
    for i in range(count):
        position = np.array([-0.6 + 0.1 * (i % 5), -0.6 + 0.3 * (i % 4), 1.2 + 0.1 * (i % 3)])
        target = np.array([1.75, 0.0, 0.8]) if i % 7 else np.array([-2.0, 0.0, 0.4])
        frame = mh.frame_at(position, target - position, i, AFTER if 5 <= i < 14 else BEFORE, size)
        if i == 3:
            frame = mh.at(frame, i, depth_m=None)
        if i == 9:
            frame = mh.at(frame, i, valid=np.arange(size[0])[None, :].repeat(size[1], 0) % 50 > 9)
        frames.append(frame)
    return frames


@pytest.fixture(scope="module")
def reference(tmp_path_factory) -> list[str]:
    """Hash after 0, 1, 2 ... frames of `walk`, without any checkpoint."""
    with mh.create(tmp_path_factory.mktemp("reference") / "a.mem", checkpoint_frames=NEVER) as memory:
        hashes = [memory.canonical_hash()]
        for frame in walk():
            mh.observe_all(memory, [frame])
            hashes.append(memory.canonical_hash())
        assert memory.info()["departed_regions"] > 0 and memory.info()["base_lsn"] == 0
        assert memory.sql("SELECT count(*) FROM frames WHERE examined IS NOT NULL")[0][0] >= 4
        assert memory.points().position_m.shape[0] > 1000
    return hashes


def changing(hashes: list[str]) -> int:
    return len(set(hashes))


def test_every_frame_with_depth_changes_the_hash(reference):
    assert changing(reference) == len(reference) - 1 and reference[3] == reference[4]  # the fourth has no depth


@pytest.mark.parametrize("every", [1, 3, 4, 5, 7])
def test_a_crash_at_any_frame_leaves_what_was_live(tmp_path, reference, every):
    path = tmp_path / "live" / "a.mem"
    path.parent.mkdir()
    bases = set()
    with mh.create(path, checkpoint_frames=every) as memory:
        for n, frame in enumerate(walk(), start=1):
            mh.observe_all(memory, [frame])
            assert memory.canonical_hash() == reference[n]
            copy = mh.as_a_crash_leaves_it(path, tmp_path / f"{n}" / "a.mem")
            with SpatialMemory.open(copy) as recovered:
                assert recovered.canonical_hash() == reference[n]
                bases.add(recovered.info()["base_lsn"])
                assert n - recovered.info()["base_lsn"] <= 2 * every
    assert len(bases) >= 20 // (2 * every) + 1
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == reference[20] and memory.info()["base_lsn"] == 20
        assert memory.check() == []


@pytest.mark.parametrize(("every", "first"), [(3, 0), (5, 1)])
def test_what_a_crash_left_goes_on_and_closes_as_if_nothing_had_been(tmp_path, reference, every, first):
    """After every second frame, and so after each number of frames since a checkpoint began; after all, with both."""
    path = tmp_path / "live" / "a.mem"
    path.parent.mkdir()
    frames = walk()
    with mh.create(path, checkpoint_frames=every) as memory:
        for n in range(20):
            mh.observe_all(memory, frames[n : n + 1])
            if n % 2 != first:
                continue
            copy = mh.as_a_crash_leaves_it(path, tmp_path / f"{n}" / "a.mem")
            with SpatialMemory.open(copy, "a") as recovered:
                mh.observe_all(recovered, frames[n + 1 : n + 4])
                after = min(n + 4, 20)
                assert recovered.canonical_hash() == reference[after]
            assert mh.names(copy) == {""}
            with SpatialMemory.open(copy, "a") as reopened:
                assert reopened.canonical_hash() == reference[after] and reopened.check() == []
                if n % 4 == first:
                    reopened.rebuild()
                    assert reopened.canonical_hash() == reference[after]


def test_crash_after_crash_after_crash(tmp_path, reference):
    """A copy of a copy of a copy: the file never sees a clean close."""
    frames, rng = walk(), np.random.default_rng(3)
    path = tmp_path / "0" / "a.mem"
    path.parent.mkdir()
    mh.create(path, checkpoint_frames=3).close()
    done = 0
    while done < 20:
        step = int(rng.integers(1, 5))
        memory = SpatialMemory.open(path, "a")
        assert memory.canonical_hash() == reference[done]
        mh.observe_all(memory, frames[done : done + step])
        done = min(done + step, 20)
        path = mh.as_a_crash_leaves_it(path, tmp_path / f"{done}" / "a.mem")
        memory.close()
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == reference[20]


def test_closing_without_news_writes_nothing(tmp_path, reference):
    path = tmp_path / "a.mem"
    mh.create(path, walk(), checkpoint_frames=6).close()
    before = path.read_bytes()
    SpatialMemory.open(path, "a").close()
    assert path.read_bytes() == before


def test_rebuilding_changes_nothing_but_repairs_broken_layers(tmp_path, reference):
    path = tmp_path / "a.mem"
    with mh.create(path, walk(), checkpoint_frames=5) as memory:
        memory.rebuild()
        assert memory.canonical_hash() == reference[20] and memory.check() == []
        before = {name: rows for name, rows in mh.tables(memory).items() if name != "checkpoints"}
        memory.rebuild()
        after = mh.tables(memory)
        assert {name: after[name] for name in before} == before
        connection = memory._keeper.file._writer._connection
        connection.execute("DELETE FROM surface_blocks WHERE key % 2 = 0")
        connection.execute("DELETE FROM departed")
    with pytest.raises(MemoryFileError, match="spatialmem rebuild"):
        SpatialMemory.open(path, "a")
    SpatialMemory.repair(path)
    with SpatialMemory.open(path, "a") as memory:
        assert memory.canonical_hash() == reference[20]
        memory.rebuild()
        assert memory.canonical_hash() == reference[20]
        copy = mh.as_a_crash_leaves_it(path, tmp_path / "copy" / "a.mem")
        with SpatialMemory.open(copy) as recovered:
            assert recovered.canonical_hash() == reference[20]
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == reference[20]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_threads_do_not_matter(tmp_path, reference, count):
    with threads(count):
        path = tmp_path / "a.mem"
        with mh.create(path, walk(), checkpoint_frames=7) as memory:
            assert memory.canonical_hash() == reference[20]
            copy = mh.as_a_crash_leaves_it(path, tmp_path / "copy" / "a.mem")
        with SpatialMemory.open(copy, "a") as memory:
            assert memory.canonical_hash() == reference[20]
            memory.rebuild()
            assert memory.canonical_hash() == reference[20]


def test_another_process_on_one_thread_gets_the_same(tmp_path, reference):
    code = """
import test_equality as te
from spatialmem.voxels.dispatch import DISPATCHER
with mh.create(te.Path(sys.argv[1]), te.walk(), checkpoint_frames=4) as memory:
    print(DISPATCHER.threads, memory.canonical_hash())
""".replace("te.Path", "__import__('pathlib').Path")
    done = subprocess.run(
        [*mh.python(code), str(tmp_path / "a.mem")], capture_output=True, text=True, check=True,
        env=mh.child_environment(SPATIALMEM_THREADS="1"),
    )  # fmt: skip
    assert done.stdout.split() == ["1", reference[20]]
    with SpatialMemory.open(tmp_path / "a.mem") as memory:
        assert memory.canonical_hash() == reference[20]


# --- the page


def hash_by_the_page(memory: SpatialMemory) -> str:
    """The canonical hash of a closed memory, from the tables of its file and docs/format.md alone."""
    digest = hashlib.blake2b(b"spatialmem-1", digest_size=32)
    for key, data in memory.sql("SELECT key, data FROM surface_blocks ORDER BY key"):
        block = block_codec.unpack_surface_block(data)
        if block.weight.any():
            digest.update(struct.pack("<q", key) + block.dist.astype("<i2").tobytes() + block.weight.tobytes())
            digest.update(np.packbits(block.has_row).tobytes())
            for field in (block.features, block.colour, block.colour_weight, block.feature_weight):
                digest.update(np.ascontiguousarray(field).tobytes())
            for field in (block.first, block.last):
                digest.update(field.astype("<u4").tobytes())
            digest.update(block.doubt.astype("<u2").tobytes())
    for key, data in memory.sql("SELECT key, data FROM free_blocks ORDER BY key"):
        block = block_codec.unpack_free_block(data)
        digest.update(struct.pack("<q", key) + block.log_odds.tobytes())
        digest.update(block.last_free.astype("<u4").tobytes() + block.last_occupied.astype("<u4").tobytes())
    for lsn, cells in memory.sql("SELECT lsn, cells FROM sightings ORDER BY lsn"):
        cell, occupied, free = codec.decode_cells(cells)
        digest.update(struct.pack("<q", lsn) + cell.astype("<i2").tobytes())
        digest.update(occupied.astype("<u2").tobytes() + free.astype("<u2").tobytes())
    for row in memory.sql("SELECT * FROM departed ORDER BY valid_from, x, y, z"):
        for value in row[1:-1]:  # without id and crc
            digest.update(tagged(value))
    return digest.hexdigest()


def tagged(value) -> bytes:
    """One column as the checksums of the format see it."""
    if value is None:
        return b"n"
    if isinstance(value, int):
        return b"i" + struct.pack("<q", value)
    if isinstance(value, float):
        return b"f" + struct.pack("<d", value)
    data = value.encode() if isinstance(value, str) else value
    return (b"t" if isinstance(value, str) else b"b") + struct.pack("<I", len(data)) + data


def test_the_hash_can_be_taken_from_the_page_alone(tmp_path, reference):
    path = tmp_path / "a.mem"
    mh.create(path, walk(), checkpoint_frames=6).close()
    with SpatialMemory.open(path) as memory:
        assert hash_by_the_page(memory) == reference[20]


# --- any order of anything

VIEWS = 6


def drawn(choices: list[tuple[int, bool, bool]]) -> list[Frame]:
    """Small frames from (viewpoint, whether the box is there, whether depth was lost)."""
    frames = []
    for i, (view, there, lost) in enumerate(choices):
        position = np.array([-0.7 + 0.25 * view, -0.8 + 0.3 * view, 1.1 + 0.1 * (view % 2)])
        target = np.array([1.75, 0.0, 0.8])
        frame = mh.frame_at(position, target - position, i, BEFORE if there else AFTER, (96, 72))
        frames.append(mh.at(frame, i, depth_m=None) if lost else frame)
    return frames


CHOICES = st.lists(
    st.tuples(st.integers(0, VIEWS - 1), st.booleans(), st.sampled_from([False, False, False, False, True])),
    min_size=1, max_size=12,
)  # fmt: skip


@settings(max_examples=25)
@given(choices=CHOICES, every=st.integers(1, 5), encode_every=st.integers(1, 3), cut=st.integers(0, 12))
@example([(v, True, False) for v in range(4)] + [(v, False, False) for v in range(6)], 2, 2, 7)
def test_any_order_of_poses_and_changes(tmp_path_factory, choices, every, encode_every, cut):
    folder = tmp_path_factory.mktemp("any")
    frames, options = drawn(choices), {"encode_every": encode_every, "voxel_size_m": 0.06}
    with mh.create(folder / "plain.mem", frames, checkpoint_frames=NEVER, **options) as plain:
        expected = plain.canonical_hash()
    with mh.create(folder / "live.mem", frames[:cut], checkpoint_frames=every, **options) as live:
        copy = mh.as_a_crash_leaves_it(folder / "live.mem", folder / "copy" / "live.mem")
        mh.observe_all(live, frames[cut:])
        assert live.canonical_hash() == expected
    with SpatialMemory.open(copy, "a") as recovered:
        mh.observe_all(recovered, frames[cut:])
        assert recovered.canonical_hash() == expected
    for path in (folder / "live.mem", copy):
        with SpatialMemory.open(path, "a") as memory:
            assert memory.canonical_hash() == expected
            memory.rebuild()
            assert memory.canonical_hash() == expected


@pytest.mark.parametrize("seed", [1, 4, 7])
def test_closing_and_opening_between_frames_changes_nothing(tmp_path, seed):
    """Thin things that come and go leave doubts behind: what is known of them must survive a reopening."""
    rng = np.random.default_rng(seed)
    places = zip(rng.uniform(-0.8, 0.8, 12), rng.uniform(0.5, 1.6, 12), strict=True)
    sticks = [room.Box(f"stick {k}", (1.0, y, z), (1.05, y + 0.05, z + 0.05), (200, 30, 30)) for k, (y, z) in
              enumerate(places)]  # fmt: skip
    options = {"checkpoint_frames": 1000, "voxel_size_m": 0.03}
    with mh.create(tmp_path / "open.mem", **options) as memory:
        mh.create(tmp_path / "closed.mem", **options).close()
        for i in range(12):
            there = rng.random() < 0.5 or i < 2
            position = np.array([-0.8, 0, 1.1]) + rng.normal(0, 0.12, 3)
            boxes = [*mh.without("red"), *(sticks if there else [])]
            frame = mh.frame_at(position, np.array([1.75, 0, 0.95]) - position, i, boxes, (320, 240))
            mh.observe_all(memory, [frame])
            with SpatialMemory.open(tmp_path / "closed.mem", "a") as reopened:
                mh.observe_all(reopened, [frame])
                assert reopened.canonical_hash() == memory.canonical_hash(), f"after frame {i}"
                examined = "SELECT examined FROM frames ORDER BY lsn DESC LIMIT 1"
                assert reopened.sql(examined) == memory.sql(examined)
