"""Servers speak one protocol in several dialects: what one of them refuses is said more simply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar, final

from policies.planner.retrying import Fault

Answer = TypeVar("Answer")
Form = Literal["json_schema", "json_object", "plain"]
_FORMS: tuple[Form, ...] = ("json_schema", "json_object", "plain")
_LIMIT, _NEWER_LIMIT = "max_tokens", "max_completion_tokens"


@final
class Dialect:
    """How a server wants to be asked; what it took once is remembered.

    One that does not hold an answer to a schema is asked for any JSON, then for plain text; one that does not know
    `max_tokens` gets `max_completion_tokens`.
    """

    def __init__(self) -> None:
        self.form: Form = "json_schema"
        """the strictest one that the server has not refused"""
        self._limit = _LIMIT

    def ask(self, schema: Mapping[str, Any] | None, limit: int, send: Callable[[dict[str, Any]], Answer]) -> Answer:
        """What `send` returns, called with the options of a request, the strictest ones first.

        Args:
            schema: that the answer is to follow; None: any text.
            limit: on tokens of the answer.
            send: raises `Fault` of status 400 or 422 where the server does not take the options.

        Raises:
            Fault: another one, or the last one when nothing is taken.
        """
        form, name = self.form if schema is not None else "plain", self._limit
        while True:
            try:
                answer = send({name: limit} | _format(form, schema))
            except Fault as fault:
                simpler = _simpler(form, name, fault)
                if simpler is None:
                    raise
                form, name = simpler
            else:
                self._limit = name
                if schema is not None:
                    self.form = form
                return answer


def _simpler(form: Form, name: str, fault: Fault) -> tuple[Form, str] | None:
    if not fault.refuses_form:
        return None
    if name == _LIMIT and _NEWER_LIMIT in fault.said:
        return form, _NEWER_LIMIT
    return None if form == _FORMS[-1] else (_FORMS[_FORMS.index(form) + 1], name)


def _format(form: Form, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    if form == "json_schema":
        told = {"name": "decision", "strict": True, "schema": schema}
        return {"response_format": {"type": form, "json_schema": told}}
    return {"response_format": {"type": form}} if form == "json_object" else {}
