"""A calibration from walks: the curve from one half of the houses, the score of a hit from the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spatialmem.cli.calibration_crops import Crop, crops_for
from spatialmem.cli.calibration_walks import FRAMES, Fitting, Walk, walks
from spatialmem.perception import CalibratedEncoder, Calibration
from spatialmem.perception.calibration import FittedOn, bank_of
from spatialmem.perception.calibration_fit import (
    Labelled,
    Samples,
    calibration_of,
    error_on,
    fit_curve,
    gathered,
    gathered_above,
    reached_by,
)
from spatialmem.perception.logistic import sigmoid

if TYPE_CHECKING:
    from sim.tasks.naming import Named

HIT_SCORES = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""probabilities from which a region may be a hit; none below one half"""
IMAGE_SHARES = tuple(0.01 * 0.85**n for n in range(32))
"""of all pairs of a picture and a place of the map: the cosines that these reach are those from which a region may be a
hit for a picture"""
_SCORES, _ROUNDING = (0.001, 0.999), 1e-6
"""hit scores of images lie within these, and a little below the curve: where it is flat, rounding must not decide"""
MOST_FALSE = 0.05
"""largest share of absent things that may be answered with something"""
MOST_MISSED = 0.9
"""largest share of present things that a calibration for images may miss; an encoder that needs more has none"""
FALSE_COSTS = 4.0
"""an answer to something absent is as bad as so many present things that are missed"""


@dataclass(frozen=True)
class JudgedHit:
    """A hit against the truth."""

    score: float
    voxels: int
    right: bool | None
    """None: nobody can say"""


@dataclass(frozen=True)
class Outcome:
    """A phrase or picture that a memory of a walk was asked with, and what it answered."""

    scene_id: str
    text: str
    kind: str
    present: bool
    hits: tuple[JudgedHit, ...]

    @property
    def false_answer(self) -> bool:
        """Something was answered, and nothing of the kind is there."""
        return not self.present and len(self.hits) > 0

    @property
    def missed(self) -> bool:
        """It is there, and no hit shows it."""
        return self.present and not any(hit.right for hit in self.hits)

    @property
    def first_wrong(self) -> bool:
        """It is there, and the best hit shows something else."""
        return self.present and len(self.hits) > 0 and self.hits[0].right is False


def outcomes(walk: Walk, encoder: Fitting, top: int = 10) -> list[Outcome]:
    """Every phrase that the encoder understands, asked of the walk's memory, as `query` does it."""
    return [_outcome(walk, named, top) for named, _ in walk.understood(encoder)]


def outcomes_of(walk: Walk, crops: Iterable[Crop], top: int = 10) -> list[Outcome]:
    """The same with pictures."""
    return [_outcome(walk, crop, top) for crop in crops]


def _outcome(walk: Walk, asked: Named | Crop, top: int) -> Outcome:
    if isinstance(asked, Crop):
        text, kind = f"a crop of a {asked.category}", "crop"
        answer = walk.memory.query(image=asked.rgb, top=top)
    else:
        text, kind = asked.text, asked.kind
        box_m = None if asked.box_m is None else np.array(asked.box_m)
        answer = walk.memory.query(text, box_m=box_m, top=top)
    hits = []
    for hit in answer.hits:
        things = walk.things_at(hit)
        right = True if things & asked.true_ids else None if things & asked.unclear_ids else False
        hits.append(JudgedHit(hit.score, hit.voxels, right))
    return Outcome(walk.scene_id, text, kind, asked.present, tuple(hits))


def tried(
    walk: Walk, encoder: Fitting, rising: Sequence[Calibration], asks: Sequence[Named | Crop], top: int = 10
) -> list[list[Outcome]]:
    """Outcomes for each of several calibrations that let less and less through: what one of them leaves without an
    answer has none with the next ones, whose regions lie within its own."""
    found: list[list[Outcome]] = [[] for _ in rising]
    for asked in asks:
        outcome = None
        for calibration, mine in zip(rising, found, strict=True):
            if outcome is None or outcome.hits:
                encoder.take(calibration)
                outcome = _outcome(walk, asked, top)
            mine.append(outcome)
    return found


def false_share(asked: Iterable[Outcome]) -> float:
    """Of absent things, the share answered with something; NaN when none was asked for."""
    absent = [outcome.false_answer for outcome in asked if not outcome.present]
    return float(np.mean(absent)) if absent else float("nan")


def missed_share(asked: Iterable[Outcome]) -> float:
    """Of present things, the share of which no hit was right; NaN when none was asked for."""
    present = [outcome.missed for outcome in asked if outcome.present]
    return float(np.mean(present)) if present else float("nan")


