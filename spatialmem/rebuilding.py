"""Making every layer anew from the log (docs/format.md, section 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spatialmem.checkpoint import WholeRound
from spatialmem.layers import Layers
from spatialmem.store.failures import needed

if TYPE_CHECKING:
    from spatialmem.keeper import Keeper


def rebuilt(keeper: Keeper) -> Layers:
    """The layers of the log alone, put into the file in place of what it had, which is not read."""
    layers, file = Layers(keeper.config, keeper.feature_width), keeper.on_file()
    for row in list(keeper.rows.values()):
        with needed(file.path, row.lsn):
            logged = keeper.logged(row)
        layers.apply(layers.prepare(logged))
    WholeRound(layers).put_into(file)
    return layers
