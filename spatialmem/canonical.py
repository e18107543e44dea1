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
from spatialmem.voxels.blocks import block_of, keys_in_order, read_block


def canonical_hash(epoch: MapEpoch) -> str:
    """BLAKE2b-256 over the canonical form of the layers, as hexadecimal digits."""
    digest = hashlib.blake2b(b"spatialmem-1", digest_size=32)
    for parts in (_surface_parts, _free_parts, _cell_parts, _departed_parts):
        for part in parts(epoch):
            digest.update(part)
    return digest.hexdigest()


def _surface_parts(epoch: MapEpoch) -> Iterator[Any]:
    pools = epoch.surface.pools
    for key in keys_in_order(pools):
        block = block_of(pools, key)
        if pools.weight[block].any():
            yield key.tobytes()
            arrays = read_block(pools, block)
            for array in arrays._replace(has_row=np.packbits(arrays.has_row)):
                yield np.ascontiguousarray(array).tobytes()


def _free_parts(epoch: MapEpoch) -> Iterator[Any]:
    pools = epoch.free.pools
    for key in keys_in_order(pools):
        block = block_of(pools, key)
        if pools.last_free[block].any() or pools.last_occupied[block].any():
            for array in (pools.keys, pools.log_odds, pools.last_free, pools.last_occupied):
                yield array[block].tobytes()


def _cell_parts(epoch: MapEpoch) -> Iterator[Any]:
    for lsn, blob in sorted(epoch.cells.items()):
        yield lsn.to_bytes(8, "little")
        yield codec.cells_content(blob)


def _departed_parts(epoch: MapEpoch) -> Iterator[Any]:
    for row in sorted(epoch.departed, key=lambda row: (row.valid_from, row.position_m)):
        yield from row_parts(departed_values(replace(row, id=0))[1:])
