"""What a memory amounts to, for `info`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from spatialmem.keeper import Keeper
from spatialmem.layers import Layers
from spatialmem.store.evictions import EvictionRow
from spatialmem.voxels.blocks import number_of_blocks, number_of_rows


def described_memory(keeper: Keeper, layers: Layers) -> dict[str, Any]:
    """Counts, sizes and settings, ready for JSON."""
    last_lsn = keeper.last_lsn  # first: frames may be stored meanwhile
    rows = [row for row in keeper.rows.values() if row.lsn <= last_lsn]
    stamps = [row.stamp_ns for row in rows]
    file, up = keeper.file, keeper.up_in_map
    return {
        "path": None if file is None else str(file.path),
        "frames": len(rows),
        "sessions": len(keeper.places.sessions),
        "first_stamp_ns": min(stamps, default=None),
        "last_stamp_ns": max(stamps, default=None),
        "encoder": keeper.encoder_name,
        **block_counts(layers),
        "departed_regions": len(layers.departed),
        "suspect_poses": sum(row.pose_suspect for row in rows),
        "revised_poses": sum(row.pose_revision > 0 for row in rows),
        "moved_blocks": 0 if file is None else file.moved_blocks(),
        "forgotten_frames": last_lsn - len(rows),
        "base_lsn": keeper.base_lsn,
        "horizon_lsn": keeper.horizon_lsn,
        "budget": {"ram_bytes": keeper.config.ram_bytes, "file_bytes": keeper.config.file_bytes},
        "evicted": [] if file is None else evicted(file.evictions()),
        "up_in_map": None if up is None else up.tolist(),
        "ram_bytes": layers.surface.bytes_used + layers.free.bytes_used,
        "ram_budget_bytes": keeper.config.ram_bytes,
        "file_bytes": {} if file is None else file.sizes(),
        "config": json.loads(keeper.config.to_json()),
    }


def block_counts(layers: Layers) -> dict[str, int]:
    """Blocks of the map as readers see it now: in RAM, and beside those on file alone."""
    with layers.epochs.read() as epoch:  # the pools' own counters move while a frame is written
        surface_away, free_away = map(len, epoch.shelves)
        return {
            "surface_blocks": number_of_blocks(epoch.surface.pools),
            "surface_rows": number_of_rows(epoch.surface.pools),
            "free_space_blocks": number_of_blocks(epoch.free.pools),
            "surface_blocks_on_file_alone": surface_away,
            "free_space_blocks_on_file_alone": free_away,
        }


def every_block(layers: Layers) -> dict[str, int]:
    """Blocks of the map as readers see it now, in RAM or on file alone."""
    counts = block_counts(layers)
    return {name: counts[name] + counts[f"{name}_on_file_alone"] for name in ("surface_blocks", "free_space_blocks")}


def evicted(rows: Sequence[EvictionRow]) -> list[dict[str, Any]]:
    """What was given up, by kind and reason: frames, bytes, and the latest base at which it happened."""
    totals: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        total = totals.setdefault((row.kind, row.reason), {"what": row.kind, "frames": 0, "bytes": 0})
        total["frames"] += len(row.lsns)
        total["bytes"] += row.bytes
        total["at_lsn"], total["reason"] = row.at_lsn, row.reason
    return list(totals.values())
