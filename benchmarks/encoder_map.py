"""Houses never seen before are walked through (60 frames of 320 x 240, voxels of 3 cm) and remembered with each
encoder; then the memory is asked for what was seen with 300 pixels in one frame at least, by category, colour, and
both, and with crops of things as another camera sees them. An answer is right when its first hit lies within 0.5 m of
the box of a right instance (in a house that is 2 to 3 % of the surface); "on it" when it lies on one, as the frames
of its evidence show it. `best guess`: the first hit at the highest cosine at which there is one, refusing nothing;
`as shipped`: the answer of `query` with the calibration that belongs to the encoder, where nothing found counts as
wrong. Chance: the share of the surface seen that lies as near; of several of its kind, things of one category that
look different, it is the share of right ones. Intervals are 95 % over houses drawn again; --trained names artefacts
of several training seeds, whose means are the runs of the claims."""

from __future__ import annotations

import argparse
import functools
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import map_cases as cases
import numpy as np
import region_cases
from common import SEED, Bench, Wanted
from region_cases import bootstrap

from sim.house import make_house
from sim.tasks.naming import SPLIT_SHA256, houses
from sim.tasks.naming.frozen import house_config
from spatialmem.cli.calibration_crops import absent_crops, house_of
from spatialmem.cli.calibration_walks import Walk, walks
from spatialmem.perception import load_encoder
from spatialmem.types import Hit

HOUSES, QUICK_HOUSES = 12, 2
ABSENT = "a crop of a kind that is not there: answered"
_SEVERAL = "of several of its kind"
Found = dict[tuple[str, str], list[list[cases.Asked]]]
"""(way, kind) -> house -> questions"""


def options(parser: argparse.ArgumentParser) -> None:
    """Which encoders."""
    parser.add_argument("--trained", nargs="*", default=["tiny"], help="encoders, one a training seed")
    parser.add_argument("--others", nargs="*", default=["colours"], help="encoders to compare with")
    parser.add_argument("--houses", type=int, default=HOUSES, help="of the test split")


def judge(bench: Bench, spec: str, count: int) -> Found:
    """Walk, ask, judge."""
    asking, found = cases.Asking(load_encoder(spec)), Found()
    ways = (cases.BEST_GUESS, cases.SHIPPED) if asking.calibrated else (cases.BEST_GUESS,)
    for number, walk in enumerate(walks(houses("test", count), asking, seed=SEED)):
        house, surface_m = house_of(walk), cases.surface_of(walk)
        for way in ways:
            ask = functools.partial(first, walk, asking, way)
            for asked in (
                *cases.by_text(walk, house, surface_m, lambda text, ask=ask: ask(text=text)),
                *cases.by_image(walk, house, surface_m, lambda image, ask=ask: ask(image=image)),
            ):
                found.setdefault((way, asked.kind), [[] for _ in range(count)])[number].append(asked)
            if way == cases.SHIPPED:
                of_next = absent_crops(walk, house, make_house(house.seed + 1, house_config()))
                answered = [ask(image=crop.rgb) is not None for crop in of_next]
                found.setdefault((way, ABSENT), [[] for _ in range(count)])[number] += [
                    cases.Asked(ABSENT, answer, answer, 0.0) for answer in answered
                ]
        bench.progress(f"{spec}: house {number + 1} of {count}")
    return found


def first(walk: Walk, asking: cases.Asking, way: str, **asked: Any) -> Hit | None:
    """The first hit of a question."""
    return asking.first(way, lambda: walk.memory.query(**asked, top=1))


def percent(questions: list[list[cases.Asked]], of: Callable[[cases.Asked], float]) -> str:
    """Mean and interval over houses."""
    values = [[float(of(asked)) for asked in house] for house in questions]
    mean, low, high = bootstrap(values, np.random.default_rng(SEED))
    return f"{100 * mean:.1f} ({100 * low:.1f} .. {100 * high:.1f})"


def mean(found: Found, way: str, kinds: tuple[str, ...]) -> float:
    """Per cent of all questions of some kinds whose first hit lies near."""
    houses_asked = [house for kind in kinds for house in found.get((way, kind), [])]
    return 100.0 * float(np.mean([asked.near for house in houses_asked for asked in house]))


def report(bench: Bench, by_encoder: dict[str, Found], trained: list[str]) -> None:
    """Claims, and a table of all."""
    both = ("colour and category", cases.NEVER)
    claims = {"colour and category": both, "category": ("category",), "a crop, of several of its kind": (_SEVERAL,)}
    for (what, kinds), way in itertools.product(claims.items(), (cases.BEST_GUESS, cases.SHIPPED)):
        aim = Wanted(aim=85.0, sense="at least") if kinds == both and way == cases.BEST_GUESS else Wanted()
        runs = [mean(by_encoder[spec], way, kinds) for spec in trained if (way, kinds[0]) in by_encoder[spec]]
        if runs:
            bench.claim(f"first hit within 0.5 m, {way}: {what}", runs, "%", aim)
    rows = [
        [spec, way, kind, sum(map(len, questions)), percent(questions, lambda a: a.near),
         percent(questions, lambda a: a.on), f"{100 * np.mean([a.chance for h in questions for a in h]):.1f}"]
        for spec, found in by_encoder.items() for (way, kind), questions in found.items()
    ]  # fmt: skip
    columns = ["encoder", "way", "asked for", "questions", "within 0.5 m, %", "on it, %", "chance, %"]
    bench.table("first hits", columns, rows)


def main() -> None:
    parts = [Path(cases.__file__), Path(region_cases.__file__)]
    bench = Bench(__file__, "Text and image to object, through the fused map", __doc__, options, parts)
    bench.detail("split_sha256", SPLIT_SHA256)
    count = QUICK_HOUSES if bench.quick else bench.options.houses
    trained = list(bench.options.trained)
    found = {spec: judge(bench, spec, count) for spec in dict.fromkeys([*trained, *bench.options.others])}
    bench.detail("encoders", {spec: load_encoder(spec).fingerprint for spec in found})
    report(bench, found, trained)
    bench.finish()


if __name__ == "__main__":
    main()
