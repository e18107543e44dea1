"""What calls have taken, a limit to that, and a line for each in a log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, final

from policies.planner.errors import CapReached
from policies.planner.settings import VlmSettings
from policies.planner.vlm import Reply


@final
class Ledger:
    """Counts what is spent since it was made. Kept answers cost nothing."""

    def __init__(self, settings: VlmSettings) -> None:
        self._settings = settings
        self.tokens = 0
        """in and out"""
        self.cost_usd = 0.0

    def check(self) -> None:
        """`CapReached` when what may be spent is spent. The last call may have gone beyond it."""
        caps = self._settings
        if caps.cap_tokens is not None and self.tokens >= caps.cap_tokens:
            raise CapReached(
                f"{self.tokens} tokens are spent, {caps.cap_tokens} were allowed; raise cap_tokens to go on"
            )
        if caps.cap_usd is not None and self.cost_usd >= caps.cap_usd:
            raise CapReached(
                f"{self.cost_usd:.4f} USD are spent, {caps.cap_usd:g} were allowed; raise cap_usd to go on"
            )

    def add(self, reply: Reply) -> None:
        """Count an answer that was not kept before."""
        self.tokens += reply.tokens_in + reply.tokens_out
        self.cost_usd += reply.cost_usd

    def note(self, **line: Any) -> None:
        """Write a line to the log, where there is one, with the sums so far."""
        path = self._settings.log
        if path is not None:
            _append(path, line | {"sum_tokens": self.tokens, "sum_usd": round(self.cost_usd, 6)})


def _append(path: Path, line: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:  # one short write: lines of several processes do not mix
        file.write(json.dumps(line) + "\n")
