"""Whether colour lies on the depth it belongs to, and where it lies if not."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from spatialmem.conventions.edges import SHARP, Edges, Relation, gather_edges, search
from spatialmem.conventions.report import Finding, Verdict
from spatialmem.conventions.samples import Samples
from spatialmem.types import Camera

REGISTERED, UNREGISTERED = "registered", "unregistered"
_UNIT = "colour gradient at edges of depth / mean gradient; large is good"
_LEAST_FRAMES = 4
_TOLERANCE = 0.0125
"""of the image width (8 pixels of 640): closer than this colour counts as registered"""
_TOLERANCE_PX = 4.0  # and closer than this: edges are only found to a pixel or two
_CLEAR_GAIN, _STANDARD_ERRORS = 1.1, 2.5
_ELSEWHERE_PX = 24.0
_KINECT_FOCAL_WIDTHS, _KINECT_BASELINE_M = 525.0 / 640.0, 0.025


def colour_finding(samples: Samples, depth_factor: float) -> Finding:
    """Whether the declared relation of colour to depth holds; else the relation that does.

    The relation under which edges of depth meet most edges of colour is searched for. It replaces the declared one
    where it puts edges more than 1.25 % of the image width elsewhere, and where relations found on one half of
    the frames do better on the other half, both ways: a search among thousands must not win by luck.
    """
    declared = REGISTERED if samples.registration is None else UNREGISTERED
    edges = gather_edges(samples, depth_factor)
    if edges is None or len(edges.gradients) < _LEAST_FRAMES:
        return _unknown(declared, {}, "there are too few edges of depth to look for in the colour images")
    sharp, best, kinect = edges.blurred(SHARP), search(edges), _kinect(edges.colour)
    tried = {"declared": None, REGISTERED: Relation(), "kinect_v1": kinect, "best found": best}
    residuals = {name: float(np.nanmean(sharp.contrast(relation))) for name, relation in tried.items()}
    limit_px = max(_TOLERANCE * edges.colour.width, _TOLERANCE_PX)
    away_px = edges.apart_px(best, None)
    if away_px <= limit_px:
        return _kept(declared, residuals, sharp, away_px)
    if not _wins_on_unseen_frames(edges, sharp, limit_px):
        return _unknown(declared, residuals, "edges of depth meet colour better elsewhere, but not clearly so")
    reason = f"colour lies {away_px:.0f} pixels from where it is declared to be"
    if edges.apart_px(best, Relation()) <= limit_px:
        return Finding("colour", Verdict.WRONG, declared, REGISTERED, (REGISTERED,), residuals, _UNIT, reason)
    if edges.apart_px(best, kinect) <= limit_px:
        best, reason = kinect, reason + ", as that of a Kinect v1 does"
    found = _described(best, edges.colour)
    return Finding("colour", Verdict.WRONG, declared, found, (found,), residuals, _UNIT, reason)


def _wins_on_unseen_frames(edges: Edges, sharp: Edges, limit_px: float) -> bool:
    """Whether what each half of the frames finds does clearly better than what is declared on the other half."""
    even = np.arange(len(edges.gradients)) % 2 == 0
    first, second = (search(edges.of_frames(half)) for half in (even, ~even))
    if min(edges.apart_px(relation, None) for relation in (first, second)) <= limit_px:
        return False
    judged: NDArray[np.float64] = np.where(even, sharp.contrast(second), sharp.contrast(first))
    gain = np.log(judged / sharp.contrast(None))
    gain = np.nan_to_num(gain[~np.isnan(gain)], posinf=1.0, neginf=-1.0)
    if len(gain) < _LEAST_FRAMES:
        return False
    error = gain.std(ddof=1) / np.sqrt(len(gain))
    return bool(gain.mean() > max(np.log(_CLEAR_GAIN), _STANDARD_ERRORS * error))


def _kept(declared: str, residuals: dict[str, float], sharp: Edges, away_px: float) -> Finding:
    """The declared relation is next to the best; whether the images could have told otherwise."""
    px = _ELSEWHERE_PX * sharp.scale
    elsewhere = [np.nanmean(sharp.contrast(None, (dx, dy))) for dx, dy in itertools.product((-px, px), repeat=2)]
    if not residuals["declared"] > _CLEAR_GAIN * np.mean(elsewhere):
        return _unknown(declared, residuals, "edges of depth do not show in the colour images")
    reason = f"the best relation lies {away_px:.0f} pixels from it"
    return Finding("colour", Verdict.FITS, declared, declared, (declared,), residuals, _UNIT, reason)


def _unknown(declared: str, residuals: dict[str, float], reason: str) -> Finding:
    return Finding("colour", Verdict.UNCERTAIN, declared, None, (), residuals, _UNIT, reason)


def _described(relation: Relation, colour: Camera) -> dict[str, list[float]]:
    """The keys of spatialmem.json that declare a relation; `colour` is the depth camera at the size of colour."""
    fx, fy = colour.fx * relation.zoom, colour.fy * relation.zoom
    camera = (fx, fy, colour.cx + relation.right_px, colour.cy + relation.down_px)
    described = {"colour_camera": [round(float(value), 1) for value in camera]}
    if relation.parallax_px_m:
        described["colour_from_depth_m"] = [round(float(relation.parallax_px_m / fx), 4), 0.0, 0.0]
    return described


def _kinect(colour: Camera) -> Relation:
    """Colour of the first Kinect: 25 mm to the right of depth, focal length 525 pixels of 640."""
    focal = _KINECT_FOCAL_WIDTHS * colour.width
    return Relation(focal / colour.fx, -_KINECT_BASELINE_M * focal)
