"""A query, checked and turned into what the layers search for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.arguments import checked_box, checked_point, checked_radius, checked_text, checked_times, checked_top
from spatialmem.checks import described
from spatialmem.errors import InvalidValue
from spatialmem.perception import Encoder
from spatialmem.voxels.search import Filter

_FOREVER = 2**63 - 1
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Question:
    """What to search for. Without a vector every surface voxel that passes the filter answers."""

    vector: NDArray[np.float32] | None
    """(D,) unit vector"""
    unknown_words: tuple[str, ...]
    hopeless: bool
    """nothing in the text can be known: the answer is empty"""
    calibrated: bool
    """whether scores are probabilities; those of queries by image are not"""
    least: float
    """cosine to reach"""
    hit_score: float
    sifts: bool
    """whether each candidate of the scan must reach `hit_score` by itself"""
    score: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None
    """(N, D) features -> (N,) in [0, 1]; None without a vector"""
    box_m: NDArray[np.float64] | None
    centre_m: NDArray[np.float64] | None
    radius_m: float
    since_ns: int
    until_ns: int

    def score_of_alike(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N,) `score` of features (N, D), 0 of those that do not reach `least`; 1 without a vector."""
        if self.score is None or self.vector is None:
            return np.ones(len(features), np.float32)
        length = np.linalg.norm(features, axis=1)
        alike = features @ self.vector >= self.least * length - _ROUNDING
        return np.where(alike, self.score(features), 0.0).astype(np.float32)

    def filter(self, stamps_ns: NDArray[np.int64]) -> Filter:
        """The conditions beside the vector, with the stamps of the stored frames."""
        timed = self.since_ns > 0 or self.until_ns < _FOREVER
        stamps = stamps_ns.copy() if timed else None
        return Filter(self.box_m, self.centre_m, self.radius_m, stamps, self.since_ns, self.until_ns)


def ask(
    encoder: Callable[[], Encoder], text: str | None, image: NDArray[np.uint8] | None, at: Iterable[float] | None,
    radius_m: float | None, box_m: NDArray[np.floating] | None, since_ns: int | None, until_ns: int | None, top: int,
) -> Question:  # fmt: skip
    """Check the parts of a query and encode its text or image; `encoder` is called only when one is given."""
    if text is not None and image is not None:
        raise InvalidValue("give a text or an image, not both; ask twice and compare the hits")
    if all(part is None for part in (text, image, at, box_m, since_ns, until_ns)):
        raise InvalidValue(
            "a query needs a text, an image, a place (at, radius_m or box_m) or a time (since_ns, until_ns)"
        )
    if (at is None) != (radius_m is None):
        raise InvalidValue(
            f"at and radius_m belong together; given at={described(at)}, radius_m={described(radius_m)}; "
            "write at=(x, y, z), radius_m=1.0"
        )
    checked_top(top)
    text = None if text is None else checked_text(text)
    box = None if box_m is None else checked_box(box_m)
    centre = None if at is None else checked_point(at)
    radius = np.inf if radius_m is None else checked_radius(radius_m)
    since, until = checked_times(since_ns, until_ns)
    vector, unknown = _encode(encoder, text, image)
    known = vector is not None
    judge = None if not known else encoder() if image is None else encoder().for_images
    return Question(
        vector=vector,
        unknown_words=unknown,
        hopeless=text is not None and not known,
        calibrated=judge is not None and image is None and judge.calibrated,
        least=0.0 if judge is None else judge.min_similarity,
        hit_score=0.0 if judge is None else judge.hit_score,
        sifts=judge is not None and not judge.cosine_decides,
        score=None if judge is None or vector is None else _scorer(judge, vector),
        box_m=box,
        centre_m=centre,
        radius_m=radius,
        since_ns=since,
        until_ns=until,
    )


def _encode(
    encoder: Callable[[], Encoder], text: str | None, image
) -> tuple[NDArray[np.float32] | None, tuple[str, ...]]:
    if text is not None:
        query = encoder().encode_text(text)
        return query.vector, query.unknown_words
    return (None, ()) if image is None else (encoder().encode_crop(image), ())


def _scorer(encoder: Encoder, vector: NDArray[np.float32]) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    return lambda features: encoder.score(features, vector)
