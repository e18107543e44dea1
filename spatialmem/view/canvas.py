"""Drawing on an image: text, badges, lines. Colours are RGB, positions (x, y) pixels from the upper left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Rgb = tuple[int, int, int]

INK: Rgb = (32, 36, 42)
SOFT_INK: Rgb = (104, 110, 120)
RULE: Rgb = (222, 225, 230)
PAPER: Rgb = (255, 255, 255)
PATH: Rgb = (40, 44, 52)
HIT_COLOURS: tuple[Rgb, ...] = (
    (214, 39, 40), (31, 95, 191), (20, 136, 78), (201, 109, 0), (124, 58, 170), (0, 133, 143), (150, 75, 50),
    (190, 40, 120), (80, 90, 100), (110, 120, 0),
)  # fmt: skip
"""colour of hit 1, 2, ...; repeated after the last"""
_FONT, _BOLD_FONT = cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX
_SCALE_PER_PIXEL = 1.0 / 28.0  # of OpenCV's text for a line of one pixel
_SUBPIXEL_BITS = 4


def hit_colour(number: int) -> Rgb:
    """Colour of the hit that carries `number` (from 1)."""
    return HIT_COLOURS[(number - 1) % len(HIT_COLOURS)]


@final
class Canvas:
    """An RGB image to draw on."""

    def __init__(self, width: int, height: int, paper: Rgb = PAPER) -> None:
        self.rgb: NDArray[np.uint8] = np.full((height, width, 3), paper, dtype=np.uint8)
        """(H, W, 3) uint8"""

    def paste(self, image: NDArray[np.uint8], x: int, y: int) -> None:
        """Copy an RGB image so that its upper left pixel is at (x, y); what would stick out is cut off."""
        height, width = (min(image.shape[0], self.rgb.shape[0] - y), min(image.shape[1], self.rgb.shape[1] - x))
        self.rgb[y : y + height, x : x + width] = image[:height, :width]

    def text(self, x: float, y: float, text: str, size_px: int = 18, colour: Rgb = INK, bold: bool = False) -> int:
        """Write with the line's base at y; returns its width in pixels."""
        font, scale = _BOLD_FONT if bold else _FONT, size_px * _SCALE_PER_PIXEL
        cv2.putText(self.rgb, text, (round(x), round(y)), font, scale, colour, 1, cv2.LINE_AA)
        return text_width(text, size_px, bold)

    def rule(self, y: int, x0: int, x1: int) -> None:
        """A thin grey line across."""
        cv2.line(self.rgb, (x0, y), (x1, y), RULE, 1)

    def line(self, points_xy: NDArray[np.floating], colour: Rgb, thickness: int, closed: bool = False) -> None:
        """A smooth line through (N, 2) points."""
        fixed = np.rint(np.asarray(points_xy) * (1 << _SUBPIXEL_BITS)).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(self.rgb, [fixed], closed, colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)

    def outline(self, points_xy: NDArray[np.floating], colour: Rgb, thickness: int = 2) -> None:
        """A closed line with a white rim, readable on any ground."""
        self.line(points_xy, PAPER, thickness + 3, closed=True)
        self.line(points_xy, colour, thickness, closed=True)

    def box(self, x0: float, y0: float, x1: float, y1: float, colour: Rgb, thickness: int = 2) -> None:
        """An upright rectangle with a white rim."""
        self.outline(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]), colour, thickness)

    def dot(self, centre_xy: ArrayLike, radius: float, colour: Rgb) -> None:
        """A filled disc."""
        x, y = np.asarray(centre_xy, dtype=np.float64)
        at = (round(x * (1 << _SUBPIXEL_BITS)), round(y * (1 << _SUBPIXEL_BITS)))
        cv2.circle(self.rgb, at, round(radius * (1 << _SUBPIXEL_BITS)), colour, -1, cv2.LINE_AA, _SUBPIXEL_BITS)

    def badge(self, centre_xy: ArrayLike, number: int, radius: float = 13.0) -> None:
        """A number in a disc of its hit's colour."""
        x, y = np.asarray(centre_xy, dtype=np.float64)
        self.dot((x, y), radius + 2.0, PAPER)
        self.dot((x, y), radius, hit_colour(number))
        text, size = str(number), round(radius * 1.4)
        (width, height), _ = cv2.getTextSize(text, _BOLD_FONT, size * _SCALE_PER_PIXEL, 1)
        self.text(x - width / 2.0, y + height / 2.0, text, size, PAPER, bold=True)


def text_width(text: str, size_px: int, bold: bool = False) -> int:
    """Width in pixels of a line of text."""
    (width, _), _ = cv2.getTextSize(text, _BOLD_FONT if bold else _FONT, size_px * _SCALE_PER_PIXEL, 1)
    return int(width)


def shortened(text: str, width_px: int, size_px: int, bold: bool = False) -> str:
    """`text`, cut and ended with dots where it is wider than `width_px`."""
    if text_width(text, size_px, bold) <= width_px:
        return text
    while text and text_width(text + "...", size_px, bold) > width_px:
        text = text[:-1]
    return text.rstrip() + "..."


def wrapped(text: str, width_px: int, size_px: int) -> list[str]:
    """`text` in lines no wider than `width_px`, broken at spaces."""
    lines: list[str] = []
    for word in text.split():
        if lines and text_width(f"{lines[-1]} {word}", size_px) <= width_px:
            lines[-1] += f" {word}"
        else:
            lines.append(shortened(word, width_px, size_px))
    return lines


def fitted(image: NDArray[np.uint8], width: int, height: int) -> tuple[NDArray[np.uint8], float]:
    """An RGB image resized to fit into `width` x `height`, and the factor."""
    factor = min(width / image.shape[1], height / image.shape[0])
    size = (max(1, round(image.shape[1] * factor)), max(1, round(image.shape[0] * factor)))
    how = cv2.INTER_AREA if factor < 1.0 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=how), dtype=np.uint8), factor


def apart(centres_xy: Sequence[tuple[float, float]], distance: float, steps: int = 200) -> NDArray[np.float64]:
    """(N, 2) positions near `centres_xy`, pushed from each other until no two are nearer than `distance`."""
    wanted = np.array(centres_xy, dtype=np.float64).reshape(-1, 2)
    # equal positions need a direction to part in: spread them on a spiral of less than a pixel
    turn = 2.4 * np.arange(len(wanted))
    placed = wanted + 0.1 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for _ in range(steps):
        between = placed[:, None] - placed[None]
        length = np.linalg.norm(between, axis=-1) + np.eye(len(placed)) * 1e9
        overlap = np.maximum(distance - length, 0.0)
        if not overlap.any():
            break
        placed += (between / np.maximum(length, 1e-9)[..., None] * overlap[..., None] * 0.5).sum(axis=1)
    return placed
