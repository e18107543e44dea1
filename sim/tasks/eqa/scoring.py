"""How answers are scored, as the originals do.

OpenEQA (Majumdar et al. 2024) lets a language model mark an answer from 1 to 5; the score of a set is the mean of
(mark - 1) / 4, marks held within 1 to 5, no answer counting as 0 (facebookresearch/open-eqa, evaluate-predictions.py
and openeqa/evaluation/llm_match.py). For agents that act, its equation 2 weighs this by l / max(l, p): p is what the
agent has gone, l what the reference goes. The paper counts both in steps; 3D-Mem, whose figures are the ones compared
with, in metres, a question without an answer counting as p = inf (yyuncong/3D-Mem-AEQA-Eval, get-scores.py; issue 16
of 3D-Mem). So do we, in metres.
"""

from __future__ import annotations

import abc
import hashlib
import inspect
import math
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path

from sim.errors import InvalidSetting

LOWEST, HIGHEST = 1, 5


class AnswerScorer(abc.ABC):
    """Marks answers, such as a language model with OpenEQA's prompt. None is built in: they need a network."""

    @abc.abstractmethod
    def mark(self, question: str, answer: str, prediction: str, extra_answers: Sequence[str]) -> int:
        """1 (wrong) to 5 (right)."""

    def identity(self) -> Mapping[str, str]:
        """What its marks depend on beside its code, such as the model and its version; runs are held to it."""
        return {}


def identity_of(scorer: AnswerScorer) -> dict[str, str]:
    """Class, hash of the file it stands in and `identity` of a scorer, for manifests."""
    try:
        source = hashlib.sha256(Path(inspect.getfile(type(scorer))).read_bytes()).hexdigest()
    except (OSError, TypeError):  # made where nobody wrote it down
        source = ""
    told = {f"scorer.{name}": value for name, value in scorer.identity().items()}
    return {"scorer": type(scorer).__qualname__, "scorer_code": source, **told}


def llm_match(mark: int) -> float:
    """A mark on OpenEQA's scale of 0 to 1."""
    if isinstance(mark, bool) or not isinstance(mark, Integral):
        raise InvalidSetting(f"a scorer must give a whole number from {LOWEST} to {HIGHEST}; given {mark!r}")
    return (min(max(int(mark), LOWEST), HIGHEST) - LOWEST) / (HIGHEST - LOWEST)


def marked(scorer: AnswerScorer, question: str, answers: Sequence[str], prediction: str) -> float:
    """What a scorer makes of a prediction, 0 to 1; what follows its last full stop is cut off, as OpenEQA does."""
    if not prediction:
        return 0.0
    end = prediction.rfind(".") + 1
    kept = prediction[:end] if 0 < end < len(prediction) else prediction
    return llm_match(scorer.mark(question, answers[0], kept, answers[1:]))


def path_share(gone_m: float, shortest_m: float) -> float:
    """l / max(l, p); 1 where there was nowhere to go and nobody went, 0 where no way is known."""
    longest = max(gone_m, shortest_m)
    if not math.isfinite(longest):
        return 0.0
    return shortest_m / longest if longest > 0.0 else 1.0
