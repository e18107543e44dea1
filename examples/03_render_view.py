"""What the memory looks like from a place where no camera ever was: colour, depth and normals as one picture.

    python examples/03_render_view.py [MEMORY] [--out view.png]

Without MEMORY, one is built from the demo recording.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from spatialmem import Camera, SpatialMemory, read
from spatialmem.types import View


def looking(eye_m: tuple[float, float, float], target_m: tuple[float, float, float]) -> np.ndarray:
    """(4, 4) world_from_camera in a z-up world: x right, y down, z towards the target."""
    forward = np.subtract(target_m, eye_m)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = eye_m
    return pose


def picture(view: View) -> np.ndarray:
    """(H, 3 W, 3) uint8: colour, depth (near is bright, up to 5 m), normals."""
    depth = np.nan_to_num(255.0 * (1.0 - view.depth_m / 5.0)).clip(0, 255).astype(np.uint8)
    normals = np.nan_to_num(127.5 + 127.5 * view.normal).astype(np.uint8)
    return np.hstack([view.rgb, np.repeat(depth[..., None], 3, axis=2), normals])


parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("memory", nargs="?", type=Path)
parser.add_argument("--out", default="view.png", type=Path)
parser.add_argument("--every", default=1, type=int, help="use every n-th frame of the demo recording")
arguments = parser.parse_args()

if arguments.memory:
    memory = SpatialMemory.open(arguments.memory)
else:
    memory = SpatialMemory.create(arguments.out.with_suffix(".mem"))
    recording = read(Path(__file__).parents[1] / "assets" / "kitchenette")
    for i in range(0, len(recording), arguments.every):
        memory.observe(recording[i])

with memory:
    view = memory.render(looking((0.6, 0.6, 2.2), (2.6, 2.0, 0.6)), Camera.from_hfov(75.0, 480, 360))
    cv2.imwrite(str(arguments.out), picture(view)[:, :, ::-1])
    seen = np.isfinite(view.depth_m).mean()
    print(
        f"{arguments.out}: surface in {100 * seen:.0f} % of the pixels, median depth {np.nanmedian(view.depth_m):.2f} m"
    )
