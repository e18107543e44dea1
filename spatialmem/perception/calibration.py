"""From similarity to probability: what a score must beat, and how much that says.

A voxel's feature f and a query q meet as c = cos(f, q), and n = c^8 tells apart what lies near 1. How far c lies above
what f has in common with anything at all is its margin m = c - soft maximum of cos(f, b) over a bank of background
phrases b, and

    P(the voxel shows what q names) = sigmoid(bias + a_c c + a_n n + a_m m),    no weight a negative.

A query by image has numbers of its own (`Calibration.images`), in which the bank has no say.

So the probability never falls when f turns towards q, and never rises when it turns towards the background. Cosines
do not know the length of f: features of the map are means of unit vectors, shorter the less they agree, and the fit is
made on such features (`calibration_fit`), normalised like everything that is scored.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.perception.encoder import Encoder, checked_features
from spatialmem.perception.fingerprint import Part
from spatialmem.perception.logistic import sigmoid
from spatialmem.perception.products import products

SAME = 0.95
"""cosine from which a background phrase means what is asked, and is not held against it"""
NEAR = 8
"""power of the cosine that tells apart what lies near 1"""
_UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class FittedOn:
    """Where the numbers of a calibration come from. Changes no answer."""

    split_sha256: str
    """of the list of houses held out for it"""
    scenes: tuple[str, ...]
    questions: int
    samples: int
    true_samples: int
    seed: int
    ece: float
    """expected calibration error on the samples it was fitted on"""
    false_answers: float
    """share of the absent things of those houses that were answered with something, at `hit_score`"""
    missed: float
    """share of the present ones that were answered with nothing right"""


@dataclass(frozen=True, eq=False)
class Calibration:
    """How the scores of one encoder become probabilities."""

    fitted_for: str
    """fingerprint of the encoder without a calibration"""
    phrases: tuple[str, ...]
    """(K,) background phrases"""
    bank: NDArray[np.float32]
    """(K, D) their unit vectors; K may be 0"""
    sharpness: float
    """of the soft maximum over the bank: the larger, the nearer to the maximum"""
    bias: float
    cosine_weight: float
    near_weight: float
    margin_weight: float
    hit_score: float
    """probability from which a region is a hit"""
    min_similarity: float
    """cosine under which a voxel cannot be part of a hit"""
    fitted_on: FittedOn
    images: Calibration | None = None
    """for queries by image, whose cosines are those of pictures: mainly from where on there is an answer. The curve is
    fitted on what is scarce and sits close together, so its scores are not claimed to be probabilities. None: fitted
    for texts alone"""

    def __post_init__(self) -> None:
        numbers = (self.sharpness, self.bias, self.cosine_weight, self.near_weight, self.margin_weight)
        if not np.isfinite(numbers).all() or self.sharpness <= 0 or min(numbers[2:]) < 0:
            raise InvalidValue(
                "a calibration needs finite numbers, a positive sharpness and weights of at least 0; given sharpness, "
                f"bias and weights of cosine, nearness and margin {numbers}; fit it again"
            )
        if not (0.0 < self.hit_score <= 1.0 and -1.0 <= self.min_similarity <= 1.0):
            raise InvalidValue(
                "a calibration needs a hit_score in (0, 1] and a min_similarity in [-1, 1]; given "
                f"{self.hit_score} and {self.min_similarity}; fit it again"
            )
        _check_bank(self.bank, self.phrases)
        if self.images is not None:
            _check_images(self, self.images)

    @property
    def dim(self) -> int:
        """D."""
        return self.bank.shape[1]

    @property
    def identity(self) -> Part:
        """What stands for it in the encoder's fingerprint: everything that changes an answer."""
        return {
            "bank": self.bank, "same": SAME, "sharpness": self.sharpness, "bias": self.bias,
            "weights": [self.cosine_weight, self.near_weight, self.margin_weight], "near": NEAR,
            "hit_score": self.hit_score, "min_similarity": self.min_similarity,
            **({} if self.images is None else {"images": self.images.identity}),
        }  # fmt: skip

    def probability(self, features: NDArray[np.floating], query: NDArray[np.floating]) -> NDArray[np.float32]:
        """(N,) that features (N, D), of any length, show what a query (D,) names; 0 for one of length zero."""
        rows, wanted = checked_features(features, query, self.dim)
        bank = self.bank if self.margin_weight > 0 else self.bank[:0]
        cosine, margin = evidence(rows, wanted, bank, self.sharpness)
        logits = self.bias + self.cosine_weight * cosine + self.near_weight * nearness(cosine)
        logits += self.margin_weight * margin
        return np.where(rows.any(axis=1), sigmoid(logits), 0.0).astype(np.float32)


