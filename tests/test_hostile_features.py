"""Features of another width than the memory's, in a frame whose checksum was made anew: kernels go by that width."""

from __future__ import annotations

import shutil

import memory_helpers as mh
import numpy as np
import pytest
from test_equality import walk
from test_store_values import write

from spatialmem.errors import MemoryFileError
from spatialmem.memory import SpatialMemory
from spatialmem.store import codec
from spatialmem.store.compress import compress

COUNT = 6
WRONG = {
    "narrow": codec.encode_features(np.ones((14, 14, 8), np.float32)),
    "wide": codec.encode_features(np.ones((14, 14, 32), np.float32)),
    "one": codec.encode_features(np.ones((14, 14, 1), np.float32)),
    "none": codec._FEATURE_HEADER.pack(0, 0, 16, 1.0) + compress(b""),
}
WORDS = f"features of frame {COUNT} are [0-9]+ wide, those of its memory 16; see what|header says 0 x 0 x 16"


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A memory as closing leaves it, and as a crash does, with a tail."""
    folder = tmp_path_factory.mktemp("features")
    with mh.create(folder / "live.mem", walk(COUNT), checkpoint_frames=100) as memory:
        assert memory.encoder.dim == 16
        mh.as_a_crash_leaves_it(folder / "live.mem", folder / "tail.mem")
    return folder


@pytest.fixture(params=sorted(WRONG))
def hostile(files, tmp_path, request):
    """The folder of both, each with wrong features in its last frame."""
    for name in ("live.mem", "tail.mem", "tail.mem-wal"):
        shutil.copyfile(files / name, tmp_path / name)
    for name in ("live.mem", "tail.mem"):
        write(tmp_path / name, "frames", "features", WRONG[request.param], f"lsn = {COUNT}")
    return tmp_path


@pytest.mark.parametrize("mode", ["r", "a"])
def test_a_tail_with_features_of_another_width_is_not_replayed(hostile, mode):
    with pytest.raises(MemoryFileError, match=WORDS):
        SpatialMemory.open(hostile / "tail.mem", mode)


def test_neither_is_it_when_the_layers_are_made_anew_or_gone_back_from(hostile):
    with SpatialMemory.open(hostile / "live.mem", "a") as memory:
        whole, stored = memory.canonical_hash(), mh.tables(memory)
        assert any(line.startswith(f"frame {COUNT}: feature") for line in memory.check())
        for ask in (memory.rebuild, lambda: memory.at(lsn=COUNT - 1), lambda: memory.keyframe(COUNT)):
            with pytest.raises(MemoryFileError, match=WORDS):
                ask()
        assert memory.canonical_hash() == whole and mh.tables(memory) == stored
    with pytest.raises(MemoryFileError, match=WORDS):
        SpatialMemory.repair(hostile / "live.mem")


def test_another_memory_s_is_not_taken_over(hostile):
    with (
        SpatialMemory.open(hostile / "live.mem") as other,
        mh.create(hostile / "mine.mem", walk(2), voxel_size_m=0.08) as memory,
    ):
        with pytest.raises(MemoryFileError, match=WORDS):
            memory.merge(other, map_from_other=np.eye(4))
        assert len(memory.trajectory()) == 2 + COUNT - 1 and memory.check() == []
        whole = memory.canonical_hash()
        memory.rebuild()
        assert memory.canonical_hash() == whole
