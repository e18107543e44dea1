"""A planner that shows the memory to a vision-language model and does what it says, as far as that can be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from policies.planner.errors import NotInContext, ParseFailure, PlannerDown, VlmError
from policies.planner.parsing import read
from policies.planner.planner import Decision, Planner
from policies.planner.prompt import again, prompt_sha256, request_of
from policies.planner.settling import settled
from policies.planner.vlm import Reply, Request, Vlm
from spatialmem.checks import described
from spatialmem.errors import InvalidValue
from spatialmem.retrieval.context import Context

_TRIES = 2
"""answers that cannot be used before it is given up"""
_COUNTED: tuple[str, ...] = ("calls", "cached", "images", "tokens", "cost_usd", "parse_failures", "refused")


@final
class VlmPlanner(Planner):
    """Asks a model for each decision; once more, with what was wrong, when its answer cannot be used.

    A bad answer is never an error: after the second one the decision is "unknown". The model is closed with it.
    """

    def __init__(self, vlm: Vlm) -> None:
        self._vlm = vlm
        self.reset()

    @property
    def sees(self) -> bool:
        return True

    def decide(self, context: Context, *, choices: tuple[str, ...] = (), asks: bool) -> Decision:
        """What the model says to do; `PlannerDown` when it says nothing, `CapReached` when it may not be asked."""
        _check_choices(choices)
        request = asked = request_of(context, choices, asks=asks)
        why = ""
        for _ in range(_TRIES):
            reply = self._ask(asked)
            try:
                return settled(read(reply.text), context, choices, asks=asks)
            except ParseFailure as failure:
                why = _why(failure, reply)
                self._count(**{"refused" if isinstance(failure, NotInContext) else "parse_failures": 1})
            asked = again(request, why)
        return Decision("unknown", reason=f"{_TRIES} answers of the model could not be used; the last one: {why}")

    def _ask(self, request: Request) -> Reply:
        try:
            reply = self._vlm.ask(request)
        except VlmError as error:
            raise PlannerDown(str(error)) from error
        tokens = reply.tokens_in + reply.tokens_out
        self._count(calls=1, cached=reply.cached, images=reply.images, tokens=tokens, cost_usd=reply.cost_usd)
        return reply

    def _count(self, **amounts: float) -> None:
        for name, amount in amounts.items():
            self._used[name] += amount

    def reset(self) -> None:
        self._used: dict[str, float] = dict.fromkeys(_COUNTED, 0.0)

    def usage(self) -> Mapping[str, float]:
        """Since `reset`: "calls", "cached" (of those), "images", "tokens", "cost_usd", "parse_failures" (answers that
        could not be read) and "refused" (that named what was not shown)."""
        return dict(self._used)

    def identity(self) -> Mapping[str, str]:
        return {"planner": "vlm", "prompt_sha256": prompt_sha256(), **self._vlm.identity()}

    def close(self) -> None:
        self._vlm.close()


def _check_choices(choices: tuple[str, ...]) -> None:
    if isinstance(choices, str) or not all(isinstance(choice, str) and choice.strip() for choice in choices):
        raise InvalidValue(f"choices are texts, none of them blank; given {described(choices)}")


def _why(failure: ParseFailure, reply: Reply) -> str:
    return f"it was cut off, and {failure}" if reply.finish == "length" else str(failure)
