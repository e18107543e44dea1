"""Encoders that take a calibration: score, thresholds and fingerprint follow from it."""

from __future__ import annotations

import copy
from abc import abstractmethod
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.perception.calibration import Calibration
from spatialmem.perception.calibration_file import read_calibration
from spatialmem.perception.encoder import Encoder, find_encoder
from spatialmem.perception.fingerprint import fingerprint

Self = TypeVar("Self", bound="CalibratedEncoder")


class CalibratedEncoder(Encoder):
    """An encoder whose scores are probabilities once it has a calibration; without one it is `bare`.

    What a subclass defines is the bare encoder; it is never changed by a calibration but in `score`, `hit_score`,
    `min_similarity` and `fingerprint`.
    """

    _calibration: Calibration | None = None

    @classmethod
    @abstractmethod
    def bare(cls: type[Self], rest: str) -> Self:
        """The encoder that "name:rest" means, without a calibration; raises as `from_spec`."""

    @classmethod
    def from_spec(cls: type[Self], rest: str) -> Self:
        """With the calibration at its `calibration_path`, where there is one."""
        encoder = cls.bare(rest)
        path = encoder.calibration_path
        if path is None or not path.is_file():
            return encoder
        return encoder.with_calibration(read_calibration(path, encoder.bare_fingerprint, encoder.dim))

    def with_calibration(self: Self, calibration: Calibration | None) -> Self:
        """The same encoder with another calibration, or none; `InvalidValue` when it was fitted for another one."""
        if calibration is not None and calibration.fitted_for != self.bare_fingerprint:
            raise InvalidValue(
                f"the calibration was fitted for an encoder of fingerprint {calibration.fitted_for[:12]}; "
                f"{self.name!r} has {self.bare_fingerprint[:12]} without one; fit it with: "
                f"spatialmem calibrate {self.name}"
            )
        other = copy.copy(self)
        other._calibration = calibration
        return other

    @property
    def calibration(self) -> Calibration | None:
        """What makes its scores probabilities; None: they are not."""
        return self._calibration

    @property
    def calibrated(self) -> bool:
        return self._calibration is not None

    @property
    def fingerprint(self) -> str:
        if self._calibration is None:
            return self.bare_fingerprint
        return fingerprint(bare=self.bare_fingerprint, calibration=self._calibration.identity)

    @property
    def hit_score(self) -> float:
        return self.bare_hit_score if self._calibration is None else self._calibration.hit_score

    @property
    def min_similarity(self) -> float:
        return self.bare_min_similarity if self._calibration is None else self._calibration.min_similarity

    @property
    def for_images(self: Self) -> Self:
        """With the part of its calibration that is for images; bare where that was fitted for texts alone."""
        return self if self._calibration is None else self.with_calibration(self._calibration.images)

    @property
    def cosine_decides(self) -> bool:
        return self._calibration is None or self._calibration.margin_weight == 0.0

    def score(self, features: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._calibration is None:
            return self.bare_score(features, query)
        return self._calibration.probability(features, query)

    # --- the bare encoder

    @property
    @abstractmethod
    def calibration_path(self) -> Path | None:
        """Where its calibration is looked for and put; None where there is no such place, as for weights of a hub."""

    @property
    @abstractmethod
    def bare_fingerprint(self) -> str:
        """Hex digest of everything but the calibration that changes an answer."""

    @property
    @abstractmethod
    def bare_hit_score(self) -> float:
        """`hit_score` without a calibration."""

    @property
    @abstractmethod
    def bare_min_similarity(self) -> float:
        """`min_similarity` without a calibration."""

    @abstractmethod
    def bare_score(self, features: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
        """`score` without a calibration."""


def load_bare(spec: str) -> CalibratedEncoder:
    """The encoder of a name without its calibration; `InvalidValue` for one that takes none."""
    name, _, rest = spec.partition(":")
    kind = find_encoder(name)
    if not issubclass(kind, CalibratedEncoder):
        raise InvalidValue(
            f"encoder {name!r} takes no calibration; those that do are subclasses of "
            "spatialmem.perception.CalibratedEncoder"
        )
    return kind.bare(rest)
