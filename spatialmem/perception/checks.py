"""Does an encoder keep its contract? For authors of encoders; the tests of this package use it too."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.perception.encoder import Encoder, Encoding

_SIZES_HW = ((48, 64), (31, 57), (5, 3), (1, 1))
_UNIT_TOLERANCE = 1e-4


def check_encoder(encoder: Encoder, phrases: tuple[str, ...] = ("a red thing", "")) -> list[str]:
    """Everything about `encoder` that breaks the contract, in words; an empty list means it is sound.

    Runs it on small random images of awkward sizes and on `phrases`; checks shapes, dtypes, norms,
    score range, repeatability, refusal of bad input, and that inputs are left as they were.
    """
    return [*_properties(encoder), *_images(encoder), *_texts(encoder, phrases), *_scores(encoder), *_refusals(encoder)]


def _properties(encoder: Encoder) -> Iterator[str]:
    if not encoder.name:
        yield "name is empty"
    if encoder.dim < 1 or encoder.dim % 8:
        yield f"dim must be a positive multiple of 8; it is {encoder.dim}"
    if encoder.vector_dim < 1:
        yield f"vector_dim must be positive; it is {encoder.vector_dim}"
    if not isinstance(encoder.calibrated, bool):
        yield "calibrated must be True or False"
    if len(encoder.fingerprint) < 16 or not set(encoder.fingerprint) <= set(string.hexdigits):
        yield f"fingerprint must be at least 16 hex digits; it is {encoder.fingerprint!r}"
    if not -1.0 <= encoder.min_similarity <= 1.0:
        yield f"min_similarity must be a cosine; it is {encoder.min_similarity}"
    if not 0.0 < encoder.hit_score <= 1.0:
        yield f"hit_score must lie in (0, 1]; it is {encoder.hit_score}"


def _images(encoder: Encoder) -> Iterator[str]:
    rng = np.random.default_rng(5)
    for height, width in _SIZES_HW:
        rgb = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        before, where = rgb.copy(), f"on a {width} x {height} image"
        first, again = encoder.encode(rgb), encoder.encode(rgb)
        yield from (f"{problem} {where}" for problem in _encoding(encoder, first))
        if not (np.array_equal(first.dense, again.dense) and np.array_equal(first.vector, again.vector)):
            yield f"encode gives two answers {where}"
        if not np.array_equal(first.dense, encoder.encode(np.asfortranarray(rgb)).dense):
            yield f"encode depends on the memory layout {where}"
        yield from _unit(f"encode_crop {where}", encoder.encode_crop(rgb), (encoder.dim,))
        if not np.array_equal(rgb, before):
            yield f"encode writes into its input {where}"


def _encoding(encoder: Encoder, encoding: Encoding) -> Iterator[str]:
    shape = encoding.dense.shape
    if len(shape) != 3 or min(shape) < 1:
        yield f"dense must have shape (h, w, {encoder.dim}); it has {shape}"
        return
    yield from _unit("dense", encoding.dense, (*shape[:2], encoder.dim))
    yield from _unit("vector", encoding.vector, (encoder.vector_dim,))


def _unit(what: str, rows: NDArray, shape: tuple[int, ...]) -> Iterator[str]:
    if rows.dtype != np.float32 or rows.shape != shape:
        yield f"{what} must be float32 {shape}; it is {rows.dtype} {rows.shape}"
    elif not np.allclose(np.linalg.norm(rows, axis=-1), 1.0, atol=_UNIT_TOLERANCE):
        yield f"{what} must have unit rows"


def _texts(encoder: Encoder, phrases: tuple[str, ...]) -> Iterator[str]:
    for phrase in phrases:
        query, again = encoder.encode_text(phrase), encoder.encode_text(phrase)
        if query.text != phrase:
            yield f"encode_text must hand back the text {phrase!r}; it gave {query.text!r}"
        if not isinstance(query.unknown_words, tuple):
            yield f"unknown_words must be a tuple, for {phrase!r}"
        if (query.vector is None) != (again.vector is None):
            yield f"encode_text gives two answers to {phrase!r}"
        if query.vector is not None and again.vector is not None:
            yield from _unit(f"encode_text({phrase!r})", query.vector, (encoder.dim,))
            if not np.array_equal(query.vector, again.vector):
                yield f"encode_text gives two answers to {phrase!r}"
    if encoder.encode_text("").vector is not None:
        yield "the empty text must have no vector"


def _scores(encoder: Encoder) -> Iterator[str]:
    rng = np.random.default_rng(6)
    query = encoder.encode_crop(rng.integers(0, 256, (16, 16, 3), dtype=np.uint8))
    features = rng.normal(size=(64, encoder.dim)).astype(np.float32)
    features[0] = 0.0
    score = encoder.score(features, query)
    if score.dtype != np.float32 or score.shape != (64,):
        yield f"score must be float32 (N,); it is {score.dtype} {score.shape} for N = 64"
        return
    if not (np.isfinite(score).all() and score.min() >= 0.0 and score.max() <= 1.0):
        yield "score must lie in [0, 1]"
    if score[0] != 0.0:
        yield "a feature of length zero must score 0"
    if not np.allclose(score, encoder.score(features * np.float32(3.0), query), atol=1e-4):
        yield "score must not depend on the length of a feature"
    if encoder.score(features[:0], query).shape != (0,):
        yield "score of no features must be an array of shape (0,)"


def _refusals(encoder: Encoder) -> Iterator[str]:
    bad_images: tuple[NDArray, ...] = (
        np.zeros((8, 8, 3), dtype=np.float32), np.zeros((8, 8), dtype=np.uint8), np.zeros((0, 8, 3), dtype=np.uint8),
    )  # fmt: skip
    for bad in bad_images:
        for method in (encoder.encode, encoder.encode_crop):
            if not _refuses(method, bad):
                yield f"{method.__name__} must raise InvalidValue for {bad.dtype} {bad.shape}"


def _refuses(method: Callable[[NDArray], object], bad: NDArray) -> bool:
    try:
        method(bad)
    except InvalidValue:
        return True
    return False
