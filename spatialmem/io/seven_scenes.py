"""7-Scenes: frame-000000.color.png|jpg, .depth.png, .pose.txt (Shotton et al., CVPR 2013).

Poses are of the depth camera, world_from_camera, OpenCV axes, in a KinectFusion world that is not aligned
with gravity. Depth is in millimetres, 0 and 65535 are invalid. Colour is not registered to depth: the two
cameras of the sensor are 25 mm apart and differ in focal length. This reader gives frames of the depth
camera, with colour fetched from where each depth pixel falls in the colour image.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialmem.io import depth_scales
from spatialmem.io.images import read_depth_m, read_rgb
from spatialmem.io.registration import ColourRegistration
from spatialmem.io.shots import Shot, ShotsReader, first_size, frame_stamp_ns, numbered, size_of, some
from spatialmem.io.textfiles import camera_from_matrix, matrix
from spatialmem.types import Camera

_DEPTH_CAMERA = Camera(585.0, 585.0, 320.0, 240.0, 640, 480)
_COLOUR_CAMERA = Camera(525.0, 525.0, 320.0, 240.0, 640, 480)
_BASELINE_M = 0.025
_DEPTH_PATTERN = "frame-*.depth.png"


class SevenScenesReader(ShotsReader):
    """A sequence folder (seq-NN) of 7-Scenes.

    The relation of the cameras, measured on depth against colour edges: depth pixel (u, v, z) falls at
    u' = (u - 320) / 585 * 525 + 320 - 525 * 0.025 / z, v' = (v - 240) / 585 * 525 + 240. Where the surface
    of a reading lies outside the colour image, or is hidden from the colour camera by something nearer, its
    depth is good but its colour is not known; `valid` is False there (a few per cent of the pixels, along
    the left side of near things), so that no voxel takes the colour of what stands before it.
    """

    format_name = "7scenes"
    layout = "frame-000000.color.png|jpg, frame-000000.depth.png, frame-000000.pose.txt, ... (a seq-NN folder)"

    def __init__(self, path: str | Path, *, strict: bool = False, session_id: str | None = None, fps: float = 30.0,
                 mask_uncoloured: bool = True) -> None:  # fmt: skip
        """List the frames.

        Args:
            path: the folder.
            strict: see `Reader`.
            session_id: see `Reader`.
            fps: the data set has no stamps; frame i is taken at i / fps seconds.
            mask_uncoloured: mark readings whose colour is not known as not `valid`; False keeps them, with
                the colour of what hides them.
        """
        super().__init__(path, strict=strict, session_id=session_id)
        self.depth_scale = depth_scales.SEVEN_SCENES
        self._mask_uncoloured = mask_uncoloured
        files = numbered(sorted(self.path.glob(_DEPTH_PATTERN)))
        shots = [self._shot(number, depth, fps) for number, depth in sorted(files.items())]
        self.shots = some(shots, self.path, "frame-000000.depth.png and so on")
        size = first_size([shot.rgb for shot in shots])
        self.camera = self._depth_camera(size)
        colour_from_depth = np.eye(4)
        colour_from_depth[0, 3] = -_BASELINE_M
        self.registration = ColourRegistration(_COLOUR_CAMERA.scaled_to(*size), self.camera, colour_from_depth)
        self.note(f"no stamps in this format: frame i is taken at i / {fps:g} s")
        self.note("colour is registered to the depth camera (focal lengths 525 and 585, baseline 25 mm)")

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.is_dir() and next(path.glob(_DEPTH_PATTERN), None) is not None

    def pose_of(self, shot: Shot) -> NDArray[np.float64] | None:
        return matrix(_beside(shot.depth, "pose.txt")) if shot.depth else None

    def images_of(self, shot: Shot) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None, NDArray[np.bool_] | None]:
        assert shot.depth is not None and self.registration is not None
        size = size_of(self.camera)
        depth_m = read_depth_m(shot.depth, self.depth_scale, size)
        rgb, coloured = self.registration.register(read_rgb(shot.rgb, size), depth_m)
        return rgb, depth_m, coloured if self._mask_uncoloured else None

    def _depth_camera(self, size: tuple[int, int]) -> Camera:
        given = self.path / "camera-intrinsics.txt"
        return camera_from_matrix(given, *size) if given.is_file() else _DEPTH_CAMERA.scaled_to(*size)

    def _shot(self, number: int, depth: Path, fps: float) -> Shot:
        png, jpg = _beside(depth, "color.png"), _beside(depth, "color.jpg")
        return Shot(png if png.exists() else jpg, depth, None, frame_stamp_ns(number, fps), number)


def _beside(depth: Path, ending: str) -> Path:
    return depth.with_name(depth.name.removesuffix("depth.png") + ending)
