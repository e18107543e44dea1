"""Erasing frames for good: from log, layers and file (docs/format.md, section 10)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.correction import Correction
from spatialmem.errors import InvalidValue
from spatialmem.keeper import Keeper
from spatialmem.layers import Layers
from spatialmem.revisions import has_depth, log_of, rewritten
from spatialmem.store import codec
from spatialmem.store.rows import KeyframeRow, TombstoneRow


@dataclass(frozen=True)
class Forgotten:
    """What `forget` did."""

    frames: int
    """frames that were erased"""
    replayed: int
    """frames that were read again to make anew what the erased ones had touched"""
    surface_blocks: int
    free_blocks: int


def frames_to_forget(
    keeper: Keeper, layers: Layers, frames: Iterable[int] | None, box_m: NDArray[np.float64] | None,
    times_ns: tuple[int, int] | None,
) -> tuple[list[int], str]:  # fmt: skip
    """Stored frames that match every condition given, and the conditions in JSON."""
    rows, asked = list(keeper.rows.values()), {}
    if frames is not None:
        wanted = set(frames)
        unknown = sorted(wanted - keeper.rows.keys())
        if unknown:
            raise InvalidValue(f"there is no stored frame {unknown[0]}; nothing was erased")
        rows, asked["frames"] = [row for row in rows if row.lsn in wanted], sorted(wanted)
    if times_ns is not None:
        rows = [row for row in rows if times_ns[0] <= row.stamp_ns <= times_ns[1]]
        asked["times_ns"] = list(times_ns)
    if box_m is not None:
        rows = [row for row in rows if _looked_into(keeper, layers, row, box_m)]
        asked["box_m"] = box_m.tolist()
    return [row.lsn for row in rows], json.dumps(asked)


def _looked_into(keeper: Keeper, layers: Layers, row: KeyframeRow, box_m: NDArray[np.float64]) -> bool:
    """Whether anything of the box can be in the image: a cell that the frame saw lies in it, or, where it has no depth,
    a part of it lies before the camera."""
    blob = layers.cells.get(row.lsn)
    if blob is not None:
        edge_m = 8 * keeper.config.free_voxel_m
        low = codec.decode_cells(blob).cell * edge_m
        return bool(((low <= box_m[1]) & (low + edge_m >= box_m[0])).all(1).any())
    axes = [np.linspace(box_m[0, a], box_m[1, a], 9) for a in range(3)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    pose, camera = keeper.places.map_from_camera(row), row.camera
    local = (points - pose[:3, 3]) @ pose[:3, :3]
    ahead = local[local[:, 2] > 0.01]
    u, v = ahead[:, 0] / ahead[:, 2] * camera.fx + camera.cx, ahead[:, 1] / ahead[:, 2] * camera.fy + camera.cy
    return bool(((u > -camera.width) & (u < 2 * camera.width) & (v > -camera.height) & (v < 2 * camera.height)).any())


def forget(keeper: Keeper, layers: Layers, lsns: list[int], asked: str) -> Forgotten:
    """Erase frames. Log and layers change together or not at all; then the file is written anew, so that nothing of
    them is left in its free pages."""
    if not lsns:
        return Forgotten(0, 0, 0, 0)
    poses = {lsn: keeper.places.map_from_camera(keeper.rows[lsn]) for lsn in lsns}
    erased = [lsn for lsn in lsns if has_depth(layers, keeper.rows[lsn])]
    try:
        done = Correction(layers, log_of(keeper, layers, {}, poses), (), erased).work_out()
        tombstone = TombstoneRow(keeper.last_lsn, asked, tuple(lsns))
        with rewritten(layers, done) as changes:
            keeper.on_file().erase(tombstone, changes)
    except BaseException:
        layers.abandon()
        raise
    keeper.forget_frames(lsns)
    layers.take(done.cells, done.departed, done.departed_of)
    layers.erase(lsns, max(keeper.rows, default=0))
    layers.publish()
    keeper.on_file().scrub()
    return Forgotten(len(lsns), done.replayed, len(done.surface), len(done.free))
