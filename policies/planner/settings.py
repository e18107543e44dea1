"""Which model is asked, how, and what it may cost."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spatialmem.checks import described, finite_number, whole_number
from spatialmem.errors import InvalidValue

HOSTED_URL = "https://api.openai.com/v1"
"""where requests go when nothing else is said"""
_URL_ENV = "OPENAI_BASE_URL"


@dataclass(frozen=True)
class VlmSettings:
    """Of a model behind any server that speaks OpenAI's chat completions."""

    model: str
    """its name, as the server lists it"""
    base_url: str | None = None
    """such as http://localhost:8000/v1; None: $OPENAI_BASE_URL, else OpenAI's own"""
    api_key_env: str = "OPENAI_API_KEY"
    """environment variable that holds the key; servers of your own mostly want none"""
    temperature: float | None = 0.0
    """None: not sent, for models that take none"""
    max_tokens: int = 600
    """of an answer"""
    timeout_s: float = 60.0
    """of one try: without a byte for so long, it is given up"""
    retries: int = 4
    """after the first try, where trying again may help"""
    backoff_s: float = 1.0
    """before the first retry; twice as long before each further one, less up to a half by chance"""
    longest_wait_s: float = 60.0
    """a server that asks for a longer pause is taken to be down"""
    seed: int = 0
    """of the chance in waiting"""
    image_side_px: int = 512
    """longer side of pictures as they are sent; smaller ones stay as they are"""
    jpeg_quality: int = 85
    detail: Literal["auto", "low", "high"] = "auto"
    """how closely the model looks at pictures, where its server has a say in that"""
    usd_per_million_in: float = 0.0
    usd_per_million_out: float = 0.0
    cap_usd: float | None = None
    """no call is begun once so much is spent"""
    cap_tokens: int | None = None
    """no call is begun once so many went in and out"""
    cache: Path | None = None
    """folder of answers, one file each; what is in there is not asked again"""
    log: Path | None = None
    """file that gets a line of JSON for each call"""
    health_check: bool = True
    """ask the server for its models at start; False for servers that have no such list"""

    def __post_init__(self) -> None:
        for name in ("cache", "log"):
            given = getattr(self, name)
            object.__setattr__(self, name, None if given is None else Path(given))
        if not isinstance(self.model, str) or not self.model.strip():
            raise InvalidValue(f"model is a name as the server lists it; given {described(self.model)}")
        if self.detail not in ("auto", "low", "high"):
            raise InvalidValue(f"detail is auto, low or high; given {described(self.detail)}")
        if self.base_url is not None:
            _check_url("base_url", self.base_url)
        for name, (least, most, whole) in _RANGES.items():
            _check_number(name, getattr(self, name), least, most, whole=whole)
        if self.cap_usd is not None and not (self.usd_per_million_in or self.usd_per_million_out):
            raise InvalidValue(
                f"cap_usd={self.cap_usd:g} would never be reached without prices; "
                "give usd_per_million_in and usd_per_million_out, or cap_tokens"
            )

    @property
    def url(self) -> str:
        """Where requests go, without a slash at its end."""
        url = self.base_url or os.environ.get(_URL_ENV) or HOSTED_URL
        _check_url(f"the environment variable {_URL_ENV}", url)
        return url.rstrip("/")

    @property
    def shown_url(self) -> str:
        """The same for people to read, without the user and the password that it may hold."""
        return re.sub(r"//[^/@]*@", "//", self.url)

    @property
    def image_policy(self) -> str:
        """How pictures are sent, in words."""
        return f"longer side at most {self.image_side_px} px, JPEG {self.jpeg_quality}, detail {self.detail}"

    def cost_usd(self, tokens_in: int, tokens_out: int) -> float:
        """Of so many tokens."""
        return (tokens_in * self.usd_per_million_in + tokens_out * self.usd_per_million_out) / 1e6

    def identity(self) -> dict[str, str]:
        """What answers depend on, for the manifest of a run; where the server stands does not belong to it."""
        return {
            "model": self.model,
            "image_policy": self.image_policy,
            "temperature": str(self.temperature),
            "max_tokens": str(self.max_tokens),
        }


_RANGES: dict[str, tuple[float, float, bool]] = {
    "temperature": (0.0, 2.0, False),
    "max_tokens": (1, 1_000_000, True),
    "timeout_s": (0.01, 3600.0, False),
    "retries": (0, 20, True),
    "backoff_s": (0.0, 60.0, False),
    "longest_wait_s": (0.0, 3600.0, False),
    "seed": (0, 2**63, True),
    "image_side_px": (32, 4096, True),
    "jpeg_quality": (10, 100, True),
    "usd_per_million_in": (0.0, 1e6, False),
    "usd_per_million_out": (0.0, 1e6, False),
    "cap_usd": (0.0, 1e9, False),
    "cap_tokens": (0, 10**15, True),
}
_MAY_BE_NONE = ("temperature", "cap_usd", "cap_tokens")


def _check_url(name: str, given: Any) -> None:
    if not isinstance(given, str) or not re.match(r"https?://[^/\s]", given):
        raise InvalidValue(
            f"{name} begins with http:// or https://, as http://localhost:8000/v1; given {described(given)}"
        )


def _check_number(name: str, given: Any, least: float, most: float, *, whole: bool) -> None:
    if given is None and name in _MAY_BE_NONE:
        return
    number = whole_number(given) if whole else finite_number(given)
    if number is None or not least <= number <= most:
        kind = "a whole number" if whole else "a number"
        raise InvalidValue(f"{name} is {kind} from {least:g} to {most:g}; given {described(given)}")
