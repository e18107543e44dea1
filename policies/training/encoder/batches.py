"""Batches: cut-outs of views with the things they show, captions of those things, and which caption is true of what.

A batch is a function of the seed and the number of the step alone, so that training can be taken up again anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import final

import cv2
import numpy as np
from numpy.typing import NDArray

from policies.training.encoder import captions, claims
from policies.training.encoder.shards import Shard
from sim.house.thing import CATEGORIES, GROUPS
from spatialmem.perception.tiny.artefact import STRIDE
from spatialmem.perception.tiny.words import LONGEST, Vocabulary

PATCH = STRIDE
_BUILDING = np.array([GROUPS.get(name) == "structure" for name in CATEGORIES])
_LOOKS = [claims.NOUN, claims.COLOUR, claims.SECOND, claims.DECOR, claims.MATERIAL]
"""codes by which two things cannot be told apart from a picture of one"""


@dataclass(frozen=True)
class BatchConfig:
    """How large batches are."""

    images: int = 32
    """a multiple of 4: two pairs a house"""
    size_px: int = 96
    crop_px: int = 64
    """of pictures of one thing"""
    crops: int = 16
    """of them"""
    zoom: tuple[float, float] = (0.5, 0.95)
    """side of a cut-out over that of its view"""
    things: int = 8
    """regions of an image that are supervised, besides the building's"""
    building: int = 2
    texts: int = 240
    """captions of regions"""
    least_share: float = 0.004
    """of the image that a region must cover"""
    clear_share: float = 0.008
    """that a thing must cover for a caption of the whole image to count on it"""


@dataclass(frozen=True, eq=False)
class Batch:
    """B images, R regions in them, P patches of these regions, C crops, T captions, V captions of whole images."""

    pixels: NDArray[np.uint8]
    """(B, S, S, 3)"""
    crops: NDArray[np.uint8]
    """(C, s, s, 3)"""
    region_image: NDArray[np.int64]
    """(R,)"""
    region_slot: NDArray[np.int64]
    """(R,) which of its image's regions it is"""
    codes: NDArray[np.int16]
    """(R, FIELDS) of the thing, see claims"""
    shares: NDArray[np.float32]
    """(R, patches) share of each patch that the region covers"""
    patch_region: NDArray[np.int64]
    """(P,)"""
    patch_at: NDArray[np.int64]
    """(P,) index of the patch in its image"""
    crop_region: NDArray[np.int64]
    """(C,) the region that a crop shows"""
    tokens: NDArray[np.int64]
    """(T, L)"""
    truth: NDArray[np.int8]
    """(R, T) see claims.judge"""
    same: NDArray[np.int8]
    """(C, R) 1: the crop's thing seen from elsewhere; 0: another; -1: the same view, or one that looks the same"""
    view_tokens: NDArray[np.int64]
    """(V, L)"""
    view_truth: NDArray[np.int8]
    """(B, V)"""


@dataclass(frozen=True, eq=False)
class _Cut:
    """One image of a batch: its cut-out, and what it shows."""

    rgb: NDArray[np.uint8]
    ids: NDArray[np.uint8]
    source: NDArray[np.uint8]
    """the whole view, with its ids"""
    source_ids: NDArray[np.uint8]
    shard: Shard
    table: NDArray[np.int16]
    room: int


@dataclass(frozen=True, eq=False)
class _Region:
    image: int
    slot: int
    local: int
    thing: int
    seed: int
    codes: NDArray[np.int16]


