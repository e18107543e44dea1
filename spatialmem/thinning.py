"""Keeping the file of a memory within its budget: the log is thinned before something would not fit.

Rows of the log are given up only when every block on file contains them: the base is moved past them first. What was
given up is recorded in the same transaction (docs/format.md, section 9).
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, final

import numpy as np

from spatialmem.block_rows import free_rows, surface_rows
from spatialmem.errors import OutOfRoom
from spatialmem.footprint import Footprint
from spatialmem.layers import Layers, Prepared
from spatialmem.store import codec, evictions
from spatialmem.store.block_store import Within
from spatialmem.store.evictions import FRAMES, VECTORS, EvictionRow, recorded
from spatialmem.store.file import MemoryFile
from spatialmem.store.lsn_ranges import LsnRanges
from spatialmem.store.room import HeldByReader, blocks_at_once, wal_bytes_of
from spatialmem.store.schema import FRAMES as FRAME_TABLE
from spatialmem.store.schema import PAGE_SIZE
from spatialmem.store.schema import VECTORS as VECTOR_TABLE
from spatialmem.voxels.change import distinct_blocks
from spatialmem.worth import Worth

if TYPE_CHECKING:
    from spatialmem.keeper import Keeper
    from spatialmem.log_entry import LogEntry

_TRIES = 4
_SPARE_BYTES = 24 * PAGE_SIZE
"""kept for small changes: sessions, anchors, the inner pages of tables"""
_FILL = 1.6
"""bytes of pages that a byte of blocks takes: pages are about two thirds full"""
_REPLACED = 0.25
"""growth of a block that is on file already, as a share of the mean block"""
_MOST_AT_ONCE = 2 << 20
"""bytes that one thinning gives up when less is needed, so that no frame waits long"""
_VECTORS_AT_ONCE = 256
_FIRST_GUESS, _SAMPLE = 1024.0, 24
"""bytes of a packed block before there is any, and how many are packed to know better"""
_log = logging.getLogger(__name__)


@final
class Thinning:
    """The file budget of one memory that is open for appending."""

    def __init__(self, keeper: Keeper, file: MemoryFile, limit: int) -> None:
        self._keeper: Keeper = weakref.proxy(keeper)  # whose it is
        self._file, self._limit = file, limit
        self._room = file.keep_within(limit)
        self.frames: set[int] = set()
        """frames whose images and depth were given up"""
        self.vectors: set[int] = set()
        """frames whose image vectors were given up"""
        for held, kind in ((self.frames, FRAMES), (self.vectors, VECTORS)):
            held |= recorded(file.evictions(), kind, file.stored_lsns())
        self._worth = Worth()
        self._stored: list[int] = []
        self._known_lsn = 0
        self._next: list[int] = []
        self._footprint = Footprint(self._keeper)
        self._mean = _FIRST_GUESS
        self._measured = (-1, 0)
        self._sparing = False

    @classmethod
    def of(cls, keeper: Keeper) -> Thinning | None:
        """For a memory whose file has a budget and is open for appending; the first keeper of the file has it."""
        file, limit = keeper.file, keeper.config.file_bytes
        return None if file is None or file.read_only or file.bounded or limit is None else cls(keeper, file, limit)

    # --- what has to fit

    def store(
        self, entry: LogEntry, prepared: Prepared, layers: Layers, blocks: int, append: Callable[[], None]
    ) -> None:
        """Call `append`, which stores a frame and up to so many blocks of a checkpoint round, once there is room."""
        assert entry.blobs is not None
        b = entry.blobs
        blobs = (b.colour, b.depth, b.mask, b.features, b.examined)
        observed = b"" if b.observed is None else b.observed[1]
        others = (entry.vector, prepared.cells, observed)
        sizes = [sum(len(blob or b"") for blob in blobs), *(len(blob or b"") for blob in others), 512]
        share = [int(self._mean)] * blocks
        need = sum(sizes) + 2 * PAGE_SIZE + int(_FILL * self._mean * sum(map(len, prepared.added)))
        self.carry_out(append, need, wal_bytes_of([*sizes, *share]), layers)

    def carry_out(
        self, function: Callable[[], object], need_bytes: int, wal_bytes: int, layers: Layers,
        spared: Callable[[int], bool] | None = None,
    ) -> None:  # fmt: skip
        """Call `function`, a change of the file, once there is room for it.

        Args:
            need_bytes: what the file grows by.
            wal_bytes: what the change appends to the wal.
            spared: frames (lsn) that must not be given up for it; with it, no checkpoint is made either.

        Raises `OutOfRoom`, naming the figures, when nothing is left to give up; then nothing has changed. Nothing is
        given up where it is a reader that keeps the room.
        """
        more = 0
        for attempt in range(_TRIES):
            self.make_room(need_bytes + more, wal_bytes, layers, spared)
            try:
                with self._room.expecting(wal_bytes):
                    function()
                return
            except HeldByReader:  # no frame that is given up changes that
                raise
            except OutOfRoom as error:  # the estimate was too low
                if attempt == _TRIES - 1:
                    raise self._refusal(need_bytes) from error
                if self._room.lacks_wal:
                    wal_bytes += max(wal_bytes, self._room.wal_bytes) // 2
                else:
                    more += max(need_bytes, self._limit // 32)

    def within(self, layers: Layers) -> Within:
        """How blocks of these layers that leave RAM are written; `make_room` has kept the room for them."""

        own: Layers = weakref.proxy(layers)  # they have what comes back

        def carry_out(write: Callable[[], object], sizes: Sequence[int]) -> None:
            spared = (lambda lsn: True) if self._sparing else None
            self.carry_out(write, 0, wal_bytes_of(sizes), own, spared)

        return Within(blocks_at_once(self._limit) or 1, carry_out)

    @contextmanager
    def sparing(self) -> Iterator[None]:
        """In the block no frame is given up for blocks that leave RAM: a correction is about to read them."""
        self._sparing = True
        try:
            yield
        finally:
            self._sparing = False

    def rewrite(
        self, write: Callable[[], object], blocks: int, layers: Layers, spared: Callable[[int], bool],
        overwritten: Sequence[int] = (),
    ) -> None:  # fmt: skip
        """`carry_out` for a change that writes so many blocks in one transaction, most of which are on file already.

        overwritten: bytes of rows of the log that it overwrites.
        """
        every = _FILL * self._mean * layers.every_block  # no page is written twice
        wal_bytes = int(min(wal_bytes_of([int(self._mean)] * blocks), 4 * wal_bytes_of([]) + 1.1 * every))
        long = [size for size in overwritten if size >= PAGE_SIZE]  # the others share their pages
        wal_bytes += wal_bytes_of([*long, sum(overwritten) - sum(long)])
        self.carry_out(write, int(_FILL * _REPLACED * self._mean * blocks), wal_bytes, layers, spared)

    def scrub(self, layers: Layers) -> None:
        """`MemoryFile.scrub`, once there is room for writing the longest row anew."""
        wal_bytes = self._file.scrub_wal_bytes()
        if wal_bytes:
            with suppress(OutOfRoom):  # then scrubbing says what is left to do
                self.make_room(0, wal_bytes, layers)
        self._file.scrub()

    def settle(self, layers: Layers) -> None:
        """Move the base up where most frames are after it, so that a change can have them given up."""
        if layers.last_lsn > self._keeper.base_lsn and self._is_base_behind():
            self.carry_out(partial(self._complete_round, layers), 0, 0, layers)

    def make_room(
        self, need_bytes: int, wal_bytes: int, layers: Layers, spared: Callable[[int], bool] | None = None
    ) -> None:
        """Give up what is worth least until so much more fits, and the blocks that are not on file yet."""
        while True:
            spare = self._room.capacity_bytes(wal_bytes) - _SPARE_BYTES - self._room.used_bytes - need_bytes
            short = self._waiting_bytes(layers, spare) - spare
            if short <= 0:
                return
            if not self._give_up(short, layers, spared):
                raise self._refusal(need_bytes)

    def finish(self, layers: Layers) -> None:
        """Complete a checkpoint round when the memory is closed; where it does not fit, opening replays the frames."""
        try:
            self.carry_out(partial(self._complete_round, layers), 0, 0, layers)
        except OutOfRoom as error:
            _log.warning("closed without a checkpoint, opening will replay the latest frames: %s", error)

    def _waiting_bytes(self, layers: Layers, spare: int) -> int:
        """What the blocks that have changed since they were last written will add to the file."""
        every, in_ram = layers.every_block, len(layers.surface) + len(layers.free)
        self._measure(layers, every)
        if _FILL * self._mean * in_ram <= spare:
            return 0  # there is room for all that are not on file as they are
        changed = sum(map(len, layers.changed_keys(self._keeper.base_lsn)))
        new = min(changed, max(0, every - self._file.read(_count_blocks)))
        return int(_FILL * self._mean * (new + _REPLACED * (changed - new)))

    def _measure(self, layers: Layers, every: int) -> None:
        """Bytes of the mean block: in the latest checkpoint round that wrote a few, else of a sample."""
        base, size = self._measured
        if base == self._keeper.base_lsn and (base > 0 or every < 2 * size):
            return
        self._measured = (self._keeper.base_lsn, every)
        rounds = [row for row in self._file.checkpoints()[-8:] if row.blocks >= 8]
        if rounds:
            self._mean = rounds[-1].bytes / rounds[-1].blocks
        elif len(layers.surface) + len(layers.free):
            self._mean = max(_sampled(layers), 0.5 * self._mean)

    def _log_bytes(self, spared: Callable[[int], bool] | None) -> int:
        """What could be given up at most."""
        sizes, kept = self._file.sizes(), [lsn for lsn in self._with_images() if spared is not None and spared(lsn)]
        return sizes["frames"] + sizes["vectors"] - sum(map(self._frame_bytes, kept))

    def _frame_bytes(self, lsn: int) -> int:
        return self._file.read(partial(evictions.size, table=FRAME_TABLE, lsn=lsn))

    def _refusal(self, need_bytes: int) -> OutOfRoom:
        sizes = self._file.sizes()
        layers = sum(sizes[name] for name in ("surface_blocks", "free_blocks", "departed"))
        rows = sum(sizes[name] for name in ("keyframes", "frames", "sightings", "vectors", "pose_revisions"))
        return OutOfRoom(
            f"the file budget of {self._limit:,} bytes (file_bytes) has no room for {need_bytes:,} bytes more: voxel "
            f"blocks take {layers:,}, rows of frames {rows:,}, and giving up images of frames cannot make it. The map "
            "was not changed. Build the memory anew with a larger budget, or with a larger voxel_size_m"
        )

    # --- giving up

    def _give_up(self, short: int, layers: Layers, spared: Callable[[int], bool] | None) -> bool:
        """One step towards `short` bytes less; False when there is none left."""
        hopeless = short > self._limit // 16 and short > self._log_bytes(spared)  # then nothing is given up in vain
        news = layers.last_lsn > self._keeper.base_lsn
        if spared is None and news and (hopeless or self._is_base_behind()):
            try:
                self._complete_round(layers)
                return True
            except HeldByReader:
                raise
            except OutOfRoom:
                hopeless |= not self._behind_base()
        if hopeless:
            return False
        lsns = self._chosen(short, layers, spared)
        if lsns:
            self._evict(lsns)
            return True
        return self._evict_vectors()

    def _complete_round(self, layers: Layers) -> None:
        self._keeper.complete_round(layers)

    def _with_images(self) -> list[int]:
        """Frames whose images are on file, in log order."""
        rows, last = self._keeper.rows, self._keeper.last_lsn
        known = [*self._stored, *range(self._known_lsn + 1, last + 1)]
        self._stored = [lsn for lsn in known if lsn in rows and lsn not in self.frames]
        self._known_lsn = last
        return self._stored

    def _behind_base(self) -> list[int]:
        return [lsn for lsn in self._with_images() if lsn <= self._keeper.base_lsn]

    def _is_base_behind(self) -> bool:
        """Whether most frames are after the base, so that they cannot be given up."""
        return 2 * len(self._behind_base()) < len(self._stored)

    def _chosen(self, short: int, layers: Layers, spared: Callable[[int], bool] | None) -> list[int]:
        """The frames that are worth least, enough of them for one step."""
        wanted, chosen, passed = max(short, min(self._limit // 64, _MOST_AT_ONCE)), [], []
        left = set(self._behind_base())
        while wanted > 0 and left:
            self._next = [lsn for lsn in self._next if lsn in left]
            if not self._next:
                count = max(1, len(left) // 16)
                stored = [self._keeper.rows[lsn] for lsn in self._stored]
                self._next = self._worth.least(stored, left, count, layers.cells, layers.departed)
            lsn = self._next.pop(0)
            left.discard(lsn)
            if spared is not None and spared(lsn):
                passed.append(lsn)
                continue
            chosen.append(lsn)
            wanted -= self._frame_bytes(lsn)
            if len(chosen) >= 64:
                break
        self._next = [*passed, *self._next]
        return chosen

    def _evict(self, lsns: list[int]) -> None:
        left, n_bytes = {}, 0
        for lsn in lsns:
            n_bytes += self._frame_bytes(lsn)
            left[lsn] = codec.encode_examined(self._footprint.of(self._keeper.rows[lsn]))
        row = EvictionRow(self._keeper.base_lsn, FRAMES, LsnRanges.of(lsns), n_bytes, self._reason)
        self._file.change("thinning", partial(evictions.drop_frames, row=row, left=left))
        self.frames.update(lsns)

    def _evict_vectors(self) -> bool:
        """The image vectors of the oldest frames that have no images any more; False when there are none."""
        rows, waiting = self._keeper.rows, self.frames - self.vectors
        lsns = list(islice((lsn for lsn in rows if lsn in waiting and rows[lsn].encoded), _VECTORS_AT_ONCE))
        if not lsns:
            return False
        n_bytes = sum(self._file.read(partial(evictions.size, table=VECTOR_TABLE, lsn=lsn)) for lsn in lsns)
        row = EvictionRow(self._keeper.base_lsn, VECTORS, LsnRanges.of(lsns), n_bytes, self._reason)
        self._file.change("thinning", partial(evictions.drop_vectors, row=row))
        self.vectors.update(lsns)
        return True

    @property
    def _reason(self) -> str:
        return f"file budget of {self._limit} bytes"


def _sampled(layers: Layers) -> float:
    """Mean bytes of some of the blocks, packed."""
    surface, free = layers.changed_keys(0)
    some = distinct_blocks(layers.surface.pools, surface[:: 1 + len(surface) // _SAMPLE])
    packed = [len(row.data) for row in surface_rows(layers.surface.pools, some, [0] * len(some))]
    some = distinct_blocks(layers.free.pools, free[:: 1 + len(free) // _SAMPLE])
    packed_free = [len(row.data) for row in free_rows(layers.free.pools, some, [0] * len(some))]
    total = np.mean(packed or [0]) * len(surface) + np.mean(packed_free or [0]) * len(free)
    return float(total / max(1, len(surface) + len(free)))


def _count_blocks(connection) -> int:
    query = "SELECT ifnull(sum(rows), 0) FROM row_counts WHERE name IN ('surface_blocks', 'free_blocks')"
    return connection.execute(query).fetchone()[0]
