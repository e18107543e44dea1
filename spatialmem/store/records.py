"""Between the frozen rows of store/rows.py and the columns of store/schema.py."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, MemoryFileError
from spatialmem.store.lsn_ranges import LsnRanges
from spatialmem.store.rows import (
    AnchorRow,
    BlockRow,
    CheckpointRow,
    DepartedRow,
    FrameBlobs,
    KeyframeRow,
    PoseRow,
    SessionRow,
    TombstoneRow,
)
from spatialmem.store.schema import REBUILD_ADVICE, Value
from spatialmem.types import Camera

_POSE = struct.Struct("<16d")
_MOST_REVISIONS = 2**31 - 1
_LOOSE = 2e-3  # of a rotation; frames may be off by half of it, and earlier releases checked no more


def keyframe_values(row: KeyframeRow, camera_ref: int) -> tuple[Value, ...]:
    """Columns of `keyframes`."""
    shares = (row.agrees, row.seen_through, row.occluded, row.no_return, row.residual_m)
    return (
        int(row.lsn), str(row.session_id), str(row.camera_id), int(row.seq), int(row.stamp_ns), camera_ref,
        pose_bytes(row.world_from_camera), int(row.pose_revision), _real(row.pose_sigma_m), _real(row.pose_sigma_rad),
        str(row.reason), int(row.pose_suspect), int(row.encoded), *(_real(share) for share in shares),
    )  # fmt: skip


def keyframe_row(values: Sequence, camera: Camera) -> KeyframeRow:
    """The inverse of `keyframe_values`."""
    lsn, session_id, camera_id, seq, stamp_ns, _, pose, revision, sigma_m, sigma_rad, reason, suspect, encoded = values[
        :13
    ]
    _require_revision(values)
    return KeyframeRow(
        lsn, session_id, camera_id, seq, stamp_ns, camera, pose_matrix(pose, f"pose of frame {lsn}"), reason,
        bool(suspect), bool(encoded), revision, sigma_m, sigma_rad, *values[13:],
    )  # fmt: skip


def require_poses(rows: Sequence[Sequence]) -> None:
    """`MemoryFileError` unless each of these rows of `keyframes` has a pose that `keyframe_row` takes."""
    poses = [values[6] for values in rows]
    if all(len(pose) == _POSE.size for pose in poses) and _are_rigid(np.frombuffer(b"".join(poses), "<f8")):
        for values in rows:
            _require_revision(values)
        return
    for values in rows:
        _require_revision(values)
        pose_matrix(values[6], f"pose of frame {values[0]}")


def _require_revision(values: Sequence) -> None:
    if values[7] > _MOST_REVISIONS:
        raise MemoryFileError(
            f"row {values[0]} of table keyframes is damaged: pose_revision is {values[7]}; restore the file from a copy"
        )


def camera_values(camera: Camera) -> tuple[Value, ...]:
    """Columns of `cameras` after `camera_ref`."""
    return (*(float(v) for v in (camera.fx, camera.fy, camera.cx, camera.cy)), int(camera.width), int(camera.height))


def frame_values(lsn: int, blobs: FrameBlobs) -> tuple[Value, ...]:
    """Columns of `frames`."""
    return (lsn, blobs.colour, blobs.depth, blobs.mask, blobs.features, blobs.examined)


def frame_blobs(values: Sequence) -> FrameBlobs:
    """The inverse of `frame_values`."""
    return FrameBlobs(*values[1:])


def block_values(row: BlockRow) -> tuple[Value, ...]:
    """Columns of `surface_blocks` and `free_blocks`."""
    return (int(row.key), int(row.lsn), int(row.codec), bytes(row.data))


def block_row(values: Sequence) -> BlockRow:
    """The inverse of `block_values`."""
    return BlockRow(*values)


def departed_values(row: DepartedRow) -> tuple[Value, ...]:
    """Columns of `departed`; the id must be set."""
    metres = (*row.position_m, *row.box_min_m, *row.box_max_m)
    if row.id is None or len(metres) != 9:
        raise InvalidValue(f"a departed row needs an id and three positions of three numbers; given {row}")
    return (
        int(row.id), int(row.valid_from), _whole(row.valid_to), int(row.first_lsn), int(row.last_lsn),
        *(float(v) for v in metres), int(row.voxels), *(int(v) for v in row.rgb), row.feature,
    )  # fmt: skip


def departed_row(values: Sequence) -> DepartedRow:
    """The inverse of `departed_values`."""
    ident, valid_from, valid_to, first_lsn, last_lsn = values[:5]
    if not 1 <= first_lsn <= last_lsn <= valid_from:
        raise MemoryFileError(
            f"row {ident} of table departed is damaged: seen by frames {first_lsn} to {last_lsn}, gone in frame "
            f"{valid_from}; {REBUILD_ADVICE}"
        )
    return DepartedRow(
        valid_from, first_lsn, last_lsn, tuple(values[5:8]), tuple(values[8:11]), tuple(values[11:14]), values[14],
        tuple(values[15:18]), values[18], valid_to, ident,
    )  # fmt: skip


def session_values(row: SessionRow) -> tuple[Value, ...]:
    """Columns of `sessions`."""
    return (str(row.session_id), int(row.ordinal), str(row.world_frame))


def session_row(values: Sequence) -> SessionRow:
    """The inverse of `session_values`."""
    return SessionRow(*values)


def anchor_values(row: AnchorRow) -> tuple[Value, ...]:
    """Columns of `anchors`."""
    return (
        str(row.session_id), int(row.revision), pose_bytes(row.map_from_session), int(row.valid_from),
        _whole(row.valid_to), str(row.reason),
    )  # fmt: skip


def anchor_row(values: Sequence) -> AnchorRow:
    """The inverse of `anchor_values`."""
    session_id, revision, pose, valid_from, valid_to, reason = values
    return AnchorRow(session_id, revision, pose_matrix(pose, f"anchor of {session_id}"), valid_from, reason, valid_to)


def pose_values(row: PoseRow) -> tuple[Value, ...]:
    """Columns of `pose_revisions`."""
    return (
        int(row.lsn), int(row.revision), pose_bytes(row.world_from_camera), int(row.valid_from), _whole(row.valid_to),
        str(row.reason),
    )  # fmt: skip


def pose_row(values: Sequence) -> PoseRow:
    """The inverse of `pose_values`."""
    lsn, revision, pose, valid_from, valid_to, reason = values
    return PoseRow(lsn, revision, pose_matrix(pose, f"revised pose of frame {lsn}"), valid_from, reason, valid_to)


def tombstone_values(ident: int, row: TombstoneRow) -> tuple[Value, ...]:
    """Columns of `tombstones`."""
    what = json.dumps({"asked": json.loads(row.asked), "erased": row.lsns.pairs})
    return (ident, int(row.at_lsn), what)


def tombstone_row(values: Sequence) -> TombstoneRow:
    """The inverse of `tombstone_values`."""
    ident, at_lsn, what = values
    try:
        read = json.loads(what)
        return TombstoneRow(at_lsn, json.dumps(read["asked"]), numbers(read["erased"], at_lsn))
    except (ValueError, TypeError, KeyError) as error:
        raise MemoryFileError(
            f"row {ident} of table tombstones is damaged ({error!r}); restore the file from a copy"
        ) from error


def numbers(given: Iterable[Sequence[int]], at_lsn: int) -> LsnRanges:
    """The inverse of `LsnRanges.pairs`; `ValueError` or `TypeError` where it is none of frames up to `at_lsn`."""
    read = [(int(first), int(last)) for first, last in given]
    if not all(1 <= first <= last <= at_lsn for first, last in read):
        raise ValueError(f"ranges {read}, after frame {at_lsn}")
    return LsnRanges(read)


def checkpoint_values(row: CheckpointRow) -> tuple[Value, ...]:
    """Columns of `checkpoints`."""
    return (int(row.lsn), int(row.blocks), int(row.bytes))


def pose_bytes(matrix: NDArray[np.float64]) -> bytes:
    """16 float64, row-major, little-endian."""
    given = np.asarray(matrix, dtype="<f8")
    if given.shape != (4, 4):
        raise InvalidValue(f"a transform must be a 4x4 matrix; given shape {given.shape}")
    return given.tobytes()


def pose_matrix(data: bytes, what: str) -> NDArray[np.float64]:
    """(4, 4) float64 from `pose_bytes`; `MemoryFileError` unless it is a rigid transform."""
    if not isinstance(data, bytes) or len(data) != _POSE.size:
        raise MemoryFileError(f"{what} is damaged: it is not {_POSE.size} bytes; restore the file from a copy")
    if not _is_rigid(_POSE.unpack(data)):
        raise MemoryFileError(f"{what} is damaged: it is no rigid transform; restore the file from a copy")
    return np.frombuffer(data, dtype="<f8").astype(np.float64).reshape(4, 4)


def _is_rigid(m: Sequence[float]) -> bool:
    """Whether 16 numbers, row by row, are a finite proper rotation and a translation. Plain numbers: numpy would take
    several times as long for a matrix this small, and opening asks for every frame."""
    if not all(map(math.isfinite, m)) or max(abs(m[12]), abs(m[13]), abs(m[14]), abs(m[15] - 1.0)) > _LOOSE:
        return False
    x, y, z = m[0:3], m[4:7], m[8:11]
    across = (y[1] * z[2] - y[2] * z[1], y[2] * z[0] - y[0] * z[2], y[0] * z[1] - y[1] * z[0])
    products = (_dot(x, x) - 1, _dot(y, y) - 1, _dot(z, z) - 1, _dot(x, y), _dot(x, z), _dot(y, z))
    return max(map(abs, products)) <= _LOOSE and _dot(x, across) > 0


def _are_rigid(numbers: NDArray[np.float64]) -> bool:
    """`_is_rigid` of each 16 of these."""
    m = numbers.reshape(-1, 4, 4)
    r, last = m[:, :3, :3], m[:, 3] - (0.0, 0.0, 0.0, 1.0)
    if not np.isfinite(m).all() or np.abs(last).max(initial=0.0) > _LOOSE or np.abs(r).max(initial=0.0) > 2.0:
        return False  # also what would overflow
    products = np.einsum("nij,nkj->nik", r, r) - np.eye(3)
    proper = np.einsum("ni,ni->n", r[:, 0], np.cross(r[:, 1], r[:, 2])) > 0
    return bool(np.abs(products).max(initial=0.0) <= _LOOSE and proper.all())


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _real(value: float | None) -> float | None:
    """NaN is stored as NULL, as SQLite would."""
    return None if value is None or math.isnan(value) else float(value)


def _whole(value: int | None) -> int | None:
    return None if value is None else int(value)