@dataclass(frozen=True, eq=False)
class Candidates:
    """Calibrations of which one is to be chosen, in the order in which they let less and less through."""

    rising: tuple[Calibration, ...]
    samples: tuple[Samples, ...]
    """that each was fitted on"""
    outcomes: tuple[list[Outcome], ...]
    """of each, as far as they were tried"""

    @classmethod
    def for_texts(cls, labelled: Sequence[Labelled], bare: CalibratedEncoder, on: FittedOn) -> Candidates:
        """One curve of cosine and margin, with hits from each of `HIT_SCORES` on."""
        phrases, bank = bank_of(bare)
        samples = gathered(labelled, bank, on.seed)
        curve = fit_curve(samples, with_bank=len(bank) > 0)
        on = _noted(on, labelled, samples)
        rising = tuple(
            calibration_of(curve, samples, hit_score, fitted_for=bare.bare_fingerprint, phrases=phrases, bank=bank,
                           fitted_on=on)
            for hit_score in HIT_SCORES
        )  # fmt: skip
        return cls(rising, (samples,) * len(rising), tuple([] for _ in rising))

    @classmethod
    def for_images(cls, labelled: Sequence[Labelled], bare: CalibratedEncoder, on: FittedOn) -> Candidates:
        """Hits from each of some cosines on, and a curve of the cosine fitted on what reaches it.

        A picture means one thing of many: most of what is like it is another one, and how much of that is right hangs
        on what lies near 1. One curve for all cosines says too much there.
        """
        phrases, bank = bank_of(bare, ())
        rising, all_samples = list[Calibration](), list[Samples]()
        for level in reached_by(labelled, IMAGE_SHARES) if labelled else ():
            samples = gathered_above(labelled, level, on.seed)
            if 0 < samples.truth.sum() < len(samples.truth):
                curve = fit_curve(samples, with_bank=False)
                score = float(np.clip(sigmoid(curve.along(np.array(level))), *_SCORES)) * (1.0 - _ROUNDING)
                made = calibration_of(
                    curve, samples, score, fitted_for=bare.bare_fingerprint, phrases=phrases, bank=bank,
                    fitted_on=_noted(on, labelled, samples),
                )  # fmt: skip
                rising.append(replace(made, min_similarity=level))
                all_samples.append(samples)
        return cls(tuple(rising), tuple(all_samples), tuple([] for _ in rising))

    def note(self, more: Sequence[list[Outcome]]) -> None:
        """What each of them answered to further questions."""
        for mine, some in zip(self.outcomes, more, strict=True):
            mine += some

    def best(self) -> Calibration:
        """The one that errs least, and what it was seen to do."""
        false, missed = ([share(mine) for mine in self.outcomes] for share in (false_share, missed_share))
        n = chosen_index(false, missed)
        best = self.rising[n]
        told = replace(
            best.fitted_on, ece=error_on(best, self.samples[n]), false_answers=false[n], missed=missed[n]
        )  # fmt: skip
        return replace(best, fitted_on=told)


def _noted(on: FittedOn, labelled: Sequence[Labelled], samples: Samples) -> FittedOn:
    return replace(on, questions=len(labelled), samples=len(samples.truth), true_samples=int(samples.truth.sum()))


def fitted(
    bare: CalibratedEncoder, scene_ids: Sequence[str], split_sha256: str, *, frames: int = FRAMES, seed: int = 0,
    progress: Callable[[int], bool] = lambda done: False,
) -> Calibration | None:  # fmt: skip
    """The calibration of an encoder for texts and for images, from houses of the split "fit", at least two of them.

    progress: told how many houses are done after each; True from it stops, and there is no calibration.
    """
    bare = bare.with_calibration(None)
    half, encoder = (len(scene_ids) + 1) // 2, Fitting(bare)
    of_texts, of_images = list[Labelled](), list[Labelled]()
    for done, walk in enumerate(walks(scene_ids[:half], encoder, frames, seed), start=1):
        of_texts += walk.labelled(encoder)
        of_images += walk.labelled_for(crops_for(walk), encoder)
        if progress(done):
            return None
    on = FittedOn(split_sha256, tuple(scene_ids), 0, 0, 0, seed, 0.0, 0.0, 0.0)
    texts, images = Candidates.for_texts(of_texts, bare, on), Candidates.for_images(of_images, bare, on)
    with_images = [replace(texts.rising[0], images=calibration) for calibration in images.rising]
    for done, walk in enumerate(walks(scene_ids[half:], encoder, frames, seed), start=half + 1):
        texts.note(tried(walk, encoder, texts.rising, [named for named, _ in walk.understood(encoder)]))
        images.note(tried(walk, encoder, with_images, list(crops_for(walk))))
        if progress(done):
            return None
    return replace(texts.best(), images=useful(images))


def useful(images: Candidates) -> Calibration | None:
    """The best calibration for images; None where it answers too much that is absent or too little that is there: the
    bare encoder is better than one that never answers, and than a threshold that does not keep what it is for."""
    if not images.rising:
        return None
    best = images.best()
    keeps = not best.fitted_on.false_answers > MOST_FALSE and best.fitted_on.missed <= MOST_MISSED
    return best if keeps else None


def chosen_index(false_shares: Sequence[float], missed_shares: Sequence[float]) -> int:
    """Which of the candidates: of those that keep `MOST_FALSE` the one that errs least, false answers weighing
    `FALSE_COSTS`; where none keeps it, the first with fewest."""
    false, missed = (np.nan_to_num(np.asarray(v, np.float64), nan=0.0) for v in (false_shares, missed_shares))
    keeps = false <= MOST_FALSE
    errs = missed + FALSE_COSTS * false
    return int(np.argmin(np.where(keeps, errs, np.inf) if keeps.any() else false))