@final
class Batches:
    """Makes batch number n of a training run."""

    def __init__(
        self, shards: Sequence[Shard], vocabulary: Vocabulary, seed: int, config: BatchConfig | None = None
    ) -> None:
        self.shards, self.vocabulary, self.seed = list(shards), vocabulary, seed
        self.config = config or BatchConfig()

    def make(self, step: int) -> Batch:
        """The batch of a step."""
        rng, words = np.random.default_rng([self.seed, step]), Random(f"{self.seed} {step}")
        cuts = self._cuts(rng)
        regions = [r for n, cut in enumerate(cuts) for r in self._regions(n, cut, rng)]
        codes = np.array([r.codes for r in regions], np.int16).reshape(-1, len(claims.FIELDS))
        said = self._captions(codes, words)
        shares = _shares(cuts, regions, self.config.size_px)
        patch_region, patch_at = _patches(shares, rng)
        crops, crop_region = self._crops(cuts, regions, rng)
        view_said, view_truth = self._views(cuts, words)
        return Batch(
            np.stack([cut.rgb for cut in cuts]), crops, np.array([r.image for r in regions], np.int64),
            np.array([r.slot for r in regions], np.int64), codes, shares, patch_region, patch_at, crop_region,
            self._tokens([c.text for c in said]),
            claims.judge(codes, np.array([c.row for c in said], np.int16)), _same(regions, crop_region),
            self._tokens(view_said), view_truth,
        )  # fmt: skip

    def _cuts(self, rng: np.random.Generator) -> list[_Cut]:
        cuts = []
        houses = rng.choice(
            len(self.shards), self.config.images // 4, replace=len(self.shards) < self.config.images // 4
        )
        for house in houses:
            shard = self.shards[int(house)]
            for pair in rng.choice(len(shard) // 2, 2, replace=len(shard) < 4):
                cuts += [self._cut(shard, 2 * int(pair) + side, rng) for side in (0, 1)]
        return cuts

    def _cut(self, shard: Shard, view: int, rng: np.random.Generator) -> _Cut:
        source, ids = np.asarray(shard.rgb[view]), np.asarray(shard.ids[view])
        whole, size = source.shape[0], self.config.size_px
        side = int(round(whole * rng.uniform(*self.config.zoom)))
        top, left = (int(rng.integers(whole - side + 1)) for _ in range(2))
        rgb = _resized(source[top : top + side, left : left + side], size)
        picked = np.minimum(((np.arange(size) + 0.5) * side / size).astype(int), side - 1)
        cut = ids[top + picked[:, None], left + picked[None, :]]
        if rng.uniform() < 0.5:
            rgb, cut = rgb[:, ::-1], cut[:, ::-1]
        return _Cut(rgb, cut, source, ids, shard, np.asarray(shard.table[view]), int(shard.rooms[view]))

    def _regions(self, image: int, cut: _Cut, rng: np.random.Generator) -> list[_Region]:
        """Some of what an image shows: things first come by chance, then parts of the building."""
        counts = np.bincount(cut.ids.ravel(), minlength=256)[1:]
        seen = np.flatnonzero(counts >= self.config.least_share * cut.ids.size)
        things = cut.table[seen]
        allowed = ~cut.shard.out[things]
        seen, things = seen[allowed], things[allowed]
        building = _BUILDING[cut.shard.codes[things, claims.NOUN]]
        order = rng.permutation(len(seen))
        kept = [n for n in order if not building[n]][: self.config.things]
        kept += [n for n in order if building[n]][: self.config.building]
        codes, seed = cut.shard.codes, cut.shard.seed
        return [
            _Region(image, slot, int(seen[n]) + 1, int(things[n]), seed, np.asarray(codes[things[n]]))
            for slot, n in enumerate(kept)
        ]

    def _captions(self, codes: NDArray[np.int16], words: Random) -> list[captions.Caption]:
        """True ones of regions in mixed order, some nearly true ones beside them, until there are enough."""
        found: dict[str, captions.Caption] = {}
        for n in words.sample(range(len(codes)), len(codes)):
            if len(found) >= self.config.texts:
                break
            true = captions.caption_of(codes[n], words)
            rows = [true.row]
            if words.random() < 0.5:
                rows.append(captions.nearly_true(true.row, words))
            for claimed in rows:
                if not captions.is_held_out(claimed):
                    text = true.text if claimed is true.row else captions.say(claimed, words)
                    found.setdefault(text, captions.Caption(text, claimed))
        return list(found.values())

    def _views(self, cuts: list[_Cut], words: Random) -> tuple[list[str], NDArray[np.int8]]:
        """Captions of whole images, and of which images they are true."""
        rows, image, clear, shown = [], [], [], []
        for n, cut in enumerate(cuts):
            counts = np.bincount(cut.ids.ravel(), minlength=256)[1:]
            seen = np.flatnonzero(counts)
            things = cut.table[seen]
            good = (counts[seen] >= self.config.clear_share * cut.ids.size) & ~cut.shard.out[things]
            codes = np.asarray(cut.shard.codes[things])
            rows.append(codes)
            image += [n] * len(seen)
            clear.append(good)
            shown.append(codes[good & ~_BUILDING[codes[:, claims.NOUN]]])
        said = [captions.view_caption(cut.room, list(codes), words) for cut, codes in zip(cuts, shown, strict=True)]
        said = [c for c in said if not any(captions.is_held_out(row) for row in c.things)]
        present = _present(np.concatenate(rows), np.array(image), np.concatenate(clear), said, len(cuts))
        rooms = np.array([cut.room for cut in cuts])
        claimed = np.array([c.room for c in said])
        right = ((claimed[None] < 0) | (claimed[None] == rooms[:, None])).astype(np.int8)
        return [c.text for c in said], np.where((right == 0) | (present == 0), 0, np.minimum(right, present)).astype(
            np.int8
        )

    def _crops(
        self, cuts: list[_Cut], regions: list[_Region], rng: np.random.Generator
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """One thing of every image that shows one, cut from its view a little loosely."""
        crops, which = [], []
        by_image: dict[int, list[int]] = {}
        for n, region in enumerate(regions):
            if not _BUILDING[region.codes[claims.NOUN]]:
                by_image.setdefault(region.image, []).append(n)
        for image in rng.permutation(sorted(by_image))[: self.config.crops].tolist():
            numbers = by_image[image]
            n = numbers[int(rng.integers(len(numbers)))]
            cut = cuts[image]
            crops.append(_crop(cut.source, cut.source_ids == regions[n].local, self.config.crop_px, rng))
            which.append(n)
        empty = np.zeros((0, self.config.crop_px, self.config.crop_px, 3), np.uint8)
        return np.stack(crops) if crops else empty, np.array(which, np.int64)

    def _tokens(self, texts: list[str]) -> NDArray[np.int64]:
        read = [self.vocabulary.read(text).ids or (1,) for text in texts]
        longest = max((len(ids) for ids in read), default=1)
        return np.array([ids + (0,) * (longest - len(ids)) for ids in read], np.int64).reshape(
            -1, min(longest, LONGEST)
        )


def _resized(rgb: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    way = cv2.INTER_AREA if rgb.shape[0] > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(np.ascontiguousarray(rgb), (size, size), interpolation=way), np.uint8)


def _crop(rgb: NDArray[np.uint8], mask: NDArray[np.bool_], size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    height, width = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    side = int(np.clip(round(max(height, width) * rng.uniform(1.0, 1.5)), 8, rgb.shape[0]))
    off = rng.uniform(-0.1, 0.1, 2) * side
    top = int(np.clip((rows[0] + rows[-1] + 1 - side) / 2 + off[0], 0, rgb.shape[0] - side))
    left = int(np.clip((columns[0] + columns[-1] + 1 - side) / 2 + off[1], 0, rgb.shape[1] - side))
    cut = _resized(rgb[top : top + side, left : left + side], size)
    return cut[:, ::-1] if rng.uniform() < 0.5 else cut


def _shares(cuts: list[_Cut], regions: list[_Region], size: int) -> NDArray[np.float32]:
    """(R, patches) share of each patch that a region covers."""
    edge = size // PATCH
    patch = (np.arange(size) // PATCH)[:, None] * edge + (np.arange(size) // PATCH)[None, :]
    found = np.zeros((len(regions), edge * edge), np.float32)
    by_image: dict[int, list[int]] = {}
    for n, region in enumerate(regions):
        by_image.setdefault(region.image, []).append(n)
    for image, numbers in by_image.items():
        column = np.full(256, -1, np.int64)
        column[[regions[n].local for n in numbers]] = np.arange(len(numbers))
        which = column[cuts[image].ids]
        kept = which >= 0
        at = which[kept] * edge * edge + patch[kept]
        found[numbers] = np.bincount(at, minlength=len(numbers) * edge * edge).reshape(len(numbers), -1)
    return (found / (PATCH * PATCH)).astype(np.float32)


def _patches(shares: NDArray[np.float32], rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two patches of every region, by chance among those it covers for the most part, or its best one."""
    drawn = shares * (shares >= 0.5)
    drawn[np.arange(len(shares)), shares.argmax(axis=1)] += 1e-3
    sums = np.cumsum(drawn, axis=1)
    at = [(sums < rng.uniform(0.0, 1.0, (len(shares), 1)) * sums[:, -1:]).sum(axis=1) for _ in range(2)]
    return np.tile(np.arange(len(shares)), 2), np.minimum(np.concatenate(at), shares.shape[1] - 1)


def _same(regions: list[_Region], crop_region: NDArray[np.int64]) -> NDArray[np.int8]:
    key = np.array([(r.seed, r.thing, r.image) for r in regions]).reshape(-1, 3)
    looks = np.array([r.codes[_LOOKS] for r in regions]).reshape(-1, len(_LOOKS))
    one = key[crop_region]
    thing = (one[:, None, :2] == key[None, :, :2]).all(axis=-1)
    image = one[:, None, 2] == key[None, :, 2]
    alike = (looks[crop_region][:, None] == looks[None]).all(axis=-1)
    return np.where(thing & ~image, 1, np.where(thing | alike, -1, 0)).astype(np.int8)


def _present(
    codes: NDArray[np.int16], image: NDArray[np.int64], clear: NDArray[np.bool_], said: list[captions.ViewCaption],
    images: int,
) -> NDArray[np.int8]:  # fmt: skip
    """(images, captions) whether an image shows all that a caption names: 1 clearly, -1 perhaps, 0 not."""
    rows = [row for caption in said for row in caption.things]
    owner = np.array([n for n, caption in enumerate(said) for _ in caption.things], np.int64)
    found = np.full((images, len(said)), 2, np.int64)
    if rows:
        judged = claims.judge(codes, np.array(rows, np.int16)).astype(np.int64)
        judged = np.where((judged == 1) & ~clear[:, None], -1, judged)
        level = np.where(judged == 1, 2, np.where(judged == -1, 1, 0))  # not < perhaps < clearly
        best = np.zeros((images, len(rows)), np.int64)
        np.maximum.at(best, image, level)
        for n, column in zip(owner, best.T, strict=True):
            found[:, n] = np.minimum(found[:, n], column)
    return np.array([0, -1, 1], np.int8)[found]
