"""A floor for question answering: the commonest answer to the kind of question, without a look at the scene."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import final

from policies.agents.eqa_training import KindOfQuestion, train_questions
from policies.agents.without_look import WithoutLook


@final
class Majority(WithoutLook):
    """Answers at once. It judges by words which kind a question is of; what is common it knows from train houses."""

    def __init__(self) -> None:
        questions = train_questions()
        self._kinds = KindOfQuestion(questions)
        self._answers: dict[str, Counter[str]] = defaultdict(Counter)
        for q in questions:
            self._answers[q.kind][q.answer] += 1

    def answer(self, question: str, choices: tuple[str, ...] = ()) -> str:
        """The commonest answer, among the choices where there are any; of equally common ones the first."""
        common = self._answers[self._kinds.of(question)]
        if choices:
            return max(choices, key=lambda c: common[c])
        return max(sorted(common), key=lambda a: common[a])
