"""The file side of a ROS recording: open ROS 1 bags, ROS 2 bags and MCAP files, list topics, read any message again.

Everything `rosbags` can throw at a damaged file becomes a `ReadError` here that names the file and the tool that
repairs it.
"""

from __future__ import annotations

import re
import struct
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatialmem.errors import ReadError, require, unknown_name
from spatialmem.io.ros_mcap import UnchunkedMcap

_MCAP, _SQLITE, _ROS1 = ".mcap", ".db3", ".bag"
_SUFFIXES = (_ROS1, _MCAP, _SQLITE)
_NEWEST_DISTRO = "latest"
_SQLITE_HEADER_BYTES = 100  # SQLite file format, "The Database Header"
_REPAIR = {
    _ROS1: "repair it with: rosbag reindex {path}   (or: rosbag fix {path} fixed.bag)",
    _MCAP: "repair it with: mcap recover {path} -o recovered.mcap",
    _SQLITE: "rebuild its metadata with: ros2 bag reindex FOLDER, or its contents with: sqlite3 {path} .recover",
}


@dataclass(frozen=True)
class Topic:
    """A topic of a recording."""

    name: str
    msgtype: str
    """such as "sensor_msgs/msg/Image"; types of ROS 1 are named in the same way"""
    count: int


@dataclass(frozen=True)
class MessageRef:
    """Where a message lies: enough to read it again."""

    topic: str
    connection: int
    """position in the list of connections"""
    log_ns: int
    """time of recording"""
    ordinal: int
    """number among the messages of that connection and time"""


def looks_like_bag(path: Path) -> bool:
    """Whether names suggest a ROS recording: a .bag, .mcap or .db3 file, or a folder of them."""
    if path.is_file():
        return path.suffix.lower() in _SUFFIXES
    if not path.is_dir():
        return False
    names = [child.name.lower() for child in path.iterdir()]
    packed = any(name.endswith((".mcap.zstd", ".db3.zstd")) for name in names)
    return packed or any(name.endswith(_SUFFIXES) for name in names)


class BagFile:
    """An open recording. Safe to use from several threads, one read at a time.

    Args:
        path: a .bag, .mcap or .db3 file, the folder of a ROS 2 bag, or a folder of consecutive .bag files.
        ros_distro: distribution ("humble", ...) whose message definitions to use where the bag carries none.

    Raises:
        ReadError: no recording there, damaged, or of a kind that is not supported.
        MissingDependency: `rosbags` is not installed.
    """

    def __init__(self, path: Path, ros_distro: str | None = None) -> None:
        highlevel = require("rosbags.highlevel", "ros")
        self.path = path
        self._broken = _what_rosbags_raises()
        self._lock = threading.RLock()
        files = _storage_files(path)
        self._repair = _REPAIR[_kind(files[0])].format(path=path if len(files) > 1 else files[0])
        typestore = _typestore(ros_distro)
        with self.guarded("cannot be opened"):
            self._reader = highlevel.AnyReader(files, default_typestore=typestore)
            self._reader.open()
        self._finalizer = weakref.finalize(self, self._reader.close)
        self._connections = list(self._reader.connections)
        self._positions = {(c.id, id(c.owner)): i for i, c in enumerate(self._connections)}
        self.has_definitions = any(bool(c.msgdef.data) for c in self._connections)
        """False: the definitions of `ros_distro` are used"""
        self._unchunked: UnchunkedMcap | None = None
        packed = self._reader.is2 and any(reader.compression_mode for reader in self._reader.readers)
        if not packed:
            self._index_unchunked(_mcap_files(files))

    @property
    def topics(self) -> dict[str, Topic]:
        """Topics that hold messages, by name."""
        found: dict[str, Topic] = {}
        for connection in self._connections:
            before = found[connection.topic].count if connection.topic in found else 0
            if before + connection.msgcount > 0:
                found[connection.topic] = Topic(connection.topic, connection.msgtype, before + connection.msgcount)
        return found

    def scan(self, topics: set[str]) -> Iterator[tuple[MessageRef, bytes]]:
        """Every message of `topics` as it was recorded, in order of recording, with where to find it again."""
        wanted = [c for c in self._connections if c.topic in topics]
        ordinals: dict[tuple[int, int], int] = {}
        messages = iter(self._reader.messages(wanted) if wanted else [])
        while True:
            with self._lock, self.guarded("is damaged"):
                item = next(messages, None)
                if item is None:
                    return
                connection, log_ns, raw = item
                key = (self._positions[connection.id, id(connection.owner)], int(log_ns))
            ordinal = ordinals[key] = ordinals.get(key, -1) + 1
            yield MessageRef(connection.topic, key[0], key[1], ordinal), bytes(raw)

    def first(self, topic: str) -> Any:
        """The first message of a topic."""
        connections = [c for c in self._connections if c.topic == topic]
        with self._lock, self.guarded("is damaged"):
            found = next(iter(self._reader.messages(connections)), None)
            if found is not None:
                return self._reader.deserialize(found[2], found[0].msgtype)
        raise ReadError(f"{self.path} holds no message of {topic}")

    def read(self, ref: MessageRef) -> Any:
        """The message behind a reference, deserialised; the same however often and in whatever order it is asked."""
        with self._lock, self.guarded("is damaged"):
            return self.decode(ref, self._raw(ref))

    def decode(self, ref: MessageRef, raw: bytes) -> Any:
        """A message of `scan`, deserialised."""
        with self.guarded(f"holds a message of {ref.topic} that does not decode"):
            return self._reader.deserialize(raw, self._connections[ref.connection].msgtype)

    def header(self, raw: bytes) -> tuple[int, str]:
        """Stamp (ns) and frame of a message that begins with a std_msgs/Header, without decoding the rest."""
        with self.guarded("holds a message without a readable header"):
            return _cdr_header(raw) if self._reader.is2 else _ros1_header(raw)

    def close(self) -> None:
        """Close the files; idempotent, and done by itself when the last reference goes."""
        with self._lock:
            self._finalizer()

    def _raw(self, ref: MessageRef) -> bytes:
        if self._unchunked is not None:
            return self._unchunked.read(ref.topic, ref.log_ns, ref.ordinal)
        connection = self._connections[ref.connection]
        found = self._reader.messages([connection], start=ref.log_ns, stop=ref.log_ns + 1)
        for ordinal, (_, _, raw) in enumerate(found):
            if ordinal == ref.ordinal:
                return bytes(raw)
        raise ReadError(f"the message of {ref.topic} at {ref.log_ns} ns is gone; {self.path} changed while it was open")

    def _index_unchunked(self, files: list[Path]) -> None:
        try:
            with self.guarded("cannot be read"):
                self._unchunked = UnchunkedMcap.of(files)
        except ReadError:
            self.close()
            raise

    @contextmanager
    def guarded(self, what: str) -> Iterator[None]:
        """Turns whatever a damaged file makes `rosbags` raise into a `ReadError`."""
        try:
            yield
        except self._broken as error:
            cause = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise ReadError(f"{self.path} {what} ({cause}); {self._repair}") from error


