"""Revising poses: what is asked for, what of it changes the map, and how it gets into log and layers at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.arguments import check_reach
from spatialmem.block_rows import free_rows, surface_rows
from spatialmem.config import MemoryConfig
from spatialmem.correction import Corrected, Correction, Logged
from spatialmem.errors import InvalidValue, OutOfRoom, SpatialMemError
from spatialmem.geometry import pose_difference
from spatialmem.gone import Gone
from spatialmem.keeper import Keeper
from spatialmem.layers import Layers
from spatialmem.motions import Motions
from spatialmem.store.moved import FREE, SURFACE
from spatialmem.store.rows import AnchorRow, BlockRow, CorrectedLayers, KeyframeRow, PoseRow
from spatialmem.voxels.change import blocks_of
from spatialmem.voxels.free_pools import FreePools
from spatialmem.voxels.pools import Pools

_LEAST_VOXELS, _LEAST_RAD = 0.5, math.radians(0.2)
"""a pose that moves less than both is recorded, and the map stays as it is (contracts.md, section 4)"""


@dataclass(frozen=True)
class PoseCorrection:
    """What `correct_poses` did."""

    recorded: int
    """frames with a new pose in the log"""
    applied: int
    """frames whose change was large enough to change the map"""
    replayed: int
    """frames that were read again"""
    surface_blocks: int
    """blocks that were made anew"""
    free_blocks: int
    moved_blocks: int = 0
    """surface blocks that frames without images had touched, so that their content was moved (docs/poses.md)"""


@dataclass(frozen=True, eq=False)
class _Wanted:
    poses: tuple[PoseRow, ...]
    anchor: AnchorRow | None
    now: dict[int, NDArray[np.float64]]
    """map_from_camera that each applied frame gets"""


def correct_poses(
    keeper: Keeper, layers: Layers, poses: Mapping[int, NDArray[np.float64]],
    anchor: tuple[str, NDArray[np.float64]] | None, reason: str,
) -> PoseCorrection:  # fmt: skip
    """Give frames (lsn) other poses (world_from_camera), or a session another place in the map.

    The log and the layers change together or not at all; readers keep what they read.
    """
    wanted = _wanted(keeper, poses, anchor, reason)
    before = {lsn: keeper.places.map_from_camera(keeper.rows[lsn]) for lsn in wanted.now}
    used = {row.lsn: row.revision for row in wanted.poses if row.lsn in wanted.now}
    if before:
        settle(keeper, layers)
    change = Change(layers)
    try:
        done = None if not before else _worked_out(keeper, layers, wanted.now, before)
        change.ask_the_file()

        def write() -> None:
            layers.keep_sightings(() if done is None else done.cells)
            changes = None if done is None else rewritten(layers, done)
            keeper.on_file().correct(wanted.poses, used, wanted.anchor, changes)

        retold = () if done is None else done.examined
        within_budget(keeper, layers, done, write, before.__contains__, retold)
        keeper.revise(wanted.poses, used, wanted.anchor)
        if done is not None:
            take_over(keeper, layers, done)
    except BaseException as error:
        change.fail(error, lambda: _note(keeper, layers, before))
        raise
    if done is None:
        return PoseCorrection(len(wanted.poses), 0, 0, 0, 0)
    return PoseCorrection(len(wanted.poses), len(before), done.replayed, *done.anew, done.moved)


def _worked_out(keeper: Keeper, layers: Layers, now: Mapping[int, NDArray], before: Mapping[int, NDArray]) -> Corrected:
    _note(keeper, layers, now)
    revised = [lsn for lsn in before if lsn in layers.cells]
    return worked_out(keeper, layers, lambda: Correction(layers, log_of(keeper, layers, now, before), revised))


def worked_out(keeper: Keeper, layers: Layers, correction: Callable[[], Correction]) -> Corrected:
    """What a correction makes anew; the frames it reads stay where they are meanwhile.

    What it takes is known when it is done: where it finds no room, it starts again with all of RAM.
    """
    with nullcontext() if keeper.thinning is None else keeper.thinning.sparing():
        try:
            return correction().work_out()
        except OutOfRoom:
            layers.abandon()
            if layers.residence is None or not layers.residence.give_up_all():
                raise
        return correction().work_out()


def _wanted(
    keeper: Keeper, poses: Mapping[int, NDArray[np.float64]], anchor: tuple[str, NDArray[np.float64]] | None,
    reason: str,
) -> _Wanted:  # fmt: skip
    from_lsn = keeper.last_lsn + 1
    rows, now = [], {}
    for lsn, pose in sorted(poses.items()):
        row = keeper.rows.get(lsn)
        if row is None:
            raise InvalidValue(
                f"there is no stored frame {lsn} to correct; the log holds frames 1 to {keeper.last_lsn}"
            )
        rows.append(PoseRow(lsn, keeper.places.next_revision(lsn), pose, from_lsn, reason))
        place = keeper.places.map_from_session(row.session_id) @ pose
        check_reach(place, keeper.config)
        if _moves(keeper.places.map_from_camera(row), place, keeper.config.voxel_size_m):
            now[lsn] = place
    if anchor is None:
        return _Wanted(tuple(rows), None, now)
    session_id, place = anchor
    if poses:
        raise InvalidValue("give poses or an anchor, not both: poses are relative to the world of their session")
    places = keeper.places
    if session_id not in places.sessions:
        held = ", ".join(map(repr, places.sessions))
        raise InvalidValue(f"there is no session {session_id!r}; the memory holds {held}")
    frames = [row for row in list(keeper.rows.values()) if row.session_id == session_id]
    moved = {row.lsn: place @ places.world_from_camera(row) for row in frames}
    for pose in moved.values():
        check_reach(pose, keeper.config)
    return _Wanted((), places.next_anchor(session_id, place, from_lsn, reason), moved)


def _moves(before: NDArray[np.float64], now: NDArray[np.float64], voxel_size_m: float) -> bool:
    distance_m, angle_rad = pose_difference(before, now)
    return bool(distance_m >= _LEAST_VOXELS * voxel_size_m or angle_rad >= _LEAST_RAD)


def _note(keeper: Keeper, layers: Layers, poses: Mapping[int, NDArray[np.float64]]) -> None:
    for lsn, pose in poses.items():
        layers.note(lsn, keeper.rows[lsn].stamp_ns, pose)


def settle(keeper: Keeper, layers: Layers) -> None:
    """Before a large change of a file with a budget: so that frames can be given up for it."""
    if keeper.thinning is not None:
        keeper.thinning.settle(layers)


def within_budget(
    keeper: Keeper, layers: Layers, done: Corrected | None, write: Callable[[], None], spared: Callable[[int], bool],
    overwritten: Iterable[int] = (),
) -> None:  # fmt: skip
    """Call `write`, which puts what was made anew into the file, once there is room.

    spared: frames (lsn) to leave; overwritten: frames whose rows in the log it erases or replaces.
    """
    if keeper.thinning is None:
        write()
    else:
        blocks = 0 if done is None else len(done.surface) + len(done.free)
        lengths = keeper.on_file().frame_lengths(overwritten)
        keeper.thinning.rewrite(write, blocks, layers, spared, lengths)


def reach_m(row: KeyframeRow, config: MemoryConfig) -> float:
    """How far from its camera a frame can have touched a voxel, metres."""
    camera = row.camera
    corners = np.array([(u, v, 1.0) for u in (-1.0, camera.width) for v in (-1.0, camera.height)])
    rays = (corners - (camera.cx, camera.cy, 0.0)) / (camera.fx, camera.fy, 1.0)
    return (config.max_depth_m + 2 * config.truncation_m) * float(np.linalg.norm(rays, axis=1).max())


def log_of(keeper: Keeper, layers: Layers, now: Mapping[int, NDArray], before: Mapping[int, NDArray]) -> Logged:
    """The log with poses (4, 4) in the map that frames get, and by which they stand in the layers."""
    rows = dict(keeper.rows)

    def reach(lsn: int) -> float:
        return reach_m(rows[lsn], keeper.config)

    def frame(lsn: int):
        return keeper.logged(rows[lsn], now.get(lsn))

    def frame_before(lsn: int):
        return keeper.logged(rows[lsn], before[lsn])

    gone = Gone(keeper, layers)
    motions = Motions.of(now, before, layers.last_lsn, keeper.config) if now and gone.lsns else None
    with_depth = tuple(lsn for lsn in rows if lsn in layers.cells and lsn not in gone.lsns)
    folder = None if keeper.file is None else keeper.file.path.parent
    return Logged(with_depth, frame, frame_before, reach, gone, motions, folder)  # who has depth has seen some cell


@final
class Change:
    """A change of the past: first in the file, then in what is known of the log, last in the layers readers see."""

    def __init__(self, layers: Layers) -> None:
        """Before anything is changed."""
        self._layers = layers
        self._number: int | None = None

    def ask_the_file(self) -> None:
        """From here on the file may hold the change; the next epoch is that of the change."""
        self._number = self._layers.epochs.number

    def fail(self, error: BaseException, undo: Callable[[], None]) -> None:
        """Go back to the layers that readers see; where the file may hold what these do not, say so."""
        asked = self._number is not None
        if asked and self._layers.epochs.number != self._number:  # Ctrl-C came when all was done
            return
        if asked and not isinstance(error, SpatialMemError):  # the file refuses by that, and is as before
            self._layers.sound = False
        undo()
        self._layers.abandon()


def take_over(keeper: Keeper, layers: Layers, done: Corrected) -> None:
    """Let readers see what was made anew, which the file holds by now."""
    keeper.leave_out(done.bare_surface, done.bare_free)
    layers.take(done.cells, done.departed, done.departed_of)
    layers.publish()


def rewritten(layers: Layers, done: Corrected, examined: Mapping[int, bytes | None] | None = None) -> CorrectedLayers:
    """What was made anew, for the file, which from here on is ahead of what readers see."""
    if layers.residence is not None:
        layers.residence.settled = False
    return CorrectedLayers(
        surface=_surface_rows(layers, done), free=_free_rows(layers, done), cells=done.cells,
        departed_of=done.departed_of, departed=done.departed, bare_surface=done.bare_surface.tolist(),
        bare_free=done.bare_free.tolist(), examined=done.examined if examined is None else examined,
        unmarked={SURFACE: done.surface.tolist(), FREE: done.free.tolist()}, marks=done.marks,
    )  # fmt: skip


def _surface_rows(layers: Layers, done: Corrected) -> Iterator[BlockRow]:
    if layers.residence is not None:
        yield from layers.residence.rows_away("surface", done.surface)
    with layers.epochs.read() as epoch:
        now = layers.surface.pools
        blocks = _changed(epoch.surface.pools, now, np.setdiff1d(done.surface, done.bare_surface))
        yield from surface_rows(now, blocks, [layers.last_lsn] * len(blocks))


def _free_rows(layers: Layers, done: Corrected) -> Iterator[BlockRow]:
    if layers.residence is not None:
        yield from layers.residence.rows_away("free", done.free)
    with layers.epochs.read() as epoch:
        now = layers.free.pools
        blocks = _changed(epoch.free.pools, now, np.setdiff1d(done.free, done.bare_free))
        yield from free_rows(now, blocks, [layers.last_lsn] * len(blocks))


def _changed(seen: Pools | FreePools, now: Pools | FreePools, keys: NDArray[np.int64]) -> NDArray[np.int32]:
    """The blocks of `now` with those of these keys that a frame has changed, there or in what readers see."""
    changed = np.zeros(len(keys), np.bool_)
    for pools in (seen, now):
        blocks = blocks_of(pools, keys)
        changed |= (blocks >= 0) & (pools.changed[blocks] > 0)
    return blocks_of(now, keys[changed])


def poses_at(
    keeper: Keeper, stamps_ns: NDArray[np.int64], world_from_camera: NDArray[np.float64], session_id: str | None,
    camera_id: str | None,
) -> dict[int, NDArray[np.float64]]:  # fmt: skip
    """Poses of a trajectory by the frame (lsn) that was taken at each stamp; other stamps are left out."""
    by_stamp = {int(stamp): pose for stamp, pose in zip(stamps_ns, world_from_camera, strict=True)}
    if len(by_stamp) < len(stamps_ns):
        raise InvalidValue(
            f"the trajectory has several poses for one stamp ({len(stamps_ns)} for {len(by_stamp)} stamps)"
        )
    chosen = [row for row in keeper.rows.values() if session_id in (None, row.session_id)]
    chosen = [row for row in chosen if camera_id in (None, row.camera_id)]
    for what, names in (("session", {row.session_id for row in chosen}), ("camera", {row.camera_id for row in chosen})):
        if len(names) > 1:  # frames of several cameras may have one stamp, and each lies elsewhere
            raise InvalidValue(
                f"a trajectory is that of one {what}, and this one may be of {', '.join(map(repr, sorted(names)))}; "
                f"say which with {what}_id="
            )
    found = {row.lsn: by_stamp[row.stamp_ns] for row in chosen if row.stamp_ns in by_stamp}
    if not found:
        raise InvalidValue(
            f"none of the {len(by_stamp)} stamps of the trajectory is that of a stored frame; stamps must be those of "
            "the recording, in nanoseconds"
        )
    return found
