"""Moving a memory to another encoder: its keyframes encoded anew, and every layer made of them (docs/encoders.md).

A new file takes over the log row by row, and the layers grow in it as they do in a memory that observes, within the
same budget. Until it is complete nobody sees it, and the old one stays as it is; then it takes the name. So whatever
happens, there is the old memory or the new one, whole.

Images that were given up cannot be encoded. What only their frames saw keeps its shape and colour, from the blocks of
the old file; the features of such blocks are those of a map made of the frames that are left.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem import sightings
from spatialmem.blocks_read import surface_block_of
from spatialmem.errors import Evicted, OutOfRoom
from spatialmem.gone import every_key
from spatialmem.keeper import Keeper
from spatialmem.layers import Layers
from spatialmem.loading import load_blocks
from spatialmem.log_entry import LogEntry, require_width
from spatialmem.meta import encoder_rows
from spatialmem.objects.lifting import with_features
from spatialmem.perception import Encoder
from spatialmem.rebuilding import Left
from spatialmem.store import codec, evictions, maintenance, observed
from spatialmem.store.block_codec import CODEC_EXACT, SurfaceBlock, pack_surface_block
from spatialmem.store.block_store import Spilled, sizes
from spatialmem.store.failures import needed
from spatialmem.store.file import MemoryFile
from spatialmem.store.observed_codec import decode_observations, encode_observations
from spatialmem.store.relogging import record_lost_vectors, with_log_of
from spatialmem.store.replacing import Replacement
from spatialmem.store.room import blocks_at_once, wal_bytes_of
from spatialmem.store.rows import BlockRow, DepartedRow, FrameBlobs, KeyframeRow
from spatialmem.store.schema import PAGE_SIZE
from spatialmem.store.writer import refuse_unwritable

Progress = Callable[[int, int], object]
_AT_ONCE = 64  # blocks that are read and unpacked together


@dataclass(frozen=True)
class Reencoded:
    """What moving a memory to another encoder did."""

    encoder: str
    encoder_before: str
    width: int
    """of a voxel's feature, now"""
    width_before: int
    frames: int
    """in the log"""
    encoded: int
    """frames that were encoded anew"""
    without_images: int
    """frames whose images had been given up, so that they could not be"""
    given_up: int
    """frames whose images were given up since they were encoded, to keep within the file budget"""
    voxels: int
    """at surfaces"""
    voxels_without_feature: int
    """of these, in blocks that frames without images touched: they keep shape and colour, and no question about things
    finds them"""


def fingerprint_of(path: str | Path) -> str | None:
    """Of the encoder that a memory was made with."""
    with MemoryFile.open(path) as file:
        return file.get_meta("encoder_fingerprint")


def reencode(path: str | Path, encoder: Encoder, accept_loss: bool, progress: Progress) -> Reencoded:
    """Move the memory at `path` to `encoder`; see `SpatialMemory.reencode`."""
    given = Path(os.path.realpath(Path(path).expanduser()))
    with Replacement(given) as replacement:
        refuse_unwritable(given)
        source = Keeper.open(path, "r")
        try:
            source.restore_rows(source.on_file().path)
            gone = source.on_file().evicted_frames() & source.rows.keys()
            if gone and not accept_loss:
                raise _refusal(source, gone)
            with _told(source, encoder):
                done = _Move(source, encoder, gone).into(replacement.path, progress)
        finally:
            source.finish(None)
        shutil.copymode(given, replacement.path)
        replacement.complete()
        return done


def _refusal(source: Keeper, gone: Set[int]) -> Evicted:
    file = source.on_file()
    touched = every_key(file.left_by(lsn) for lsn in sorted(gone))
    keys = sizes(file, "surface")[0]
    return Evicted(
        f"{file.path}: images of {len(gone)} of {len(source.rows)} frames were given up to keep within the file "
        f"budget, and cannot be encoded anew. In {int(np.isin(keys, touched).sum())} of {len(keys)} surface blocks, "
        "what no other frame shows would keep its shape and colour, but no question about things would find it; nor "
        "would these frames help to localise. Nothing was changed. To move the memory all the same: --accept-loss, or "
        "accept_loss=True"
    )


@contextmanager
def _told(source: Keeper, encoder: Encoder) -> Iterator[None]:
    """What does not fit the budget is said of the move, after which the memory is as it was before."""
    try:
        yield
    except OutOfRoom as error:
        raise OutOfRoom(
            f"{source.on_file().path} stays with encoder {source.encoder_name!r}: with {encoder.name!r}, whose "
            f"features are {encoder.dim} wide (before: {source.feature_width}), it does not fit. {error}"
        ) from error


