"""The recordings that benchmarks run on: real ones from the shared folder, and an analytic tabletop and wall."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from common import ROOT, SHORT, Bench
from numpy.typing import NDArray

from spatialmem.io import read
from spatialmem.io.reader import Reader
from spatialmem.types import Camera, Frame

FRAME_STEP_NS = 33_333_333


def data_folder() -> Path:
    """$SPATIALMEM_SHARED, or ../shared/data beside the repository."""
    return Path(os.environ.get("SPATIALMEM_SHARED", ROOT.parent / "shared" / "data"))


def available(bench: Bench, names: Sequence[str]) -> list[str]:
    """The recordings that are here; the others are noted as missing. Ends the script when there is none."""
    found = [name for name in names if (data_folder() / name).is_dir()]
    for name in set(names) - set(found):
        bench.missing(f"recording {name} is not there; set SPATIALMEM_SHARED to the folder that holds it")
    if not found:
        raise SystemExit(f"none of {', '.join(names)} is there; set SPATIALMEM_SHARED to the folder that holds them")
    return found


def reader(name: str) -> Reader:
    """The reader of a recording."""
    return read(data_folder() / name)


def frames_of(name: str, most: int | None = None) -> list[Frame]:
    """Good frames of a recording, the first `most` of them."""
    found = []
    for frame in reader(name):
        found.append(frame)
        if len(found) == most:
            break
    return found


def label(name: str) -> str:
    """Short name for tables."""
    return SHORT.get(name, name)


def to_and_fro(frames: Sequence[Frame], count: int, first: int = 0) -> list[Frame]:
    """`count` frames that walk a recording forwards and backwards, with stamps that rise and numbers of their own."""
    lap = [*frames, *reversed(frames)]
    return [restamped(lap[i % len(lap)], i) for i in range(first, first + count)]


def restamped(frame: Frame, number: int) -> Frame:
    """The same view, taken as frame `number` of a 30 Hz camera."""
    return replace(frame, seq=number, stamp_ns=1_000_000_000 + number * FRAME_STEP_NS)


# --- analytic scenes


def rays(camera: Camera) -> NDArray[np.float64]:
    """(H, W, 3) directions with z = 1, camera axes."""
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    x, y = (u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy
    return np.stack([x, y, np.ones_like(x)], axis=-1)


def _looking_at(eye: NDArray, target: NDArray) -> NDArray[np.float64]:
    z = (target - eye) / np.linalg.norm(target - eye)
    x = np.cross(z, (0.0, 0.0, 1.0))
    x /= np.linalg.norm(x)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = np.stack([x, np.cross(z, x), z], axis=1), eye
    return pose


TABLETOP_BALLS = ((0.15, 0.1, 0.06), (-0.2, 0.0, 0.09), (0.05, -0.22, 0.05), (-0.05, 0.25, 0.07))
"""x, y and radius of balls that lie on the table, metres"""
_BALL_RGB = ((200, 30, 30), (30, 160, 40), (40, 60, 200), (230, 210, 40))


def tabletop(count: int, size: int, seed: int) -> list[Frame]:
    """Frames of a camera that circles a table with four balls at 0.75 m, depth noise of 1 mm."""
    camera, noise = Camera.from_hfov(60.0, size, size), np.random.default_rng(seed)
    found = []
    for i in range(count):
        angle = 2 * np.pi * i / 120
        pose = _looking_at(np.array([0.6 * np.cos(angle), 0.6 * np.sin(angle), 0.5]), np.array([0.0, 0.0, 0.03]))
        depth, rgb = _cast_tabletop(pose, camera)
        depth = (depth + noise.normal(0.0, 0.001, depth.shape)).astype(np.float32)
        found.append(Frame(rgb, depth, camera, pose, 1_000_000_000 + i * FRAME_STEP_NS, seq=i, depth_unit="m"))
    return found


def _cast_tabletop(pose: NDArray, camera: Camera) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    direction, eye = rays(camera) @ pose[:3, :3].T, pose[:3, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.where(direction[..., 2] < 0, -eye[2] / direction[..., 2], np.nan)
        rgb = np.full((*depth.shape, 3), (150, 120, 90), np.uint8)
        for (x, y, radius), colour in zip(TABLETOP_BALLS, _BALL_RGB, strict=True):
            offset = eye - (x, y, radius)
            a, b = (direction**2).sum(-1), direction @ offset
            near = (-b - np.sqrt(b**2 - a * (offset @ offset - radius**2))) / a
            hit = np.isfinite(near) & ~(near >= depth)
            depth, rgb[hit] = np.where(hit, near, depth), colour
    return depth, rgb


WALL_M = 2.0
"""distance of the wall from the camera"""


def wall(number: int, columns: int, camera: Camera, rgb: NDArray[np.uint8]) -> Frame:
    """View `number` of a flat wall: views lie side by side without overlap, `columns` of them in a row."""
    pose = np.eye(4)
    width_m, height_m = camera.width / camera.fx * WALL_M, camera.height / camera.fy * WALL_M
    pose[:3, 3] = (number % columns * width_m, number // columns * height_m, 0.003)
    depth = np.full((camera.height, camera.width), WALL_M, np.float32)
    return Frame(rgb, depth, camera, pose, 1_000_000_000 + number * FRAME_STEP_NS, seq=number)
