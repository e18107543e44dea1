"""Disks that are full, and disks that cannot be written: real ones where mounting is permitted."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from faults.scene import made, store, walk
from spatialmem.errors import MemoryFileError, SpatialMemError
from spatialmem.memory import SpatialMemory

FRAMES = 24
_DISK_BYTES = 8 << 20
Row = tuple[str, str, bool]
"""what was done, what came of it, whether that is what it should be"""


@contextmanager
def small_disk(folder: Path) -> Iterator[str | None]:
    """Mount a file system of 8 MiB at `folder` for the block; None when that is not permitted."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(folder)]
    with _mounted(command, folder) as done:
        yield f"a tmpfs of {_DISK_BYTES >> 20} MiB" if done else None


@contextmanager
def read_only(folder: Path) -> Iterator[str | None]:
    """Make `folder` a read-only mount of itself for the block; None when that is not permitted."""
    with _mounted(["mount", "--bind", str(folder), str(folder)], folder) as done:
        again = ["mount", "-o", "remount,ro,bind", str(folder)]
        if done and subprocess.run(again, check=False, capture_output=True).returncode == 0:
            yield "a read-only bind mount"
        else:
            yield None


@contextmanager
def _mounted(command: list[str], folder: Path) -> Iterator[bool]:
    if shutil.which("mount") is None or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        yield False
        return
    try:
        yield True
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # a file may be open where a case failed


