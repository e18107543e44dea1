"""Images as OWLv2 and SAM 2 want them, and boxes as they give them. The image processors of transformers are not used,
because some of them need torchvision."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, require

GREY = 0.5
"""what a picture is padded with"""


@dataclass(frozen=True)
class Look:
    """What is taken from colours of 0 to 1, and what they are divided by: red, green, blue."""

    mean: tuple[float, float, float]
    std: tuple[float, float, float]


CLIP = Look((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
IMAGENET = Look((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def side_of(image_size: Any) -> int:
    """The side of a model's square input, pixels, of what stands in its configuration."""
    sides = {int(side) for side in np.atleast_1d(np.asarray(image_size))}
    if len(sides) != 1:
        raise InvalidValue(f"a model of square pictures is needed; given one with image_size {image_size}")
    return sides.pop()


def look_of(place: str, usual: Look) -> Look:
    """That of the preprocessor_config.json of a checkpoint's folder; `usual` where there is none."""
    path = Path(place).expanduser() / "preprocessor_config.json"
    if not path.is_file():
        return usual
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        mean, std = (tuple(float(v) for v in given[key]) for key in ("image_mean", "image_std"))
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InvalidValue(f"{str(path)!r} has no image_mean and image_std of three numbers each: {error}") from error
    if len(mean) != 3 or len(std) != 3 or not all(v > 0.0 for v in std):
        raise InvalidValue(f"{str(path)!r} has image_mean {mean} and image_std {std}; expected three numbers each")
    return Look(mean, std)


def _tensor(rgb: NDArray[np.uint8]) -> Any:
    torch = require("torch", "owl")
    return torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].float() / 255.0


def _with_look(pixels: Any, look: Look) -> Any:
    torch = require("torch", "owl")
    mean, std = (torch.tensor(v).reshape(1, 3, 1, 1) for v in (look.mean, look.std))
    return (pixels - mean) / std


def stretched(rgb: NDArray[np.uint8], size_hw: tuple[int, int], look: Look) -> Any:
    """(1, 3, h, w) float32, bilinear, antialiased."""
    resize = require("torch", "owl").nn.functional.interpolate
    return _with_look(resize(_tensor(rgb), size_hw, mode="bilinear", antialias=True, align_corners=False), look)


def padded(rgb: NDArray[np.uint8], size: int, look: Look) -> Any:
    """(1, 3, size, size) float32: padded to a square with grey, right or below, and made `size` large."""
    torch = require("torch", "owl")
    height, width = rgb.shape[:2]
    side = max(height, width)
    pixels = torch.nn.functional.pad(_tensor(rgb), (0, side - width, 0, side - height), value=GREY)
    resize = torch.nn.functional.interpolate
    return _with_look(resize(pixels, (size, size), mode="bilinear", antialias=True, align_corners=False), look)


def corners(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Left, top, right, bottom (B, 4) of middles and sizes (B, 4)."""
    half = np.float32(0.5) * boxes[:, 2:]
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], axis=1)


def apart(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], least: float, same: float, most: int
) -> NDArray[np.int64]:
    """Indices of at most `most` boxes with a score of `least` or more, the best first, without those that overlap a
    better one with an IoU of `same` or more, and without those that are less than a pixel wide or high."""
    size = boxes[:, 2:] - boxes[:, :2]
    area = size.prod(axis=1)
    usable = (scores >= least) & (size >= 1.0).all(axis=1)
    kept: list[int] = []
    for i in np.lexsort((np.arange(len(scores)), -scores)):
        if len(kept) == most or not usable[i]:
            continue
        inner = np.minimum(boxes[kept, 2:], boxes[i, 2:]) - np.maximum(boxes[kept, :2], boxes[i, :2])
        shared = np.maximum(inner, 0.0).prod(axis=1)
        if not (shared >= same * (area[kept] + area[i] - shared)).any():
            kept.append(int(i))
    return np.array(kept, np.int64)
