"""Checking many rows of a table at once, column by column: opening a long log does little else.

Nothing is left out: where anything is not as it must be, the rows are looked at one by one, for the error to name.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from spatialmem.store import schema as sch
from spatialmem.store.schema import Table, Value, row_parts

_FEW = 8
"""rows up to which one by one is as quick"""
_NUMBERS = {int: (b"i", "<i8"), float: (b"f", "<f8")}
_Column = Sequence[Any]


def checked(table: Table, rows: Sequence[Sequence[Value]]) -> list[Sequence[Value]]:
    """`Table.checked` of each of these rows."""
    if len(rows) > _FEW and _are_sound(table, rows):
        return [row[:-1] for row in rows]
    return [table.checked(row) for row in rows]


def _are_sound(table: Table, rows: Sequence[Sequence[Value]]) -> bool:
    """Whether no row of these is wrong; as `Table.wrong`, but for what is wrong."""
    *columns, crcs = zip(*rows, strict=True)
    given = zip(table.columns, columns, strict=True)
    return all(_is_sound(name, declared, column) for (name, declared), column in given) and _crcs(columns) == [*crcs]


def _is_sound(name: str, declared: str, column: _Column) -> bool:
    kinds, wanted = set(map(type, column)), sch.type_of(declared)
    if not kinds <= ({wanted, type(None)} if name in sch.MAY_BE_NULL else {wanted}):
        return False
    there = [value for value in column if value is not None] if type(None) in kinds else column
    if wanted is float:
        return all(map(math.isfinite, there))
    most = sch.LAST_LSN if name in sch.NUMBERS_OF_FRAMES else math.inf
    return wanted is not int or not there or (min(there) >= 0 and max(there) <= most)


def _crcs(columns: Sequence[_Column]) -> list[int]:
    """CRC-32 of each row, as `schema.row_crc`; of columns that hold values of one kind and NULL alone."""
    parts: list[list[bytes]] = []
    numbers: list[tuple[type, _Column]] = []
    for column in columns:
        kinds = set(map(type, column))
        if len(kinds) == 1 and kinds <= _NUMBERS.keys():
            numbers.append((kinds.pop(), column))
            continue
        parts += _packed(numbers)
        numbers = []
        parts += _blobs(column) if kinds == {bytes} else [_texts(column) if str in kinds else [*map(_part, column)]]
    parts += _packed(numbers)
    return [zlib.crc32(b"".join(row)) for row in zip(*parts, strict=True)]


def _part(value: Value) -> bytes:
    return b"".join(row_parts((value,)))


def _blobs(column: Sequence[bytes]) -> list[list[bytes]]:
    return [[sch.LENGTH.pack(b"b", len(blob)) for blob in column], [*column]]


def _texts(column: _Column) -> list[bytes]:
    """The same few names stand in most rows."""
    known = {value: _part(value) for value in set(column)}
    return [known[value] for value in column]


def _packed(numbers: Sequence[tuple[type, _Column]]) -> list[list[bytes]]:
    """Neighbouring columns of numbers, of which each row has one, packed together."""
    if not numbers:
        return []
    fields = [field for n, (kind, _) in enumerate(numbers) for field in ((f"t{n}", "S1"), (f"v{n}", _NUMBERS[kind][1]))]
    packed = np.empty(len(numbers[0][1]), fields)
    for n, (kind, column) in enumerate(numbers):
        packed[f"t{n}"], packed[f"v{n}"] = _NUMBERS[kind][0], column
    whole, size = packed.tobytes(), packed.itemsize
    return [[whole[start:end] for start, end in pairwise(range(0, len(whole) + 1, size))]]
