"""The encoder: images and text in one space, and the names under which encoders are found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.perception.members import find_member

ENCODERS: dict[str, str] = {
    "colours": "spatialmem.perception.colours:Colours",
    "open_clip": "spatialmem.perception.open_clip:OpenClip",
    "tiny": "spatialmem.perception.tiny.encoder:Tiny",
}
"""Encoders of this package, name -> "module:Class"; imported only when asked for."""

DEFAULT_ENCODER = "tiny"
"""The one of a memory that was made without naming one."""

ENTRY_POINTS = "spatialmem.encoders"
"""Entry-point group in which installed packages offer encoders of their own."""


@dataclass(frozen=True, eq=False)
class Encoding:
    """What an encoder sees in one image."""

    dense: NDArray[np.float32]
    """(h, w, D) float32, unit rows; patch (i, j) covers the image rectangle
    [j*W/w, (j+1)*W/w) x [i*H/h, (i+1)*H/h), measured from the outer corner of the first pixel"""
    vector: NDArray[np.float32]
    """(F,) float32, unit norm: the whole image at the encoder's full width"""


@dataclass(frozen=True, eq=False)
class TextQuery:
    """A phrase in the space of the dense features."""

    text: str
    vector: NDArray[np.float32] | None
    """(D,) float32, unit norm; None when the encoder knows nothing it could look for"""
    unknown_words: tuple[str, ...] = ()
    """words of the phrase that had no influence on `vector` because the encoder cannot know them"""


class Encoder(ABC):
    """Images and text to one space of dense features.

    An encoder is one artefact: weights, preprocessing, dense rule, projection to the map's width and
    calibration, all covered by `fingerprint`. It holds no state that `encode` changes, and every
    method may be called from several threads at once.
    """

    @classmethod
    def from_spec(cls, rest: str) -> Encoder:
        """The encoder that "name:rest" means; raises `InvalidValue` when `rest` is not understood."""
        if rest:
            raise InvalidValue(f"encoder {cls.__name__} takes nothing after its name; given {rest!r}")
        return cls()

    @property
    @abstractmethod
    def name(self) -> str:
        """What `load_encoder` was given to get this encoder."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """D, width of the dense features and of the map; a multiple of 8."""

    @property
    @abstractmethod
    def vector_dim(self) -> int:
        """F, width of the vector of a whole image."""

    @property
    @abstractmethod
    def calibrated(self) -> bool:
        """Whether `score` is a probability, fitted on held-out scenes."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hex digest of everything that changes an answer (`spatialmem.perception.fingerprint`)."""

    @property
    @abstractmethod
    def min_similarity(self) -> float:
        """Cosine of feature and query under which a voxel cannot be part of a hit."""

    @property
    @abstractmethod
    def hit_score(self) -> float:
        """Score from which a voxel counts as a hit."""

    @property
    def cosine_decides(self) -> bool:
        """Whether each voxel that reaches `min_similarity` may be part of a hit; False: it must reach `hit_score` by
        itself, as where a score hangs on more than the cosine."""
        return True

    @property
    def for_images(self) -> Encoder:
        """The same encoder with the score and the thresholds by which a query by image is answered."""
        return self

    @abstractmethod
    def encode(self, rgb: NDArray[np.uint8]) -> Encoding:
        """Dense features and whole-image vector of an image, uint8 (H, W, 3), red first, any size."""

    @abstractmethod
    def encode_text(self, text: str) -> TextQuery:
        """A phrase as a query on dense features."""

    @abstractmethod
    def encode_crop(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(D,) float32 unit norm: an image of a thing, uint8 (H, W, 3), as a query on dense features."""

    @abstractmethod
    def score(self, features: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N,) float32 in [0, 1]: how well features (N, D), of any length, answer a query (D,).

        A feature of length zero scores 0.
        """


def checked_rgb(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`rgb` as a contiguous array, or `InvalidValue` when it is not uint8 (H, W, 3) with pixels in it."""
    if not isinstance(rgb, np.ndarray) or rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        given = f"{getattr(rgb, 'dtype', type(rgb).__name__)} {getattr(rgb, 'shape', '')}"
        raise InvalidValue(f"an image must be uint8 (H, W, 3), red first; given {given}; scale floats, drop alpha")
    if rgb.size == 0:
        raise InvalidValue(f"an image must have pixels; given shape {rgb.shape}")
    return np.ascontiguousarray(rgb)


def checked_features(
    features: NDArray[np.floating], query: NDArray[np.floating], dim: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Both as float32, or `InvalidValue` when they are not (N, dim) and (dim,)."""
    rows, wanted = np.asarray(features, dtype=np.float32), np.asarray(query, dtype=np.float32)
    if rows.ndim != 2 or rows.shape[1] != dim or wanted.shape != (dim,):
        raise InvalidValue(
            f"score needs features (N, {dim}) and a query ({dim},); given {rows.shape} and {wanted.shape}; "
            "were they made by another encoder?"
        )
    return rows, wanted


def load_encoder(spec: str | Encoder) -> Encoder:
    """The encoder of a name such as "colours" or "open_clip:ViT-B-32/path/to/weights.pt".

    What follows the first colon is for the encoder itself. An encoder that is already one is handed
    back. Names are those of `ENCODERS` and of the entry-point group "spatialmem.encoders"; an
    unknown one raises `UnknownName` with the nearest.
    """
    if isinstance(spec, Encoder):
        return spec
    name, _, rest = spec.partition(":")
    kind = find_encoder(name)
    return kind.from_spec(rest)


def find_encoder(name: str) -> type[Encoder]:
    """The class of an encoder's name; raises as `load_encoder`."""
    return find_member("encoder", name, ENCODERS, ENTRY_POINTS, Encoder)
