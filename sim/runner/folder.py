"""The folder of a run: manifest.json, episodes.json, rows.jsonl. What is in it survives a kill at any instant.

The manifest is written first; every row is on disk (fsync) before the next is asked for; a last line that was torn is
dropped when the folder is opened again, and its episode is run again.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

from sim.errors import SimError
from sim.runner.frozen import split_digest
from sim.runner.manifest import OWN, SHARED, differences

MANIFEST, EPISODES, ROWS, LOCK = "manifest.json", "episodes.json", "rows.jsonl", ".lock"


class BadRun(SimError):
    """A folder of a run that cannot be gone on with or read: other settings, damaged, or in use."""


@final
class RunFolder:
    """A folder that one process at a time writes. A context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def __enter__(self) -> RunFolder:
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise BadRun(f"another run writes {self.path}; wait for it, or give another --out") from error
        return self

    def __exit__(self, *exception: object) -> None:
        if self._lock is None:
            return
        if not (self.path / MANIFEST).exists():  # nothing came of it: leave nothing behind
            with contextlib.suppress(OSError):
                (self.path / LOCK).unlink()
                self.path.rmdir()
        os.close(self._lock)

    def manifest(self) -> dict[str, Any] | None:
        """The manifest that is there, or None in a new folder; `BadRun` in a folder of something else."""
        if (self.path / MANIFEST).exists():
            return read_manifest(self.path)
        others = [p.name for p in self.path.iterdir() if p.name not in (LOCK, EPISODES) and p.suffix != ".part"]
        if others:
            raise BadRun(f"{self.path} holds no {MANIFEST} but {others[0]!r}; give an empty or a new folder as --out")
        return None

    def episodes(self, manifest: Mapping[str, Any] | None) -> list[dict[str, Any]]:
        """The episodes on file, if they are those of the manifest."""
        path = self.path / EPISODES
        if manifest is None or not path.exists():
            return []
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            return []  # they are a copy of what the task gives, and are made again
        return found if split_digest(found) == manifest["split_sha256"] else []

    def begin(self, new: Mapping[str, Any], episodes: Sequence[Mapping[str, Any]]) -> None:
        """Write the manifest, or agree with the one that is there; it may be of fewer episodes, not of more.

        Raises:
            BadRun: the folder was made with something else; the message names what differs.
        """
        old = self.manifest()
        if old is not None:
            self._agree(old, new, episodes)
            new = {**new, "machine": old["machine"], "versions": old["versions"]}
        new = {**new, "count": len(episodes), "split_sha256": split_digest(episodes)}
        write_atomically(self.path / EPISODES, json.dumps(list(episodes), allow_nan=False) + "\n")
        write_atomically(self.path / MANIFEST, json.dumps(new, indent=1, allow_nan=False) + "\n")

    def _agree(self, old: Mapping[str, Any], new: Mapping[str, Any], episodes: Sequence[Mapping[str, Any]]) -> None:
        found = differences(old, new, (*SHARED, *OWN, "label", "seed", "first"))
        if not found and split_digest(episodes[: old["count"]]) != old["split_sha256"]:
            found = ["split_sha256: the task gives other episodes than those that were run"]
        if found:
            raise BadRun(f"{self.path} was begun with something else ({'; '.join(found)}); give another --out")

    def rows(self) -> list[dict[str, Any]]:
        """The rows that are whole; what a kill tore off the end is dropped from the file."""
        path = self.path / ROWS
        if not path.exists():
            return []
        data = path.read_bytes()
        rows, kept = parsed_rows(path, data)
        if kept < len(data):
            with path.open("r+b") as file:
                file.truncate(kept)
                os.fsync(file.fileno())
        return rows

    def append(self, row: Mapping[str, Any]) -> None:
        """Put a row on disk."""
        with (self.path / ROWS).open("ab") as file:
            file.write(line_of(row))
            file.flush()
            os.fsync(file.fileno())

    def put_in_order(self) -> list[dict[str, Any]]:
        """Sort the rows by episode: several workers finish in any order. Returns them."""
        rows = self.rows()
        ordered = sorted(rows, key=lambda row: row["index"])
        if ordered != rows:
            write_atomically(self.path / ROWS, b"".join(map(line_of, ordered)).decode())
        return ordered


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder; `BadRun` where there is none, or none that can be read."""
    path = folder / MANIFEST
    if not path.is_file():
        raise BadRun(f"{folder} is no run: there is no {MANIFEST} in it; give folders that `spatialmem eval` wrote")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        missing = [
            key for key in (*SHARED, *OWN, "label", "seed", "first", "count", "split_sha256") if key not in values
        ]
    except (ValueError, TypeError) as error:
        raise BadRun(f"{path} is damaged ({error}); remove the folder and run again") from error
    if missing:
        raise BadRun(f"{path} has no {missing[0]!r}; it is no manifest of a run")
    return values


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """The rows of a folder that are whole; the file is left as it is."""
    path = folder / ROWS
    return parsed_rows(path, path.read_bytes())[0] if path.exists() else []


def parsed_rows(path: Path, data: bytes) -> tuple[list[dict[str, Any]], int]:
    """Rows, and how many bytes of the file they are; `BadRun` for damage anywhere but in the last line."""
    rows, kept = [], 0
    lines = data.split(b"\n")
    for number, line in enumerate(lines[:-1], start=1):  # after the last newline: nothing, or what was torn
        try:
            row = json.loads(line)
            if not isinstance(row, dict) or "index" not in row:
                raise ValueError("it is no row")
        except ValueError as error:
            if number == len(lines) - 1 and lines[-1] == b"":
                break  # the last line: torn too, where the disk came back with other bytes
            raise BadRun(f"{path}, line {number} is damaged ({error}); take the line out, and run again") from error
        rows.append(row)
        kept += len(line) + 1
    return rows, kept


def line_of(row: Mapping[str, Any]) -> bytes:
    """A row as a line of JSON."""
    return (json.dumps(row, allow_nan=False) + "\n").encode()


def write_atomically(path: Path, text: str) -> None:
    """Write a file that is there as a whole or not at all, also after a loss of power."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
