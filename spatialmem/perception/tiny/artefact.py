"""The folder that an encoder `tiny` is made from: weights.safetensors, tiny.json, and what is fitted later."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.perception.tiny.words import Vocabulary

NAME = "tiny"
FORMAT = 1
STRIDE = 8
"""pixels of an edge of a patch"""
WEIGHTS, DESCRIPTION, CARD = "weights.safetensors", "tiny.json", "MODEL_CARD.md"
_KEYS = ("format", "architecture", "preprocess", "dense_rule", "projection", "vocabulary", "function_words", "score")


@dataclass(frozen=True)
class Preprocess:
    """What is done to an image before the tower sees it."""

    mean: tuple[float, float, float]
    """of red, green, blue within 0 to 1; subtracted"""
    std: tuple[float, float, float]
    """divided by"""
    most_pixels: int
    """larger images are made smaller, their aspect kept"""
    least_px: int
    """an image is made at least this long on both sides"""
    crop_px: int
    """the longer side of an image of a thing is made this long"""

    def image_size(self, height: int, width: int, multiple: int) -> tuple[int, int]:
        """(height, width) that an image is resized to: multiples of a patch."""
        scale = min(1.0, math.sqrt(self.most_pixels / (height * width)))
        return self._rounded(height * scale, multiple), self._rounded(width * scale, multiple)

    def crop_size(self, height: int, width: int, multiple: int) -> tuple[int, int]:
        """The same of an image of a thing."""
        scale = self.crop_px / max(height, width)
        return self._rounded(height * scale, multiple), self._rounded(width * scale, multiple)

    def _rounded(self, length: float, multiple: int) -> int:
        return max(round(length / multiple) * multiple, self.least_px)


@dataclass(frozen=True, eq=False)
class Artefact:
    """Everything that decides what an encoder `tiny` answers."""

    description: dict[str, Any]
    """tiny.json as it is"""
    weights: dict[str, NDArray[np.floating]]
    """float16 or float32, "image." and "text." before the names of the towers' parameters"""
    preprocess: Preprocess
    vocabulary: Vocabulary
    scale: float
    """a score is the logistic function of scale * cosine + bias"""
    bias: float


def shipped_folder() -> Path:
    """The artefact that comes along: inside the installed package, or in assets/ of a checkout."""
    package = Path(__file__).resolve().parents[2]
    for folder in (package / "assets" / NAME, package.parent / "assets" / NAME):
        if (folder / DESCRIPTION).is_file():
            return folder
    raise InvalidValue(
        "the encoder 'tiny' is not installed with this copy of spatialmem; reinstall spatialmem, give the folder of "
        "one as tiny:FOLDER, or train one with: spatialmem train encoder --out FOLDER"
    )


def load_artefact(folder: Path) -> Artefact:
    """Read and check a folder; `InvalidValue` says what is missing or damaged."""
    description = _description(folder / DESCRIPTION)
    weights = _weights(folder / WEIGHTS)
    try:
        given = description["preprocess"]
        preprocess = Preprocess(
            _three(given["mean"]), _three(given["std"]), int(given["most_pixels"]), int(given["least_px"]),
            int(given["crop_px"]),
        )  # fmt: skip
        vocabulary = Vocabulary(description["vocabulary"], description["function_words"])
        scale, bias = float(description["score"]["scale"]), float(description["score"]["bias"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidValue(
            f"{folder / DESCRIPTION} is not that of an encoder 'tiny' ({error}); export it anew"
        ) from error
    if not (scale > 0.0 and math.isfinite(scale) and math.isfinite(bias) and min(preprocess.std) > 0.0):
        raise InvalidValue(f"{folder / DESCRIPTION} gives a scale, bias or standard deviation that cannot be")
    return Artefact(description, weights, preprocess, vocabulary, scale, bias)


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(v) for v in values)
    return red, green, blue


def _description(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidValue(f"cannot read {path}: {error}; expected the folder of an encoder 'tiny'") from error
    found = found if isinstance(found, dict) else {}
    missing = [key for key in _KEYS if key not in found]
    if missing or found["format"] != FORMAT:
        raise InvalidValue(
            f"{path} lacks {', '.join(missing) or 'nothing'} and has format {found.get('format')}; "
            f"expected format {FORMAT}"
        )
    return found


def _weights(path: Path) -> dict[str, NDArray[np.floating]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InvalidValue(f"cannot read the weights {path}: {error}; copy or export them again") from error
    bad = [name for name, tensor in tensors.items() if not np.isfinite(tensor.astype(np.float32)).all()]
    if bad:
        raise InvalidValue(f"weights {', '.join(bad[:3])} in {path} hold NaN or infinity; copy or export them again")
    return tensors
