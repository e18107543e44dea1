"""Departed regions in RAM: a fifth of a KiB each and their features; a `DepartedRow` is made when it is asked for."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import final, overload

from spatialmem.store.rows import DepartedRow

_RECORD = struct.Struct("<6q9d3q?")
"""valid_from, first_lsn, last_lsn, voxels, valid_to, id; position and box; rgb; whether there is a feature"""
_NONE = -1


@final
class DepartedLog(Sequence[DepartedRow]):
    """Rows in order; there may be more at the end, none changes. One thread adds, any number read."""

    def __init__(self, feature_width: int, rows: Iterable[DepartedRow] = ()) -> None:
        self._size = _RECORD.size + 2 * feature_width
        self._data = bytearray()
        self._odd: dict[int, DepartedRow] = {}
        """rows of a damaged file whose features have another width; who reads them is to be told"""
        self.extend(rows)

    def extend(self, rows: Iterable[DepartedRow]) -> None:
        """Add rows at the end."""
        for row in rows:
            width, feature = self._size - _RECORD.size, row.feature or b""
            if row.feature is not None and len(feature) != width:
                self._odd[len(self)], feature = row, b""
            record = _RECORD.pack(
                row.valid_from, row.first_lsn, row.last_lsn, row.voxels, _or_none(row.valid_to), _or_none(row.id),
                *row.position_m, *row.box_min_m, *row.box_max_m, *row.rgb, row.feature is not None,
            )  # fmt: skip
            self._data += record + feature.ljust(width, b"\0")  # at once, for those who read

    @overload
    def __getitem__(self, index: int) -> DepartedRow: ...
    @overload
    def __getitem__(self, index: slice) -> list[DepartedRow]: ...
    def __getitem__(self, index: int | slice) -> DepartedRow | list[DepartedRow]:
        if isinstance(index, slice):
            return [self._row(n) for n in range(*index.indices(len(self)))]
        return self._row(range(len(self))[index])

    def __len__(self) -> int:
        return len(self._data) // self._size

    def _row(self, index: int) -> DepartedRow:
        if index in self._odd:
            return self._odd[index]
        record = bytes(self._data[index * self._size : (index + 1) * self._size])
        valid_from, first, last, voxels, valid_to, ident, *rest, has_feature = _RECORD.unpack_from(record)
        return DepartedRow(
            valid_from, first, last, tuple(rest[:3]), tuple(rest[3:6]), tuple(rest[6:9]), voxels, tuple(rest[9:]),
            record[_RECORD.size :] if has_feature else None, None if valid_to == _NONE else valid_to,
            None if ident == _NONE else ident,
        )  # fmt: skip


def _or_none(value: int | None) -> int:
    return _NONE if value is None else value
