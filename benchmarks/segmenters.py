"""Things found in single frames of held-out houses, against their true masks. Frames are 256 x 256, 90 degrees wide:
walks, views of single things, close-ups, in pairs; once with exact depth and once with that of a structured-light
camera (`sim.house.sensors.DepthNoise`). A thing is asked for when 60 pixels of it or more are in sight; walls, floors
and ceilings are no things, and detections of doors, windows and stairs are neither right nor wrong. Recall: share of
things that some detection fits with an IoU of 0.5 or more. Precision: share of detections that so fit some thing. The
peer, `breaks alone`, is what depth edges give by themselves: connected pixels whose depth differs by less than 5 cm or
5 % from pixel to pixel. `regions` has the features of the encoder `tiny`, `no features` none. Milliseconds are of
processor time, all threads together, of `segment` alone, one frame after the other, the sides in turn; 640 x 480 is the
same frames made as large. Intervals are 95 % over houses drawn again."""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from common import SEED, Bench, Wanted, alternate, cell

from policies.training.encoder import held_out
from policies.training.regions import cases as made
from policies.training.regions.cases import Case, Score, cases, score
from sim.house.sensors import DepthNoise
from spatialmem.perception import Encoding, load_encoder
from spatialmem.perception.segmenter import load_segmenter
from spatialmem.things import Detection

VIEWS, QUICK_VIEWS = (6, 3, 2), (2, 1, 1)
"""pairs of walks, looks and close-ups"""
HOUSES, QUICK_HOUSES = 20, 2
TIMED = 40
Side = Callable[[Case, Encoding | None], Sequence[Detection]]
Scores = list[list[tuple[Case, Score]]]
"""house -> frames"""


def options(parser: argparse.ArgumentParser) -> None:
    """Which houses."""
    parser.add_argument("--split", default="test", help="test, or train while choices are made")
    parser.add_argument("--skip", type=int, default=0, help="houses of the split left out at its start")


def breaks_alone(case: Case, encoding: Encoding | None) -> list[Detection]:
    """Connected pixels between depth edges."""
    z = case.frame.depth_m
    assert z is not None
    inside = np.isfinite(z)
    for axis in (0, 1):
        step = np.abs(np.diff(z, axis=axis))
        near = np.minimum(z[1:], z[:-1]) if axis == 0 else np.minimum(z[:, 1:], z[:, :-1])
        before = inside[:-1] if axis == 0 else inside[:, :-1]
        before &= step <= np.maximum(0.05, 0.05 * near)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(inside.astype(np.uint8), connectivity=4)
    return [Detection(labels == i) for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] >= 30]


def regions(case: Case, encoding: Encoding | None) -> Sequence[Detection]:
    """The segmenter of this package."""
    return load_segmenter("regions").segment(case.frame, encoding)


def without_features(case: Case, encoding: Encoding | None) -> Sequence[Detection]:
    """The same, of a frame that is not encoded."""
    return load_segmenter("regions").segment(case.frame, None)


SIDES: dict[str, Side] = {
    "regions": regions, "regions, no features": without_features, "breaks alone": breaks_alone,
}  # fmt: skip


def things_of(frames: list[tuple[Case, Score]], wanted: Callable[[Case, int], bool]) -> list[float]:
    """Best IoU of every thing that is asked for."""
    return [iou for case, found in frames for i, iou in found.best.items() if wanted(case, i)]


def interval(values: list[list[float]], scale: float = 100.0) -> str:
    """Mean over all, and 95 % over houses drawn again."""
    rng, sums = np.random.default_rng(SEED), np.array([[sum(v), len(v)] for v in values], float)
    if sums[:, 1].sum() == 0:
        return "none"
    drawn = sums[rng.integers(len(sums), size=(1000, len(sums)))].sum(axis=1)
    low, high = np.percentile(drawn[:, 0] / np.maximum(drawn[:, 1], 1.0), [2.5, 97.5])
    return f"{scale * sums[:, 0].sum() / sums[:, 1].sum():.1f} ({scale * low:.1f} .. {scale * high:.1f})"


CLASSES: dict[str, Callable[[Case, int], bool]] = {
    "all things": lambda case, i: True,
    "furniture": lambda case, i: case.groups[i] == "furniture",
    "small things": lambda case, i: case.groups[i] == "object",
    "60 to 199 pixels": lambda case, i: case.visible()[i] < 200,
    "200 to 999 pixels": lambda case, i: 200 <= case.visible()[i] < 1000,
    "1,000 pixels or more": lambda case, i: case.visible()[i] >= 1000,
    "walks": lambda case, i: case.kind == "walk",
    "views of a thing": lambda case, i: case.kind == "look",
    "close-ups": lambda case, i: case.kind == "close",
}


