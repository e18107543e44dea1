"""What surfaces are made of: colours and substances that language can tell apart, and the texture that shows them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

Rgb = tuple[float, float, float]


class Pattern(IntEnum):
    """Procedural textures, evaluated at a point in the object's own frame (render/texture.py)."""

    PLAIN = 0
    WOOD = 1
    TILES = 2
    FABRIC = 3
    PLASTER = 4
    CARPET = 5
    STRIPES = 6
    CHECKS = 7
    DOTS = 8
    BRICK = 9
    MARBLE = 10
    BRUSHED = 11
    PLANKS = 12
    LEATHER = 13
    SPECKLE = 14
    SKY = 15
    PRINT = 16
    HERRINGBONE = 17
    WICKER = 18
    LEAF = 19


COLOURS: dict[str, Rgb] = {
    "red": (0.72, 0.10, 0.09),
    "orange": (0.90, 0.44, 0.08),
    "yellow": (0.92, 0.77, 0.15),
    "green": (0.17, 0.48, 0.20),
    "turquoise": (0.15, 0.62, 0.62),
    "blue": (0.12, 0.28, 0.68),
    "purple": (0.42, 0.18, 0.56),
    "pink": (0.92, 0.52, 0.64),
    "brown": (0.38, 0.22, 0.12),
    "beige": (0.80, 0.70, 0.55),
    "white": (0.90, 0.89, 0.87),
    "grey": (0.48, 0.48, 0.49),
    "black": (0.06, 0.06, 0.07),
}
"""colour word -> typical reflectance, 0 to 1 (before light; the picture is sRGB)"""

WOODS: dict[str, Rgb] = {
    "light brown": (0.68, 0.49, 0.30),
    "brown": (0.47, 0.29, 0.16),
    "dark brown": (0.24, 0.14, 0.08),
}
"""words for unpainted wood"""


@dataclass(frozen=True)
class Substance:
    """How a substance looks whatever its colour is."""

    pattern: Pattern
    scale_m: float
    """size of one period of the pattern, metres"""
    contrast: float
    """how far the second colour lies from the first, 0 to 1"""
    gloss: float
    """strength of the highlight, 0 to 1"""


SUBSTANCES: dict[str, Substance] = {
    "wood": Substance(Pattern.WOOD, 0.05, 0.35, 0.12),
    "painted wood": Substance(Pattern.PLAIN, 0.10, 0.05, 0.15),
    "metal": Substance(Pattern.BRUSHED, 0.02, 0.08, 0.6),
    "plastic": Substance(Pattern.PLAIN, 0.05, 0.05, 0.35),
    "fabric": Substance(Pattern.FABRIC, 0.006, 0.25, 0.0),
    "leather": Substance(Pattern.LEATHER, 0.03, 0.25, 0.25),
    "glass": Substance(Pattern.PLAIN, 0.05, 0.05, 0.9),
    "ceramic": Substance(Pattern.PLAIN, 0.05, 0.04, 0.5),
    "paper": Substance(Pattern.PLAIN, 0.05, 0.06, 0.02),
    "cardboard": Substance(Pattern.BRUSHED, 0.01, 0.12, 0.0),
    "stone": Substance(Pattern.MARBLE, 0.25, 0.25, 0.3),
    "granite": Substance(Pattern.SPECKLE, 0.012, 0.35, 0.3),
    "wicker": Substance(Pattern.WICKER, 0.025, 0.4, 0.05),
    "rubber": Substance(Pattern.PLAIN, 0.05, 0.05, 0.05),
    "wool": Substance(Pattern.CARPET, 0.012, 0.35, 0.0),
    "food": Substance(Pattern.SPECKLE, 0.006, 0.07, 0.2),
    "leaf": Substance(Pattern.LEAF, 0.03, 0.3, 0.1),
    "wax": Substance(Pattern.PLAIN, 0.05, 0.05, 0.1),
}

DECORS: dict[str, Pattern] = {"striped": Pattern.STRIPES, "checked": Pattern.CHECKS, "dotted": Pattern.DOTS}
"""words for decorations that some fabrics, ceramics and papers bear"""


@dataclass(frozen=True)
class Material:
    """One surface finish. The texture is a function of the point in the object's own frame, metres."""

    pattern: Pattern
    rgb: Rgb
    rgb2: Rgb
    scale_m: float
    gloss: float = 0.0
    axis: int = 0
    """axis of the object's frame along which grain and stripes run: 0, 1 or 2"""
    seed: int = 0
    """shifts the pattern, so that no two things share their grain"""
    glow: float = 0.0
    """share of the colour that needs no light (lamps, screens, the sky in a window)"""


def mixed(a: Rgb, b: Rgb, share: float) -> Rgb:
    """The colour `share` of the way from a to b."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def tinted(rng: np.random.Generator, rgb: Rgb, spread: float = 0.035) -> Rgb:
    """A colour near `rgb`: brighter or darker, and a little off in hue."""
    factor = 1.0 + rng.uniform(-2.0 * spread, 2.0 * spread)
    shift = rng.uniform(-spread * 0.5, spread * 0.5, 3)
    return tuple(float(np.clip(c * factor + s, 0.02, 0.96)) for c, s in zip(rgb, shift, strict=True))  # type: ignore[return-value]


def rgb_of(colour: str) -> Rgb:
    """Reflectance of a colour word, wood tones included."""
    return COLOURS[colour] if colour in COLOURS else WOODS[colour]


def material(
    rng: np.random.Generator,
    substance: str,
    colour: str,
    *,
    decor: str = "",
    second: str = "",
    axis: int = 0,
    glow: float = 0.0,
) -> Material:
    """A finish of a substance in a colour; `decor` with a `second` colour puts stripes, checks or dots on it."""
    look = SUBSTANCES[substance]
    rgb = tinted(rng, rgb_of(colour))
    seed = int(rng.integers(1 << 16))
    if decor:
        scale_m = float(rng.uniform(0.7, 1.3)) * (0.06 if substance in ("fabric", "wool") else 0.03)
        return Material(DECORS[decor], rgb, tinted(rng, rgb_of(second)), scale_m, look.gloss, axis, seed, glow)
    darker = (
        mixed(rgb, (0.0, 0.0, 0.0), look.contrast) if max(rgb) > 0.25 else mixed(rgb, (0.5, 0.5, 0.5), look.contrast)
    )
    scale_m = look.scale_m * float(rng.uniform(0.8, 1.25))
    return Material(look.pattern, rgb, darker, scale_m, look.gloss, axis, seed, glow)
