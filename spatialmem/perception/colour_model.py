"""From sRGB to memberships in the 11 basic colour terms.

In three steps, each on published facts:

1. sRGB to CIELAB (IEC 61966-2-1, CIE 15, white D65).
2. Achromatic or not, by chroma, softly. An achromatic colour is black, grey or white by lightness, with the
   sigmoids of the parametric fuzzy model of Benavente, Vanrell & Baldrich (JOSA A 25, 2008): black to grey at
   L* = 28.28 with slope 0.714, grey to white at L* = 79.65 with slope 0.307. The chroma where colour begins
   is larger than theirs: chosen on frames of a Kinect, whose walls and shadows carry a cast of the white
   balance, and larger still towards blue, where sky light in shadows pulls.
3. A chromatic colour belongs to the eight other terms by a kernel density over the survey colours of each term
   (`colour_survey`). Distances are taken between (a, b) / (L* + 16) and L*. The former does not change when the
   light is dimmed: in CIELAB, a factor k on linear light multiplies L* + 16, a* and b* by the cube root of k.
   So red in the shade stays red, where plain CIELAB distance finds brown. The saturation is
   compressed by a square root, to keep the opposite hues of pale colours apart.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from spatialmem.perception.colour_survey import SRGB_BY_TERM, TERMS

BINS = 32
"""bins of the table along each of red, green, blue"""
WIDTH = 16
"""terms padded with zeros to the width of the features"""
_ACHROMATIC = 3  # the first three terms
PARAMETERS = {
    "black_grey_lightness": 28.28, "black_grey_slope": 0.714, "grey_white_lightness": 79.65, "grey_white_slope": 0.307,
    "chroma_begins": 12.0, "chroma_begins_towards_blue": 6.0, "chroma_softness": 2.0,
    "saturation_bandwidth": 10.0, "lightness_bandwidth": 12.0, "count_exponent": 0.5,
}  # fmt: skip
"""numbers of the model; L*, a*, b* units; `count_exponent` weighs a term's density by its number of survey
colours to this power, between equal terms (1) and equal survey colours (0)"""
_XYZ_FROM_LINEAR_SRGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE_D65 = np.array([0.95047, 1.0, 1.08883])


def lab_from_srgb(srgb: NDArray) -> NDArray[np.float64]:
    """CIELAB (..., 3) for white D65 of sRGB values (..., 3) between 0 and 255."""
    value = np.asarray(srgb, dtype=np.float64) / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    ratio = linear @ _XYZ_FROM_LINEAR_SRGB.T / _WHITE_D65
    f = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    fx, fy, fz = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], axis=-1)


def memberships(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """Memberships (N, 11) of CIELAB colours (N, 3) in `TERMS`; each row is positive and sums to 1."""
    chromatic_share = _chromatic_share(lab)
    out = np.empty((lab.shape[0], len(TERMS)))
    out[:, :_ACHROMATIC] = _black_grey_white(lab[:, 0]) * (1.0 - chromatic_share)[:, None]
    out[:, _ACHROMATIC:] = _chromatic_terms(lab) * chromatic_share[:, None]
    return out


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _black_grey_white(lightness: NDArray[np.float64]) -> NDArray[np.float64]:
    p = PARAMETERS
    not_black = _sigmoid(p["black_grey_slope"] * (lightness - p["black_grey_lightness"]))
    white = _sigmoid(p["grey_white_slope"] * (lightness - p["grey_white_lightness"]))
    return np.stack([1.0 - not_black, not_black * (1.0 - white), not_black * white], axis=-1)


def _chromatic_share(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    p = PARAMETERS
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    towards_blue = np.maximum(-lab[:, 2], 0.0) / np.maximum(chroma, 1e-9)
    begins = p["chroma_begins"] + p["chroma_begins_towards_blue"] * towards_blue
    return _sigmoid((chroma - begins) / p["chroma_softness"])


def _coordinates(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3): saturation vector and lightness, in units of their bandwidths."""
    saturation = 100.0 * lab[:, 1:] / (lab[:, :1] + 16.0)
    length = np.hypot(saturation[:, 0], saturation[:, 1])
    saturation *= (10.0 / np.sqrt(np.maximum(length, 1e-9)))[:, None]
    p = PARAMETERS
    return np.column_stack([saturation / p["saturation_bandwidth"], lab[:, 0] / p["lightness_bandwidth"]])


@functools.cache
def _survey() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates (S, 3) of the chromatic survey colours and their weights (S, 8), one column a term."""
    hexes = [SRGB_BY_TERM[term].split() for term in TERMS[_ACHROMATIC:]]
    total = sum(len(colours) for colours in hexes)
    srgb, weights, row = np.empty((total, 3)), np.zeros((total, len(hexes))), 0
    for column, colours in enumerate(hexes):
        end = row + len(colours)
        srgb[row:end] = [srgb_from_hex(colour) for colour in colours]
        weights[row:end, column] = len(colours) ** -PARAMETERS["count_exponent"]
        row = end
    return _coordinates(lab_from_srgb(srgb)), weights


def srgb_from_hex(colour: str) -> tuple[int, ...]:
    """Red, green, blue of six hex digits."""
    return tuple(bytes.fromhex(colour))


def _chromatic_terms(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    points, weights = _survey()
    out = np.empty((lab.shape[0], weights.shape[1]))
    for start in range(0, lab.shape[0], 4096):  # in slices, to bound the memory of the distances
        here = _coordinates(lab[start : start + 4096])
        half_square = 0.5 * ((here**2).sum(axis=1)[:, None] + (points**2).sum(axis=1)) - here @ points.T
        half_square -= half_square.min(axis=1, keepdims=True)  # far from every survey colour, the nearest decides
        density = np.exp(-half_square) @ weights
        out[start : start + 4096] = density / density.sum(axis=1, keepdims=True)
    return out


@functools.cache
def lookup_table() -> NDArray[np.uint8]:
    """(BINS**3, 16) uint8, read-only: memberships in 255ths at the bin centres, every row summing to 255.

    The row of a pixel is (r // 8 * 32 + g // 8) * 32 + b // 8. Whole numbers make sums over pixels exact,
    in any order.
    """
    centre = (np.arange(BINS) + 0.5) * (256 / BINS) - 0.5
    srgb = np.stack(np.meshgrid(centre, centre, centre, indexing="ij"), axis=-1).reshape(-1, 3)
    table = np.zeros((BINS**3, WIDTH), dtype=np.uint8)
    table[:, : len(TERMS)] = _in_255ths(memberships(lab_from_srgb(srgb)))
    table.flags.writeable = False
    return table


def _in_255ths(shares: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Shares as whole 255ths by largest remainder, so that each row still sums to the whole."""
    scaled = shares * 255.0
    whole = np.floor(scaled)
    missing = 255 - whole.sum(axis=1).astype(np.int64)
    rank = np.argsort(np.argsort(-(scaled - whole), axis=1, kind="stable"), axis=1, kind="stable")
    return (whole + (rank < missing[:, None])).astype(np.uint8)