def evidence(
    features: NDArray[np.float32], query: NDArray[np.float32], bank: NDArray[np.float32], sharpness: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosine (N,) with the query, and margin (N,) over the soft maximum of the bank; the cosine again where the bank is
    empty. A phrase that means the same as the query (`SAME`) is left out; a feature of length zero has 0."""
    others = bank[products(bank, query) < SAME]
    length = np.sqrt(np.einsum("nd,nd->n", features, features))
    cosines = products(features, np.vstack([query, others]).T)
    cosines /= np.where(length > 0, length, 1.0)[:, None]
    if not len(others):
        return cosines[:, 0], cosines[:, 0]
    return cosines[:, 0], cosines[:, 0] - soft_maximum(cosines[:, 1:], sharpness)


def nearness(cosine: NDArray[np.floating]) -> NDArray[np.floating]:
    """Cosines to a power, with their sign: rising as they do, and most where they are near to 1."""
    return np.sign(cosine) * np.abs(cosine) ** NEAR


def soft_maximum(values: NDArray[np.floating], sharpness: float) -> NDArray[np.float32]:
    """(N,) log of the mean of exp(sharpness * values) (N, K), over the sharpness: between mean and maximum."""
    top = values.max(axis=1, keepdims=True)
    return (top[:, 0] + np.log(np.exp(sharpness * (values - top)).mean(axis=1)) / sharpness).astype(np.float32)


@functools.cache
def background_phrases() -> tuple[str, ...]:
    """The shipped bank: phrases for what most of a room is made of, and for nothing in particular."""
    text = files("spatialmem.perception").joinpath("background.json").read_text(encoding="utf-8")
    return tuple(json.loads(text)["phrases"])


def bank_of(encoder: Encoder, phrases: Sequence[str] | None = None) -> tuple[tuple[str, ...], NDArray[np.float32]]:
    """The phrases that an encoder knows every word of (default: the shipped bank), and their vectors (K, D)."""
    asked = [encoder.encode_text(phrase) for phrase in (background_phrases() if phrases is None else phrases)]
    known = [(q.text, q.vector) for q in asked if q.vector is not None and not q.unknown_words]
    vectors = np.array([vector for _, vector in known], np.float32).reshape(-1, encoder.dim)
    return tuple(text for text, _ in known), vectors


def _check_images(texts: Calibration, images: Calibration) -> None:
    if images.images is not None or (images.fitted_for, images.dim) != (texts.fitted_for, texts.dim):
        raise InvalidValue(
            "the part for images must be fitted for the same encoder and have none itself; given one for "
            f"{images.fitted_for[:12]}, width {images.dim}, in one for {texts.fitted_for[:12]}, width {texts.dim}"
        )


def _check_bank(bank: NDArray[np.float32], phrases: Sequence[str]) -> None:
    if bank.ndim != 2 or bank.dtype != np.float32 or len(bank) != len(phrases):
        raise InvalidValue(
            f"a bank must be float32 (K, D) with K phrases; given {bank.dtype} {bank.shape} and {len(phrases)} phrases"
        )
    if len(bank) and not np.allclose(np.linalg.norm(bank, axis=1), 1.0, atol=_UNIT_TOLERANCE):
        raise InvalidValue("a bank must have unit rows; fit the calibration again")
