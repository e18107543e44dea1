"""Tables, pragmas and versions of the memory file (docs/format.md sections 2 and 3)."""

from __future__ import annotations

import math
import sqlite3
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from spatialmem.errors import MemoryFileError

APPLICATION_ID = 0x534D454D  # "SMEM"
FORMAT_VERSION = 1
PAGE_SIZE = 16384
JOURNAL_SIZE_LIMIT = 16 << 20
AUTO_CHECKPOINT_PAGES = 256  # 4 MiB: SQLite copies the wal back in small bites, so no frame waits long

Value = int | float | str | bytes | None

_TYPES: dict[str, type] = {"INTEGER": int, "REAL": float, "TEXT": str, "BLOB": bytes}
MAY_BE_NULL = frozenset(
    ("value", "valid_to", "pose_sigma_m", "pose_sigma_rad", "agrees", "seen_through", "occluded", "no_return",
     "residual_m", "colour", "depth", "mask", "features", "examined", "feature")
)  # fmt: skip
"""columns of any table; what else NULL stands in is damaged, also where the table would take it"""

LAST_LSN = 2**32 - 2
"""voxels hold numbers of frames in 32 bits"""
NUMBERS_OF_FRAMES = frozenset(("lsn", "at_lsn", "valid_from", "valid_to", "first_lsn", "last_lsn"))

REBUILD_ADVICE = "the layers can be made anew from the log: spatialmem rebuild FILE"
LOG_ADVICE = "see what else is damaged with `spatialmem info FILE --verify`, and restore the file from a copy"


