"""Answers without a server: prepared ones, and kept ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import final

from policies.planner.cache import AnswerCache, request_key
from policies.planner.errors import PlannerError, ReplayMiss
from policies.planner.settings import VlmSettings
from policies.planner.vlm import Reply, Request, Vlm, estimate
from spatialmem.checks import described
from spatialmem.errors import InvalidValue

_SIDE_PX = 512


@final
class ScriptedVlm(Vlm):
    """Gives the answers of a list one after another, or what a function makes of the request."""

    def __init__(self, answers: Sequence[str | Exception] | Callable[[Request], str]) -> None:
        """`answers`: an exception among them is raised when its turn comes."""
        super().__init__()
        if isinstance(answers, str):
            raise InvalidValue(f"answers are a list, or a function of the request; given {described(answers)}")
        self._answers = answers if callable(answers) else list(answers)
        self.requests: list[Request] = []
        """what it was asked, in order"""

    def identity(self) -> Mapping[str, str]:
        return {"model": "scripted", "image_policy": "not sent"}

    def _answer(self, request: Request) -> Reply:
        self.requests.append(request)
        text = self._next(request)
        return Reply(text, *estimate(request, text, _SIDE_PX), estimated=True, finish="stop")

    def _next(self, request: Request) -> str:
        if not isinstance(self._answers, list):
            return self._answers(request)
        number = len(self.requests)
        if number > len(self._answers):
            raise PlannerError(f"the script has {len(self._answers)} answers and was asked for another; give more")
        answer = self._answers[number - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


@final
class ReplayVlm(Vlm):
    """Gives the answers that `VlmClient` kept under the same settings, and asks nobody."""

    def __init__(self, settings: VlmSettings) -> None:
        """`settings`: with the folder of answers, `cache`."""
        super().__init__()
        if settings.cache is None or not settings.cache.is_dir():
            raise InvalidValue(
                f"settings.cache is the folder of kept answers; given {described(settings.cache)}, which is no folder; "
                "run once with VlmClient and that cache"
            )
        self._settings, self._cache = settings, AnswerCache(settings.cache)

    def identity(self) -> Mapping[str, str]:
        return self._settings.identity()

    def _answer(self, request: Request) -> Reply:
        key = request_key(request, self._settings)
        kept = self._cache.get(key)
        if kept is None:
            raise ReplayMiss(
                f"no kept answer {key} in {self._cache.folder}: prompt, pictures, model or settings differ from those "
                "of the run that kept them; run that with VlmClient and the same cache"
            )
        return kept