@final
class _Move:
    """One memory on its way into a new file."""

    def __init__(self, source: Keeper, encoder: Encoder, gone: Set[int]) -> None:
        """gone: frames of the source that have no images."""
        self._source, self._from = source, source.on_file()
        self._encoder, self._gone = encoder, gone
        self._left = Left(self._from, [row for row in source.rows.values() if row.lsn in gone])
        self._encoded = 0

    def into(self, path: Path, progress: Progress) -> Reencoded:
        """Make the new file, which is closed when this returns."""
        with self._log_in(path) as file:
            self._put_left(file)
        self._keeper = Keeper.open(path, "a")
        try:
            self._begin()
            for number, row in enumerate(self._source.rows.values(), start=1):
                self._keeper.last_lsn = row.lsn  # what may be given up, and how recent it is, goes by this
                (self._pass_over if row.lsn in self._gone else self._take)(row)
                progress(number, self._encoded)
            self._end()
            return self._said()
        finally:
            self._keeper.finish(None)

    # --- the new file

    def _log_in(self, path: Path) -> MemoryFile:
        config = self._source.config
        return with_log_of(self._from, path, encoder_rows(self._encoder), config.file_bytes)

    def _put_left(self, file: MemoryFile) -> None:
        """What frames without images left: blocks, in which a voxel has no feature yet; their image vectors go."""
        if not self._gone:
            return
        rows, known = self._source.rows, {lsn for row in self._from.evictions() if row.kind == evictions.VECTORS
                                          for lsn in row.lsns & self._gone}  # fmt: skip
        lost = [lsn for lsn in sorted(self._gone - known) if rows[lsn].encoded]
        record_lost_vectors(self._from, file, lost, max(rows), f"moved to encoder {self._encoder.name}")
        most = blocks_at_once(self._source.config.file_bytes) or _AT_ONCE
        with self._left.irreplaceable():
            for some in _batches(self._left.surface(), most):
                file.write_checkpoint([self._bare(row) for row in some])
            for some in _batches(self._left.free(self._left.cells()), most):
                file.write_checkpoint((), some)

    def _bare(self, row: BlockRow) -> BlockRow:
        """The block without features, at their new width."""
        block = surface_block_of(row, self._source.feature_width)
        rows = len(block.last)
        none = np.zeros((rows, self._encoder.dim), np.uint16)
        return _packed(row, replace(block, features=none, feature_weight=np.zeros(rows, np.uint8)))

    # --- frame by frame

    def _begin(self) -> None:
        keeper = self._keeper
        keeper.restore_rows(keeper.on_file().path)
        self._given_up = set(self._gone) if keeper.thinning is None else keeper.thinning.frames
        self._layers = keeper.new_layers()
        assert self._layers.residence is not None
        load_blocks(self._layers, self._layers.residence, keeper.on_file())
        self._layers.publish()
        self._features: Layers | None = None
        """made of the frames that are left alone, from nothing: what they say of blocks that others touched as well"""
        if self._gone:
            folder = keeper.on_file().path.parent
            self._features = Layers(keeper.config, keeper.feature_width, Spilled(folder=folder))

    def _pass_over(self, row: KeyframeRow) -> None:
        """A frame without images."""
        examined = codec.encode_examined(self._from.left_by(row.lsn))
        cells = self._from.cells(row.lsn)
        blobs = FrameBlobs(None, examined=examined, observed=self._observed(row, None))
        write = partial(self._keeper.on_file().append_contents, row.lsn, blobs, None, cells)
        shown = b"" if blobs.observed is None else blobs.observed[1]
        self._within(write, [len(examined or b""), len(cells or b""), len(shown)])
        if cells is not None:
            sightings.note(self._layers.cells, row.lsn, cells)
        for layers in self._every_layers():
            layers.note(row.lsn, row.stamp_ns, self._source.places.map_from_camera(row))
            layers.last_lsn = row.lsn

    def _take(self, row: KeyframeRow) -> None:
        """A frame that can be encoded: into the file, then into the layers, as when it was observed."""
        entry = self._entry(row)
        assert entry.blobs is not None
        prepared = self._layers.prepare(entry.logged)
        append = self._keeper.on_file().append_contents
        write = partial(append, row.lsn, entry.blobs, entry.vector, prepared.cells, prepared.departed)
        thinning = self._keeper.thinning
        write() if thinning is None else thinning.store(entry, prepared, self._layers, 0, write)
        self._layers.apply(prepared)
        if self._features is not None:
            self._features.apply(self._features.prepare(entry.logged))
        self._left.note(row.lsn, entry.logged.examined)

    def _entry(self, row: KeyframeRow) -> LogEntry:
        """As the new log will hold it: the bytes of the old one, but for what the encoder makes of its picture."""
        with needed(self._from.path, row.lsn):
            blobs, logged = self._from.blobs(row.lsn), self._source.logged(row)
        if not row.encoded:
            return LogEntry(row, replace(blobs, observed=self._observed(row, None)), None, logged, None)
        encoding = self._encoder.encode(logged.rgb)
        require_width(encoding, self._encoder.dim)
        features = codec.encode_features(encoding.dense)
        self._encoded += 1
        return LogEntry(
            row, replace(blobs, features=features, observed=self._observed(row, codec.decode_features(features))),
            codec.encode_vector(encoding.vector), replace(logged, features=codec.decode_features(features)), None,
        )  # fmt: skip

    def _observed(self, row: KeyframeRow, dense: NDArray[np.float32] | None) -> tuple[str, bytes] | None:
        """What a frame shows of things, with features of the new encoder, from these of the whole image."""
        found = self._from.read(partial(observed.of, lsn=row.lsn))
        if found is None:
            return None
        seen = decode_observations(found[1], row.camera)
        return found[0], encode_observations(with_features(seen, dense))

    def _every_layers(self) -> list[Layers]:
        return [self._layers] if self._features is None else [self._layers, self._features]

    def _within(self, write: Callable[[], object], n_bytes: list[int]) -> None:
        """Carry out a change of the new file within its budget."""
        thinning = self._keeper.thinning
        if thinning is None:
            write()
        else:
            thinning.carry_out(write, sum(n_bytes) + 2 * PAGE_SIZE, wal_bytes_of([*n_bytes, 512]), self._layers)

    # --- at the end

    def _end(self) -> None:
        if self._features is not None:
            self._left.require_remade(self._layers)
            self._put_departed(self._features)
        if self._layers.last_lsn > self._keeper.base_lsn:
            complete = partial(self._keeper.complete_round, self._layers)
            thinning = self._keeper.thinning
            complete() if thinning is None else thinning.carry_out(complete, 0, 0, self._layers)
        self._featureless = 0 if self._features is None else self._give_features(self._features)

    def _put_departed(self, features: Layers) -> None:
        """Regions that were not found again, with the feature of one that was found by the frames that are left."""
        known = {_what(row): row.feature for row in features.departed}
        rows = [replace(row, feature=known.get(_what(row))) for row in self._left.departed()]
        put = partial(maintenance.replace_departed, of=self._left.settled, departed=rows)
        self._within(lambda: self._keeper.on_file().change("rebuilding", put), [256 * len(rows)])

    def _give_features(self, features: Layers) -> int:
        """Those that the frames which are left give, to blocks that others touched too; returns how many voxels of
        these have none. From here on the layers in RAM are no longer those of the file."""
        assert features.residence is not None and self._layers.residence is not None
        store, width, without = self._layers.residence.store, self._encoder.dim, 0
        features.residence.give_up_all()
        keys = np.array(sorted(self._left.tags), np.int64)
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            away = features.residence.surface.among(some).tolist()
            found = {row.key: surface_block_of(row, width) for row in features.residence.store.read("surface", away)}
            changed = []
            for row in store.read("surface", some.tolist()):
                block = surface_block_of(row, width)
                if row.key in found:
                    block = _with_features(block, found[row.key])
                    changed.append(_packed(row, block))
                without += int((block.feature_weight == 0).sum())
            store.put(changed, ())
        return without

    def _said(self) -> Reencoded:
        source, keeper = self._source, self._keeper
        return Reencoded(
            encoder=self._encoder.name, encoder_before=str(source.encoder_name), width=keeper.feature_width,
            width_before=source.feature_width, frames=len(source.rows), encoded=self._encoded,
            without_images=len(self._gone), given_up=len(self._given_up - self._gone),
            voxels=int(sizes(keeper.on_file(), "surface")[2].sum()), voxels_without_feature=self._featureless,
        )  # fmt: skip


