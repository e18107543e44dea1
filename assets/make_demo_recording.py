"""Renders assets/kitchenette, the recording that `spatialmem demo` remembers.

    python assets/make_demo_recording.py [--out DIR]

A walk around a small furnished room: 320x240 colour (JPEG) and depth (16-bit PNG, millimetres) with the
noise, the disparity steps and the missing readings of a structured-light camera, in the plain-folder
layout of docs/readers.md. The same files come out on every run with the same library versions.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from demo_scene import Tracer, room

from spatialmem.geometry import quat_xyzw_from_matrix
from spatialmem.types import Camera

WIDTH, HEIGHT, FRAMES, FPS = 320, 240, 72, 5
FIRST_STAMP_NS = 1_767_261_600_000_000_000  # 2026-01-01 10:00 UTC
CAMERA = Camera.from_hfov(70.0, WIDTH, HEIGHT)
MAX_DEPTH_M = 6.0
_SUPERSAMPLE = 2
_DISPARITY_M = 0.075 * 580.0  # baseline times focal length (pixels) of a Kinect: disparity = this / depth
_DISPARITY_STEP = 1.0 / 8.0
_LAP_M = (  # x, y, height of the eye; x, y, height of what is looked at
    (1.35, 0.85, 1.60, 0.35, 1.50, 0.30), (1.20, 1.00, 1.60, 0.40, 2.60, 0.70), (1.00, 1.60, 1.65, 0.90, 3.30, 0.85),
    (1.30, 2.10, 1.70, 1.50, 3.20, 0.85), (2.10, 2.25, 1.70, 2.30, 3.20, 0.85), (2.70, 2.30, 1.68, 3.00, 3.15, 0.60),
    (2.90, 2.45, 1.65, 3.75, 2.90, 0.20), (3.10, 2.60, 1.62, 3.60, 1.20, 0.40), (3.50, 2.40, 1.60, 3.10, 1.30, 0.50),
    (3.80, 1.90, 1.60, 2.70, 1.45, 0.65), (3.70, 1.10, 1.60, 2.30, 1.50, 0.65), (3.10, 0.70, 1.60, 3.70, 0.45, 0.55),
    (2.50, 0.60, 1.60, 3.30, 1.30, 0.50), (1.90, 0.65, 1.60, 2.20, 1.60, 0.60), (1.50, 0.75, 1.60, 1.20, 1.90, 0.20),
    (1.45, 0.95, 1.60, 0.50, 0.60, 0.10),
)  # fmt: skip


def pose(share: float) -> np.ndarray:
    """(4, 4) world_from_camera (OpenCV axes) at a share of the walk, between knots by Catmull-Rom splines."""
    knots = np.array(_LAP_M)
    at = share * (len(knots) - 1)
    k = min(int(at), len(knots) - 2)
    t = at - k
    a, b, c, d = (knots[np.clip(k + j, 0, len(knots) - 1)] for j in (-1, 0, 1, 2))
    here = b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    forward = here[3:] - here[:3]
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    world_from_camera = np.eye(4)
    world_from_camera[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    world_from_camera[:3, 3] = here[:3]
    return world_from_camera


def rays(world_from_camera: np.ndarray, camera: Camera) -> np.ndarray:
    """(H * W, 3) directions in the world with z = 1 in the camera."""
    u, v = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    directions = np.stack([(u - camera.cx) / camera.fx, (v - camera.cy) / camera.fy, np.ones(u.shape)], axis=-1)
    return directions.reshape(-1, 3) @ world_from_camera[:3, :3].T


def colour(tracer: Tracer, world_from_camera: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8 RGB."""
    fine = CAMERA.scaled_to(WIDTH * _SUPERSAMPLE, HEIGHT * _SUPERSAMPLE)
    shaded = tracer.colour(world_from_camera[:3, 3], rays(world_from_camera, fine), rng)
    image = shaded.reshape(fine.height, fine.width, 3).astype(np.float32)
    image = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    image = 255.0 * image + rng.normal(0.0, 1.2, image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def depth_mm(tracer: Tracer, world_from_camera: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(H, W) uint16 millimetres, 0 where the sensor gives nothing: at edges, at grazing angles, far away."""
    exact = tracer.depth_m(world_from_camera[:3, 3], rays(world_from_camera, CAMERA)).reshape(HEIGHT, WIDTH)
    disparity = _DISPARITY_M / exact.astype(np.float64) + rng.normal(0.0, 0.045, exact.shape)
    measured = _DISPARITY_M / (np.rint(disparity / _DISPARITY_STEP) * _DISPARITY_STEP)
    steps = [np.abs(np.diff(exact, axis=k, append=exact.take([-1], axis=k))) for k in (0, 1)]
    lost = (np.maximum(*steps) > 0.04 * exact) & (rng.random(exact.shape) < 0.7)
    lost |= rng.random(exact.shape) < 0.002
    lost |= exact > MAX_DEPTH_M
    return np.where(lost, 0, np.rint(1000.0 * measured)).astype(np.uint16)


def main() -> None:
    """Write the recording."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "kitchenette")
    out: Path = parser.parse_args().out
    for name in ("rgb", "depth"):
        (out / name).mkdir(parents=True, exist_ok=True)
    tracer, lines = Tracer(room()), []
    for i in range(FRAMES):
        world_from_camera, rng = pose(i / (FRAMES - 1)), np.random.default_rng((2026, i))
        rgb = colour(tracer, world_from_camera, rng)
        cv2.imwrite(str(out / f"rgb/{i:04d}.jpg"), rgb[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
        depth = depth_mm(tracer, world_from_camera, rng)
        cv2.imwrite(str(out / f"depth/{i:04d}.png"), depth, [cv2.IMWRITE_PNG_COMPRESSION, 9])
        stamp_ns = FIRST_STAMP_NS + i * 1_000_000_000 // FPS
        numbers = [*world_from_camera[:3, 3], *quat_xyzw_from_matrix(world_from_camera[:3, :3])]
        stamp = f"{stamp_ns // 10**9}.{stamp_ns % 10**9:09d}"
        lines.append(" ".join([stamp, *(f"{value:.8f}" for value in numbers)]))
    (out / "poses.txt").write_text("# stamp tx ty tz qx qy qz qw (world_from_camera)\n" + "\n".join(lines) + "\n")
    (out / "intrinsics.txt").write_text(f"{CAMERA.fx:.6f} {CAMERA.fy:.6f} {CAMERA.cx:.6f} {CAMERA.cy:.6f}\n")
    settings = {"depth_scale": 1000, "up": [0, 0, 1], "frame_id": "kitchenette"}
    (out / "spatialmem.json").write_text(json.dumps(settings, indent=2) + "\n")


if __name__ == "__main__":
    main()
