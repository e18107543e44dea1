"""Walks through held-out houses, remembered with an encoder: what calibrations are fitted on and judged by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np
from numpy.typing import NDArray

from spatialmem.perception import CalibratedEncoder, Calibration, Encoder, Encoding, TextQuery
from spatialmem.perception.calibration_fit import Labelled

if TYPE_CHECKING:
    from sim.house.world import HouseScene
    from sim.scene import Sight
    from sim.tasks.naming import Named
    from spatialmem.cli.calibration_crops import Crop
    from spatialmem.memory import SpatialMemory
    from spatialmem.types import Camera, Hit

FRAMES = 60
"""of a walk, spread evenly"""
SIZE = (320, 240)
FEW = (80, 60)
"""pixels at which places of the map are labelled"""
HFOV_DEG = 79.0
VOXEL_M = 0.03
STEP_NS = 250_000_000
SAMPLES = 16_000
"""features of a map that are labelled"""
_NEAR_M = 0.1
_WINDOW = 1  # a hit's middle is looked up in 3 x 3 pixels


class Rescored(Encoder):
    """An encoder that sees and reads like another one and scores in its own way, so that one map answers in several."""

    def __init__(self, bare: Encoder) -> None:
        self.bare = bare

    @property
    def name(self) -> str:
        return self.bare.name

    @property
    def dim(self) -> int:
        return self.bare.dim

    @property
    def vector_dim(self) -> int:
        return self.bare.vector_dim

    @property
    def fingerprint(self) -> str:
        return self.bare.fingerprint

    def encode(self, rgb: NDArray[np.uint8]) -> Encoding:
        return self.bare.encode(rgb)

    def encode_text(self, text: str) -> TextQuery:
        return self.bare.encode_text(text)

    def encode_crop(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.bare.encode_crop(rgb)


@final
class Fitting(Rescored):
    """An encoder whose calibration is still being looked for: one map, asked with one after the other."""

    def __init__(self, bare: CalibratedEncoder) -> None:
        super().__init__(bare)
        self._bare = self._now = bare

    def take(self, calibration: Calibration | None) -> None:
        """Score by this calibration from now on."""
        self._now = self._bare.with_calibration(calibration)

    @property
    def calibrated(self) -> bool:
        return self._now.calibrated

    @property
    def min_similarity(self) -> float:
        return self._now.min_similarity

    @property
    def hit_score(self) -> float:
        return self._now.hit_score

    @property
    def cosine_decides(self) -> bool:
        return self._now.cosine_decides

    @property
    def for_images(self) -> Encoder:
        return self._now.for_images

    def score(self, features: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._now.score(features, query)


@dataclass(frozen=True, eq=False)
class Seen:
    """A frame of a walk as the truth shows it."""

    thing_ids: NDArray[np.int32]
    """(H, W)"""
    depth_m: NDArray[np.float32]
    """(H, W)"""
    world_from_camera: NDArray[np.float64]
    few: Sight
    """the same with fewer pixels"""


@dataclass(frozen=True, eq=False)
class Walk:
    """A house that was walked through, what is remembered of it, and what can be asked about it."""

    scene_id: str
    memory: SpatialMemory
    seen: tuple[Seen, ...]
    """by the seq of their frames"""
    named: tuple[Named, ...]
    features: NDArray[np.float32]
    """(N, D) of places of the map that a camera of the walk saw"""
    thing_ids: NDArray[np.int32]
    """(N,) what is there in truth"""

    def labelled(self, encoder: Encoder) -> list[Labelled]:
        """The places, labelled for each phrase about the house of which the encoder knows every word."""
        found = []
        for named, query in self.understood(encoder):
            if named.box_m is not None:
                continue
            found.append(self._labelled(query, named.true_ids, named.unclear_ids))
        return found

    def labelled_for(self, crops: Iterable[Crop], encoder: Encoder) -> list[Labelled]:
        """The places, labelled for each of some pictures."""
        return [self._labelled(encoder.encode_crop(crop.rgb), crop.true_ids, crop.unclear_ids) for crop in crops]

    def _labelled(self, query: NDArray[np.float32], true_ids: frozenset[int], unclear_ids: frozenset[int]) -> Labelled:
        truth, unclear = (np.isin(self.thing_ids, list(ids)) for ids in (true_ids, unclear_ids))
        return Labelled(query, self.features, truth, ~unclear)

    def largest_px(self) -> dict[int, int]:
        """thing_id -> pixels in the frame that shows most of it, of everything that was seen."""
        return _largest_px(self.seen)

    def understood(self, encoder: Encoder) -> Iterator[tuple[Named, NDArray[np.float32]]]:
        """Phrases whose words the encoder all knows, with their vectors."""
        for named in self.named:
            query = encoder.encode_text(named.text)
            if query.vector is not None and not query.unknown_words:
                yield named, query.vector

    def things_at(self, hit: Hit) -> frozenset[int]:
        """thing_id of what the truth shows where a hit is, in the frames that are its evidence."""
        found = set[int]()
        for evidence in hit.evidence:
            found |= _things_in(self.seen[evidence.seq], hit.position_m)
        return frozenset(found)


def _things_in(frame: Seen, position_m: NDArray[np.float64]) -> set[int]:
    height, width = frame.depth_m.shape
    camera = _camera(SIZE)
    x, y, z = (position_m - frame.world_from_camera[:3, 3]) @ frame.world_from_camera[:3, :3]
    if z <= 0.0:
        return set()
    u, v = round(x / z * camera.fx + camera.cx), round(y / z * camera.fy + camera.cy)
    rows = slice(max(0, v - _WINDOW), min(height, v + _WINDOW + 1))
    columns = slice(max(0, u - _WINDOW), min(width, u + _WINDOW + 1))
    there = np.abs(frame.depth_m[rows, columns] - z) < _NEAR_M
    return set(frame.thing_ids[rows, columns][there].tolist())


def _camera(size: tuple[int, int]) -> Camera:
    from spatialmem.types import Camera

    return Camera.from_hfov(HFOV_DEG, *size)


def walks(scene_ids: Sequence[str], encoder: Encoder, frames: int = FRAMES, seed: int = 0) -> Iterator[Walk]:
    """One house after the other, walked through and remembered; a memory is closed when the next one is asked for.

    Raises what `sim` raises (cli/worlds.py turns it into this library's errors).
    """
    from sim.house.world import HouseWorld
    from sim.scene import SceneConfig
    from sim.tasks.naming.frozen import house_config

    world = HouseWorld(house_config())
    for scene_id in scene_ids:
        scene = world.open(scene_id, SceneConfig(*SIZE, HFOV_DEG))
        try:
            walk = _walk(scene, encoder, frames, seed)
        finally:
            scene.close()
        with walk.memory:
            yield walk


def _walk(scene: HouseScene, encoder: Encoder, frames: int, seed: int) -> Walk:
    from sim.tasks.naming import named_things
    from spatialmem.config import GateConfig, MemoryConfig
    from spatialmem.memory import SpatialMemory

    config = MemoryConfig(voxel_size_m=VOXEL_M, gate=GateConfig(store_all=True))
    memory = SpatialMemory.create(None, encoder, config)
    try:
        seen = tuple(_observed(scene, memory, frames))
        named = named_things(scene.house, _largest_px(seen), seed)
        features, thing_ids = _labelled_places(memory, seen, np.random.default_rng([seed, scene.house.seed]))
    except BaseException:
        memory.close()
        raise
    return Walk(scene.scene_id, memory, seen, named, features, thing_ids)


def _observed(scene: HouseScene, memory: SpatialMemory, frames: int) -> Iterator[Seen]:
    from sim.touring import tour
    from spatialmem.types import Frame

    actions = tour(scene)
    kept = set(np.linspace(0, len(actions), min(frames, len(actions) + 1)).round().astype(int).tolist())
    number = 0
    for step in range(len(actions) + 1):
        if step:
            scene.act(actions[step - 1])
            scene.advance(scene.stamp_ns + STEP_NS)
        if step in kept:
            sight = scene.look()
            memory.observe(
                Frame(
                    sight.rgb, sight.depth_m, sight.camera, sight.world_from_camera, scene.stamp_ns, seq=number,
                    depth_unit="m",
                )
            )  # fmt: skip
            few = scene.sight_from(sight.world_from_camera, _camera(FEW))
            yield Seen(sight.instance_ids, sight.depth_m, sight.world_from_camera, few)
            number += 1


def _largest_px(seen: Sequence[Seen]) -> dict[int, int]:
    largest = dict[int, int]()
    for frame in seen:
        for thing_id, pixels in zip(*(v.tolist() for v in np.unique(frame.thing_ids, return_counts=True)), strict=True):
            if thing_id > 0:
                largest[thing_id] = max(pixels, largest.get(thing_id, 0))
    return dict(sorted(largest.items()))


def _labelled_places(
    memory: SpatialMemory, seen: Sequence[Seen], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Features (N, D) of the map at random pixels of the walk, where its surface is that of the truth, and thing_id."""
    features, thing_ids = [], []
    each = -(-SAMPLES // len(seen))
    for frame in seen:
        view, few = memory.render(frame.world_from_camera, frame.few.camera, features=True), frame.few
        assert view.feature is not None
        good = (np.abs(view.depth_m - few.depth_m) < 2 * VOXEL_M) & (few.instance_ids > 0) & view.feature.any(axis=-1)
        places = np.flatnonzero(good)
        chosen = rng.choice(places, min(each, len(places)), replace=False)
        features.append(view.feature.reshape(-1, view.feature.shape[-1])[chosen])
        thing_ids.append(few.instance_ids.ravel()[chosen])
    return np.concatenate(features), np.concatenate(thing_ids)
