"""Regions of held-out houses, what is asked about them, and how answers are counted; for encoder_regions.py."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

from policies.training.encoder import captions, claims, held_out, nouns
from policies.training.encoder.views import HouseViews, View, ViewConfig
from sim.house.materials import Pattern
from sim.house.thing import CATEGORIES, GROUPS
from spatialmem.cli.calibration_crops import cut
from spatialmem.perception import Encoder
from spatialmem.perception.projection import unit_rows
from spatialmem.store.codec import decode_features, encode_features

LEAST_SHARE = 0.003
"""of a picture that a region covers, to be asked for"""
KINDS = (
    "category", "colour and category", "material and category", "colour", "place and category",
    "colour and category, never seen together", "category, wordings never seen",
    "colour and category, wordings never seen",
)  # fmt: skip
_LOOKS = [claims.NOUN, claims.COLOUR, claims.SECOND, claims.DECOR, claims.MATERIAL]
_BUILDING = np.array([GROUPS.get(name) == "structure" for name in CATEGORIES])


@dataclass(frozen=True)
class Query:
    """A text, and what it claims."""

    kind: str
    text: str
    row: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class House:
    """Regions of the views of one house: an instance in a view each."""

    seed: int
    views: list[View]
    region_view: NDArray[np.int64]
    """(R,)"""
    region_thing: NDArray[np.int64]
    """(R,) thing_id"""
    codes: NDArray[np.int16]
    """(R, FIELDS)"""
    odd_texture: NDArray[np.bool_]
    """(R,) whether floor or walls of its room bear a texture that training never showed"""
    left_out: NDArray[np.bool_]
    """(R,) whether its colour and category were never seen together"""
    queries: list[Query]

    @property
    def asked(self) -> NDArray[np.bool_]:
        """(R,) things, not parts of the building."""
        return ~_BUILDING[self.codes[:, claims.NOUN]]


def make(seed: int, pairs: tuple[int, int, int]) -> House:
    """Views at 256 x 256; `pairs` of walks, looks and close-ups."""
    source = HouseViews(
        seed, ViewConfig(size_px=256, hfov_deg=(60.0, 90.0), walks=pairs[0], looks=pairs[1], closes=pairs[2])
    )
    views = [view for pair in source.pairs() for view in pair]
    view_of, thing_of = [], []
    for n, view in enumerate(views):
        ids, counts = np.unique(view.instance_ids, return_counts=True)
        kept = ids[(counts >= LEAST_SHARE * view.instance_ids.size) & (ids > 0)]
        view_of += [n] * len(kept)
        thing_of += kept.tolist()
    things = np.array(thing_of)
    patterns = {int(Pattern[name]) for name in held_out.textures()}
    odd_rooms = {
        t.room_id for t in source.house.things
        if t.category in ("floor", "wall") and any(int(m.pattern) in patterns for m in t.shape.materials)
    }  # fmt: skip
    codes = claims.thing_codes(source.facts)[things - 1]
    odd = np.array([source.house.thing(int(t)).room_id in odd_rooms for t in things])
    left_out = np.array([source.facts[int(t) - 1].held_out for t in things])
    queries = _queries(codes[~_BUILDING[codes[:, claims.NOUN]]], Random(seed))
    return House(seed, views, np.array(view_of), things, codes, odd, left_out, queries)


def _queries(codes: NDArray[np.int16], rng: Random) -> list[Query]:
    """Every distinct claim of each kind that is true of some region."""
    wanted = {
        "category": ("noun", "train"), "colour and category": ("colour", "train"),
        "material and category": ("material", "train"), "colour": ("thing", "train"),
        "place and category": ("support", "train"), "category, wordings never seen": ("noun", "test"),
        "colour and category, wordings never seen": ("colour", "test"),
    }  # fmt: skip
    found: dict[tuple[str, tuple[int, ...]], Query] = {}
    for kind, (claim, part) in wanted.items():
        for code in np.unique(codes, axis=0):
            row = _plain(claims_of(code, claim))
            if row is None:
                continue
            seen = "colour and category, never seen together" if captions.is_held_out(row) else kind
            text = plain_text(row) if part == "train" else captions.say(row, rng, part)
            found.setdefault((seen, row), Query(seen, text, row))
    return list(found.values())


def claims_of(code: NDArray[np.int16], claim: str) -> tuple[int, ...]:
    """A claim of a kind about a thing, by the own name of its kind."""
    row = [-1] * len(claims.FIELDS)
    if claim != "thing":
        row[claims.NOUN] = nouns.number(CATEGORIES[code[claims.NOUN]])
    field = {"colour": claims.COLOUR, "material": claims.MATERIAL, "thing": claims.COLOUR}.get(claim)
    if field is not None:
        row[field] = int(code[field])
    if claim == "support" and code[claims.SUPPORT] > 0:
        row[claims.SUPPORT] = nouns.number(CATEGORIES[code[claims.SUPPORT]])
        row[claims.RELATION] = int(code[claims.RELATION])
    needs = field if field is not None else claims.SUPPORT if claim == "support" else claims.NOUN
    return tuple(row) if row[needs] >= 0 else ()


def _plain(row: tuple[int, ...]) -> tuple[int, ...] | None:
    return row or None


def plain_text(row: tuple[int, ...]) -> str:
    """The shortest words of a claim, such as "red ceramic mug on the desk"."""
    said = [claims.word_of(f, row[f]) for f in (claims.COLOUR, claims.MATERIAL, claims.NOUN)]
    text = " ".join(word for word in said if word)
    if row[claims.NOUN] < 0:
        text += " thing"
    if row[claims.SUPPORT] >= 0:
        relation = claims.word_of(claims.RELATION, row[claims.RELATION])
        text += f" {relation} the {claims.word_of(claims.SUPPORT, row[claims.SUPPORT])}"
    return text


def as_floats(dense: NDArray[np.float32]) -> NDArray[np.float32]:
    """Patch features as the encoder gives them."""
    return dense


def as_halves(dense: NDArray[np.float32]) -> NDArray[np.float32]:
    """Patch features after they were float16, as in a map."""
    return dense.astype(np.float16).astype(np.float32)


def as_bytes(dense: NDArray[np.float32]) -> NDArray[np.float32]:
    """Patch features after they were int8 with one scale an image, as in a log."""
    return decode_features(encode_features(dense))


def region_features(
    encoder: Encoder, house: House, kept: Callable[[NDArray[np.float32]], NDArray[np.float32]] = as_floats
) -> NDArray[np.float32]:
    """(R, D) unit rows: the mean feature of the patches a region covers, each by the share that it covers."""
    rows = []
    for n, view in enumerate(house.views):
        dense = kept(encoder.encode(view.rgb).dense)
        rows.append(_pooled(dense, view.instance_ids, house.region_thing[house.region_view == n]))
    return np.concatenate(rows)


def _pooled(dense: NDArray[np.float32], ids: NDArray[np.int32], things: NDArray[np.int64]) -> NDArray[np.float32]:
    h, w, _ = dense.shape
    y, x = (np.arange(n) * parts // n for n, parts in zip(ids.shape, (h, w), strict=True))
    patch = y[:, None] * w + x[None, :]
    flat = dense.reshape(h * w, -1)
    shares = np.stack([np.bincount(patch[ids == thing], minlength=h * w) for thing in things]) if len(things) else None
    return (
        unit_rows(shares.astype(np.float32) @ flat) if shares is not None else np.zeros((0, flat.shape[1]), np.float32)
    )


def ranked(
    scores: NDArray[np.float64], truth: NDArray[np.int8], rng: np.random.Generator
) -> tuple[float, float] | None:
    """(recall at 1, average precision) of one query; what is neither right nor wrong does not count. None: nothing is
    right. Ties are broken by chance."""
    counts = truth >= 0
    right = truth[counts] == 1
    if not right.any():
        return None
    order = np.lexsort((rng.uniform(size=int(counts.sum())), -scores[counts]))
    hits = right[order]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(hits[0]), float(precision[hits].mean())


def by_text(
    encoder: Encoder, house: House, features: NDArray[np.float32]
) -> dict[str, list[tuple[float, float, float]]]:
    """kind -> (recall at 1, average precision, recall at 1 of chance) of every query."""
    rng = np.random.default_rng(house.seed)
    truth = claims.judge(house.codes, np.array([q.row for q in house.queries], np.int16))
    found: dict[str, list[tuple[float, float, float]]] = {}
    for n, query in enumerate(house.queries):
        vector = encoder.encode_text(query.text).vector
        scores = features @ vector if vector is not None else np.zeros(len(features))
        result = ranked(scores.astype(np.float64), truth[:, n], rng)
        if result is not None:
            chance = float((truth[:, n] == 1).sum() / (truth[:, n] >= 0).sum())
            found.setdefault(query.kind, []).append((*result, chance))
    return found


def by_image(
    encoder: Encoder, house: House, features: NDArray[np.float32]
) -> dict[str, list[tuple[float, float, float]]]:
    """A crop of each thing that a view was aimed at, asked of all regions in other views, and of those of its kind."""
    rng = np.random.default_rng(house.seed)
    found: dict[str, list[tuple[float, float, float]]] = {}
    for n, view in enumerate(house.views):
        mine = np.flatnonzero((house.region_view == n) & (house.region_thing == view.target))
        if not view.target or not len(mine):
            continue
        scores = (features @ encoder.encode_crop(cut(view, view.target))).astype(np.float64)
        code = house.codes[mine[0]]
        same = house.region_thing == view.target
        alike = (house.codes[:, _LOOKS] == code[_LOOKS]).all(axis=1) & ~same
        truth = np.where(house.region_view == n, -1, np.where(same, 1, np.where(alike, -1, 0))).astype(np.int8)
        kind = house.codes[:, claims.NOUN] == code[claims.NOUN]
        for name, chosen in (("all things", np.ones(len(truth), bool)), ("things of its kind", kind)):
            several = len(np.unique(house.region_thing[chosen & (truth >= 0)])) > 1
            result = ranked(scores[chosen], truth[chosen], rng) if several else None
            if result is not None:
                chance = float((truth[chosen] == 1).sum() / (truth[chosen] >= 0).sum())
                found.setdefault(name, []).append((*result, chance))
    return found


def named(encoder: Encoder, house: House, features: NDArray[np.float32]) -> dict[str, list[float]]:
    """Whether the best of all names of kinds is the right one, for each thing's region."""
    names = [name for name in CATEGORIES[1:] if GROUPS[name] != "structure"]
    vectors = [encoder.encode_text(name).vector for name in names]
    if any(v is None for v in vectors):
        return {}
    best = np.argmax(features @ np.stack([v for v in vectors if v is not None]).T, axis=1)
    table = nouns.truth()[[nouns.number(name) for name in names]]
    judged = table[best, house.codes[:, claims.NOUN]]
    rows: dict[str, Callable[[], NDArray[np.bool_]]] = {
        "all": lambda: house.asked,
        "colour and category never seen together": lambda: house.asked & house.left_out,
        "in rooms with a texture never seen": lambda: house.asked & house.odd_texture,
    }
    return {what: (judged[chosen()] == 1).astype(float).tolist() for what, chosen in rows.items()}


def bootstrap(
    by_house: Sequence[Sequence[float]], rng: np.random.Generator, draws: int = 1000
) -> tuple[float, float, float]:
    """(mean, low, high) of all values; 95 % interval over houses drawn again."""
    sums = np.array([float(np.sum(values)) for values in by_house])
    counts = np.array([len(values) for values in by_house])
    if counts.sum() == 0:
        return float("nan"), float("nan"), float("nan")
    drawn = rng.integers(len(sums), size=(draws, len(sums)))
    totals = counts[drawn].sum(axis=1)
    means = sums[drawn].sum(axis=1)[totals > 0] / totals[totals > 0]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(sums.sum() / counts.sum()), float(low), float(high)
