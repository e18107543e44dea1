"""A vision-language model as a planner sees it: a request of texts and pictures goes in, a text comes out.

Members of the interface: `VlmClient` (a server), `ScriptedVlm` (prepared answers), `ReplayVlm` (kept answers).
"""

from __future__ import annotations

import abc
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from policies.planner.errors import PlannerError
from spatialmem.checks import described
from spatialmem.errors import InvalidValue

_CHARACTERS_A_TOKEN = 4
_PIXELS_A_TOKEN = 750
"""rough figures, for servers that do not say what a request took"""
_COUNTED: tuple[str, ...] = ("calls", "cached", "images", "tokens", "cost_usd")


@dataclass(frozen=True, eq=False)
class Picture:
    """A part of a message."""

    rgb: NDArray[np.uint8]
    """(H, W, 3); it is made smaller where it is sent"""

    def __post_init__(self) -> None:
        rgb = self.rgb
        if (
            not isinstance(rgb, np.ndarray)
            or rgb.dtype != np.uint8
            or rgb.ndim != 3
            or rgb.shape[2] != 3
            or not rgb.size
        ):
            raise InvalidValue(f"a picture is uint8 (H, W, 3); given {described(rgb)}")


@dataclass(frozen=True, eq=False)
class Message:
    """Who speaks, and what: texts and pictures in order."""

    role: Literal["system", "user"]
    parts: tuple[str | Picture, ...]


@dataclass(frozen=True, eq=False)
class Request:
    """All that a model is given for one answer."""

    messages: tuple[Message, ...]
    schema: Mapping[str, Any] | None = None
    """JSON schema that the answer is to follow; servers that cannot hold a model to it are asked for less"""

    @property
    def texts(self) -> tuple[str, ...]:
        """Of all messages, in order."""
        return tuple(part for message in self.messages for part in message.parts if isinstance(part, str))

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Of all messages, in order."""
        return tuple(part for message in self.messages for part in message.parts if isinstance(part, Picture))


@dataclass(frozen=True)
class Reply:
    """What came back, and what it took."""

    text: str
    tokens_in: int = 0
    tokens_out: int = 0
    estimated: bool = False
    """the server did not say how many tokens: they were reckoned from lengths and sizes"""
    cost_usd: float = 0.0
    """that was spent now; 0 for an answer that was kept"""
    images: int = 0
    cached: bool = False
    """it is an answer given earlier to the same request"""
    finish: str = ""
    """why the model ended: "stop", "length" ..., as the server says it"""


def estimate(request: Request, text: str, side_px: int) -> tuple[int, int]:
    """Tokens in and out, roughly, with pictures whose longer side is at most `side_px`."""
    tokens = sum(math.ceil(len(part) / _CHARACTERS_A_TOKEN) for part in request.texts)
    for picture in request.pictures:
        height, width = picture.rgb.shape[:2]
        scale = min(1.0, side_px / max(height, width))
        tokens += math.ceil(height * width * scale * scale / _PIXELS_A_TOKEN)
    return tokens, math.ceil(len(text) / _CHARACTERS_A_TOKEN)


class Vlm(abc.ABC):
    """Answers requests. One thread at a time; a context manager."""

    def __init__(self) -> None:
        self._open = True
        self._counts: dict[str, float] = dict.fromkeys(_COUNTED, 0.0)

    @final
    def ask(self, request: Request) -> Reply:
        """The answer, with what it took.

        Raises:
            VlmError: there was none; `VlmDown`, `VlmRefused` or `VlmGarbled` say why.
            CapReached: what may be spent is spent.
            ReplayMiss: only kept answers may be given, and this one is not among them.
        """
        if not self._open:
            raise PlannerError(f"this {type(self).__name__} was closed; make another one")
        reply = replace(self._answer(request), images=len(request.pictures))
        taken = (1, reply.cached, reply.images, reply.tokens_in + reply.tokens_out, reply.cost_usd)
        for name, amount in zip(self._counts, taken, strict=True):
            self._counts[name] += amount
        return reply

    @abc.abstractmethod
    def _answer(self, request: Request) -> Reply: ...

    @abc.abstractmethod
    def identity(self) -> Mapping[str, str]:
        """What its answers depend on: "model", "image_policy" ...; the same for a server and for its kept answers."""

    @final
    def usage(self) -> Mapping[str, float]:
        """Since it was made: "calls", "cached" (of those), "images", "tokens", "cost_usd"."""
        return dict(self._counts)

    @final
    def close(self) -> None:
        """Give back what is held; more than once does no harm. Nothing can be asked after it."""
        if self._open:
            self._open = False
            self._release()

    def _release(self) -> None:  # noqa: B027 - most hold nothing
        pass

    def __enter__(self) -> Vlm:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()
