"""Is a memory file sound? Every line that comes back names what is wrong and where."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping

from spatialmem.config import MemoryConfig
from spatialmem.errors import SpatialMemError
from spatialmem.store import block_codec, codec, evictions, moved, observed, observed_codec, queries
from spatialmem.store import schema as sch
from spatialmem.types import Camera

_MOST_LINES = 50
_AT_ONCE = 16
"""rows that are read in one transaction"""
_COMPANIONS = (
    ("keyframes", "lsn NOT IN (SELECT lsn FROM frames)", "have a row in keyframes but none in frames"),
    ("frames", "lsn NOT IN (SELECT lsn FROM keyframes)", "have a row in frames but none in keyframes"),
    ("vectors", "lsn NOT IN (SELECT lsn FROM keyframes)", "have an image vector but no row in keyframes"),
    ("sightings", "lsn NOT IN (SELECT lsn FROM keyframes)", "have sightings but no row in keyframes"),
    ("keyframes", "camera_ref NOT IN (SELECT camera_ref FROM cameras)", "name a camera that is not in the file"),
    ("keyframes", "session_id NOT IN (SELECT session_id FROM sessions)", "name a session that is not in the file"),
)

_UNSIGHTED = "SELECT count(*) FROM frames WHERE depth IS NOT NULL AND lsn NOT IN (SELECT lsn FROM sightings)"


def problems(connection: sqlite3.Connection) -> list[str]:
    """All problems found, at most a few dozen lines; reads the whole file."""
    found: list[str] = []
    for check in (_structure, _checksums, _log, evictions.problems, _layers, _marks, _blobs, _blocks, _config):
        try:
            for line in check(connection):
                found.append(line)
                if len(found) >= _MOST_LINES:
                    return [*found, "and more; the check stopped here"]
        except sqlite3.Error as error:
            found.append(f"SQLite cannot read on: {error}")
        except (UnicodeDecodeError, SpatialMemError) as error:
            found.append(str(error))
    return found


def _structure(connection: sqlite3.Connection) -> Iterator[str]:
    for (line,) in connection.execute(f"PRAGMA integrity_check({_MOST_LINES})"):
        if line != "ok":
            yield f"SQLite: {line}"


def _checksums(connection: sqlite3.Connection) -> Iterator[str]:
    for table in sch.tables_of(connection):
        for _, *row in _rows(connection, f"SELECT rowid, {', '.join(table.names)}, crc FROM {table.name}"):
            wrong = table.wrong(row)
            if wrong is not None:
                yield f"row {row[0]!r:.60} of {table.name}: {wrong}"


def _rows(connection: sqlite3.Connection, query: str, rowid: str = "rowid") -> Iterator[tuple]:
    """Rows of a query whose first column is the rowid, by that: a few at a time, and none is held while one of them is
    looked at. A writer beside it that is bound to a size can go on meanwhile: only in between can it empty its wal."""
    after: tuple[int, ...] = ()
    while True:
        where = f" WHERE {rowid} > ?" if after else ""
        some = connection.execute(f"{query}{where} ORDER BY {rowid} LIMIT {_AT_ONCE}", after).fetchall()
        yield from some
        if len(some) < _AT_ONCE or (after and some[-1][0] <= after[0]):  # out of order where the file is damaged
            return
        after = (some[-1][0],)


def _log(connection: sqlite3.Connection) -> Iterator[str]:
    count, last = connection.execute("SELECT count(*), ifnull(max(lsn), 0) FROM keyframes").fetchone()
    (recorded,) = connection.execute("SELECT count(*) FROM tombstones").fetchone()
    if count != last and not recorded:
        yield f"the log has {count} frames but its last is number {last}, and none is recorded as erased"
    for table, condition, words in _COMPANIONS:
        (bad,) = connection.execute(f"SELECT count(*) FROM {table} WHERE {condition}").fetchone()
        if bad:
            yield f"{bad} frames {words}"


def _layers(connection: sqlite3.Connection) -> Iterator[str]:
    last = queries.last_lsn(connection)
    for table in ("surface_blocks", "free_blocks", "checkpoints"):
        (bad,) = connection.execute(f"SELECT count(*) FROM {table} WHERE lsn > ?", (last,)).fetchone()
        if bad:
            yield f"{bad} rows of {table} claim frames after the last one ({last})"
    lengths = [length for (length,) in connection.execute("SELECT DISTINCT length(vector) FROM vectors")]
    if len(lengths) > 1:
        yield f"image vectors are of different lengths: {', '.join(map(str, sorted(lengths)))} bytes"
    for table in sch.COUNTED:
        (count,) = connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()
        written = queries.recorded_count(connection, table)
        if count != written:
            yield f"{table.name} has {count} rows, but {written} were written; {sch.REBUILD_ADVICE}"
    (bad,) = connection.execute(_UNSIGHTED).fetchone()
    if bad:
        yield f"{bad} frames with depth have no row in sightings; {sch.REBUILD_ADVICE}"


def _marks(connection: sqlite3.Connection) -> Iterator[str]:
    there = {layer: _keys(connection, f"{layer}_blocks") for layer in (moved.SURFACE, moved.FREE)}
    for row in moved.listed(connection):
        if row.key not in there.get(row.layer, ()):
            yield f"{row.layer} block {row.key} is marked as moved, but has no row; {sch.LOG_ADVICE}"


def _keys(connection: sqlite3.Connection, table: str) -> set[int]:
    return {key for (key,) in connection.execute(f"SELECT key FROM {table}")}


def _blobs(connection: sqlite3.Connection) -> Iterator[str]:
    cameras, width = queries.cameras(connection), _feature_width(connection)
    query = "SELECT f.lsn, camera_ref, colour, depth, mask, features, examined FROM frames f JOIN keyframes USING (lsn)"
    for lsn, camera_ref, *blobs in _rows(connection, query, "f.lsn"):
        if not _are_bytes(*blobs):
            continue
        if blobs[0] is None and connection.execute("SELECT count(*) FROM evictions").fetchone() == (0,):
            yield f"frame {lsn}: its colour is missing, and no eviction is recorded"
        try:
            yield from (f"frame {lsn}: {line}" for line in _frame(cameras.get(camera_ref), width, *blobs))
        except SpatialMemError as error:
            yield f"frame {lsn}: {error}"
    yield from _observations(connection, cameras, width)
    for lsn, cells in _rows(connection, "SELECT lsn, cells FROM sightings", "lsn"):
        if not _are_bytes(cells):
            continue
        try:
            codec.decode_cells(cells)
        except SpatialMemError as error:
            yield f"sightings of frame {lsn}: {error}"


def _observations(connection: sqlite3.Connection, cameras: Mapping[int, Camera], width: int | None) -> Iterator[str]:
    if not observed.is_there(connection):
        return
    (alone,) = connection.execute(
        "SELECT count(*) FROM observations WHERE lsn NOT IN (SELECT lsn FROM keyframes)"
    ).fetchone()
    if alone:
        yield f"{alone} frames have observations but no row in keyframes"
    query = "SELECT o.lsn, camera_ref, data FROM observations o JOIN keyframes USING (lsn)"
    for lsn, camera_ref, data in _rows(connection, query, "o.lsn"):
        if not _are_bytes(data) or camera_ref not in cameras:
            continue
        try:
            seen = observed_codec.decode_observations(data, cameras[camera_ref])
        except SpatialMemError as error:
            yield f"frame {lsn}: {error}"
            continue
        if seen.features is not None and width is not None and seen.features.shape[1] != width:
            yield f"frame {lsn}: features of its detections are {seen.features.shape[1]} wide, not {width}"


def _are_bytes(*values: object) -> bool:
    """Whether these can be looked into; what else SQLite let into such a column is named with the checksums."""
    return all(value is None or isinstance(value, bytes) for value in values)


def _frame(
    camera: Camera | None,
    width: int | None,
    colour: bytes | None,
    depth: bytes | None,
    mask: bytes | None,
    features: bytes | None,
    examined: bytes | None,
) -> Iterator[str]:
    """Headers and packed contents; colour by its first and last marker, decoding it all would take minutes."""
    if colour is not None and not (colour.startswith(b"\xff\xd8") and colour.endswith(b"\xff\xd9")):
        yield "colour is not a whole JPEG"
    if depth is not None:
        shape = codec.decode_depth(depth).shape
        if camera is not None and shape != (camera.height, camera.width):
            yield f"depth is {shape[1]} x {shape[0]}, its camera {camera.width} x {camera.height}"
    if camera is not None:
        codec.decode_mask(mask, camera.height, camera.width)
    if features is not None:
        given = codec.decode_features(features).shape[2]
        if width is not None and given != width:
            yield f"features are {given} wide, those of its memory {width}"
    codec.decode_examined(examined)


def _feature_width(connection: sqlite3.Connection) -> int | None:
    """Of the memory; None where `meta` does not say."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'encoder_dim'").fetchone()
    return int(row[0]) if row is not None and str(row[0]).isdecimal() else None


def _blocks(connection: sqlite3.Connection) -> Iterator[str]:
    unpack = {"surface_blocks": block_codec.unpack_surface_block, "free_blocks": block_codec.unpack_free_block}
    for table, function in unpack.items():
        for key, number, data in _rows(connection, f"SELECT key, codec, data FROM {table}", "key"):
            if not _are_bytes(data):
                continue
            if number != block_codec.CODEC_EXACT:
                yield f"block {key} of {table}: codec {number} is unknown to this release"
                continue
            try:
                function(data)
            except SpatialMemError as error:
                yield f"block {key} of {table}: {error}"


def _config(connection: sqlite3.Connection) -> Iterator[str]:
    row = connection.execute("SELECT value FROM meta WHERE key = 'config'").fetchone()
    if row is None:
        yield "meta has no row 'config'"
        return
    try:
        MemoryConfig.from_json(row[0])
    except (ValueError, TypeError, AttributeError) as error:  # not JSON, not an object, unknown or impossible values
        yield f"the configuration in meta cannot be used: {error}"
