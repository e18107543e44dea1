"""The rows of the log in RAM: a fifth of a KiB a frame, in arrays; a `KeyframeRow` is made when it is asked for.

Objects of their own would take some 700 bytes a frame, most of them headers of numbers.
"""

from __future__ import annotations

import struct
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.store.records import pose_bytes
from spatialmem.store.rows import KeyframeRow
from spatialmem.types import Camera

_CHUNK = 1024
"""rows that are reserved at once: nothing is copied when there are more, and a page is touched when it is written"""
_NUMBERS = ("pose_sigma_m", "pose_sigma_rad", "agrees", "seen_through", "occluded", "no_return", "residual_m")
"""NaN where the row has None"""
_POSE = 96
"""bytes of the upper three rows of a pose"""
_RECORD = struct.Struct(f"<???iiiiqqi7d{_POSE}s")
"""stored, suspect, encoded; reason, session, camera id, camera by number; seq, stamp, pose revision; numbers, pose"""
_NOTHING = bytes(_RECORD.size)
_COLUMNS = np.dtype(
    {"names": ["stored", "session", "stamp_ns", "pose"], "formats": ["?", "<i4", "<i8", "(3, 4)<f8"],
     "offsets": [0, 7, 27, _RECORD.size - _POSE], "itemsize": _RECORD.size}
)  # fmt: skip
_BOTTOM = np.array((0.0, 0.0, 0.0, 1.0), "<f8").tobytes()
_NAN = float("nan")
V = TypeVar("V", bound=Hashable)


@final
class _Once(Generic[V]):
    """Values by number, each kept once."""

    def __init__(self) -> None:
        self.values: list[V] = []
        self._numbers: dict[V, int] = {}

    def number(self, value: V) -> int:
        found = self._numbers.get(value)
        if found is None:
            self.values.append(value)  # first: who reads may ask for any number that was given
            found = self._numbers[value] = len(self.values) - 1
        return found


