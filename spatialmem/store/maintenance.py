"""Writing functions over a connection, inside a transaction that the caller began and ends."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from spatialmem.errors import InvalidValue
from spatialmem.store import evictions, moved, observed, queries
from spatialmem.store import records as rec
from spatialmem.store import schema as sch
from spatialmem.store.rows import (
    AnchorRow,
    BlockRow,
    CheckpointRow,
    CorrectedLayers,
    DepartedRow,
    FrameBlobs,
    KeyframeRow,
    PoseRow,
    SessionRow,
    TombstoneRow,
)
from spatialmem.types import Camera

_CAMERA_COLUMNS = " AND ".join(f"{name} = ?" for name in sch.CAMERAS.names[1:])


def insert_frame(
    connection: sqlite3.Connection, row: KeyframeRow, blobs: FrameBlobs, vector: bytes | None, cells: bytes | None,
    pose: PoseRow | None,
) -> None:  # fmt: skip
    """The log row of a frame in all its tables."""
    if not connection.execute("SELECT 1 FROM sessions WHERE session_id = ?", (row.session_id,)).fetchone():
        raise InvalidValue(f"session {row.session_id!r} is not in the file; add_session() comes first")
    camera_ref = _camera_ref(connection, row.camera)
    try:
        connection.execute(sch.KEYFRAMES.insert, sch.with_crc(rec.keyframe_values(row, camera_ref)))
    except sqlite3.IntegrityError as error:
        raise InvalidValue(
            f"frame {row.seq} of camera {row.camera_id!r} in session {row.session_id!r} cannot be stored as lsn "
            f"{row.lsn}: {error}; a frame is stored once"
        ) from error
    insert_contents(connection, row.lsn, blobs, vector, cells)
    if pose is not None:
        insert_poses(connection, (pose,))


def insert_contents(
    connection: sqlite3.Connection, lsn: int, blobs: FrameBlobs, vector: bytes | None, cells: bytes | None
) -> None:
    """What a frame has beside its row in `keyframes`."""
    connection.execute(sch.FRAMES.insert, sch.with_crc(rec.frame_values(lsn, blobs)))
    for table, data in ((sch.VECTORS, vector), (sch.SIGHTINGS, cells)):
        if data is not None:
            connection.execute(table.insert, sch.with_crc((lsn, data)))
    if blobs.observed is not None:
        observed.insert(connection, lsn, *blobs.observed)


def insert_departed(connection: sqlite3.Connection, departed: Sequence[DepartedRow]) -> None:
    """New departed rows; ids follow the largest one."""
    if not departed:
        return
    (largest,) = connection.execute("SELECT ifnull(max(id), 0) FROM departed").fetchone()
    for ident, row in enumerate(departed, start=largest + 1):
        values = rec.departed_values(replace(row, id=ident))
        connection.execute(sch.DEPARTED.insert, sch.with_crc(values))
    _count_more(connection, sch.DEPARTED, len(departed))


def close_departed(connection: sqlite3.Connection, ids: Sequence[int], valid_to: int) -> None:
    """Set `valid_to` of departed rows that still hold."""
    for ident in ids:
        found = connection.execute(sch.DEPARTED.select("WHERE id = ? AND valid_to IS NULL"), (int(ident),)).fetchone()
        if found is None:
            raise InvalidValue(f"there is no departed row {ident} that still holds")
        row = replace(rec.departed_row(sch.DEPARTED.checked(found)), valid_to=valid_to)
        connection.execute(sch.DEPARTED.replace, sch.with_crc(rec.departed_values(row)))


def put_blocks(
    connection: sqlite3.Connection,
    surface: Iterable[BlockRow],
    free: Iterable[BlockRow],
    checkpoint: CheckpointRow | Callable[[], CheckpointRow] | None,
    look: Callable[[int], None],
) -> None:
    """Blocks in place of those with the same key; the checkpoint row, asked for last, when they finish a round.

    look: called before a statement with the bytes that it writes or overwrites; what it raises ends the transaction.
    """
    for table, blocks in ((sch.SURFACE_BLOCKS, surface), (sch.FREE_BLOCKS, free)):
        _put_counted(connection, table, blocks, look)
    if callable(checkpoint):
        checkpoint = checkpoint()
    if checkpoint is not None:
        connection.execute(sch.CHECKPOINTS.replace, sch.with_crc(rec.checkpoint_values(checkpoint)))


def put_corrected(connection: sqlite3.Connection, layers: CorrectedLayers, look: Callable[[int], None]) -> None:
    """What a change of the past does to the layers, and to what the log says of them; look: see `put_blocks`."""
    put_cells(connection, layers.cells)
    replace_departed(connection, layers.departed_of, layers.departed)
    for table, keys in ((sch.SURFACE_BLOCKS, layers.bare_surface), (sch.FREE_BLOCKS, layers.bare_free)):
        _drop_blocks(connection, table, keys)
    for lsn, blob in layers.examined.items():
        look(2 * evictions.size(connection, sch.FRAMES, lsn))
        _put_examined(connection, lsn, blob)
    put_blocks(connection, layers.surface, layers.free, None, look)
    moved.replace(connection, layers.unmarked, layers.marks)


def _drop_blocks(connection: sqlite3.Connection, table: sch.Table, keys: Iterable[int]) -> None:
    """Blocks that no frame of the log changes: no replay needs their tags, and their keys would tell what was there."""
    delete = f"DELETE FROM {table.name} WHERE key = ?"
    _count_more(connection, table, -sum(connection.execute(delete, (int(key),)).rowcount for key in keys))


def _put_examined(connection: sqlite3.Connection, lsn: int, blob: bytes | None) -> None:
    found = connection.execute(sch.FRAMES.select("WHERE lsn = ?"), (int(lsn),)).fetchone()
    blobs = replace(rec.frame_blobs(sch.FRAMES.checked(found)), examined=blob)
    connection.execute(sch.FRAMES.replace, sch.with_crc(rec.frame_values(int(lsn), blobs)))


def _put_counted(
    connection: sqlite3.Connection, table: sch.Table, blocks: Iterable[BlockRow], look: Callable[[int], None]
) -> None:
    added = 0
    for block in blocks:
        look(2 * len(block.data))  # there may be as long a row that is replaced
        row = sch.with_crc(rec.block_values(block))
        if not connection.execute(table.update, row).rowcount:
            connection.execute(table.insert, row)
            added += 1
    _count_more(connection, table, added)


def _count_more(connection: sqlite3.Connection, table: sch.Table, added: int) -> None:
    if added:
        total = queries.recorded_count(connection, table) + added
        connection.execute(sch.ROW_COUNTS.replace, sch.with_crc((table.name, total)))


def clear_layers(connection: sqlite3.Connection) -> None:
    """Drop everything that is derived from the log."""
    for table in sch.DERIVED:
        connection.execute(f"DELETE FROM {table.name}")


def insert_session(connection: sqlite3.Connection, row: SessionRow, anchor: AnchorRow | None) -> None:
    """A new session, with its place in the map where that is known."""
    connection.execute(sch.SESSIONS.insert, sch.with_crc(rec.session_values(row)))
    if anchor is not None:
        insert_anchor(connection, anchor)


def put_recording(connection: sqlite3.Connection, session_id: str, recording_id: str) -> None:
    """Of which recording a session is: a row of `meta`, which files of earlier releases have room for."""
    connection.execute(sch.META.replace, sch.with_crc((sch.RECORDING + session_id, recording_id)))


def insert_anchor(connection: sqlite3.Connection, row: AnchorRow) -> None:
    """A revision of an anchor; the revision that held so far ends where this one begins."""
    current = connection.execute(
        sch.ANCHORS.select("WHERE session_id = ? AND valid_to IS NULL"), (row.session_id,)
    ).fetchone()
    if current is not None:
        ended = replace(rec.anchor_row(sch.ANCHORS.checked(current)), valid_to=row.valid_from)
        connection.execute(sch.ANCHORS.replace, sch.with_crc(rec.anchor_values(ended)))
    try:
        connection.execute(sch.ANCHORS.insert, sch.with_crc(rec.anchor_values(row)))
    except sqlite3.IntegrityError as error:
        raise InvalidValue(f"session {row.session_id!r} has an anchor revision {row.revision} already") from error


def insert_poses(connection: sqlite3.Connection, poses: Sequence[PoseRow]) -> None:
    """Revisions of poses; the revision that held so far ends where the new one begins."""
    for row in poses:
        held = "WHERE lsn = ? AND valid_to IS NULL"
        current = connection.execute(sch.POSE_REVISIONS.select(held), (row.lsn,)).fetchone()
        if current is not None:
            ended = replace(rec.pose_row(sch.POSE_REVISIONS.checked(current)), valid_to=row.valid_from)
            connection.execute(sch.POSE_REVISIONS.replace, sch.with_crc(rec.pose_values(ended)))
        connection.execute(sch.POSE_REVISIONS.insert, sch.with_crc(rec.pose_values(row)))


def use_poses(connection: sqlite3.Connection, revisions: Mapping[int, int]) -> None:
    """Say by which revision of its pose (value) each frame (key) stands in the layers."""
    column = sch.KEYFRAMES.names.index("pose_revision")
    for lsn, revision in revisions.items():
        found = connection.execute(sch.KEYFRAMES.select("WHERE lsn = ?"), (int(lsn),)).fetchone()
        values = list(sch.KEYFRAMES.checked(found))
        values[column] = int(revision)
        connection.execute(sch.KEYFRAMES.replace, sch.with_crc(values))


def replace_departed(connection: sqlite3.Connection, of: Iterable[int], departed: Sequence[DepartedRow]) -> None:
    """Departed rows in place of those of these frames."""
    gone = sum(connection.execute("DELETE FROM departed WHERE valid_from = ?", (int(lsn),)).rowcount for lsn in of)
    _count_more(connection, sch.DEPARTED, -gone)
    insert_departed(connection, departed)


def erase_frames(connection: sqlite3.Connection, row: TombstoneRow, look: Callable[[int], None]) -> None:
    """Delete every row of these frames, and say so; for a connection that overwrites what it deletes; look: see
    `put_blocks`."""
    for lsn in row.lsns:
        look(evictions.size(connection, sch.FRAMES, int(lsn)))
        for table in (sch.KEYFRAMES, sch.FRAMES, sch.VECTORS, sch.SIGHTINGS, sch.POSE_REVISIONS):
            connection.execute(f"DELETE FROM {table.name} WHERE lsn = ?", (int(lsn),))
        observed.erase(connection, int(lsn))
    connection.execute("DELETE FROM cameras WHERE camera_ref NOT IN (SELECT camera_ref FROM keyframes)")
    (largest,) = connection.execute("SELECT ifnull(max(id), 0) FROM tombstones").fetchone()
    connection.execute(sch.TOMBSTONES.insert, sch.with_crc(rec.tombstone_values(largest + 1, row)))
    connection.execute(sch.META.replace, sch.with_crc((sch.SCRUB_PENDING, "yes")))


def put_cells(connection: sqlite3.Connection, cells: Mapping[int, bytes]) -> None:
    """Sightings in place of those of the same frames."""
    connection.executemany(sch.SIGHTINGS.replace, (sch.with_crc((int(lsn), blob)) for lsn, blob in cells.items()))


def _camera_ref(connection: sqlite3.Connection, camera: Camera) -> int:
    values = rec.camera_values(camera)
    found = connection.execute(f"SELECT camera_ref FROM cameras WHERE {_CAMERA_COLUMNS}", values).fetchone()
    if found is not None:
        return found[0]
    (ref,) = connection.execute("SELECT ifnull(max(camera_ref), 0) + 1 FROM cameras").fetchone()
    connection.execute(sch.CAMERAS.insert, sch.with_crc((ref, *values)))
    return ref
