"""A calibration from walks: the curve from one half of the houses, the score of a hit from the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spatialmem.cli.calibration_walks import FRAMES, Fitting, Walk, walks
from spatialmem.perception import CalibratedEncoder, Calibration
from spatialmem.perception.calibration import FittedOn, bank_of
from spatialmem.perception.calibration_fit import Labelled, calibration_of, error_on, fit_curve, gathered

if TYPE_CHECKING:
    from sim.tasks.naming import Named

HIT_SCORES = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""probabilities from which a region may be a hit; none below one half"""
MOST_FALSE = 0.05
"""largest share of absent things that may be answered with something"""
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
    """A phrase that a memory of a walk was asked, and what it answered."""

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


def _outcome(walk: Walk, named: Named, top: int) -> Outcome:
    hits, box_m = [], None if named.box_m is None else np.array(named.box_m)
    for hit in walk.memory.query(named.text, box_m=box_m, top=top):
        things = walk.things_at(hit)
        right = True if things & named.true_ids else None if things & named.unclear_ids else False
        hits.append(JudgedHit(hit.score, hit.voxels, right))
    return Outcome(walk.scene_id, named.text, named.kind, named.present, tuple(hits))


def tried(walk: Walk, encoder: Fitting, rising: Sequence[Calibration], top: int = 10) -> list[list[Outcome]]:
    """`outcomes` for each of several calibrations of rising hit score and one curve: what one of them leaves without an
    answer has none with the next ones, whose regions lie within its own."""
    found: list[list[Outcome]] = [[] for _ in rising]
    for named, _ in walk.understood(encoder):
        outcome = None
        for calibration, mine in zip(rising, found, strict=True):
            if outcome is None or outcome.hits:
                encoder.take(calibration)
                outcome = _outcome(walk, named, top)
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


def fitted(
    bare: CalibratedEncoder, scene_ids: Sequence[str], split_sha256: str, *, frames: int = FRAMES, seed: int = 0,
    progress: Callable[[int], bool] = lambda done: False,
) -> Calibration | None:  # fmt: skip
    """The calibration of an encoder, from houses of the split "fit", at least two of them.

    progress: told how many houses are done after each; True from it stops, and there is no calibration.
    """
    bare = bare.with_calibration(None)
    phrases, bank = bank_of(bare)
    half, encoder, labelled = (len(scene_ids) + 1) // 2, Fitting(bare), list[Labelled]()
    for done, walk in enumerate(walks(scene_ids[:half], encoder, frames, seed), start=1):
        labelled += walk.labelled(encoder)
        if progress(done):
            return None
    samples = gathered(labelled, bank, seed)
    curve = fit_curve(samples, with_bank=len(bank) > 0)
    on = FittedOn(
        split_sha256, tuple(scene_ids), len(labelled), len(samples.truth), int(samples.truth.sum()), seed, 0.0, 0.0, 0.0
    )
    candidates = [
        calibration_of(curve, samples, hit_score, fitted_for=bare.bare_fingerprint, phrases=phrases, bank=bank,
                       fitted_on=on)
        for hit_score in HIT_SCORES
    ]  # fmt: skip
    asked: list[list[Outcome]] = [[] for _ in candidates]
    for done, walk in enumerate(walks(scene_ids[half:], encoder, frames, seed), start=half + 1):
        for mine, more in zip(asked, tried(walk, encoder, candidates), strict=True):
            mine += more
        if progress(done):
            return None
    chosen = chosen_index([false_share(mine) for mine in asked], [missed_share(mine) for mine in asked])
    best, mine = candidates[chosen], asked[chosen]
    told = replace(on, ece=error_on(best, samples), false_answers=false_share(mine), missed=missed_share(mine))
    return replace(best, fitted_on=told)


def chosen_index(false_shares: Sequence[float], missed_shares: Sequence[float]) -> int:
    """Which of the hit scores: of those that keep `MOST_FALSE` the one that errs least, false answers weighing
    `FALSE_COSTS`; where none keeps it, the first with fewest."""
    false, missed = (np.nan_to_num(np.asarray(v, np.float64), nan=0.0) for v in (false_shares, missed_shares))
    keeps = false <= MOST_FALSE
    errs = missed + FALSE_COSTS * false
    return int(np.argmin(np.where(keeps, errs, np.inf) if keeps.any() else false))
