"""Whether scores are probabilities, and whether absent things are answered with nothing, in houses never seen before.

Every encoder walks through the same houses of the test split, is asked the same phrases as far as it knows their
words, about the house and about each of its rooms (by its box), and answers from the map alone, by its shipped
calibration. Calibration error: voxels of the map that a query scores, at most 400 a question, against what the truth
shows there; and hits against what it shows in their middle. Bins of equal mass. An answer to something absent is
false when it holds any hit; absent is what no frame of the walk shows, nor anything that might be called so. Present
things were seen with 300 pixels in one frame at least; they are missed when no hit shows them. By image: crops of
what was seen well, as another camera sees it, where a thing of the same kind that looks different is neither right
nor wrong; and crops of things of other houses of whose kinds the walk saw nothing; scores by image are not said to be
probabilities. Intervals are 95 % by bootstrap over houses. `bare`: without the calibration.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np
from common import Bench, Wanted

from sim.runner.stats import Interval, clustered_interval
from sim.tasks.naming import SPLIT_SHA256, houses
from spatialmem.cli.calibration_crops import crops_for
from spatialmem.cli.calibration_fitting import Outcome, outcomes, outcomes_of
from spatialmem.cli.calibration_walks import Fitting, walks
from spatialmem.perception import CalibratedEncoder, Encoder, load_encoder
from spatialmem.perception.calibration_fit import Labelled
from spatialmem.perception.reliability import expected_calibration_error, reliability

HOUSES, QUICK_HOUSES = 24, 2
SEED = 20260
ENCODERS = ("colours",)


class Judged:
    """What was found about one encoder, asked by text or by image, house by house."""

    def __init__(self) -> None:
        self.asked: list[Outcome] = []
        self.bare: list[Outcome] = []
        self.scores: list[np.ndarray] = []
        self.truth: list[np.ndarray] = []
        self.scenes: list[str] = []

    def voxels(self) -> tuple[np.ndarray, np.ndarray]:
        """Scores of voxels, and whether they were right."""
        return np.concatenate(self.scores), np.concatenate(self.truth)

    def add(self, scene_id: str, labelled: Sequence[Labelled], encoder: Encoder) -> None:
        """A house."""
        scores, truth = voxels_scored(labelled, encoder)
        self.scores.append(scores)
        self.truth.append(truth)
        self.scenes.append(scene_id)

    def hits(self) -> tuple[np.ndarray, np.ndarray]:
        """Scores of hits that can be judged, and whether they were right."""
        judged = [hit for outcome in self.asked for hit in outcome.hits if hit.right is not None]
        return np.array([hit.score for hit in judged]), np.array([bool(hit.right) for hit in judged])


def judge(bench: Bench, encoder: CalibratedEncoder, count: int) -> tuple[Judged, Judged]:
    """Walk, ask by text and by image, judge."""
    texts, images, asked = Judged(), Judged(), Fitting(encoder)
    for number, walk in enumerate(walks(houses("test", count), asked, seed=SEED), start=1):
        crops = list(crops_for(walk))
        asked.take(encoder.calibration)
        texts.asked += outcomes(walk, asked)
        texts.add(walk.scene_id, walk.labelled(asked), encoder)
        images.asked += outcomes_of(walk, crops)
        images.add(walk.scene_id, walk.labelled_for(crops, encoder), encoder.for_images)
        asked.take(None)
        texts.bare += outcomes(walk, asked)
        images.bare += outcomes_of(walk, crops)
        bench.progress(f"{encoder.name}: house {number} of {count}")
    return texts, images


def voxels_scored(labelled: Sequence[Labelled], encoder: Encoder) -> tuple[np.ndarray, np.ndarray]:
    """Scores and truth of at most 400 voxels a question that its scan lets through."""
    scores, truth, rng = [np.empty(0)], [np.empty(0, bool)], np.random.default_rng(SEED)
    for entry in labelled:
        length = np.linalg.norm(entry.features, axis=1)
        cosine = entry.features @ entry.query / np.where(length > 0, length, 1)
        passing = np.flatnonzero((cosine >= encoder.min_similarity) & entry.judged)
        chosen = rng.choice(passing, min(400, len(passing)), replace=False)
        scores.append(encoder.score(entry.features[chosen], entry.query).astype(np.float64))
        truth.append(entry.truth[chosen])
    return np.concatenate(scores), np.concatenate(truth)


def share(outcomes: Sequence[Outcome], what: str) -> Interval | None:
    """Of absent ("false_answer") or present ("missed", "first_wrong") things, the per cent of which it is so."""
    chosen = [o for o in outcomes if o.present is not (what == "false_answer")]
    if not chosen:
        return None
    return clustered_interval([100.0 * getattr(o, what) for o in chosen], [o.scene_id for o in chosen])


def between(interval: Interval | None) -> str:
    """A share with its interval and count."""
    if interval is None:
        return "none asked"
    low, high = (("?" if v is None else f"{v:.1f}") for v in (interval.low, interval.high))
    return f"{interval.mean:.1f} ({low} .. {high}), {interval.episodes}"


def error_interval(found: Judged) -> str:
    """The calibration error of voxels, resampled by house."""
    rng, draws = np.random.default_rng(0), []
    for _ in range(200):
        picked = rng.integers(len(found.scores), size=len(found.scores))
        draws.append(
            expected_calibration_error(
                np.concatenate([found.scores[i] for i in picked]), np.concatenate([found.truth[i] for i in picked])
            )
        )
    low, high = np.percentile(draws, (2.5, 97.5))
    return f"{low:.3f} .. {high:.3f}"


def report(bench: Bench, name: str, found: Judged, probabilities: bool = True) -> None:
    """Claims and tables of one encoder, asked in one way; probabilities: whether its scores are said to be some."""
    most = Wanted(must=0.1) if probabilities else Wanted()
    for what, (scores, truth), note in (
        ("voxels", found.voxels(), f"{error_interval(found)} by house"), ("hits", found.hits(), ""),
    ):  # fmt: skip
        error = expected_calibration_error(scores, truth)
        count = f"{len(scores)} {what}, {100 * truth.mean():.0f} % right" if len(scores) else f"no {what}"
        bench.claim(f"expected calibration error of {what}: {name}", error, "", most, f"{count}; {note}".strip("; "))
        rows = [[row.lowest, row.highest, row.mean_score, row.share_true, row.count]
                for row in reliability(scores, truth)]  # fmt: skip
        bench.table(f"reliability of {what}: {name}", ["from", "to", "mean score", "share true", "count"], rows)
    false = share(found.asked, "false_answer")
    if false is None:
        bench.missing(f"false answers of {name}: nothing absent could be asked")
    else:
        wanted = Wanted(must=5.0, aim=2.0)
        bench.claim(f"absent things answered with something: {name}", false.mean, "%", wanted, between(false))
    rows = []
    for label, asked in ((name, found.asked), (f"{name}, bare", found.bare)):
        for kind in ("all", *dict.fromkeys(o.kind for o in asked)):
            mine = [o for o in asked if kind in ("all", o.kind)]
            rows.append([label, kind, *(between(share(mine, w)) for w in ("false_answer", "missed", "first_wrong"))])
    columns = ["encoder", "asked for", "false answers, %", "missed, %", "best hit wrong, %"]
    bench.table(f"answers, of {len(found.scenes)} houses: {name}", columns, rows)
    bench.detail(f"wrong answers: {name}", [f"{o.scene_id}: {o.text}" for o in found.asked if o.false_answer])


def options(parser: argparse.ArgumentParser) -> None:
    """Which encoders."""
    parser.add_argument("--encoders", nargs="+", default=list(ENCODERS), help="names of calibrated encoders")
    parser.add_argument("--houses", type=int, default=HOUSES, help="of the test split")


def main() -> None:
    bench = Bench(__file__, "Scores as probabilities, and answers to what is absent", __doc__, options)
    bench.detail("split_sha256", SPLIT_SHA256)
    count = QUICK_HOUSES if bench.quick else bench.options.houses
    for name in bench.options.encoders:
        encoder = load_encoder(name)
        if not isinstance(encoder, CalibratedEncoder) or encoder.calibration is None:
            bench.missing(f"{name}: it has no calibration; fit it with: spatialmem calibrate {name}")
            continue
        texts, images = judge(bench, encoder, count)
        report(bench, name, texts)
        if encoder.calibration.images is None:
            bench.missing(f"{name} by image: its calibration is one for texts alone")
        else:
            report(bench, f"{name}, by image", images, probabilities=False)
    bench.finish()


if __name__ == "__main__":
    main()
