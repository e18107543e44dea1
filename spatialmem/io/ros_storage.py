"""Which files make up a ROS recording, and whether they are whole as far as their outside tells."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from spatialmem.errors import ReadError

_MCAP, _SQLITE, _ROS1 = ".mcap", ".db3", ".bag"
_SUFFIXES = (_ROS1, _MCAP, _SQLITE)
_SQLITE_HEADER_BYTES = 100  # SQLite file format, "The Database Header"
_REPAIR = {
    _ROS1: "repair it with: rosbag reindex {path}   (or: rosbag fix {path} fixed.bag)",
    _MCAP: "repair it with: mcap recover {path} -o recovered.mcap",
    _SQLITE: "rebuild its metadata with: ros2 bag reindex FOLDER, or its contents with: sqlite3 {path} .recover",
}


def looks_like_bag(path: Path) -> bool:
    """Whether names suggest a ROS recording: a .bag, .mcap or .db3 file, or a folder of them."""
    if path.is_file():
        return path.suffix.lower() in _SUFFIXES
    if not path.is_dir():
        return False
    names = [child.name.lower() for child in path.iterdir()]
    packed = any(name.endswith((".mcap.zstd", ".db3.zstd")) for name in names)
    return packed or any(name.endswith(_SUFFIXES) for name in names)


def storage_files(path: Path) -> list[Path]:
    """What to hand to the library: the files, or the folder of a ROS 2 bag."""
    if not path.exists():
        raise ReadError(f"there is no {path}; expected a .bag, .mcap or .db3 file or the folder of a ROS 2 bag")
    if path.is_file():
        files = [path]
    elif (path / "metadata.yaml").is_file():
        _check_sqlite(path.glob("*" + _SQLITE))
        return [path]
    else:
        kinds = [sorted(path.glob("*" + suffix), key=_natural) for suffix in _SUFFIXES]
        files = next((found for found in kinds if found), [])
    if not files or files[0].suffix.lower() not in _SUFFIXES:
        raise ReadError(f"{path} is no ROS recording; expected .bag, .mcap or .db3 files, or metadata.yaml beside them")
    _check_sqlite(file for file in files if file.suffix.lower() == _SQLITE)
    return files


def _check_sqlite(files: Iterable[Path]) -> None:
    """Refuse what SQLite would read without complaint: missing pages as zeros, and the state before the -wal file."""
    for file in files:
        try:
            with file.open("rb") as stream:
                head = stream.read(_SQLITE_HEADER_BYTES)
        except OSError as error:
            raise ReadError(f"{file} cannot be read: {error.strerror or error}; check its permissions") from error
        page, changes, pages = (int.from_bytes(head[a:b], "big") for a, b in ((16, 18), (24, 28), (28, 32)))
        expected = (65536 if page == 1 else page) * pages
        if changes == int.from_bytes(head[92:96], "big") and file.stat().st_size < expected:
            raise ReadError(
                f"{file} is truncated: {file.stat().st_size} bytes of {expected}; {_REPAIR[_SQLITE].format(path=file)}"
            )
        wal = file.with_name(file.name + "-wal")
        if wal.is_file() and wal.stat().st_size > 0:
            raise ReadError(
                f"{file} has messages in {wal.name} that are not in the file yet (recording, or ended by a crash); "
                f"stop the recorder, then run: sqlite3 {file} 'PRAGMA wal_checkpoint(TRUNCATE)'"
            )


def repair_hint(files: list[Path], path: Path) -> str:
    """The command that may repair a recording."""
    return _REPAIR[_kind(files[0])].format(path=path if len(files) > 1 else files[0])


def _kind(file: Path) -> str:
    if file.is_file():
        return file.suffix.lower()
    return _MCAP if any(file.glob("*.mcap*")) else _SQLITE


def mcap_files(files: list[Path]) -> list[Path]:
    """The MCAP files among the storage files, those of a ROS 2 folder included."""
    if len(files) == 1 and files[0].is_dir():
        files = sorted(files[0].glob("*" + _MCAP), key=_natural)
    return [file for file in files if file.suffix.lower() == _MCAP]


def _natural(path: Path) -> list[int | str]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]