class FullDisk:
    """A disk that can be filled to the last page and freed again."""

    def __init__(self, folder: Path) -> None:
        self._ballast = folder / "ballast"

    @contextmanager
    def full(self) -> Iterator[None]:
        """No room in the block."""
        with open(self._ballast, "wb", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue
        try:
            yield
        finally:
            self._ballast.unlink()


def on_a_full_disk(folder: Path) -> Iterator[Row]:
    """Every change of a memory, on a disk without room, then again with room."""
    frames, disk = walk(FRAMES), FullDisk(folder)
    reference = hashes(folder.parent / "reference.mem", frames)
    path = folder / "a.mem"
    with disk.full():
        yield _refused(
            "create",
            lambda: SpatialMemory.create(folder / "b.mem", encoder="colours"),
            lambda: not list(folder.glob("b.mem*")),
        )
    memory = made(path, frames[:8], checkpoint_frames=3)
    for number in range(8, 14):
        with disk.full():
            before = memory.canonical_hash()
            refused = _refused(
                f"observe, frame {number + 1}", lambda at=number: store(memory, frames[at]),
                lambda was=before: memory.canonical_hash() == was and len(memory.query("grey")) > 0,
            )  # fmt: skip
        stored = len(memory.trajectory()) == number + 1  # a small one may find room in pages that are there
        if not stored:
            store(memory, frames[number])
        good = memory.canonical_hash() == reference[number + 1]
        yield (refused[0], "stored in pages that were there" if stored else refused[1], good and (stored or refused[2]))
    poses = {3: memory.trajectory()[2].map_from_camera @ shifted(0.1)}
    yield from _twice(disk, memory, "correct_poses", lambda: memory.correct_poses(poses), reference[14])
    yield from _twice(disk, memory, "rebuild", lambda: memory.rebuild(), memory.canonical_hash())
    with disk.full():
        yield _refused("close", memory.close, lambda: True)
    yield _opens(path, 14)
    yield from _forgetting(disk, path)


def _twice(
    disk: FullDisk, memory: SpatialMemory, what: str, change: Callable[[], object], before: str
) -> Iterator[Row]:
    """A change without room leaves the map as it was; with room it is made."""
    with disk.full():
        yield _refused(what, change, lambda: memory.canonical_hash() == before and memory.check() == [])
    change()
    after = memory.canonical_hash()
    memory.rebuild()
    yield f"{what}, with room again", "done, equal to a rebuild", memory.canonical_hash() == after


def _forgetting(disk: FullDisk, path: Path) -> Iterator[Row]:
    """Erasing needs room to write the file anew; whatever it says, the file is whole, and the next try succeeds."""
    memory = SpatialMemory.open(path, "a")
    with disk.full():
        said = "erased"
        try:
            memory.forget(frames=[2])
        except MemoryFileError as error:
            said = f"MemoryFileError: {error}"
        held = {k.lsn for k in memory.trajectory()}
        whole = memory.check() == [] and (2 in held) == (said != "erased" and 2 in held)
    yield "forget", f"{_short(said)}; frame {'still there' if 2 in held else 'gone from the map'}", whole
    try:
        memory.close()
    except MemoryFileError:
        whole = False
    with SpatialMemory.open(path, "a") as again:
        if 2 in {k.lsn for k in again.trajectory()}:
            again.forget(frames=[2])
        pending = again.sql("SELECT count(*) FROM meta WHERE key = 'scrub_pending'")[0][0]
        good = 2 not in {k.lsn for k in again.trajectory()} and pending == 0 and again.check() == []
    yield "forget, with room again", "erased, nothing pending", good and whole


def on_a_disk_that_cannot_be_written(folder: Path) -> Iterator[Row]:
    """`folder` holds what `fill` made, and is read-only."""
    before = {entry.name: entry.stat().st_size for entry in folder.iterdir()}
    yield _works("open for reading", lambda: _asked(folder / "a.mem"))
    yield _works("open for reading what a killed writer left", lambda: _asked(folder / "killed.mem"))
    unchanged = lambda: {e.name: e.stat().st_size for e in folder.iterdir()} == before  # noqa: E731
    yield _refused("open for appending", lambda: SpatialMemory.open(folder / "a.mem", "a"), unchanged)
    yield _refused("open for appending what a killed writer left",
                   lambda: SpatialMemory.open(folder / "killed.mem", "a"), unchanged)  # fmt: skip
    yield _refused("repair", lambda: SpatialMemory.repair(folder / "a.mem"), unchanged)
    yield _refused("create", lambda: SpatialMemory.create(folder / "new.mem", encoder="colours"), unchanged)


def _asked(path: Path) -> bool:
    with SpatialMemory.open(path) as memory:
        return len(memory.query("grey")) > 0 and memory.check() == []


def _works(what: str, action: Callable[[], bool]) -> Row:
    try:
        good = action()
    except SpatialMemError as error:
        return what, _short(f"{type(error).__name__}: {error}"), False
    return what, "answers" if good else "opens, and is not as it was", good


def _refused(what: str, action: Callable[[], object], afterwards: Callable[[], bool]) -> Row:
    """An action that must raise an error of the library that says what is wrong, and leave things as they were."""
    try:
        action()
    except MemoryFileError as error:
        return what, _short(f"MemoryFileError: {error}"), afterwards()
    except Exception as error:  # noqa: BLE001  any other is what is looked for
        return what, _short(f"{type(error).__name__}: {error}"), False
    return what, "done", False


def _opens(path: Path, frames: int) -> Row:
    with SpatialMemory.open(path, "a") as memory:
        live = memory.canonical_hash()
        good = len(memory.trajectory()) == frames and memory.check() == []
        memory.rebuild()
        good &= memory.canonical_hash() == live
    return "open after a close that failed", f"{frames} frames, equal to a rebuild", good


def hashes(path: Path, frames: list) -> list[str]:
    """Canonical hash after 0, 1, 2 ... frames."""
    with made(path, []) as memory:
        found = [memory.canonical_hash()]
        for frame in frames:
            store(memory, frame)
            found.append(memory.canonical_hash())
    path.unlink()
    return found


def shifted(by_m: float) -> np.ndarray:
    """(4, 4) a step along x."""
    step = np.eye(4)
    step[0, 3] = by_m
    return step


def _short(text: str) -> str:
    """Without what differs from run to run."""
    text = " ".join(text.split())
    for part in (word.strip("'\"()[]:;,") for word in text.split()):
        if part.startswith(os.sep):
            text = text.replace(part, Path(part).name)
    return text[:160]


def fill(folder: Path) -> None:
    """Put a closed memory (a.mem) and what a killed writer left (killed.mem, its wal) into a folder."""
    frames = walk(FRAMES)
    made(folder / "a.mem", frames[:8], checkpoint_frames=3).close()
    live = folder / "live.mem"
    with made(live, frames[:8], checkpoint_frames=3):
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{live}{suffix}", f"{folder / 'killed.mem'}{suffix}")
    live.unlink()
