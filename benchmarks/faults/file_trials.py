"""Damaged memory files: opened, verified, asked, compared with the sound one, repaired.

Outcomes of a trial:
  refused        opening, or reading what was asked for, raised an error of the library
  repaired       the same, and a rebuild from the log gave the sound memory again
  named          it opens, and verifying says what is wrong
  mended         the same, and a rebuild gave the sound memory again
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
WRONG = ("taken", "raised", "died", "hung")


def make_templates(folder: Path) -> None:
    """A closed memory in which every table has rows (sound.mem), and what a killed writer leaves (killed.mem, -wal)."""
    frames = walk(FRAMES + 4)
    path = folder / "sound.mem"
    memory = made(path, frames[:FRAMES], checkpoint_frames=4)
    poses = {k.lsn: k.map_from_camera for k in memory.trajectory()}
    memory.correct_poses({lsn: poses[lsn] @ exp_se3(np.array([0.1, 0, 0, 0, 0, 0.05])) for lsn in CORRECTED})
    memory.forget(frames=[FORGOTTEN])
    memory.declare_up((0.0, 0.0, 1.0))
    place = np.eye(4)
    place[:3, 3] = (0.1, 0.0, 0.0)
    memory.add_session("evening", place)
    memory.correct_poses(anchor=("evening", np.eye(4)))
    memory.close()
    live = folder / "live.mem"
    with made(live, [], checkpoint_frames=5) as memory:
        for frame in frames[:FRAMES]:
            store(memory, frame)
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{live}{suffix}", f"{folder / 'killed.mem'}{suffix}")
    empty = [table.name for table in TABLES if table.name != "evictions" and not _count(path, table.name)]
    if empty:
        raise RuntimeError(f"the template has nothing in {', '.join(empty)}")


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


class Trials:
    """For faults.worker: one damaged file after the other."""

    def __init__(self, folder: Path) -> None:
        self._sound, self._killed = folder / "sound.mem", folder / "killed.mem"
        self._content = self._sound.read_bytes()
        self._file, self._wal = self._killed.read_bytes(), folder.joinpath("killed.mem-wal").read_bytes()
        self._path = folder / f"trial-{os.getpid()}" / "a.mem"
        with SpatialMemory.open(self._sound) as memory:
            self._expected = everything(memory)
        self._earlier = _prefixes(folder)

    def trial(self, spec: Spec) -> dict[str, str]:
        """The outcome, and what was said."""
        shutil.rmtree(self._path.parent, ignore_errors=True)
        self._path.parent.mkdir()
        try:
            if spec["of"] in ("wal", "file with wal"):
                return self._crashed(spec)
            if spec["of"] == "sql":
                self._path.write_bytes(self._content)
                write_hostile(self._path, spec)
            else:
                self._path.write_bytes(damaged(self._content, spec))
            return self._judged()
        except Unwritable as error:
            return {"outcome": "could not be", "detail": str(error)}
        except Exception as error:  # noqa: BLE001  that there is none but the library's own is what is tested
            return {"outcome": "raised", "detail": f"{type(error).__name__}: {error}"}

    def _judged(self) -> dict[str, str]:
        try:
            with SpatialMemory.open(self._path) as memory:
                lines = memory.check()
                same = everything(memory) == self._expected
        except SpatialMemError as error:
            return {"outcome": "repaired" if self._mended() else "refused", "detail": str(error)}
        if lines:
            outcome = "mended" if self._mended() else "named"
            return {"outcome": outcome, "detail": lines[0], "same": str(same)}
        return {"outcome": "harmless" if same else "taken", "detail": ""}

    def _mended(self) -> bool:
        """Whether a rebuild gives the sound memory. One that succeeds and gives another is `taken`: an exception."""
        try:
            SpatialMemory.repair(self._path)
            with SpatialMemory.open(self._path) as memory:
                found, lines = everything(memory), memory.check()
        except SpatialMemError:
            return False
        return found[0] == self._expected[0] and found[2] == self._expected[2] and not lines

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
