"""The cache on disk: a folder for each house with its views as plain arrays, which are mapped, not read, into memory.

rgb.npy uint8 (N, S, S, 3) · ids.npy uint8 (N, S, S), 0 nothing, else 1 + column of `table` · table.npy int16 (N, 255)
rows of `codes`, -1 where there is no more · codes.npy int16 (T, FIELDS) of the things, see claims · out.npy bool (T,)
things that training leaves out · rooms.npy int8 (N,) code of the room. Views 2n and 2n + 1 are a pair.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from policies.training.encoder import claims, held_out
from policies.training.encoder.views import HouseViews, View, ViewConfig
from sim.errors import InvalidSetting

VERSION = 1
_MOST = 255
_ARRAYS = ("rgb", "ids", "table", "codes", "out", "rooms")


@dataclass(frozen=True, eq=False)
class Shard:
    """The views of one house; arrays as the module says."""

    seed: int
    rgb: NDArray[np.uint8]
    ids: NDArray[np.uint8]
    table: NDArray[np.int16]
    codes: NDArray[np.int16]
    out: NDArray[np.bool_]
    rooms: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.rgb)


def cache_folder(root: Path, config: ViewConfig) -> Path:
    """Where views of a config lie: another config, other held-out things or another version is another folder."""
    said = json.dumps([VERSION, asdict(config), held_out.SHA256, claims.FIELDS], sort_keys=True)
    return root / f"views-{hashlib.sha256(said.encode()).hexdigest()[:12]}"


def house_shard(folder: Path, seed: int, config: ViewConfig) -> Shard:
    """The shard of a house, rendered first where it is not there yet. A shard is there whole or not at all."""
    place = folder / f"house-{seed:06d}"
    if not place.is_dir():
        _render(place, seed, config)
    arrays = {name: np.load(place / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
    if len({len(arrays[name]) for name in ("rgb", "ids", "table", "rooms")}) != 1:
        raise InvalidSetting(f"{place} is damaged: its arrays differ in length; remove that folder to render it anew")
    return Shard(seed, **arrays)


def load_shards(
    root: Path,
    seeds: range,
    config: ViewConfig,
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> list[Shard]:
    """Shards of several houses; `tell(done, of)` after each."""
    folder = cache_folder(root, config)
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for n, seed in enumerate(seeds):
        found.append(house_shard(folder, seed, config))
        tell(n + 1, len(seeds))
    return found


def _render(place: Path, seed: int, config: ViewConfig) -> None:
    house = HouseViews(seed, config)
    views = [view for pair in house.pairs() for view in pair]
    ids, table = zip(*(_local(view) for view in views), strict=True)
    arrays = {
        "rgb": np.stack([view.rgb for view in views]), "ids": np.stack(ids), "table": np.stack(table),
        "codes": claims.thing_codes(house.facts), "out": np.array([f.held_out for f in house.facts]),
        "rooms": np.array([claims.code(claims.ROOM_NAMES, view.room) for view in views], np.int8),
    }  # fmt: skip
    with tempfile.TemporaryDirectory(dir=place.parent) as unfinished:
        whole = Path(unfinished) / "shard"
        whole.mkdir()
        for name, array in arrays.items():
            np.save(whole / f"{name}.npy", array)
        shutil.move(whole, place)


def _local(view: View) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    """Ids of a view by column of its own table; the smallest things are dropped where there are too many."""
    found, where, counts = np.unique(view.instance_ids, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    kept = [int(n) for n in order if found[n] > 0][:_MOST]
    column = np.zeros(len(found), np.uint8)
    column[kept] = np.arange(1, len(kept) + 1)
    table = np.full(_MOST, -1, np.int16)
    table[: len(kept)] = found[kept] - 1
    return column[where].reshape(view.instance_ids.shape), table