def _storage_files(path: Path) -> list[Path]:
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
        with file.open("rb") as stream:
            head = stream.read(_SQLITE_HEADER_BYTES)
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


def _kind(file: Path) -> str:
    if file.is_file():
        return file.suffix.lower()
    return _MCAP if any(file.glob("*.mcap*")) else _SQLITE


def _mcap_files(files: list[Path]) -> list[Path]:
    if len(files) == 1 and files[0].is_dir():
        files = sorted(files[0].glob("*" + _MCAP), key=_natural)
    return [file for file in files if file.suffix.lower() == _MCAP]


def _natural(path: Path) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]


def _typestore(ros_distro: str | None) -> Any:
    typesys = require("rosbags.typesys", "ros")
    name = (ros_distro or _NEWEST_DISTRO).lower()
    known = {store.value.removeprefix("ros2_").removeprefix("ros1_"): store for store in typesys.Stores}
    if name not in known:
        raise unknown_name("ROS distribution", name, known)
    return typesys.get_typestore(known[name])


def _what_rosbags_raises() -> tuple[type[Exception], ...]:
    """Its own errors, those of its decompressors and of SQLite, and what parsing nonsense leads to."""
    own = [
        require("rosbags.highlevel", "ros").AnyReaderError,
        require("rosbags.rosbag1", "ros").ReaderError,
        require("rosbags.rosbag2", "ros").ReaderError,
        require("rosbags.serde", "ros").SerdeError,
        require("rosbags.typesys", "ros").TypesysError,
        require("rosbags.rosbag2.storage_mcap", "ros").zstd.ZstdError,
        require("apsw", "ros").Error,
    ]
    parsing = (ValueError, TypeError, LookupError, AttributeError, AssertionError, ArithmeticError, struct.error)
    return (*own, *parsing, OSError, EOFError, RuntimeError, MemoryError)


def _cdr_header(raw: bytes) -> tuple[int, str]:
    """XCDR1: four bytes of encapsulation (the second tells the byte order), seconds, nanoseconds, string."""
    order = "<" if raw[1] & 1 else ">"
    seconds, nanoseconds, length = struct.unpack_from(order + "iII", raw, 4)
    return seconds * 1_000_000_000 + nanoseconds, _text(raw, 16, length).rstrip("\0")


def _ros1_header(raw: bytes) -> tuple[int, str]:
    """Sequence number, seconds, nanoseconds, string; little endian."""
    _, seconds, nanoseconds, length = struct.unpack_from("<IIII", raw, 0)
    return seconds * 1_000_000_000 + nanoseconds, _text(raw, 16, length)


def _text(raw: bytes, start: int, length: int) -> str:
    if start + length > len(raw):
        raise ValueError(f"a string of {length} bytes leaves the message of {len(raw)}")
    return raw[start : start + length].decode()
