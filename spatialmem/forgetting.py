"""Erasing frames for good: from log, layers and file (docs/format.md, section 10)."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spatialmem.correction import Correction
from spatialmem.errors import InvalidValue
from spatialmem.gone import Gone, evicted
from spatialmem.in_view import could_show, may_show
from spatialmem.keeper import Keeper
from spatialmem.layers import Layers
from spatialmem.revisions import Change, log_of, rewritten, settle, take_over, within_budget, worked_out
from spatialmem.store import codec
from spatialmem.store.lsn_ranges import LsnRanges
from spatialmem.store.rows import KeyframeRow, TombstoneRow
from spatialmem.voxels.keys import BLOCK

_EXAMINED = "SELECT lsn, examined FROM frames WHERE lsn > ? AND examined IS NOT NULL"


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
    _scrub(keeper, layers)  # what an earlier call was cut short of
    rows, asked = list(keeper.rows.values()), {}
    if frames is not None:
        wanted = set(frames)
        unknown = sorted(lsn for lsn in wanted if not 1 <= lsn <= keeper.last_lsn)  # the others have been erased
        if unknown:
            raise InvalidValue(f"there is no stored frame {unknown[0]}; nothing was erased")
        rows, asked["frames"] = [row for row in rows if row.lsn in wanted], sorted(wanted)
    if times_ns is not None:
        rows = [row for row in rows if times_ns[0] <= row.stamp_ns <= times_ns[1]]
        asked["times_ns"] = list(times_ns)
    if box_m is not None:
        gone = Gone(keeper, layers)
        moved = gone.traces_in(box_m)
        rows = [row for row in rows
                if row.lsn in moved or _looked_into(keeper, layers, row, box_m, row.lsn in gone.lsns)]  # fmt: skip
        asked["box_m"] = box_m.tolist()
    return [row.lsn for row in rows], json.dumps(asked)


def _looked_into(
    keeper: Keeper, layers: Layers, row: KeyframeRow, box_m: NDArray[np.float64], without_depth: bool
) -> bool:
    """Whether anything of the box can be in the image: the frame measured in a cell of it, or its image may show it."""
    blob = layers.cells.get(row.lsn)
    if blob is not None:
        edge_m = 8 * keeper.config.free_voxel_m
        low = codec.decode_cells(blob).cell * edge_m
        if ((low <= box_m[1]) & (low + edge_m >= box_m[0])).all(1).any():
            return True
    pose, config = keeper.places.map_from_camera(row), keeper.config
    if not could_show(box_m, pose, row.camera):
        return False
    if without_depth:
        return True  # what its depth would rule out is not known any more
    depth = keeper.on_file().blobs(row.lsn).depth
    depth_m = None if depth is None else codec.decode_depth(depth)
    return may_show(box_m, pose, row.camera, depth_m, 2.0 * config.truncation_m)


def forget(keeper: Keeper, layers: Layers, lsns: list[int], asked: str) -> Forgotten:
    """Erase frames. Log and layers change together or not at all; then the file is written anew, so that nothing of
    them is left in its free pages."""
    if not lsns:
        return Forgotten(0, 0, 0, 0)
    poses = {lsn: keeper.places.map_from_camera(keeper.rows[lsn]) for lsn in lsns}
    settle(keeper, layers)
    erased = [lsn for lsn in lsns if lsn in layers.cells]
    tombstone, change = TombstoneRow(keeper.last_lsn, asked, LsnRanges.of(lsns)), Change(layers)
    try:
        done = worked_out(keeper, layers, lambda: Correction(layers, log_of(keeper, layers, {}, poses), (), erased))
        examined, thinned = _examined_left(keeper, lsns, done.bare_surface), evicted(keeper)
        change.ask_the_file()

        def write() -> None:
            layers.keep_sightings(lsns)
            left = examined
            if evicted(keeper) != thinned:  # for the room of this change, and they left more than they examined
                left = _examined_left(keeper, lsns, done.bare_surface)
            keeper.on_file().erase(tombstone, rewritten(layers, done, left))

        within_budget(keeper, layers, done, write, set(lsns).__contains__, [*lsns, *examined])
        keeper.forget_frames(lsns)
        layers.erase(lsns, max(keeper.rows, default=0))
        take_over(keeper, layers, done)
    except BaseException as error:
        change.fail(error, lambda: None)
        raise
    _scrub(keeper, layers)
    return Forgotten(len(lsns), done.replayed, len(done.surface), len(done.free))


def _scrub(keeper: Keeper, layers: Layers) -> None:
    (keeper.on_file().scrub if keeper.thinning is None else partial(keeper.thinning.scrub, layers))()


def _examined_left(keeper: Keeper, lsns: list[int], bare: NDArray[np.int64]) -> dict[int, bytes | None]:
    """What later frames examined, without blocks that no frame changes now: their keys tell where something stood."""
    left: dict[int, bytes | None] = {}
    if not len(bare):
        return left
    edge_m, gone, thinned = BLOCK * keeper.config.voxel_size_m, set(lsns), evicted(keeper)
    for lsn, blob in keeper.on_file().sql(_EXAMINED, (min(lsns),), timeout_s=math.inf).rows:
        if lsn not in gone:
            row, keys = keeper.rows[lsn], codec.decode_examined(blob)
            lie_at = keys
            if lsn not in thinned:  # theirs are those of the map as it stands
                lie_at = keeper.places.examined_at(row, keys, keeper.places.map_from_camera(row), edge_m)
            told = np.isin(lie_at, bare)
            if told.any():
                left[lsn] = codec.encode_examined(keys[~told])
    return left
