"""A query, checked and turned into what the layers search for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.perception import Encoder
from spatialmem.voxels.search import Filter

_FOREVER = 2**63 - 1


@dataclass(frozen=True, eq=False)
class Question:
    """What to search for. Without a vector every surface voxel that passes the filter answers."""

    vector: NDArray[np.float32] | None
    """(D,) unit vector"""
    unknown_words: tuple[str, ...]
    hopeless: bool
    """nothing in the text can be known: the answer is empty"""
    least: float
    """cosine to reach"""
    hit_score: float
    score: Callable[[NDArray[np.float32]], NDArray[np.float32]] | None
    """(N, D) features -> (N,) in [0, 1]; None without a vector"""
    box_m: NDArray[np.float64] | None
    centre_m: NDArray[np.float64] | None
    radius_m: float
    since_ns: int
    until_ns: int

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
    if not isinstance(top, (int, np.integer)) or top < 1:
        raise InvalidValue(f"top must be a positive integer; given {top!r}")
    if (at is None) != (radius_m is None):
        raise InvalidValue("at and radius_m belong together: at=(x, y, z), radius_m=1.0")
    vector, unknown = _encode(encoder, text, image)
    known = vector is not None
    return Question(
        vector=vector,
        unknown_words=unknown,
        hopeless=text is not None and not known,
        least=encoder().min_similarity if known else 0.0,
        hit_score=encoder().hit_score if known else 0.0,
        score=_scorer(encoder(), vector) if known else None,
        box_m=None if box_m is None else _checked_box(box_m),
        centre_m=None if at is None else _checked_point(at),
        radius_m=np.inf if radius_m is None else _checked_radius(radius_m),
        since_ns=0 if since_ns is None else int(since_ns),
        until_ns=_FOREVER if until_ns is None else int(until_ns),
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


def _checked_point(at: Iterable[float]) -> NDArray[np.float64]:
    point = np.asarray(list(at), np.float64)
    if point.shape != (3,) or not np.isfinite(point).all():
        raise InvalidValue(f"at must be a finite point x, y, z in metres; given {point}")
    return point


def _checked_radius(radius_m: float) -> float:
    if not 0 < radius_m < np.inf:
        raise InvalidValue(f"radius_m must be a positive number of metres; given {radius_m!r}")
    return float(radius_m)


def _checked_box(box_m: NDArray[np.floating]) -> NDArray[np.float64]:
    box = np.asarray(box_m, np.float64)
    if box.shape != (2, 3) or np.isnan(box).any() or (box[0] > box[1]).any():
        raise InvalidValue(f"box_m must be (2, 3): lower and upper corner, metres; given {box.tolist()}")
    return box
