"""Damaged memory files: opened, verified, asked, compared with the sound one, repaired.

Outcomes of a trial:
  refused        opening, or reading what was asked for, raised an error of the library
  repaired       the same, and a rebuild from the log gave the sound memory again
  named          it opens, and verifying says what is wrong
  mended         the same, and a rebuild gave the sound memory again
  remade         refused or named, and a rebuild gave another memory without a word: WRONG, unless somebody who wrote
                 the value and its checksum could have meant it
  harmless       it opens, verifying finds nothing, and it holds exactly what the sound one holds
  earlier        it opens, verifying finds nothing, and it holds the first frames of the sound one, whole (wal only)
  could not be   SQLite refused to write the value in the first place
  taken          it opens, verifying finds nothing, and it holds something else: WRONG, unless somebody who wrote the
                 value and its checksum could have meant it
  raised         an exception that is none of the library's: WRONG
  died, hung     WRONG
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from faults.damage import Spec, damaged
from faults.hostile import Unwritable, write_hostile
from faults.scene import made, store, walk
from spatialmem.errors import SpatialMemError
from spatialmem.geometry import exp_se3
from spatialmem.memory import SpatialMemory
from spatialmem.store.schema import TABLES

FRAMES, FORGOTTEN, CORRECTED = 12, 11, (2, 9)
LOG = ("keyframes", "frames", "vectors")
_QUESTIONS = ("red", "blue", "green")
FILE_BYTES, BLIND = 64 << 20, 4
"""of the templates; a frame without depth, which left nothing in the map that a rebuild would lack"""
WRONG = ("taken", "remade", "raised", "died", "hung")


def make_templates(folder: Path) -> None:
    """A closed memory in which every table has rows (sound.mem), one whose log was thinned (thinned.mem), and what a
    killed writer leaves (killed.mem, -wal)."""
    frames = walk(FRAMES + 4)
    path = folder / "sound.mem"
    memory = made(path, frames[:FRAMES], checkpoint_frames=4, file_bytes=FILE_BYTES)
    poses = {k.lsn: k.map_from_camera for k in memory.trajectory()}
    memory.correct_poses({lsn: poses[lsn] @ exp_se3(np.array([0.1, 0, 0, 0, 0, 0.05])) for lsn in CORRECTED})
    memory.forget(frames=[FORGOTTEN])
    memory.declare_up((0.0, 0.0, 1.0))
    place = np.eye(4)
    place[:3, 3] = (0.1, 0.0, 0.0)
    memory.add_session("evening", place)
    memory.correct_poses(anchor=("evening", np.eye(4)))
    thin(memory, [BLIND])
    memory.close()
    with made(folder / "thinned.mem", frames[:FRAMES], checkpoint_frames=4, file_bytes=FILE_BYTES) as memory:
        thin(memory, [1, 2, 7])
    live = folder / "live.mem"
    with made(live, [], checkpoint_frames=5) as memory:
        for frame in frames[:FRAMES]:
            store(memory, frame)
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{live}{suffix}", f"{folder / 'killed.mem'}{suffix}")
    empty = [table.name for table in TABLES if not _count(path, table.name)]
    if empty:
        raise RuntimeError(f"the template has nothing in {', '.join(empty)}")


def thin(memory: SpatialMemory, lsns: list[int]) -> None:
    """Give up images and depth of frames, as a file budget does where there is no room for more."""
    keeper, layers = memory._keeper, memory._layers
    if keeper.thinning is None:
        raise RuntimeError("a memory without a file budget gives nothing up")
    keeper.complete_round(layers)
    keeper.thinning._evict(lsns)


def _count(path: Path, table: str) -> int:
    connection = sqlite3.connect(path)
    try:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    finally:
        connection.close()


def everything(memory: SpatialMemory, questions: bool = True) -> list[Any]:
    """Layers, all rows of all tables, and answers."""
    tables = [memory.sql(f"SELECT * FROM {table.name} ORDER BY 1, 2") for table in TABLES]
    answers = [_answer(memory, text) for text in _QUESTIONS] if questions else []
    return [memory.canonical_hash(), tables, answers]


def _answer(memory: SpatialMemory, text: str) -> list[tuple]:
    return [(*hit.position_m.tolist(), hit.score, hit.last_seen_ns) for hit in memory.query(text)]


def _read(path: Path) -> list[Any]:
    with SpatialMemory.open(path) as memory:
        return everything(memory)


class Trials:
    """For faults.worker: one damaged file after the other."""

    def __init__(self, folder: Path) -> None:
        self._killed = folder / "killed.mem"
        self._content = {name: (folder / f"{name}.mem").read_bytes() for name in ("sound", "thinned")}
        self._file, self._wal = self._killed.read_bytes(), folder.joinpath("killed.mem-wal").read_bytes()
        self._path = folder / f"trial-{os.getpid()}" / "a.mem"
        self._expected = {name: _read(folder / f"{name}.mem") for name in self._content}
        self._earlier = _prefixes(folder)

    def trial(self, spec: Spec) -> dict[str, str]:
        """The outcome, and what was said."""
        shutil.rmtree(self._path.parent, ignore_errors=True)
        self._path.parent.mkdir()
        try:
            if spec["of"] in ("wal", "file with wal"):
                return self._crashed(spec)
            of = "thinned" if spec["of"] == "thinned" else "sound"
            if spec["of"] == "sql":
                self._path.write_bytes(self._content[of])
                write_hostile(self._path, spec)
            else:
                self._path.write_bytes(damaged(self._content[of], spec))
            return self._judged(self._expected[of])
        except Unwritable as error:
            return {"outcome": "could not be", "detail": str(error)}
        except Exception as error:  # noqa: BLE001  that there is none but the library's own is what is tested
            return {"outcome": "raised", "detail": f"{type(error).__name__}: {error}"}

    def _judged(self, expected: list[Any]) -> dict[str, str]:
        try:
            with SpatialMemory.open(self._path) as memory:
                lines = memory.check()
                same = everything(memory) == expected
        except SpatialMemError as error:
            return {"outcome": self._rebuilt(expected, "repaired", "refused"), "detail": str(error)}
        if lines:
            return {"outcome": self._rebuilt(expected, "mended", "named"), "detail": lines[0], "same": str(same)}
        return {"outcome": "harmless" if same else "taken", "detail": ""}

    def _rebuilt(self, expected: list[Any], well: str, not_at_all: str) -> str:
        """Which outcome a rebuild makes of it: `well` where it gives the sound memory again, `not_at_all` where it is
        refused, or what is wrong is still said; it must not give another memory and be silent."""
        try:
            SpatialMemory.repair(self._path)
            with SpatialMemory.open(self._path) as memory:
                found, lines = everything(memory), memory.check()
        except SpatialMemError:
            return not_at_all
        if lines:
            return not_at_all
        return well if (found[0], found[2]) == (expected[0], expected[2]) else "remade"

    def _crashed(self, spec: Spec) -> dict[str, str]:
        """What a killed writer left, damaged: some first frames, whole, or an error."""
        of_wal = spec["of"] == "wal"
        self._path.write_bytes(self._file if of_wal else damaged(self._file, spec))
        wal = damaged(self._wal, spec) if of_wal else self._wal
        self._path.with_name("a.mem-wal").write_bytes(wal)
        try:
            with SpatialMemory.open(self._path) as memory:
                lines = memory.check()
                count, found = len(memory.trajectory()), memory.canonical_hash()
                log = [memory.sql(f"SELECT * FROM {table} ORDER BY lsn") for table in LOG]
        except SpatialMemError as error:
            return {"outcome": "refused", "detail": str(error)}
        if lines:
            return {"outcome": "named", "detail": lines[0]}
        if (found, log) != (self._earlier[count][0], [[row for row in rows if row[0] <= count] for rows in self._log]):
            return {"outcome": "taken", "detail": f"{count} frames, but not as they were"}
        return {"outcome": "harmless" if count == FRAMES else "earlier", "detail": f"{count} frames"}

    @property
    def _log(self) -> list[list[tuple]]:
        return self._earlier[-1][1]


def _prefixes(folder: Path) -> list[tuple[str, list]]:
    """Hash after 0, 1, 2 ... frames; with the last one all rows of the log."""
    path, found = folder / f"prefixes-{os.getpid()}.mem", []
    with made(path, []) as memory:
        found.append((memory.canonical_hash(), []))
        for frame in walk(FRAMES):
            store(memory, frame)
            log = [memory.sql(f"SELECT * FROM {table} ORDER BY lsn") for table in LOG]
            found.append((memory.canonical_hash(), log))
    return found