@final
class LogRows(Mapping[int, KeyframeRow]):
    """Rows by lsn, ascending. One thread writes, any number read; what `until` and `without` give stays as it is."""

    def __init__(self) -> None:
        self._chunks: dict[int, bytearray] = {}
        self._borrowed: frozenset[int] = frozenset()
        """chunks that belong to other rows too, and are copied before they are written"""
        self._last = 0
        self._count = 0
        self._bottoms: dict[int, bytes] = {}
        """lsn -> last row of a pose that is not exactly 0 0 0 1; others share it, up to the last of their rows"""
        self._texts: _Once[str] = _Once()
        self._cameras: _Once[Camera] = _Once()

    def add(self, row: KeyframeRow) -> None:
        """Take in a row, in place of the one of that lsn where there is one."""
        text, numbers = self._texts.number, (getattr(row, name) for name in _NUMBERS)
        record = _RECORD.pack(
            True, row.pose_suspect, row.encoded, text(row.reason), text(row.session_id), text(row.camera_id),
            self._cameras.number(row.camera), row.seq, row.stamp_ns, row.pose_revision,
            *(_NAN if value is None else value for value in numbers),
            self._upper(row.lsn, pose_bytes(row.world_from_camera)),
        )  # fmt: skip
        self._put(row.lsn, record)

    def add_stored(self, values: Sequence[Any], camera: Camera) -> None:
        """`add`, of a row as the file has it: the columns of `keyframes`, checked, with a pose that is one."""
        lsn, session, camera_id, seq, stamp_ns, _, pose, revision, sigma_m, sigma_rad, reason, suspect, encoded = (
            values[:13]
        )
        text, numbers = self._texts.number, (sigma_m, sigma_rad, *values[13:])
        record = _RECORD.pack(
            True, suspect, encoded, text(reason), text(session), text(camera_id), self._cameras.number(camera), seq,
            stamp_ns, revision, *[_NAN if value is None else value for value in numbers], self._upper(lsn, pose),
        )  # fmt: skip
        self._put(lsn, record)

    def _upper(self, lsn: int, pose: bytes) -> bytes:
        """The upper rows of a pose; its last one is kept only where it is not quite that of a transform."""
        bottom = pose[_POSE:]
        if bottom != self._bottoms.get(lsn, _BOTTOM):
            if lsn <= self._last or self._borrowed:  # others may read the row that was here
                self._bottoms = dict(self._bottoms)
            self._bottoms[lsn] = bottom
        return pose[:_POSE]

    def _put(self, lsn: int, record: bytes) -> None:
        number, at = divmod(lsn, _CHUNK)
        chunk = self._chunks.get(number)
        if chunk is None:
            chunk = bytearray(_CHUNK * _RECORD.size)
        elif lsn <= self._last or number in self._borrowed:  # others read it, up to the last of their rows
            chunk = bytearray(chunk)
        start = at * _RECORD.size
        self._count += not chunk[start]
        chunk[start : start + _RECORD.size] = record
        self._chunks[number] = chunk
        if self._borrowed:
            self._borrowed -= {number}
        self._last = max(self._last, lsn)

    def until(self, lsn: int) -> LogRows:
        """The rows up to this one as they are now."""
        rows = self._sharing({n: chunk for n, chunk in list(self._chunks.items()) if n * _CHUNK <= lsn})
        rows._last = min(lsn, self._last)
        rows._count = sum(len(lsns) for lsns, _ in rows._parts())
        return rows

    def without(self, lsns: Iterable[int]) -> LogRows:
        """The rows but for these, of which no copy is left in what is returned."""
        rows, renewed = self._sharing(dict(self._chunks)), set()
        rows._bottoms = dict(self._bottoms)
        for lsn in lsns:
            number, at = divmod(lsn, _CHUNK)
            if number not in renewed and number in rows._chunks:
                rows._chunks[number] = bytearray(rows._chunks[number])
                renewed.add(number)
            if number in renewed:
                rows._chunks[number][at * _RECORD.size : (at + 1) * _RECORD.size] = _NOTHING
            rows._bottoms.pop(lsn, None)
        rows._borrowed -= renewed
        rows._last = max((int(found[-1]) for found, _ in rows._parts() if len(found)), default=0)
        rows._count = sum(len(found) for found, _ in rows._parts())
        return rows

    def stamps_ns(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Ascending lsn (N,), and the stamp of each of these frames (N,)."""
        parts = [(lsns, columns["stamp_ns"][lsns % _CHUNK]) for lsns, columns in self._parts()]
        none = np.zeros(0, np.int64)
        return np.concatenate([none, *(p[0] for p in parts)]), np.concatenate([none, *(p[1] for p in parts)])

    def poses(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], list[str], NDArray[np.float64]]]:
        """Of some frames after the other: ascending lsn (N,), stamps (N,), sessions, and poses (N, 4, 4) as they were
        observed, in the world of their session."""
        for lsns, columns in self._parts():
            some = columns[lsns % _CHUNK]
            sessions = [self._texts.values[number] for number in some["session"].tolist()]
            poses = np.empty((len(some), 4, 4))
            poses[:, :3], poses[:, 3] = some["pose"], (0.0, 0.0, 0.0, 1.0)
            for at in np.flatnonzero(np.isin(lsns, list(self._bottoms))) if self._bottoms else ():
                poses[at, 3] = np.frombuffer(self._bottoms[int(lsns[at])], "<f8")
            yield lsns, some["stamp_ns"].copy(), sessions, poses

    def __getitem__(self, lsn: int) -> KeyframeRow:
        place = self._place(lsn)
        if place is None:
            raise KeyError(lsn)
        _, suspect, encoded, reason, session, camera_id, camera, seq, stamp_ns, revision, *numbers, upper = (
            _RECORD.unpack_from(*place)
        )
        text, known = self._texts.values, [None if value != value else value for value in numbers]
        pose = np.frombuffer(upper + self._bottoms.get(int(lsn), _BOTTOM), "<f8").reshape(4, 4).copy()
        return KeyframeRow(
            int(lsn), text[session], text[camera_id], seq, stamp_ns, self._cameras.values[camera], pose, text[reason],
            suspect, encoded, revision, *known,
        )  # fmt: skip

    def __contains__(self, lsn: object) -> bool:
        return isinstance(lsn, (int, np.integer)) and self._place(int(lsn)) is not None

    def __iter__(self) -> Iterator[int]:
        for lsns, _ in self._parts():
            yield from lsns.tolist()

    def __len__(self) -> int:
        return self._count

    def _sharing(self, chunks: dict[int, bytearray]) -> LogRows:
        rows = LogRows()
        rows._chunks, rows._borrowed = chunks, frozenset(chunks)
        rows._last, rows._count = self._last, self._count
        rows._texts, rows._cameras, rows._bottoms = self._texts, self._cameras, self._bottoms
        return rows

    def _parts(self) -> Iterator[tuple[NDArray[np.int64], NDArray]]:
        """Ascending lsn of the rows of each chunk, and its columns."""
        last = self._last
        for number, chunk in sorted(self._chunks.items(), key=lambda item: item[0]):
            columns = np.frombuffer(chunk, _COLUMNS)
            lsns = number * _CHUNK + np.flatnonzero(columns["stored"])
            yield lsns[lsns <= last], columns

    def _place(self, lsn: int) -> tuple[bytearray, int] | None:
        """Where a row begins; None where there is none."""
        number, at = divmod(lsn, _CHUNK)
        chunk = self._chunks.get(number)
        if chunk is None or lsn > self._last or not chunk[at * _RECORD.size]:
            return None
        return chunk, at * _RECORD.size