@dataclass(frozen=True)
class Table:
    """A table: its columns in order, `crc` last and left out, and constraints over several columns."""

    name: str
    columns: tuple[tuple[str, str], ...]
    constraints: tuple[str, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Column names without `crc`."""
        return tuple(name for name, _ in self.columns)

    @property
    def ddl(self) -> str:
        """CREATE TABLE statement."""
        parts = [f"{name} {kind}" for name, kind in self.columns] + ["crc INTEGER NOT NULL", *self.constraints]
        return f"CREATE TABLE {self.name}({', '.join(parts)})"

    @cached_property
    def insert(self) -> str:
        """INSERT of a whole row, `crc` last; fails where the key exists."""
        return f"INSERT INTO {self.name} VALUES ({', '.join('?' * (len(self.columns) + 1))})"

    @cached_property
    def replace(self) -> str:
        """INSERT that overwrites the row with the same key."""
        return self.insert.replace("INSERT", "INSERT OR REPLACE", 1)

    @cached_property
    def update(self) -> str:
        """UPDATE of the row with the same first column, to whole rows as `insert` takes them."""
        key, *others = (*self.names, "crc")
        changes = ", ".join(f"{name} = ?{n}" for n, name in enumerate(others, start=2))
        return f"UPDATE {self.name} SET {changes} WHERE {key} = ?1"

    def select(self, where: str = "") -> str:
        """SELECT of whole rows, `crc` last."""
        return f"SELECT {', '.join(self.names)}, crc FROM {self.name} {where}"

    def checked(self, row: Sequence[Value]) -> Sequence[Value]:
        """The row without its `crc`, or `MemoryFileError` when it does not match or no release writes such values."""
        values, wrong = row[:-1], self.wrong(row)
        if wrong is not None:
            advice = REBUILD_ADVICE if self in DERIVED else LOG_ADVICE
            raise MemoryFileError(f"row {values[0]!r:.60} of table {self.name} is damaged ({wrong}); {advice}")
        return values

    def wrong(self, row: Sequence[Value]) -> str | None:
        """What is wrong with a whole row, `crc` last: its checksum, or, where that was made anew, the kind of a value.

        SQLite itself puts any kind of value into any column.
        """
        if row_crc(row[:-1]) != row[-1]:
            return "its checksum does not match"
        for (name, kind), value in zip(self.columns, row[:-1], strict=True):
            wanted = type_of(kind)
            if value is None:
                if name not in MAY_BE_NULL:
                    return f"{name} is NULL"
            elif type(value) is not wanted:
                return f"{name} is {type(value).__name__}, not {wanted.__name__}"
            elif (
                (isinstance(value, int) and (value < 0 or (value > LAST_LSN and name in NUMBERS_OF_FRAMES)))
                or (isinstance(value, float) and not math.isfinite(value))
            ):  # fmt: skip
                return f"{name} is {value}"
        return None


def type_of(declared: str) -> type:
    """Of the values of a column, by what is said of it in `CREATE TABLE`."""
    return _TYPES[declared.split()[0]]


def _table(name: str, columns: str, *constraints: str) -> Table:
    pairs = tuple((column.split()[0], " ".join(column.split()[1:])) for column in columns.split(","))
    return Table(name, pairs, constraints)


_BLOCK = "key INTEGER PRIMARY KEY, lsn INTEGER NOT NULL, codec INTEGER NOT NULL, data BLOB NOT NULL"

META = _table("meta", "key TEXT PRIMARY KEY, value TEXT")
RECORDING = "recording:"  # what the key of a row of meta begins with that says of which recording a session is
SCRUB_PENDING = "scrub_pending"  # key of the row of meta that is there while erased bytes may be left in the file
SESSIONS = _table("sessions", "session_id TEXT PRIMARY KEY, ordinal INTEGER NOT NULL UNIQUE, world_frame TEXT NOT NULL")
ANCHORS = _table(
    "anchors",
    "session_id TEXT NOT NULL, revision INTEGER NOT NULL, map_from_session BLOB NOT NULL, valid_from INTEGER NOT NULL,"
    "valid_to INTEGER, reason TEXT NOT NULL",
    "PRIMARY KEY(session_id, revision)",
)
CAMERAS = _table(
    "cameras",
    "camera_ref INTEGER PRIMARY KEY, fx REAL NOT NULL, fy REAL NOT NULL, cx REAL NOT NULL, cy REAL NOT NULL,"
    "width INTEGER NOT NULL, height INTEGER NOT NULL",
    "UNIQUE(fx, fy, cx, cy, width, height)",
)
KEYFRAMES = _table(
    "keyframes",
    "lsn INTEGER PRIMARY KEY, session_id TEXT NOT NULL, camera_id TEXT NOT NULL, seq INTEGER NOT NULL,"
    "stamp_ns INTEGER NOT NULL, camera_ref INTEGER NOT NULL, world_from_camera BLOB NOT NULL,"
    "pose_revision INTEGER NOT NULL, pose_sigma_m REAL, pose_sigma_rad REAL, reason TEXT NOT NULL,"
    "pose_suspect INTEGER NOT NULL, encoded INTEGER NOT NULL, agrees REAL, seen_through REAL, occluded REAL,"
    "no_return REAL, residual_m REAL",
    "UNIQUE(session_id, camera_id, seq)",
    "CHECK(lsn BETWEEN 1 AND 4294967294)",
)
FRAMES = _table("frames", "lsn INTEGER PRIMARY KEY, colour BLOB, depth BLOB, mask BLOB, features BLOB, examined BLOB")
VECTORS = _table("vectors", "lsn INTEGER PRIMARY KEY, vector BLOB NOT NULL")
SIGHTINGS = _table("sightings", "lsn INTEGER PRIMARY KEY, cells BLOB NOT NULL")
DEPARTED = _table(
    "departed",
    "id INTEGER PRIMARY KEY, valid_from INTEGER NOT NULL, valid_to INTEGER, first_lsn INTEGER NOT NULL,"
    "last_lsn INTEGER NOT NULL, x REAL, y REAL, z REAL, x0 REAL, y0 REAL, z0 REAL, x1 REAL, y1 REAL, z1 REAL,"
    "voxels INTEGER NOT NULL, red INTEGER, green INTEGER, blue INTEGER, feature BLOB",
)
SURFACE_BLOCKS = _table("surface_blocks", _BLOCK)
FREE_BLOCKS = _table("free_blocks", _BLOCK)
CHECKPOINTS = _table("checkpoints", "lsn INTEGER PRIMARY KEY, blocks INTEGER NOT NULL, bytes INTEGER NOT NULL")
ROW_COUNTS = _table("row_counts", "name TEXT PRIMARY KEY, rows INTEGER NOT NULL")
POSE_REVISIONS = _table(
    "pose_revisions",
    "lsn INTEGER NOT NULL, revision INTEGER NOT NULL, world_from_camera BLOB NOT NULL, valid_from INTEGER NOT NULL,"
    "valid_to INTEGER, reason TEXT NOT NULL",
    "PRIMARY KEY(lsn, revision)",
)
EVICTIONS = _table(
    "evictions",
    "id INTEGER PRIMARY KEY, at_lsn INTEGER NOT NULL, kind TEXT NOT NULL, what TEXT NOT NULL, rows INTEGER NOT NULL,"
    "bytes INTEGER NOT NULL, reason TEXT NOT NULL",
)
TOMBSTONES = _table("tombstones", "id INTEGER PRIMARY KEY, at_lsn INTEGER NOT NULL, what TEXT NOT NULL")

TABLES = (
    META, SESSIONS, ANCHORS, CAMERAS, KEYFRAMES, FRAMES, VECTORS, SIGHTINGS, DEPARTED, SURFACE_BLOCKS, FREE_BLOCKS,
    CHECKPOINTS, ROW_COUNTS, POSE_REVISIONS, EVICTIONS, TOMBSTONES,
)  # fmt: skip
MOVED = _table(
    "moved", "layer TEXT NOT NULL, key INTEGER NOT NULL, at_lsn INTEGER NOT NULL, frames TEXT NOT NULL",
    "PRIMARY KEY(layer, key)",
)  # fmt: skip
OBSERVATIONS = _table("observations", "lsn INTEGER PRIMARY KEY, segmenter TEXT NOT NULL, data BLOB NOT NULL")
LATER = (MOVED, OBSERVATIONS)  # made when they are first needed: a sound file may lack them
COUNTED = (SURFACE_BLOCKS, FREE_BLOCKS, DEPARTED)  # a missing row of these would be a wrong map, and nothing else tells
DERIVED = (SURFACE_BLOCKS, FREE_BLOCKS, SIGHTINGS, DEPARTED, CHECKPOINTS, ROW_COUNTS)

_INTEGER = struct.Struct("<cq")
_FLOAT = struct.Struct("<cd")
LENGTH = struct.Struct("<cI")


def row_parts(values: Sequence[Value]) -> Iterator[bytes]:
    """A row as docs/format.md section 3 spells it out for checksum and canonical hash."""
    for value in values:
        if value is None:
            yield b"n"
        elif isinstance(value, int):
            yield _INTEGER.pack(b"i", value)
        elif isinstance(value, float):
            yield _FLOAT.pack(b"f", value)
        else:
            kind, data = (b"t", value.encode("utf-8")) if isinstance(value, str) else (b"b", value)
            yield LENGTH.pack(kind, len(data))
            yield data


def row_crc(values: Sequence[Value]) -> int:
    """CRC-32 of a row."""
    crc = 0
    for part in row_parts(values):
        crc = zlib.crc32(part, crc)
    return crc


def with_crc(values: Sequence[Value]) -> tuple[Value, ...]:
    """The row as it is written."""
    return (*values, row_crc(values))


def tables_of(connection: sqlite3.Connection) -> tuple[Table, ...]:
    """The tables that a file has, those of `LATER` that were made among them."""
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    return (*TABLES, *(table for table in LATER if table.name in names))


def create_schema(connection: sqlite3.Connection) -> None:
    """Pragmas and empty tables in an empty database; the order of the pragmas matters to SQLite."""
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("BEGIN IMMEDIATE")
    for table in TABLES:
        connection.execute(table.ddl)
    connection.execute(f"PRAGMA user_version = {FORMAT_VERSION}")
    connection.execute("COMMIT")


def set_writer_pragmas(connection: sqlite3.Connection) -> None:
    """What holds while a memory is open for appending."""
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise MemoryFileError(f"this file system does not carry a write-ahead log (SQLite answered {mode!r}); "
                              "keep the memory on a local disk")  # fmt: skip
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {JOURNAL_SIZE_LIMIT}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {AUTO_CHECKPOINT_PAGES}")
    connection.execute("PRAGMA secure_delete = OFF")
