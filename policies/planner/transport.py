"""The way to a server: one request, one completion, or a `Fault` that says what went wrong."""

from __future__ import annotations

import abc
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

from policies.planner.errors import VlmGarbled
from policies.planner.retrying import Fault, retry_after_s
from policies.planner.settings import HOSTED_URL, VlmSettings
from spatialmem.checks import whole_number
from spatialmem.errors import InvalidValue, require

_SAID_CHARACTERS = 300
_NO_KEY = "none"
"""sent to servers that want no key: the client will not go without one"""


@dataclass(frozen=True)
class Completion:
    """What a server answered."""

    text: str
    """empty where the model said nothing"""
    tokens_in: int | None
    """None where the server does not say"""
    tokens_out: int | None
    finish: str


class Transport(abc.ABC):
    """One try at a time; whoever calls it tries again."""

    @abc.abstractmethod
    def models(self) -> tuple[str, ...]:
        """Names of the models that the server lists; `Fault` or `VlmGarbled` when it does not answer so."""

    @abc.abstractmethod
    def complete(self, body: Mapping[str, Any]) -> Completion:
        """POST /chat/completions with this body; `Fault` or `VlmGarbled` when there is no completion."""

    def close(self) -> None:  # noqa: B027 - some hold nothing
        """Give back connections."""


@final
class OpenAiTransport(Transport):
    """Through the client of the package `openai`; its own retries are off."""

    def __init__(self, settings: VlmSettings) -> None:
        self._openai = require("openai", "vlm")
        self._settings = settings
        self._key = _key(settings)
        self._client = self._openai.OpenAI(
            api_key=self._key, base_url=settings.url, timeout=settings.timeout_s, max_retries=0
        )

    def models(self) -> tuple[str, ...]:
        body = self._body(lambda: self._client.models.with_raw_response.list())
        listed = body.get("data")
        if not isinstance(listed, list):
            raise VlmGarbled(f"{self._settings.shown_url}/models: {_short(body)} is no list of models; {_NOT_THE_API}")
        return tuple(str(entry["id"]) for entry in listed if isinstance(entry, dict) and "id" in entry)

    def complete(self, body: Mapping[str, Any]) -> Completion:
        answered = self._body(lambda: self._client.chat.completions.with_raw_response.create(**body))
        try:
            return completion(answered)
        except (AttributeError, LookupError, TypeError) as error:
            where = f"{self._settings.shown_url}/chat/completions"
            raise VlmGarbled(f"{where}: {_short(answered)} is no chat completion; {_NOT_THE_API}") from error

    def _body(self, call: Callable[[], Any]) -> Mapping[str, Any]:
        with self._faults():
            text = call().http_response.text
        try:
            body = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise VlmGarbled(f"{self._settings.shown_url}: {_short(text)} is no JSON; {_NOT_THE_API}") from error
        if not isinstance(body, dict):
            raise VlmGarbled(f"{self._settings.shown_url}: {_short(body)} is no JSON object; {_NOT_THE_API}")
        return body

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Errors of the client as `Fault`, without the key that a server may repeat."""
        openai = self._openai
        try:
            yield
        except openai.APITimeoutError as error:
            raise Fault(f"nothing came within timeout_s={self._settings.timeout_s:g}") from error
        except openai.APIStatusError as error:
            said = f"HTTP {error.status_code}: {_short(self._without_key(error.message))}"
            raise Fault(said, error.status_code, retry_after_s(error.response.headers, time.time())) from error
        except openai.APIConnectionError as error:
            raise Fault(f"no connection ({_short(error.__cause__ or error)})") from error

    def _without_key(self, text: str) -> str:
        return text if self._key == _NO_KEY else text.replace(self._key, "[key]")

    def close(self) -> None:
        self._client.close()


_NOT_THE_API = "is base_url the address of an OpenAI-compatible server, with /v1?"


def _key(settings: VlmSettings) -> str:
    key = os.environ.get(settings.api_key_env, "").strip()
    if not key and settings.url == HOSTED_URL:
        raise InvalidValue(
            f"no key in the environment variable {settings.api_key_env}; put one there, "
            "or give base_url=... for a server of your own, such as http://localhost:8000/v1"
        )
    if not key.isascii() or not key.isprintable():
        raise InvalidValue(
            f"the key in the environment variable {settings.api_key_env} has characters that no key has; copy it again"
        )
    return key or _NO_KEY


def completion(body: Mapping[str, Any]) -> Completion:
    """A chat completion as servers write it; `AttributeError`, `LookupError` or `TypeError` when it is none."""
    choice = body["choices"][0]
    content = choice["message"].get("content")
    if isinstance(content, list):  # parts, as some servers give them
        content = "".join(str(part.get("text", "")) for part in content)
    if content is not None and not isinstance(content, str):
        raise TypeError("content is no text")
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    return Completion(
        content or "", _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")),
        str(choice.get("finish_reason") or ""),
    )  # fmt: skip


def _count(given: Any) -> int | None:
    number = whole_number(given)
    return number if number is not None and number >= 0 else None


def _short(given: Any) -> str:
    """One line of at most so many characters."""
    line = re.sub(r"[\x00-\x20\x7f-\x9f\s]+", " ", str(given)).strip()
    return line if len(line) <= _SAID_CHARACTERS else line[: _SAID_CHARACTERS - 3] + "..."
