"""A floor for question answering: the answer to the nearest question of a train house, without a look at the scene."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from typing import final

from policies.agents.eqa_training import KindOfQuestion, train_questions, words_of
from policies.agents.without_look import WithoutLook

_NEAREST = 25
"""train questions that vote, weighted by likeness"""


@final
class Blind(WithoutLook):
    """Answers at once, from the question's text alone.

    Likeness is the cosine between words weighted by rarity (tf-idf), among train questions of the kind that the words
    suggest; the nearest vote for their answers.
    """

    def __init__(self) -> None:
        questions = train_questions()
        self._kinds = KindOfQuestion(questions)
        seen = Counter(w for q in questions for w in set(words_of(q.text)))
        self._rarity = {w: math.log(len(questions) / n) for w, n in seen.items()}
        self._known: dict[str, list[tuple[dict[str, float], str]]] = defaultdict(list)
        for q in questions:
            self._known[q.kind].append((self._weights(q.text), q.answer))

    def answer(self, question: str, choices: tuple[str, ...] = ()) -> str:
        """What the nearest train questions say, among the choices where there are any."""
        asked = self._weights(question)
        known = self._known[self._kinds.of(question)]
        scored = sorted(((_likeness(asked, words), answer) for words, answer in known), reverse=True)
        if choices:
            scored = [(likeness, answer) for likeness, answer in scored if answer in choices]
        votes: dict[str, float] = dict.fromkeys(choices, 0.0)
        for likeness, answer in scored[:_NEAREST]:
            votes[answer] = votes.get(answer, 0.0) + likeness
        return max(votes, key=lambda a: votes[a]) if votes else ""

    def _weights(self, text: str) -> dict[str, float]:
        raw = {w: n * self._rarity.get(w, 0.0) for w, n in Counter(words_of(text)).items()}
        norm = math.sqrt(sum(v * v for v in raw.values())) or 1.0
        return {w: v / norm for w, v in raw.items() if v > 0.0}


def _likeness(a: dict[str, float], b: dict[str, float]) -> float:
    small, large = (a, b) if len(a) < len(b) else (b, a)
    return sum(v * large.get(w, 0.0) for w, v in small.items())
