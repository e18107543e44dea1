"""`colours`: an encoder without weights. Text and pixels meet in the 11 basic colour terms.

Feature of a patch: square roots of its mean memberships in the terms (`colour_model`), so that a
feature has unit length and the squared cosine with the vector of a term is the share of that term
(Hellinger geometry). Text vectors: see `colour_words`.
"""

from __future__ import annotations

from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.perception import colour_model, colour_words
from spatialmem.perception.calibrated import CalibratedEncoder
from spatialmem.perception.colour_kernel import pool_memberships
from spatialmem.perception.colour_survey import SRGB_BY_TERM, TERMS
from spatialmem.perception.encoder import Encoding, TextQuery, checked_features, checked_rgb
from spatialmem.perception.fingerprint import fingerprint
from spatialmem.perception.products import products

PATCH = 8
"""edge of a patch in pixels, where the image size divides by it"""
_GRID = 4  # the whole-image vector keeps where colours are on a 4 x 4 grid
_RULE = "sqrt of mean membership over patches of 8, version 1"
_BARE_HIT_SCORE = 0.55
_BARE_MIN_SIMILARITY = 0.73  # squared below the hit score, with room for features kept in 8 bits


@final
class Colours(CalibratedEncoder):
    """Finds things by colour alone: "red", "the dark green chair", "blue and white".

    `load_encoder` brings its calibration along; made by hand it is bare.
    """

    def __init__(self) -> None:
        self._table = colour_model.lookup_table()
        self._fingerprint = fingerprint(
            name=self.name, rule=_RULE, survey=SRGB_BY_TERM, parameters=colour_model.PARAMETERS, grid=_GRID,
            words=colour_words.definition(), hit_score=_BARE_HIT_SCORE,
        )  # fmt: skip

    @classmethod
    def bare(cls, rest: str) -> Colours:
        if rest:
            raise InvalidValue(f"encoder Colours takes nothing after its name; given {rest!r}")
        return cls()

    @property
    def name(self) -> str:
        return "colours"

    @property
    def dim(self) -> int:
        return colour_model.WIDTH

    @property
    def vector_dim(self) -> int:
        return _GRID * _GRID * len(TERMS)

    @property
    def calibration_path(self) -> Path:
        return Path(__file__).with_name("colours_calibration.json")

    @property
    def bare_fingerprint(self) -> str:
        return self._fingerprint

    @property
    def bare_min_similarity(self) -> float:
        return _BARE_MIN_SIMILARITY

    @property
    def bare_hit_score(self) -> float:
        return _BARE_HIT_SCORE

    def encode(self, rgb: NDArray[np.uint8]) -> Encoding:
        """Patches of 8 x 8 pixels, (H // 8, W // 8) of them; stretched evenly where 8 does not divide the
        size (a pixel belongs to the patch that holds its centre), one patch along an edge shorter than 8."""
        image = checked_rgb(rgb)
        rows, columns = (max(1, size // PATCH) for size in image.shape[:2])
        dense = self._pool(image, rows, columns)
        cells = _cell_means(np.square(dense[..., : len(TERMS)]))
        vector = np.sqrt(cells / (_GRID * _GRID)).ravel()
        return Encoding(dense, (vector / np.linalg.norm(vector)).astype(np.float32))

    def _pool(self, image: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.float32]:
        dense = np.empty((rows, columns, colour_model.WIDTH), dtype=np.float32)
        pool_memberships(image, self._table, _edges(image.shape[0], rows), _edges(image.shape[1], columns), dense)
        return dense

    def encode_text(self, text: str) -> TextQuery:
        """The colours named in `text`; everything else is in `unknown_words`. See `colour_words`."""
        vector, unknown = colour_words.parse(text)
        return TextQuery(text, vector, unknown)

    def encode_crop(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The mix of colours of the whole crop."""
        return self._pool(checked_rgb(rgb), 1, 1)[0, 0]

    def bare_score(self, features: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Squared cosine: the share of a single colour; for several, 1 when they are there in the parts of
        the query, and at most the part of one when only that one is there."""
        rows, wanted = checked_features(features, query, self.dim)
        square = np.einsum("nd,nd->n", rows, rows)
        along = np.maximum(products(rows, wanted), 0.0)
        square[square == 0.0] = np.inf
        return np.minimum(np.square(along) / square, np.float32(1.0))


def _edges(size: int, parts: int) -> NDArray[np.int64]:
    """(parts + 1,) first pixel of each part: the pixel centre x + 0.5 lies in [j*size/parts, (j+1)*size/parts)."""
    j = np.arange(parts + 1, dtype=np.int64)
    return (2 * j * size + parts - 1) // (2 * parts)


def _cell_means(shares: NDArray[np.float32]) -> NDArray[np.float64]:
    """(4, 4, 11) mean of patch shares (h, w, 11) over the cells of a grid; fewer patches serve several cells."""
    h, w, terms = shares.shape
    if h % _GRID == 0 and w % _GRID == 0:
        return shares.reshape(_GRID, h // _GRID, _GRID, w // _GRID, terms).mean(axis=(1, 3), dtype=np.float64)
    bands = [_spans(size) for size in shares.shape[:2]]
    return np.array([[shares[a:b, c:d].mean(axis=(0, 1), dtype=np.float64) for c, d in bands[1]] for a, b in bands[0]])


def _spans(size: int) -> list[tuple[int, int]]:
    starts = [k * size // _GRID for k in range(_GRID)]
    return [(start, max(start + 1, (k + 1) * size // _GRID)) for k, start in enumerate(starts)]
