"""A reader for a format of your own: name the frames, read one, and the rest is inherited.

The format here: a folder of NUMBER.npz files with the arrays rgb, depth_mm and pose. The example writes a few of them
first, from the demo recording.

    python examples/02_own_reader.py [FOLDER]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from spatialmem import Camera, Frame, SpatialMemory, read
from spatialmem.io import Reader


class NpzReader(Reader):
    """NUMBER.npz files; 10 frames a second."""

    format_name = "npz"
    layout = "0000.npz, 0001.npz, ... with rgb, depth_mm, pose, K"

    def __init__(self, path: Path, *, strict: bool = False, session_id: str | None = None) -> None:
        super().__init__(path, strict=strict, session_id=session_id)
        self.files = sorted(self.path.glob("*.npz"))
        self.up_in_world = (0.0, 0.0, 1.0)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.is_dir() and any(path.glob("*.npz"))

    def __len__(self) -> int:
        return len(self.files)

    def read_frame(self, index: int) -> Frame:
        with np.load(self.files[index]) as arrays:
            rgb, depth_m = arrays["rgb"], arrays["depth_mm"].astype(np.float32) / 1000.0
            camera = Camera.from_matrix(arrays["K"], rgb.shape[1], rgb.shape[0])
            stamp_ns = index * 100_000_000
            return Frame(rgb, depth_m, camera, arrays["pose"], stamp_ns, session_id=self.session_id, seq=index)


def write_some(folder: Path) -> None:
    """Eight frames of the demo recording in the format above."""
    recording = read(Path(__file__).parents[1] / "assets" / "kitchenette")
    for k in range(8):
        frame = recording[2 * k]
        depth_mm = np.nan_to_num(frame.depth_m * 1000.0).astype(np.uint16)
        arrays = {"rgb": frame.rgb, "depth_mm": depth_mm, "pose": frame.world_from_camera, "K": frame.camera.K}
        np.savez(folder / f"{k:04d}.npz", **arrays)


with tempfile.TemporaryDirectory() as scratch:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(scratch)
    if folder == Path(scratch):
        write_some(folder)
    with SpatialMemory.create(folder / "own.mem") as memory:
        outcomes = [memory.observe(frame) for frame in NpzReader(folder)]
        print(f"{len(outcomes)} frames, {len(memory.trajectory())} stored")
        print("blue things at", [hit.position_m.round(2).tolist() for hit in memory.query("blue")])