def recall_table(bench: Bench, title: str, by_side: dict[str, Scores]) -> None:
    """Recall and best IoU by class of things, precision of all."""
    rows: list[list[Any]] = []
    for name, wanted in CLASSES.items():
        found = {side: [things_of(frames, wanted) for frames in scores] for side, scores in by_side.items()}
        count = sum(len(house) for house in next(iter(found.values())))
        right = [interval([[float(v >= made.RIGHT_IOU) for v in house] for house in found[s]]) for s in found]
        rows.append([name, count, *right, *(interval(found[s]) for s in found)])
    columns = ["things", "number", *(f"{s}: recall, %" for s in by_side), *(f"{s}: mean best IoU, %" for s in by_side)]
    bench.table(f"{title}: things found", columns, rows)
    rows = []
    for side, scores in by_side.items():
        marks = [[v for _, s in house for v in [1.0] * s.right + [0.0] * s.wrong] for house in scores]
        frames = sum(len(house) for house in scores)
        rows.append([side, round(sum(len(m) for m in marks) / frames, 1), interval(marks)])
    bench.table(f"{title}: detections", ["side", "a frame", "precision, %"], rows)


def claims(bench: Bench, title: str, by_side: dict[str, Scores]) -> None:
    """What is wanted of the segmenter."""
    recall = {}
    for side, scores in by_side.items():
        ious = np.array([iou for house in scores for _, s in house for iou in s.best.values()])
        recall[side] = 100.0 * float(np.mean(ious >= made.RIGHT_IOU))
    bench.claim(f"{title}: recall of things at IoU 0.5", recall["regions"], "%", Wanted(aim=50.0, sense="at least"))
    gain = recall["regions"] - recall["breaks alone"]
    bench.claim(f"{title}: gain over breaks alone", gain, "points", Wanted(must=10.0, sense="at least"))


def speed(bench: Bench, frames: list[Case]) -> None:
    """Milliseconds a frame at both sizes."""
    encoder = load_encoder("tiny")
    large = [replace(case, frame=_enlarged(case)) for case in frames]
    for size, these, limit in (("256 x 256", frames, Wanted(25.0, 12.0)), ("640 x 480", large, Wanted(60.0))):
        encodings = [encoder.encode(case.frame.rgb) for case in these]
        taken = alternate(
            {name: functools.partial(_milliseconds, side, these, encodings) for name, side in SIDES.items()}, bench.runs
        )
        bench.claim(f"`regions`, {size}, a frame", taken["regions"], "ms", limit)
        bench.table(f"{size}: ms a frame", list(taken), [[cell(runs) for runs in taken.values()]])


def _enlarged(case: Case) -> Any:
    frame, size = case.frame, (640, 480)
    rgb = cv2.resize(frame.rgb, size, interpolation=cv2.INTER_LINEAR)
    depth_m = cv2.resize(frame.depth_m, size, interpolation=cv2.INTER_NEAREST)
    return replace(frame, rgb=rgb, depth_m=depth_m, camera=frame.camera.scaled_to(*size))


def _milliseconds(side: Side, frames: list[Case], encodings: list[Encoding]) -> float:
    start = time.process_time()
    for case, encoding in zip(frames, encodings, strict=True):
        side(case, encoding)
    return 1000.0 * (time.process_time() - start) / len(frames)


def main() -> None:
    sources = [Path(made.__file__)]
    bench = Bench(__file__, "Things in single frames of held-out houses", __doc__, options, sources)
    first = bench.options.skip
    seeds = held_out.houses(bench.options.split)[first : first + (QUICK_HOUSES if bench.quick else HOUSES)]
    encoder, timed = load_encoder("tiny"), []
    for title, noise in (("exact depth", None), ("noisy depth", DepthNoise())):
        by_side: dict[str, Scores] = {side: [] for side in SIDES}
        for seed in seeds:
            house = list(cases(seed, *(QUICK_VIEWS if bench.quick else VIEWS), noise=noise))
            encodings = [encoder.encode(case.frame.rgb) for case in house]
            for name, side in SIDES.items():
                pairs = zip(house, encodings, strict=True)
                by_side[name].append([(case, score(case, side(case, encoding))) for case, encoding in pairs])
            timed += house if noise is None else []
        bench.progress(f"{title}: {sum(len(h) for h in by_side['regions'])} frames")
        claims(bench, title, by_side)
        recall_table(bench, title, by_side)
    every = max(1, len(timed) // TIMED)
    speed(bench, timed[::every][:TIMED])
    bench.detail("fingerprint", load_segmenter("regions").fingerprint)
    bench.finish()


if __name__ == "__main__":
    main()
