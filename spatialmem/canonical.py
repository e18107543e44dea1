"""The canonical hash: equal for equal layers, however they came about (docs/format.md, section 8)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from spatialmem.map_epoch import MapEpoch
from spatialmem.store import codec
from spatialmem.store.records import departed_values
from spatialmem.store.schema import row_parts


def canonical_hash(epoch: MapEpoch) -> str:
    """BLAKE2b-256 over the canonical form of the layers, as hexadecimal digits."""
    digest = hashlib.blake2b(b"spatialmem-1", digest_size=32)
    for parts in (_surface_parts, _free_parts, _cell_parts, _departed_parts):
        for part in parts(epoch):
            digest.update(part)
    return digest.hexdigest()


def _surface_parts(epoch: MapEpoch) -> Iterator[Any]:
    for key, arrays in epoch.surface.blocks():
        if arrays.weight.any():
            yield key.to_bytes(8, "little")
            for array in arrays._replace(has_row=np.packbits(arrays.has_row)):
                yield np.ascontiguousarray(array).tobytes()


def _free_parts(epoch: MapEpoch) -> Iterator[Any]:
    for key, arrays in epoch.free.blocks():
        if arrays.last_free.any() or arrays.last_occupied.any():
            yield key.to_bytes(8, "little")
            for array in arrays:
                yield np.ascontiguousarray(array).tobytes()


def _cell_parts(epoch: MapEpoch) -> Iterator[Any]:
    for lsn, blob in sorted(epoch.cells.items()):
        yield lsn.to_bytes(8, "little")
        yield codec.cells_content(blob)


def _departed_parts(epoch: MapEpoch) -> Iterator[Any]:
    for row in sorted(epoch.departed, key=lambda row: (row.valid_from, row.position_m)):
        yield from row_parts(departed_values(replace(row, id=0))[1:])
