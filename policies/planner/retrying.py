"""Trying again, where that may help: ever longer pauses, some chance in them, and what the server asks for."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar, final

from policies.planner.errors import VlmDown, VlmRefused
from policies.planner.settings import VlmSettings

Answer = TypeVar("Answer")


@dataclass(eq=False)
class Fault(Exception):
    """A try that came to nothing, told by a transport."""

    said: str
    """what happened, in a line"""
    status: int | None = None
    """of HTTP; None where nothing came back"""
    retry_after_s: float | None = None
    """the pause that the server asks for"""

    @property
    def passing(self) -> bool:
        """It may be over soon: nothing came back, the server is overloaded (429) or fails (5xx)."""
        return self.status is None or self.status in (408, 429) or self.status >= 500

    @property
    def refuses_form(self) -> bool:
        """The server understood the request and does not take it as it is."""
        return self.status in (400, 422)


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """The pause that a server asks for: a number of seconds, or a date. `now_s`: since the epoch."""
    given = headers.get("retry-after")
    if given is None:
        return None
    try:
        seconds = float(given)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(given).timestamp() - now_s
        except (TypeError, ValueError, OverflowError):
            return None
    return max(0.0, seconds) if seconds == seconds else None


@final
class Retrying:
    """Calls until there is an answer, a fault that does not pass, or no try left."""

    def __init__(self, settings: VlmSettings, sleep: Callable[[float], None]) -> None:
        self._settings, self._sleep = settings, sleep
        self._chance = random.Random(settings.seed)
        self.tries = 0
        """of the last call"""

    def call(self, once: Callable[[], Answer]) -> Answer:
        """What `once` returns; `VlmDown` or `VlmRefused` when it raises `Fault` to the end. Faults of form pass on."""
        self.tries = 0
        while True:
            self.tries += 1
            try:
                return once()
            except Fault as fault:
                if fault.refuses_form:
                    raise
                if not fault.passing:
                    raise refusal(fault, self._settings) from fault
                self._sleep(self._pause_s(fault))

    def _pause_s(self, fault: Fault) -> float:
        """Before the next try; `VlmDown` where there is none."""
        settings, asked_s = self._settings, fault.retry_after_s or 0.0
        where = f"{settings.shown_url} did not answer"
        if self.tries > settings.retries:
            raise VlmDown(
                f"{where} in {self.tries} tries: {fault.said}; is the server up, and base_url its address with /v1?"
            ) from fault
        if asked_s > settings.longest_wait_s:
            raise VlmDown(
                f"{where}: {fault.said}; it asks to wait {asked_s:.0f} s, longest_wait_s={settings.longest_wait_s:g}"
            ) from fault
        pause_s = settings.backoff_s * 2.0 ** (self.tries - 1) * self._chance.uniform(0.5, 1.0)
        return max(asked_s, min(pause_s, settings.longest_wait_s))


def refusal(fault: Fault, settings: VlmSettings) -> VlmRefused:
    """The error for a fault that does not pass."""
    return VlmRefused(f"{settings.shown_url}: {fault.said}; {_advice(fault, settings)}")


def _advice(fault: Fault, settings: VlmSettings) -> str:
    if fault.status in (401, 403):
        return f"put a valid key into the environment variable {settings.api_key_env}"
    if fault.status == 404:
        return f"does the server list the model {settings.model!r}, and does base_url end in /v1?"
    if fault.status == 413:
        return "the request is too large: lower image_side_px, or show less"
    return "the message says what the server wants"
