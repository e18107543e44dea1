"""A model behind any server that speaks OpenAI's chat completions: vLLM, Ollama, llama.cpp, hosted ones."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, final

from policies.planner.cache import AnswerCache, request_key
from policies.planner.dialect import Dialect
from policies.planner.errors import VlmError
from policies.planner.ledger import Ledger
from policies.planner.pictures import data_url
from policies.planner.retrying import Fault, Retrying, refusal
from policies.planner.settings import VlmSettings
from policies.planner.transport import Completion, OpenAiTransport, Transport
from policies.planner.vlm import Message, Picture, Reply, Request, Vlm, estimate

_LOG = logging.getLogger(__name__)


@final
class VlmClient(Vlm):
    """Asks a server; keeps answers, counts what they take and stops at the cap, where the settings say so.

    Sends the schema of an answer first; a server that refuses that is asked more simply from then on (`Dialect`).
    """

    def __init__(
        self,
        settings: VlmSettings,
        *,
        transport: Transport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect, and see that the server is there (GET /models).

        Args:
            settings: of the model and its server.
            transport: the way to the server; None: the package `openai`, extra [vlm].
            sleep: called with the seconds to wait before another try.
            clock: seconds, for the log.

        Raises:
            MissingDependency: `openai` is not installed.
            VlmError: the server is not there; the message names its address.
        """
        super().__init__()
        self._settings, self._clock = settings, clock
        self._transport = OpenAiTransport(settings) if transport is None else transport
        self._retrying = Retrying(settings, sleep)
        self._dialect, self._ledger = Dialect(), Ledger(settings)
        self._cache = None if settings.cache is None else AnswerCache(settings.cache)
        if settings.health_check:
            self._check_health()

    def identity(self) -> Mapping[str, str]:
        return self._settings.identity()

    def _check_health(self) -> None:
        try:
            listed = self._retrying.call(self._transport.models)
        except Fault as fault:
            self.close()
            raise refusal(fault, self._settings) from fault
        except VlmError:
            self.close()
            raise
        if listed and self._settings.model not in listed:  # llama.cpp answers to any name
            _LOG.warning("%s lists %s, not %r", self._settings.shown_url, ", ".join(listed[:10]), self._settings.model)

    def _answer(self, request: Request) -> Reply:
        key = request_key(request, self._settings)
        kept = None if self._cache is None else self._cache.get(key)
        if kept is not None:
            self._ledger.note(key=key, cached=True)
            return kept
        self._ledger.check()
        begun_s = self._clock()
        try:
            reply = self._reply(request, self._completion(request))
        except VlmError as error:
            self._ledger.note(key=key, error=str(error), ms=self._ms(begun_s), tries=self._retrying.tries)
            raise
        self._ledger.add(reply)
        self._ledger.note(key=key, **self._told(request, reply), ms=self._ms(begun_s))
        if self._cache is not None:
            self._cache.put(key, request, reply, self._settings.model)
        return reply

    def _told(self, request: Request, reply: Reply) -> dict[str, Any]:
        return {
            "model": self._settings.model, "tokens_in": reply.tokens_in, "tokens_out": reply.tokens_out,
            "estimated": reply.estimated, "usd": round(reply.cost_usd, 6), "images": len(request.pictures),
            "finish": reply.finish, "form": self._dialect.form, "tries": self._retrying.tries,
        }  # fmt: skip

    def _ms(self, begun_s: float) -> int:
        return round(1000.0 * (self._clock() - begun_s))

    def _completion(self, request: Request) -> Completion:
        settings = self._settings
        body: dict[str, Any] = {
            "model": settings.model,
            "messages": [_sent(message, settings) for message in request.messages],
        }
        if settings.temperature is not None:
            body["temperature"] = settings.temperature
        try:
            return self._dialect.ask(
                request.schema,
                settings.max_tokens,
                lambda options: self._retrying.call(lambda: self._transport.complete(body | options)),
            )
        except Fault as fault:
            raise refusal(fault, settings) from fault

    def _reply(self, request: Request, completion: Completion) -> Reply:
        tokens_in, tokens_out = completion.tokens_in, completion.tokens_out
        roughly_in, roughly_out = estimate(request, completion.text, self._settings.image_side_px)
        known = tokens_in is not None and tokens_out is not None
        tokens_in = roughly_in if tokens_in is None else tokens_in
        tokens_out = roughly_out if tokens_out is None else tokens_out
        cost_usd = self._settings.cost_usd(tokens_in, tokens_out)
        return Reply(completion.text, tokens_in, tokens_out, not known, cost_usd, finish=completion.finish)

    def _release(self) -> None:
        self._transport.close()


def _sent(message: Message, settings: VlmSettings) -> dict[str, Any]:
    """A message as the protocol has it; one that is a single text as that text, which every server takes."""
    if len(message.parts) == 1 and isinstance(message.parts[0], str):
        return {"role": message.role, "content": message.parts[0]}
    return {"role": message.role, "content": [_part(part, settings) for part in message.parts]}


def _part(part: str | Picture, settings: VlmSettings) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    image = {"url": data_url(part.rgb, settings.image_side_px, settings.jpeg_quality)}
    if settings.detail != "auto":  # what is not sent is not refused
        image["detail"] = settings.detail
    return {"type": "image_url", "image_url": image}
