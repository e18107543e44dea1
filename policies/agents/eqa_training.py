"""Questions with answers from train houses in train wordings: all that blind answerers know (tools/eqa_train.py)."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from importlib.resources import files
from typing import final


@dataclass(frozen=True)
class Asked:
    """One question of the train split."""

    kind: str
    text: str
    answer: str
    choices: tuple[str, ...]


@functools.cache
def train_questions() -> tuple[Asked, ...]:
    """All of them, in the order of their houses."""
    data = json.loads(_file())
    return tuple(Asked(kind, text, answer, tuple(choices)) for kind, text, answer, choices in data["questions"])


@functools.cache
def train_questions_sha256() -> str:
    """Of their file."""
    return hashlib.sha256(_file()).hexdigest()


def _file() -> bytes:
    return files("policies.agents").joinpath("eqa_train.json").read_bytes()


def words_of(text: str) -> list[str]:
    """Lower-case words."""
    return re.findall(r"[a-z']+|[0-9]+", text.casefold())


@final
class KindOfQuestion:
    """Which kind a question is of, judged by its words: multinomial naive Bayes over words and pairs of them."""

    def __init__(self, questions: tuple[Asked, ...]) -> None:
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)
        self._prior = Counter(q.kind for q in questions)
        for q in questions:
            self._counts[q.kind].update(_features(q.text))
        self._known = len({f for c in self._counts.values() for f in c})
        self._totals = {kind: sum(c.values()) for kind, c in self._counts.items()}

    def of(self, text: str) -> str:
        """The likeliest kind."""
        features = _features(text)
        return max(sorted(self._counts), key=lambda kind: self._log_likelihood(kind, features))

    def _log_likelihood(self, kind: str, features: list[str]) -> float:
        counts, total = self._counts[kind], self._totals[kind] + 0.1 * self._known
        known = [f for f in features if any(f in c for c in self._counts.values())]
        prior = math.log(self._prior[kind] / self._prior.total())
        return prior + sum(math.log((counts[f] + 0.1) / total) for f in known)


def _features(text: str) -> list[str]:
    words = ["^", *words_of(text)]
    return [*words[1:], *(f"{a} {b}" for a, b in zip(words, words[1:], strict=False))]
