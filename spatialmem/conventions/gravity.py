"""Which way is up in the world of a recording, and whether that is what it declares."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatialmem.conventions.poses import PoseAnswer
from spatialmem.conventions.readings import understood
from spatialmem.conventions.report import Finding, Verdict
from spatialmem.conventions.samples import Samples
from spatialmem.conventions.shape import cloud
from spatialmem.up import estimate_up

_UNIT = "angle to the up that the surfaces show, degrees; small is good"
_SAME_DEG = 12.0  # a tripod, a mocap room and a floor agree to a few degrees
_AXIS_DEG = 10.0
_ALONG_VIEW_DEG, _NEAR_DEG = 35.0, 10.0
_COLUMNS = 80
AXES = {"x": (1, 0, 0), "y": (0, 1, 0), "z": (0, 0, 1), "-x": (-1, 0, 0), "-y": (0, -1, 0), "-z": (0, 0, -1)}
"""names of the directions that up usually has"""


def up_finding(samples: Samples, poses: PoseAnswer, declared_up: tuple[float, float, float] | None) -> Finding:
    """Up from the level surfaces that the frames see, beside the six axes and what is declared.

    `found` is an axis of `AXES` where one lies within 10 degrees, else three numbers.
    """
    declared = None if declared_up is None else named(declared_up)
    if not poses.certain:
        reason = poses.trouble or "poses are not certain"
        return Finding("up", Verdict.UNCERTAIN, declared, None, (), {}, _UNIT, reason)
    world_from_camera = understood(np.array([sample.written for sample in samples.frames]), poses.best)
    normals = []
    for sample, pose in zip(samples.frames, world_from_camera, strict=True):
        seen = cloud(sample, _COLUMNS).normals.reshape(-1, 3)
        normals.append(seen[np.isfinite(seen[:, 0])] @ pose[:3, :3].T)
    known = np.concatenate(normals)
    up = estimate_up(known, -world_from_camera[:, :3, 1])
    if up is None:
        reason = "no large level surface is in view, or the camera was held in every direction"
        return Finding("up", Verdict.UNCERTAIN, declared, None, (), {}, _UNIT, reason)
    residuals = {name: _degrees(np.array(axis), up.up_in_map) for name, axis in AXES.items()}
    found = named(tuple(up.up_in_map))
    reason = f"level surfaces agree to {up.residual_deg:.1f} degrees"
    if declared_up is None:
        return Finding("up", Verdict.FOUND, None, found, (found,), residuals, _UNIT, reason)
    off_deg = _degrees(np.array(declared_up), up.up_in_map)
    residuals["declared"] = off_deg
    if off_deg <= _SAME_DEG:
        return Finding("up", Verdict.FITS, declared, declared, (declared,), residuals, _UNIT, reason)
    view = world_from_camera[:, :3, 2].mean(axis=0)
    along_view = min(_degrees(view, np.array(declared_up)), _degrees(-view, np.array(declared_up))) < _ALONG_VIEW_DEG
    if along_view and _share(known, declared_up) > _share(known, up.up_in_map):
        reason = "the camera looks along the declared up, at a surface across it: a floor or a wall"
        return Finding("up", Verdict.UNCERTAIN, declared, found, (declared, found), residuals, _UNIT, reason)
    return Finding("up", Verdict.WRONG, declared, found, (found,), residuals, _UNIT, reason)


def named(up: tuple[float, ...]) -> str | tuple[float, float, float]:
    """The axis within 10 degrees of a direction, else the direction, rounded."""
    nearest = min(AXES, key=lambda name: _degrees(np.array(AXES[name]), np.array(up)))
    if _degrees(np.array(AXES[nearest]), np.array(up)) <= _AXIS_DEG:
        return nearest
    x, y, z = (round(float(value), 3) for value in up)
    return x, y, z


def direction(found: str | tuple[float, float, float]) -> list[float]:
    """Three numbers of what `named` gives."""
    return [float(value) for value in (AXES[found] if isinstance(found, str) else found)]


def _share(normals: NDArray[np.float64], up: ArrayLike) -> float:
    """Share of the normals (N, 3) that point up or down."""
    return float((np.abs(normals @ np.asarray(up)) > np.cos(np.deg2rad(_NEAR_DEG))).mean())


def _degrees(a: NDArray, b: NDArray) -> float:
    cosine = float(a @ b / max(1e-12, np.linalg.norm(a) * np.linalg.norm(b)))
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0))))
