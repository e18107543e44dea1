"""Held-out houses are rendered at 256 x 256: walks, views of single things, close-ups. A region is one instance in
one view; its feature is the mean of the patches it covers. Every distinct category, colour with category,
material with category, colour, and place that is true of some region of a house is asked in words, and all
regions of that house are ranked, those of walls and floors too: recall at 1, mean average precision, and the
recall of chance. What is neither right nor wrong (an armchair, when asked for a chair) does not count. A crop of
a thing is asked of the regions of all other views, and of those of its own kind. All encoders answer the same
questions; intervals are 95 % over houses drawn again. A question of which `colours` knows no word is answered by
chance. --trained names artefacts of several training seeds, whose means are the runs of the claims; --without
names the same network trained without dense supervision, --wide that with 128 numbers in place of 64. What storage
costs: patch features are brought to float16, as maps hold them, or to int8 with one scale an image, as logs do, before
anything is made of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import region_cases as cases
from common import SEED, Bench, Wanted

from policies.training.encoder import held_out
from spatialmem.perception import Encoder, load_encoder

PAIRS, QUICK_PAIRS = (6, 10, 12), (3, 4, 5)
HOUSES, QUICK_HOUSES = 12, 3
Found = dict[str, list[list[tuple[float, ...]]]]
"""what -> house -> figures of each question"""


def options(parser: argparse.ArgumentParser) -> None:
    """Which encoders."""
    parser.add_argument("--trained", nargs="*", default=["tiny"], help="encoders, one a training seed")
    parser.add_argument("--without", nargs="*", default=[], help="the same, trained with --dense none")
    parser.add_argument("--wide", nargs="*", default=[], help="the same, trained with --dim 128")
    parser.add_argument("--split", default="test", help="test, or develop while choices are made")


def collect(encoder: Encoder, houses: list[cases.House], ask: Callable[..., dict[str, list]]) -> dict[str, list[list]]:
    """what -> answers by house."""
    found: dict[str, list[list]] = {}
    for n, house in enumerate(houses):
        for what, values in ask(encoder, house, features_of(encoder, house)).items():
            found.setdefault(what, [[] for _ in houses])[n] = values
    return found


_FEATURES: dict[tuple[str, int], np.ndarray] = {}


def features_of(encoder: Encoder, house: cases.House) -> np.ndarray:
    """Region features, made once."""
    key = (encoder.fingerprint, house.seed)
    if key not in _FEATURES:
        _FEATURES[key] = cases.region_features(encoder, house)
    return _FEATURES[key]


def column(answers: list[list], place: int) -> list[list[float]]:
    """One figure of every answer."""
    return [[row[place] for row in house] for house in answers]


def interval(values: list[list[float]]) -> str:
    """Mean and interval, in per cent."""
    mean, low, high = cases.bootstrap(values, np.random.default_rng(SEED))
    return "none" if mean != mean else f"{100 * mean:.1f} ({100 * low:.1f} .. {100 * high:.1f})"


def mean_of(values: list[list[float]]) -> float:
    """Mean over all questions, in per cent."""
    flat = [v for house in values for v in house]
    return 100.0 * float(np.mean(flat)) if flat else float("nan")


def text_tables(bench: Bench, by_encoder: dict[str, dict[str, list[list]]], title: str, whats: tuple[str, ...]) -> None:
    """Recall at 1 and mean average precision of every encoder."""
    names = list(by_encoder)
    for place, measure in ((0, "recall at 1, %"), (1, "mean average precision, %")):
        rows: list[list[Any]] = []
        for what in whats:
            first = next((a[what] for a in by_encoder.values() if what in a), None)
            if first is None:
                continue
            cells = [interval(column(by_encoder[n][what], place)) if what in by_encoder[n] else "" for n in names]
            count = sum(len(house) for house in first)
            chance = [f"{mean_of(column(first, 2)):.1f}"] if place == 0 else []
            rows.append([what, count, *cells, *chance])
        bench.table(
            f"{title}: {measure}", ["asked for", "questions", *names, *(["chance"] if place == 0 else [])], rows
        )


def claims_of(bench: Bench, texts: dict[str, dict[str, list[list]]], trained: list[str], without: list[str]) -> None:
    """What dense supervision and training are worth, in points of recall at 1, one run a training seed."""
    for what in ("category", "colour and category", "colour and category, never seen together"):
        runs = [mean_of(column(texts[name][what], 0)) for name in trained if what in texts[name]]
        if runs:
            wanted = Wanted(aim=85.0 if what == "colour and category" else 70.0, sense="at least")
            bench.claim(f"text to region, recall at 1: {what}", runs, "%", wanted)
            rival = mean_of(column(texts["colours"][what], 0))
            gain = [run - rival for run in runs]
            bench.claim(f"gain over `colours`: {what}", gain, "points", Wanted(must=5.0, sense="at least"))
        if runs and without:
            rivals = [mean_of(column(texts[name][what], 0)) for name in without]
            gain = [run - rival for run, rival in zip(runs, rivals, strict=False)]
            wanted = Wanted(must=5.0, sense="at least")
            bench.claim(f"gain by dense supervision: {what}", gain, "points", wanted, f"{len(gain)} paired seeds")


def storage(bench: Bench, houses: list[cases.House], trained: list[str]) -> None:
    """What is lost by keeping features in fewer bits, in points of recall at 1 and of mean average precision."""
    rows: list[list[Any]] = []
    for spec in trained:
        encoder = load_encoder(spec)
        exact = [cases.by_text(encoder, house, features_of(encoder, house)) for house in houses]
        for name, kept in (("float16", cases.as_halves), ("int8", cases.as_bytes)):
            now = [cases.by_text(encoder, house, cases.region_features(encoder, house, kept)) for house in houses]
            for what in ("category", "colour and category"):
                pairs = [(a[what], b[what]) for a, b in zip(exact, now, strict=True) if what in a]
                lost = [[[one[k] - two[k] for one, two in zip(a, b, strict=True)] for a, b in pairs] for k in (0, 1)]
                rows.append([spec, name, what, *(interval(values) for values in lost)])
    columns = ["encoder", "kept as", "asked for", "recall at 1 lost, points", "mean average precision lost, points"]
    bench.table("what storage costs", columns, rows)


def main() -> None:
    bench = Bench(__file__, "Text and image to region, on held-out houses", __doc__, options, [_parts()])
    seeds = held_out.houses(bench.options.split)[: QUICK_HOUSES if bench.quick else HOUSES]
    houses = []
    for seed in seeds:
        houses.append(cases.make(seed, QUICK_PAIRS if bench.quick else PAIRS))
        bench.progress(f"house {seed}: {len(houses[-1].views)} views, {len(houses[-1].codes)} regions")
    trained, without = list(bench.options.trained), list(bench.options.without)
    texts, images, names = {}, {}, {}
    for spec in dict.fromkeys([*trained, *without, *bench.options.wide, "colours"]):
        encoder = load_encoder(spec)
        texts[spec] = collect(encoder, houses, cases.by_text)
        images[spec] = collect(encoder, houses, cases.by_image)
        names[spec] = collect(encoder, houses, cases.named)
        bench.progress(f"{spec} has answered")
    claims_of(bench, texts, trained, without)
    text_tables(bench, texts, "text to region", cases.KINDS)
    text_tables(bench, images, "image to object in other views", ("all things", "things of its kind"))
    rows = [
        [what, *(interval(names[s][what]) if what in names[s] else "" for s in names)] for what in names[trained[0]]
    ]
    bench.table("best of all names of kinds is right, % of regions", ["regions", *names], rows)
    storage(bench, houses, trained)
    bench.detail("encoders", {spec: load_encoder(spec).fingerprint for spec in texts})
    bench.detail("held_out", held_out.SHA256)
    bench.finish()


def _parts() -> Any:
    from pathlib import Path

    return Path(cases.__file__)


if __name__ == "__main__":
    main()
