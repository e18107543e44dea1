"""Calibrations and labelled features made up for tests."""

from __future__ import annotations

import numpy as np

from spatialmem.perception.calibration import Calibration, FittedOn
from spatialmem.perception.calibration_fit import Labelled
from spatialmem.perception.logistic import sigmoid

FITTED_ON = FittedOn("0" * 64, ("1", "2"), 3, 40, 20, 0, 0.01, 0.0, 0.25)


def unit(rows) -> np.ndarray:
    """Rows of unit length, float32."""
    rows = np.asarray(rows, np.float64)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def calibration(dim: int = 16, count: int = 3, **changed) -> Calibration:
    """A calibration that is sound."""
    bank = unit(np.random.default_rng(1).normal(size=(count, dim))) if count else np.empty((0, dim), np.float32)
    values = {
        "fitted_for": "ab" * 32, "phrases": tuple(f"phrase {n}" for n in range(count)), "bank": bank,
        "sharpness": 10.0, "bias": -4.0, "near_weight": 0.0, "cosine_weight": 5.0, "margin_weight": 3.0,
        "hit_score": 0.6, "min_similarity": 0.4, "fitted_on": FITTED_ON,
    }  # fmt: skip
    return Calibration(**{**values, **changed})


def questions(count: int, bias: float, slope: float, seed: int = 0, dim: int = 16, rows: int = 2000) -> list[Labelled]:
    """Questions whose truth is drawn from sigmoid(bias + slope * cosine): what a fit has to find again."""
    rng, found = np.random.default_rng(seed), []
    for _ in range(count):
        query = unit(rng.normal(size=dim))
        along = rng.uniform(-0.2, 1.0, rows)
        across = rng.normal(size=(rows, dim))
        across = unit(across - (across @ query)[:, None] * query)
        features = along[:, None] * query + np.sqrt(1 - along**2)[:, None] * across
        truth = rng.uniform(size=rows) < sigmoid(bias + slope * along)
        length = rng.uniform(0.3, 1.0, (rows, 1))  # as means of unit vectors have
        found.append(Labelled(query, (features * length).astype(np.float32), truth, np.ones(rows, bool)))
    return found