def _with_features(block: SurfaceBlock, other: SurfaceBlock) -> SurfaceBlock:
    """A block with the features of another one, of the same place, made of some of the frames: where both have a row,
    and the other has seen there nothing that was gone before what stands there came."""
    both = block.has_row & other.has_row
    mine, theirs = (_row_numbers(one.has_row)[both] for one in (block, other))
    right = (other.first[theirs] >= block.first[mine]) & (other.feature_weight[theirs] > 0)
    mine, theirs = mine[right], theirs[right]
    features, weight = block.features.copy(), block.feature_weight.copy()
    features[mine], weight[mine] = other.features[theirs], other.feature_weight[theirs]
    return replace(block, features=features, feature_weight=weight)


def _row_numbers(has_row: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(512,) number of the row of each voxel that has one."""
    return np.cumsum(has_row) - 1


def _packed(row: BlockRow, block: SurfaceBlock) -> BlockRow:
    return BlockRow(row.key, row.lsn, CODEC_EXACT, pack_surface_block(block))


def _what(row: DepartedRow) -> tuple:
    """What says that two departed regions are one."""
    return row.valid_from, row.box_min_m, row.box_max_m, row.voxels


def _batches(rows: Iterator[BlockRow], most: int) -> Iterator[list[BlockRow]]:
    some: list[BlockRow] = []
    for row in rows:
        some.append(row)
        if len(some) == most:
            yield some
            some = []
    if some:
        yield some
