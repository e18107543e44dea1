"""An open ROS recording (ROS 1 bag, ROS 2 bag, MCAP file): its topics, and any message again.

Everything `rosbags` can throw at a damaged file becomes a `ReadError` here that names the file and the tool that
repairs it.
"""

from __future__ import annotations

import struct
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spatialmem.errors import ReadError, require, unknown_name
from spatialmem.io.ros_mcap import UnchunkedMcap
from spatialmem.io.ros_storage import mcap_files, repair_hint, storage_files

_NEWEST_DISTRO = "latest"
_FIELDS = {
    "builtin_interfaces/msg/Time": "sec nanosec",
    "std_msgs/msg/Header": "stamp frame_id",
    "sensor_msgs/msg/Image": "header height width encoding is_bigendian step data",
    "sensor_msgs/msg/CompressedImage": "header format data",
    "sensor_msgs/msg/CameraInfo": "header height width distortion_model d k r p binning_x binning_y roi",
    "sensor_msgs/msg/RegionOfInterest": "x_offset y_offset height width",
    "tf2_msgs/msg/TFMessage": "transforms",
    "tf/msg/tfMessage": "transforms",
    "geometry_msgs/msg/TransformStamped": "header child_frame_id transform",
    "geometry_msgs/msg/Transform": "translation rotation",
    "geometry_msgs/msg/Vector3": "x y z",
    "geometry_msgs/msg/Point": "x y z",
    "geometry_msgs/msg/Quaternion": "x y z w",
    "geometry_msgs/msg/Pose": "position orientation",
    "geometry_msgs/msg/PoseStamped": "header pose",
    "geometry_msgs/msg/PoseWithCovariance": "pose",
    "geometry_msgs/msg/PoseWithCovarianceStamped": "header pose",
    "nav_msgs/msg/Odometry": "header child_frame_id pose",
}
"""fields that are read, by type; ROS 1 writes some of these names in capitals"""


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
        files = storage_files(path)
        self._repair = repair_hint(files, path)
        typestore = _typestore(ros_distro)
        with self.guarded("cannot be opened"):
            self._reader = highlevel.AnyReader(files, default_typestore=typestore)
            self._reader.open()
        self._finalizer = weakref.finalize(self, self._reader.close)
        _check_definitions(self._reader.typestore, path)
        self._connections = list(self._reader.connections)
        self._positions = {(c.id, id(c.owner)): i for i, c in enumerate(self._connections)}
        self.has_definitions = any(bool(c.msgdef.data) for c in self._connections)
        """False: the definitions of `ros_distro` are used"""
        self._unchunked: UnchunkedMcap | None = None
        packed = self._reader.is2 and any(reader.compression_mode for reader in self._reader.readers)
        if not packed:
            self._index_unchunked(mcap_files(files))

    @property
    def topics(self) -> dict[str, Topic]:
        """Topics that hold messages, by name."""
        found: dict[str, Topic] = {}
        for connection in self._connections:
            before = found[connection.topic].count if connection.topic in found else 0
            if before + connection.msgcount > 0:
                found[connection.topic] = Topic(connection.topic, connection.msgtype, before + connection.msgcount)
        return found

    @property
    def start_ns(self) -> int:
        """Time at which the first message was recorded."""
        with self._lock, self.guarded("is damaged"):
            return int(self._reader.start_time)

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


def _typestore(ros_distro: str | None) -> Any:
    typesys = require("rosbags.typesys", "ros")
    name = (ros_distro or _NEWEST_DISTRO).lower()
    known = {store.value.removeprefix("ros2_").removeprefix("ros1_"): store for store in typesys.Stores}
    if name not in known:
        raise unknown_name("ROS distribution", name, known)
    return typesys.get_typestore(known[name])


def _check_definitions(typestore: Any, path: Path) -> None:
    """Refuse definitions, which the bag itself carries, that lack a field this reader needs."""
    for name, needed in _FIELDS.items():
        if name in typestore.fielddefs:
            fields = {field[0].lower() for field in typestore.fielddefs[name][1]}
            missing = sorted(set(needed.split()) - fields)
            if missing:
                raise ReadError(
                    f"{path} defines {name} without {', '.join(missing)}; the definition is damaged, or of another "
                    "package by that name: convert the recording with rosbags-convert"
                )


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
