"""Bits flipped in keys of blocks, which lie in SQLite's pages beside the rows: refused or repaired, never wrong."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import memory_helpers as mh
import numpy as np
import pytest
from test_equality import walk

from spatialmem.errors import MemoryFileError
from spatialmem.memory import SpatialMemory

COUNT, TRIED = 10, 60


@pytest.fixture(scope="module", params=["whole", "thinned"])
def made(request, tmp_path_factory) -> tuple[str, bytes, str, list[int]]:
    """Whether the log is thinned, the file, its hash, and where in it keys of blocks stand, nine bytes each."""
    path = tmp_path_factory.mktemp(request.param) / "a.mem"
    with mh.create(path, walk(COUNT), checkpoint_frames=4, file_bytes=64 << 20) as memory:
        if request.param == "thinned":
            memory._keeper.complete_round(memory._layers)
            memory._keeper.thinning._evict([1, 2, 7])
        hashed = memory.canonical_hash()
    content, connection = path.read_bytes(), sqlite3.connect(path)
    keys = [
        key for table in ("surface_blocks", "free_blocks") for (key,) in connection.execute(f"SELECT key FROM {table}")
    ]
    connection.close()
    found = [content.find(varint(key)) for key in keys]
    return request.param, content, hashed, [at for at in found if at >= 0]


def varint(key: int) -> bytes:
    """A number of more than 56 bits as SQLite writes it (sqlite.org/fileformat.html, section 1.5)."""
    return bytes(0x80 | (key >> (8 + 7 * n)) & 0x7F for n in range(7, -1, -1)) + bytes([key & 0xFF])


def test_no_flipped_bit_of_a_key_gives_another_map(made, tmp_path):
    kind, content, hashed, places = made
    rng, path, outcomes = np.random.default_rng(3), tmp_path / "a.mem", []
    for at in rng.permutation(places)[:TRIED].tolist():
        damaged = bytearray(content)
        damaged[at + int(rng.integers(9))] ^= 1 << int(rng.integers(7))
        outcomes.append(outcome(path, bytes(damaged), hashed))
    assert len(outcomes) == TRIED and "wrong" not in outcomes
    assert "repaired" in outcomes if kind == "whole" else "refused" in outcomes


def outcome(path: Path, content: bytes, hashed: str) -> str:
    """What becomes of a damaged file that is opened, and repaired where it cannot be or is said to be damaged."""
    path.write_bytes(content)
    try:
        with SpatialMemory.open(path) as memory:
            if not memory.check():
                return "harmless" if memory.canonical_hash() == hashed else "wrong"
    except MemoryFileError:
        pass
    try:
        SpatialMemory.repair(path)
        with SpatialMemory.open(path) as memory:
            return "repaired" if memory.canonical_hash() == hashed and not memory.check() else "wrong"
    except MemoryFileError:
        return "refused"
