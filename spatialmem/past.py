"""A memory as it was after one of its frames, and how far back that goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from spatialmem import arguments
from spatialmem.answering import Answering
from spatialmem.asking import Asking
from spatialmem.errors import BeforeHorizon, InvalidValue, SpatialMemError
from spatialmem.far_reading import whole_epoch
from spatialmem.keeper import Keeper
from spatialmem.layers import Layers
from spatialmem.log_entry import Keyframe
from spatialmem.map_epoch import MapEpoch
from spatialmem.object_layer import ObjectLayer
from spatialmem.perception import Encoder
from spatialmem.report import every_block
from spatialmem.store.rows import DepartedRow
from spatialmem.types import Frame


@dataclass(frozen=True)
class Horizon:
    """The oldest instant whose map can be made again exactly."""

    lsn: int
    """number of the stored frame after which it is exact"""
    stamp_ns: int
    """when that frame was taken"""


def horizon_of(keeper: Keeper) -> Horizon | None:
    """How far back the log goes; None while it is empty. Before its first frame a map is empty, which is exact too."""
    while (lsn := keeper.horizon_lsn) != 0:
        row = keeper.rows.get(lsn)
        if row is not None:  # else it has been erased meanwhile
            return Horizon(lsn, row.stamp_ns)
    return None


def last_until(keeper: Keeper, stamp_ns: int) -> int:
    """The last frame of the log that was taken at or before a stamp; 0 when there is none."""
    lsns, stamps = keeper.rows.stamps_ns()
    return int(lsns[stamps <= stamp_ns].max(initial=0))


@final
class Past(Asking):
    """A memory as it was after one of its frames; made by `SpatialMemory.at`. Any number of threads may ask.

    It knows the frames up to that one, by the poses they have now, and of the others nothing. It changes nothing and
    stays as it is while the memory goes on, until that is closed or frames are erased from it.
    """

    def __init__(
        self, memory: Asking, log: Keeper, layers: Layers | None, departed: list[DepartedRow], horizon: Horizon | None
    ) -> None:
        """For `SpatialMemory.at`; layers: None before the horizon."""
        self._memory, self._keeper, self._layers, self._departed = memory, log, layers, departed
        self._answering = Answering(log)
        self._objects = ObjectLayer(log)
        self._horizon = horizon
        self._closed = False

    # --- which one

    @property
    def lsn(self) -> int:
        """Number of the last frame it knows; 0: none."""
        return self._keeper.last_lsn

    @property
    def stamp_ns(self) -> int | None:
        """When that frame was taken; None when it knows none."""
        row = self._keeper.rows.get(self.lsn)
        return None if row is None else row.stamp_ns

    @property
    def exact(self) -> bool:
        """Whether the whole map can be asked; before the horizon only the log and what had departed can."""
        return self._layers is not None

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def close(self) -> None:
        """Let go of it. A second call does nothing; the memory stays open."""
        self._closed, self._layers = True, None

    def __enter__(self) -> Past:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def rewritten(self) -> int:
        """How often the memory's past had been changed when this was made."""
        return self._keeper.places.rewritten

    # --- the log

    def departed(self) -> list[DepartedRow]:
        """Regions that had been seen through by then, oldest first; also before the horizon."""
        self._require_sound()
        return list(self._departed)

    def trajectory(self) -> list[Keyframe]:
        """The frames stored up to then in log order, by the poses they have now, without their images."""
        self._require_sound()
        return super().trajectory()

    def keyframe(self, lsn: int) -> Frame:
        """A frame stored up to then, as it was observed."""
        self._require_sound()
        number = arguments.checked_lsn(lsn)
        if number > self.lsn:
            raise InvalidValue(f"frame {number} was not stored yet; this is the memory after frame {self.lsn}")
        return self._memory.keyframe(number)

    # --- what it is

    @property
    def encoder(self) -> Encoder:
        """The encoder whose features the map holds: that of the memory."""
        self._require_sound()
        return self._keeper.use_encoder(self._memory.encoder)

    @property
    def up_in_map(self) -> NDArray[np.float64] | None:
        """(3,) unit vector against gravity as it is known now, or None."""
        return self._memory.up_in_map

    def info(self) -> dict[str, Any]:
        """Counts, ready for JSON; those of voxels are None before the horizon."""
        self._require_sound()
        rows, layers = list(self._keeper.rows.values()), self._layers
        stamps = [row.stamp_ns for row in rows]
        blocks: dict[str, int | None] = dict.fromkeys(("surface_blocks", "free_space_blocks"))
        if layers is not None:
            blocks.update(every_block(layers))
        return {
            "lsn": self.lsn, "exact": self.exact, "frames": len(rows),
            "horizon_lsn": None if self._horizon is None else self._horizon.lsn,
            "horizon_ns": None if self._horizon is None else self._horizon.stamp_ns,
            "sessions": len({row.session_id for row in rows}),
            "first_stamp_ns": min(stamps, default=None), "last_stamp_ns": max(stamps, default=None),
            "departed_regions": len(self._departed),
            **blocks,
        }  # fmt: skip

    @contextmanager
    def _reading(self) -> Iterator[MapEpoch]:
        self._require_sound()
        layers = self._layers
        if layers is None:
            raise self._before_horizon()
        with whole_epoch(lambda: layers) as epoch:
            self._require_sound()
            yield epoch

    def _require_sound(self, writing: bool = False) -> None:
        if self._closed:
            raise SpatialMemError("this past was closed; ask the memory again with at()")
        self._memory._require_sound(writing)
        if self._keeper.places.erased != self._memory._keeper.places.erased:
            raise SpatialMemError("frames have been erased from the memory since; ask it again with at()")

    def _before_horizon(self) -> BeforeHorizon:
        begin = self._horizon
        where = "later frames" if begin is None else f"frame {begin.lsn} (stamp {begin.stamp_ns})"
        return BeforeHorizon(
            f"the map after frame {self.lsn} cannot be made again: the log is whole only from {where} on, the horizon "
            "of this memory. trajectory(), departed() and info() answer here; for the map, ask at() for that or later"
        )
