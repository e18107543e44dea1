"""What a memory must hold after its process was killed: everything acknowledged, and layers equal to a rebuild."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from faults.scene import bulky, made, store
from spatialmem.errors import SpatialMemError
from spatialmem.geometry import exp_se3
from spatialmem.memory import SpatialMemory
from spatialmem.types import Frame

_LOG = (
    "SELECT k.lsn, session_id, camera_id, seq, stamp_ns, hex(world_from_camera), reason, encoded, f.crc, v.crc "
    "FROM keyframes k JOIN frames f USING (lsn) LEFT JOIN vectors v USING (lsn) ORDER BY lsn"
)
"""a row a frame: what was observed, with the checksums of its images, features and vector"""
_OBSERVED = 8
"""how many of these columns a frame keeps that is evicted"""
_WHOLE = "SELECT lsn FROM frames WHERE colour IS NOT NULL"
_GIVEN_UP = "SELECT what FROM evictions WHERE kind = 'frames'"
_ROOM_BYTES = 256 << 20
_PIECE = 40  # bytes of an image by which it is looked for in a file
_MOVED = {2: (0.2, 0, 0, 0, 0, 0.1), 5: (0, 0.15, 0, 0.05, 0, 0), 9: (0, 0, -0.1, 0, 0.1, 0)}
"""frames that are corrected, and how far: metres and radians; the second time twice as far"""


class Bulky:
    """A memory with room for all bulky frames, as far as it was asked for."""

    def __init__(self, path: Path, options: dict[str, float]) -> None:
        self._memory = made(path, [], ram_bytes=_ROOM_BYTES, **options)
        self._hashes = [self._memory.canonical_hash()]

    def after(self, count: int) -> tuple[str, list[tuple]]:
        """Canonical hash and rows of `_LOG` after so many frames."""
        while len(self._hashes) <= count:
            store(self._memory, bulky(len(self._hashes) - 1))
            self._hashes.append(self._memory.canonical_hash())
        return self._hashes[count], self._memory.sql(_LOG)[:count]


@dataclass
class Known:
    """What undisturbed memories of the same frames hold."""

    log: list[tuple]
    """rows of `_LOG`"""
    hashes: list[str]
    """canonical hash after 0, 1, 2 ... frames"""
    pieces: dict[int, list[bytes]]
    """bytes that are in a file only while it holds the frame, by lsn"""
    corrected: list[str] = field(default_factory=list)
    """hashes of the memory that is corrected, after 0, 1 and 2 corrections; after 3 it is the first again"""
    bulky: dict[str, Bulky] = field(default_factory=dict)
    """of frames that are more than a budget holds, by the deed that observes them"""

    @classmethod
    def of(cls, folder: Path, frames: list[Frame]) -> Known:
        folder.mkdir(parents=True)
        path = folder / "a.mem"
        with made(path, []) as memory:
            hashes = [memory.canonical_hash()]
            for frame in frames:
                store(memory, frame)
                hashes.append(memory.canonical_hash())
            log = memory.sql(_LOG)
        return cls(log, hashes, _pieces(path))

    def sides(self, path: Path) -> list[dict[int, list]]:
        """Three sets of poses for the memory at `path`, the last one those it has; notes its hashes with each."""
        copy = path.with_name("sides.mem")
        copy.write_bytes(path.read_bytes())
        with SpatialMemory.open(copy, "a") as memory:
            own = {k.lsn: k.map_from_camera for k in memory.trajectory() if k.lsn in _MOVED}
            sides = [_moved(own, 1.0), _moved(own, 2.0), own]
            for side in sides:
                self.corrected.append(memory.canonical_hash())
                memory.correct_poses(side)
            if memory.canonical_hash() != self.corrected[0] or len(set(self.corrected)) != 3:
                raise RuntimeError("there and back again is not where it was, or the sides do not differ")
        copy.unlink()
        return [{lsn: pose.tolist() for lsn, pose in side.items()} for side in sides]


def _moved(poses: dict[int, np.ndarray], times: float) -> dict[int, np.ndarray]:
    return {lsn: pose @ exp_se3(times * np.array(_MOVED[lsn], np.float64)) for lsn, pose in poses.items()}


def _pieces(path: Path) -> dict[int, list[bytes]]:
    """From the middle of each image, depth image and feature blob of a file."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT lsn, colour, depth, features FROM frames").fetchall()
    connection.close()
    found = {}
    for lsn, *blobs in rows:
        whole = [blob for blob in blobs if blob is not None and len(blob) > 3 * _PIECE]
        found[lsn] = [blob[len(blob) // 2 : len(blob) // 2 + _PIECE] for blob in whole]
    everything = [piece for pieces in found.values() for piece in pieces]
    return {lsn: [p for p in pieces if everything.count(p) == 1] for lsn, pieces in found.items()}


@dataclass
class State:
    """What a file was found to hold."""

    hash: str
    log: list[tuple]
    erased: set[int]


def wrong_after(path: Path, deed: str, begun: int, facts: dict[str, int], known: Known) -> list[str]:
    """What is wrong with the memory that a killed process left; nothing when it survived. The file is mended by it.

    begun: frames the memory had before; facts: the last number of everything acknowledged (see victim.py).
    """
    wrong: list[str] = []
    try:
        if deed in known.bulky:
            return _wrong_after_evicting(path, max(begun, facts.get("stored", 0)), known.bulky[deed])
        state = _looked_at(path, wrong)
        judge = {"correct": _judge_correction, "forget": _judge_forgetting}.get(deed, _judge_observing)
        wrong += judge(path, state, {"stored": begun, **facts}, known)
    except SpatialMemError as error:
        wrong.append(f"{type(error).__name__}: {error}")
    return wrong


def _looked_at(path: Path, wrong: list[str]) -> State:
    """Read it as it was left, then open it for appending, check it, and make its layers anew."""
    before = _folder(path)
    with SpatialMemory.open(path) as memory:
        read = memory.canonical_hash()
    if _folder(path) != before:
        wrong.append(f"reading changed the folder: {sorted(before)} to {sorted(_folder(path))}")
    with SpatialMemory.open(path, "a") as memory:
        state = State(memory.canonical_hash(), memory.sql(_LOG), _erased(memory))
        wrong += [f"check: {line}" for line in memory.check()]
        memory.rebuild()
        if {read, memory.canonical_hash()} != {state.hash}:
            wrong.append("the layers read, opened and rebuilt differ")
        wrong += [f"check after the rebuild: {line}" for line in memory.check()]
    beside = {name for name, _ in _folder(path)} - {path.name}
    if beside:
        wrong.append(f"left beside the file: {sorted(beside)}")
    return state


def _wrong_after_evicting(path: Path, said: int, undisturbed: Bulky) -> list[str]:
    """Every acknowledged frame has its row and at most one more has; images are those observed, or given up on record;
    within its budget; the layers, read, opened and made anew, are those of a memory that gave nothing up."""
    wrong, size = [], sum(size for _, size in _folder(path))
    with SpatialMemory.open(path) as memory:
        read, limit = memory.canonical_hash(), memory.config.file_bytes
    with SpatialMemory.open(path, "a") as memory:
        log, whole = memory.sql(_LOG), {lsn for (lsn,) in memory.sql(_WHOLE)}
        given_up = {lsn for (what,) in memory.sql(_GIVEN_UP) for lsn in _ranges(what)}
        wrong += [f"check: {line}" for line in memory.check()]
        opened = memory.canonical_hash()
        memory.rebuild()
        rebuilt = memory.canonical_hash()
        wrong += [f"check after the rebuild: {line}" for line in memory.check()]
    if not said <= len(log) <= said + 1:
        wrong.append(f"{said} frames were acknowledged, {len(log)} are there")
    hashed, expected = undisturbed.after(len(log))
    for what, found in (("read", read), ("opened", opened), ("made anew", rebuilt)):
        if found != hashed:
            wrong.append(f"the layers {what} are not those of the first {len(log)} frames")
    if [row for row in log if row[0] in whole] != [row for row in expected if row[0] in whole]:
        wrong.append("frames whose images are there differ from what was observed")
    if [row[:_OBSERVED] for row in log] != [row[:_OBSERVED] for row in expected]:
        wrong.append("rows of frames differ from what was observed")
    if whole & given_up or whole | given_up != {row[0] for row in log}:
        wrong.append("images are missing that nothing gave up, or there that something gave up")
    if limit is not None and size > limit:
        wrong.append(f"the files took {size} bytes, the budget is {limit}")
    return wrong


def _ranges(what: str) -> set[int]:
    return {lsn for first, last in json.loads(what)["lsn"] for lsn in range(first, last + 1)}


def _folder(path: Path) -> set[tuple[str, int]]:
    return {(entry.name, entry.stat().st_size) for entry in path.parent.iterdir()}


def _erased(memory: SpatialMemory) -> set[int]:
    return {lsn for row in memory._keeper.on_file().tombstones() for lsn in row.lsns}


def _judge_observing(path: Path, state: State, facts: dict[str, int], known: Known) -> list[str]:
    """Every acknowledged frame and at most one more; the map of exactly these frames."""
    count, said = len(state.log), facts["stored"]
    wrong = []
    if not said <= count <= said + 1:
        wrong.append(f"{said} frames were acknowledged, {count} are there")
    if state.log != known.log[:count]:
        wrong.append("the log differs from what was observed")
    if state.hash != known.hashes[count]:
        wrong.append(f"the layers are not those of the first {count} frames")
    return wrong


def _judge_correction(path: Path, state: State, facts: dict[str, int], known: Known) -> list[str]:
    """The poses of the last acknowledged correction, or of the one under way."""
    done = facts.get("corrected", 0)
    wrong = [] if state.log == known.log[: facts["stored"]] else ["the log differs from what was observed"]
    if state.hash not in (known.corrected[done % 3], known.corrected[(done + 1) % 3]):
        wrong.append(f"after {done} corrections the layers are neither as then nor as after the next")
    return wrong


def _judge_forgetting(path: Path, state: State, facts: dict[str, int], known: Known) -> list[str]:
    """Every frame is there or was erased on record; what was acknowledged is erased, at most one more; no byte of it
    is left."""
    last, there = facts.get("forgotten", 0), {row[0] for row in state.log}
    acknowledged = set(range(2, last + 1, 2))
    wrong = []
    if not acknowledged <= state.erased or not state.erased <= acknowledged | {last + 2}:
        wrong.append(f"frames up to {last} were forgotten, on record are {sorted(state.erased)}")
    if there & state.erased or there | state.erased != set(range(1, facts["stored"] + 1)):
        wrong.append(f"of {sorted(there)} and {sorted(state.erased)} some are in both or in neither")
    if state.log != [row for row in known.log if row[0] in there]:
        wrong.append("the log differs from what was observed")
    content = path.read_bytes()
    left = [lsn for lsn in state.erased if any(piece in content for piece in known.pieces[lsn])]
    if left:
        wrong.append(f"bytes of the erased frames {left} are still in the file")
    return wrong
