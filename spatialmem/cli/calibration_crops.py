"""Pictures of things to ask a walk's memory with: of what it saw, as another camera sees it, and of what it did not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from policies.training.encoder.views import View
    from sim.house import House
    from sim.house.thing import Thing
    from spatialmem.cli.calibration_walks import Walk

OTHERS = 2
"""houses whose things are asked for where nothing of their kind was seen"""
_SIZE_PX, _HFOV_DEG = 256, (60.0, 90.0)
_LOOKS, _CLOSES = 24, 12


@dataclass(frozen=True, eq=False)
class Crop:
    """A picture of a thing, and what of a walk's house looks the same."""

    rgb: NDArray[np.uint8]
    """(h, w, 3)"""
    category: str
    true_ids: frozenset[int]
    """thing_id of the things of its kind that look the same; none where nothing of its kind was seen"""
    unclear_ids: frozenset[int] = frozenset()
    """of those of its kind that look different"""

    @property
    def present(self) -> bool:
        """Whether it shows something that was seen well."""
        return bool(self.true_ids)


def crops_for(walk: Walk) -> Iterator[Crop]:
    """Of things that the walk saw well, and of things of the next houses of whose kinds it saw nothing."""
    from sim.house import make_house
    from sim.tasks.naming.frozen import house_config

    house = house_of(walk)
    yield from present_crops(walk, house)
    for further in range(1, OTHERS + 1):
        yield from absent_crops(walk, house, make_house(house.seed + further, house_config()))


def present_crops(walk: Walk, house: House) -> Iterator[Crop]:
    """Crops of things of the house that was walked through, as far as they were seen well."""
    from sim.tasks.naming.phrases import SEEN_PIXELS

    largest = walk.largest_px()
    for rgb, thing in pictures(house):
        if largest.get(thing.thing_id, 0) >= SEEN_PIXELS:
            kin = [other for other in house.things if other.category == thing.category]
            alike = frozenset(other.thing_id for other in kin if other.look == thing.look)
            yield Crop(rgb, thing.category, alike, frozenset(other.thing_id for other in kin) - alike)


def absent_crops(walk: Walk, house: House, other: House) -> Iterator[Crop]:
    """Crops of things of another house, of kinds of which the walk saw nothing."""
    seen = {house.thing(thing_id).category for thing_id in walk.largest_px()}
    for rgb, thing in pictures(other):
        if thing.category not in seen:
            yield Crop(rgb, thing.category, frozenset())


def pictures(house: House) -> Iterator[tuple[NDArray[np.uint8], Thing]]:
    """Pictures of things, cut from views that were aimed at them."""
    from policies.training.encoder.views import HouseViews, ViewConfig
    from sim.tasks.naming.frozen import house_config

    config = ViewConfig(size_px=_SIZE_PX, hfov_deg=_HFOV_DEG, walks=0, looks=_LOOKS, closes=_CLOSES)
    for view, _ in HouseViews(house.seed, config, house_config=house_config()).pairs():
        if (view.instance_ids == view.target).any():
            yield cut(view, view.target), house.thing(view.target)


def cut(view: View, thing_id: int) -> NDArray[np.uint8]:
    """The box of a thing in a view, a tenth wider on each side."""
    mask = view.instance_ids == thing_id
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    more = 1 + max(rows[-1] - rows[0], columns[-1] - columns[0]) // 10
    top, left = max(0, rows[0] - more), max(0, columns[0] - more)
    return np.ascontiguousarray(view.rgb[top : rows[-1] + 1 + more, left : columns[-1] + 1 + more])


def house_of(walk: Walk) -> House:
    """The house that was walked through."""
    from sim.house import make_house
    from sim.tasks.naming.frozen import house_config

    return make_house(int(walk.scene_id), house_config())
