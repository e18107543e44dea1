"""A second encoder for tests: plain numpy, of any width, and it finds colours by name."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from spatialmem.perception import Encoder, Encoding, TextQuery, fingerprint
from spatialmem.perception.encoder import checked_features, checked_rgb

COLOURS = {
    "red": (200, 25, 30), "green": (25, 150, 45), "blue": (25, 55, 200), "yellow": (235, 210, 30),
    "grey": (185, 185, 185), "white": (240, 240, 240),
}  # fmt: skip
_PATCH, _GRID = 16, 3


class Patches(Encoder):
    """Mean colours of patches of 16 x 16 pixels, as random Fourier features (Rahimi & Recht 2007): the cosine of two of
    them falls with the distance of the colours. The vector of an image is those of a grid of 3 x 3."""

    calibrated = False  # type: ignore
    min_similarity, hit_score = 0.6, 0.8  # type: ignore

    def __init__(self, dim: int = 24, version: int = 1) -> None:
        rng = np.random.default_rng(version)
        self._dim, self._version = dim, version
        self._directions = rng.normal(0.0, 2.5, (3, dim))
        self._phases = rng.uniform(0.0, 2.0 * np.pi, dim)

    @classmethod
    def from_spec(cls, rest: str) -> Patches:
        return cls(int(rest)) if rest else cls()

    @property
    def name(self) -> str:
        return f"patches:{self._dim}"

    @property
    def dim(self) -> int:
        return self._dim

    @property
    def vector_dim(self) -> int:
        return self._dim * _GRID**2

    @property
    def fingerprint(self) -> str:
        return fingerprint(name="patches", dim=self._dim, version=self._version)

    def encode(self, rgb):
        height, width = checked_rgb(rgb).shape[:2]
        dense = self._features(_means(rgb, max(1, height // _PATCH), max(1, width // _PATCH)))
        whole = self._features(_means(rgb, _GRID, _GRID)).ravel()
        return Encoding(dense, (whole / np.linalg.norm(whole)).astype(np.float32))

    def encode_crop(self, rgb):
        return self._features(_means(checked_rgb(rgb), 1, 1))[0, 0]

    def encode_text(self, text):
        words = text.lower().split()
        known = [COLOURS[word] for word in words if word in COLOURS]
        vector = self._features(np.array(known[0]) / 255.0) if len(known) == 1 else None
        return TextQuery(text, vector, tuple(word for word in words if word not in COLOURS))

    def score(self, features, query):
        rows, wanted = checked_features(features, query, self._dim)
        lengths = np.linalg.norm(rows, axis=1)
        return np.clip(rows @ wanted / np.where(lengths > 0, lengths, 1), 0, 1).astype(np.float32)

    def _features(self, colours: np.ndarray) -> np.ndarray:
        waves = np.cos(colours @ self._directions + self._phases)
        return (waves / np.linalg.norm(waves, axis=-1, keepdims=True)).astype(np.float32)


def _means(rgb: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """(rows, columns, 3) mean colours in [0, 1] of the parts of an image; one thinner than a pixel is the nearest."""
    tops, lefts = (
        np.linspace(0, n, parts + 1).astype(int) for n, parts in zip(rgb.shape[:2], (rows, columns), strict=True)
    )
    return np.array([[_mean(rgb, high, wide) for wide in pairwise(lefts)] for high in pairwise(tops)]) / 255.0


def _mean(rgb: np.ndarray, high: tuple[int, int], wide: tuple[int, int]) -> np.ndarray:
    return rgb[high[0] : max(high[1], high[0] + 1), wide[0] : max(wide[1], wide[0] + 1)].mean((0, 1))
