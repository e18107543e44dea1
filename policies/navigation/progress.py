"""Whether a body gets on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

_BETTER_M = 0.1
_LONGER_M, _MOST_LONGER = 1.0, 20
"""a way that turns out to be so much longer is begun anew, so many times"""


@final
@dataclass
class Progress:
    """What was left to go at the best, and for how many ticks it has not become less."""

    patience: int
    _best_m: float = math.inf
    _waited: int = 0
    _longer: int = 0

    def stuck(self, left_m: float) -> bool:
        """Told every tick what is left to go: whether that has not become less for too long."""
        longer = left_m > self._best_m + _LONGER_M and self._longer < _MOST_LONGER
        if left_m < self._best_m - _BETTER_M or longer:
            self._longer += longer
            self._best_m, self._waited = left_m, 0
        self._waited += 1
        return self._waited > self.patience

    def halt(self) -> None:
        """Be patient no more, unless what is left has become less."""
        self._waited = self.patience

    def again(self) -> None:
        """Something was done about it: be as patient as at first."""
        self._best_m, self._waited = math.inf, 0
