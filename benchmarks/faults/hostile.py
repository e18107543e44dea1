"""Hostile values, written into every column of every table of a memory file, with and without the row's checksum."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from spatialmem.store.schema import META, TABLES, Table, row_crc

Spec = dict[str, Any]
VALUES: dict[str, Any] = {
    "NULL": None, "a text": "'; DROP TABLE keyframes; --", "an empty text": "", "no bytes": b"",
    "64 zero bytes": bytes(64), "8 MiB of zeros": bytes(8 << 20), "-1": -1, "0": 0, "2^63 - 1": 2**63 - 1,
    "-2^63": -(2**63), "infinity": math.inf, "-infinity": -math.inf, "0.5": 0.5, "1e308": 1e308,
}  # fmt: skip
OWN = ("half of it", "a byte changed")
"""what is made of the blob that stood there"""
POSES = ("NaN pose", "infinite pose", "scaled pose", "mirrored pose", "pose of zeros", "pose moved by 1 m")
TEXTS = ("not JSON", "[]", "{}", "1e999", '{"up": [0, 0, 0]}', '{"voxel_size_m": -1.0}', "null", "0", "-5")
"""values of meta"""
WITHOUT_CHECKSUM = ("NULL", "a text", "64 zero bytes", "-1", "0.5", "a byte changed", "NaN pose")
_POSE_COLUMNS = ("world_from_camera", "map_from_session")
_LSN_COLUMNS = ("lsn", "at_lsn", "valid_from", "first_lsn", "last_lsn")
_PACKED = (
    *(("frames", blob) for blob in ("colour", "depth", "mask", "features", "examined")), ("sightings", "cells"),
    ("surface_blocks", "data"), ("free_blocks", "data"),
)  # fmt: skip
"""blobs that only decode when they are whole"""
_NEEDED = ("config", "encoder_name", "encoder_fingerprint", "encoder_dim")


class Unwritable(Exception):
    """SQLite refuses the value: a constraint of the table."""


def specs(path: Path) -> Iterator[Spec]:
    """Every value for every column, in the middle row of each table, in each row of meta."""
    connection = sqlite3.connect(path)
    try:
        for table in TABLES:
            rows = [row for (row,) in connection.execute(f"SELECT rowid FROM {table.name} ORDER BY rowid")]
            for rowid in rows if table is META else rows[len(rows) // 2 :][:1]:
                yield from _of_row(connection, table, rowid)
    finally:
        connection.close()


def _of_row(connection: sqlite3.Connection, table: Table, rowid: int) -> Iterator[Spec]:
    held = connection.execute(f"SELECT {', '.join(table.names)} FROM {table.name} WHERE rowid = ?", (rowid,)).fetchone()
    for (column, kind), value in zip(table.columns, held, strict=True):
        names = [*VALUES, *(OWN if isinstance(value, bytes) else ())]
        names += POSES if column in _POSE_COLUMNS else TEXTS if table is META and column == "value" else ()
        for name in names:
            where = {"of": "sql", "table": table.name, "row": rowid, "column": column, "value": name}
            possible = _possible(table.name, column, kind, name, held)
            yield {**where, "checksum": "new", "possible": possible}
            if name in WITHOUT_CHECKSUM:
                yield {**where, "checksum": "old", "possible": False}


def _possible(table: str, column: str, kind: str, name: str, held: tuple) -> bool:
    """Whether somebody who wrote the row anew could have meant this: of the right type, finite, not negative, a rigid
    transform, a blob that decodes. Then nothing can tell."""
    if name in POSES:
        return name == "pose moved by 1 m"
    if name in OWN:
        return name == "a byte changed"
    if table == "meta":  # a configuration without keys is that of the defaults
        meant = (("config", "{}"), ("up_in_map", "NULL"))  # the defaults, and an up that is not known
        return column == "key" or held[0] not in (*_NEEDED, "up_in_map") or (held[0], name) in meant
    value = VALUES[name]
    if value is None:
        return "NOT NULL" not in kind and (table, column) != ("frames", "colour")
    if kind.startswith("TEXT"):
        return not isinstance(value, bytes)
    if kind.startswith("REAL"):
        return isinstance(value, (int, float)) and math.isfinite(value)
    if kind.startswith("INTEGER"):
        return isinstance(value, int) and value >= 0 and not (value > 2**32 and column in _LSN_COLUMNS)
    return isinstance(value, bytes) and (table, column) not in _PACKED and column not in _POSE_COLUMNS


def write_hostile(path: Path, spec: Spec) -> None:
    """Put the value into the file; `Unwritable` when SQLite does not take it."""
    table = next(table for table in TABLES if table.name == spec["table"])
    column, rowid = spec["column"], spec["row"]
    connection = sqlite3.connect(path)
    try:
        (held,) = connection.execute(f"SELECT {column} FROM {table.name} WHERE rowid = ?", (rowid,)).fetchone()
        value = _value(spec["value"], held)
        if connection.execute(f"UPDATE {table.name} SET {column} = ? WHERE rowid = ?", (value, rowid)).rowcount != 1:
            raise RuntimeError(f"no row {rowid} in {table.name}")
        if spec["checksum"] == "new":
            if "INTEGER PRIMARY KEY" in dict(table.columns)[column]:
                rowid = value
            names = ", ".join(table.names)
            row = connection.execute(f"SELECT {names} FROM {table.name} WHERE rowid = ?", (rowid,)).fetchone()
            connection.execute(f"UPDATE {table.name} SET crc = ? WHERE rowid = ?", (row_crc(row), rowid))
        connection.commit()
    except sqlite3.IntegrityError as error:
        raise Unwritable(str(error)) from error
    finally:
        connection.close()


def _value(name: str, held: Any) -> Any:
    if name in VALUES:
        return VALUES[name]
    if name == "half of it":
        return held[: len(held) // 2]
    if name == "a byte changed":
        return held[: len(held) // 2] + bytes([held[len(held) // 2] ^ 0x55]) + held[len(held) // 2 + 1 :]
    return _pose(name, held) if name in POSES else name


def _pose(name: str, held: bytes) -> bytes:
    pose = np.frombuffer(held, "<f8").reshape(4, 4).copy()
    if name == "NaN pose":
        pose[0, 3] = math.nan
    elif name == "infinite pose":
        pose[1, 3] = math.inf
    elif name == "scaled pose":
        pose[:3, :3] *= 1.1
    elif name == "mirrored pose":
        pose[:3, 0] *= -1.0
    elif name == "pose of zeros":
        pose[:] = 0.0
    else:
        pose[0, 3] += 1.0
    return pose.tobytes()
