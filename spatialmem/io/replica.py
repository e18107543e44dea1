"""Replica as rendered for NICE-SLAM: results/frame000000.jpg, results/depth000000.png, traj.txt.

traj.txt holds one pose a line, 16 row-major numbers, world_from_camera with OpenCV axes. Raw depth /
6553.5 is metres. 1200 x 680 pixels, f 600, c (599.5, 339.5), unless a cam_params.json says otherwise.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spatialmem.errors import ReadError
from spatialmem.io import depth_scales
from spatialmem.io.images import image_files
from spatialmem.io.shots import Shot, ShotsReader, frame_stamp_ns, numbered, some
from spatialmem.io.textfiles import camera_of, matrices, number_of, read_json
from spatialmem.types import Camera

_CAMERA = Camera(600.0, 600.0, 599.5, 339.5, 1200, 680)
_PARAMETERS = "cam_params.json"


class ReplicaReader(ShotsReader):
    """One scene of Replica in NICE-SLAM's layout; cam_params.json beside the scene or in the folder above it."""

    format_name = "replica"
    layout = "results/frame000000.jpg, results/depth000000.png, traj.txt (Replica as rendered for NICE-SLAM)"

    def __init__(
        self, path: str | Path, *, strict: bool = False, session_id: str | None = None, fps: float = 30.0
    ) -> None:
        """List the frames.

        Args:
            path: the scene's folder.
            strict: see `Reader`.
            session_id: see `Reader`.
            fps: the format has no stamps; frame i is taken at i / fps seconds.
        """
        super().__init__(path, strict=strict, session_id=session_id)
        self.camera, self.depth_scale = self._parameters()
        results = self.path / "results"
        colour = numbered([p for p in image_files(results) if p.name.startswith("frame")])
        poses = matrices(self.path / "traj.txt")
        shots = [
            Shot(rgb, results / f"depth{rgb.stem.removeprefix('frame')}.png", poses[n] if n < len(poses) else None,
                 frame_stamp_ns(n, fps), n, f"traj.txt has {len(poses)} lines, none for frame {n}")
            for n, rgb in sorted(colour.items())
        ]  # fmt: skip
        self.shots = some(shots, results, "frame000000.jpg and so on")
        self.note(f"no stamps in this format: frame i is taken at i / {fps:g} s")

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.is_dir() and (path / "traj.txt").is_file() and (path / "results").is_dir()

    def _parameters(self) -> tuple[Camera, float]:
        """Camera and depth scale, from cam_params.json where there is one."""
        for folder in (self.path, self.path.resolve().parent):
            file = folder / _PARAMETERS
            if file.is_file():
                values: dict[str, Any] = read_json(file)
                camera = values.get("camera", values)
                if not isinstance(camera, dict):
                    raise ReadError(f"{file}: 'camera' must be an object with w, h, fx, fy, cx, cy and scale")
                names = ("fx", "fy", "cx", "cy", "w", "h")
                scale = number_of(file, camera, "scale") if "scale" in camera else depth_scales.REPLICA
                if not scale > 0:
                    raise ReadError(f"{file}: 'scale' must be positive; found {scale}")
                return camera_of(file, *(number_of(file, camera, name) for name in names)), scale
        self.note("no cam_params.json: 1200 x 680, f 600, c (599.5, 339.5) and depth scale 6553.5 are used")
        return _CAMERA, depth_scales.REPLICA
