"""ScanNet as exported by its SensReader: color/, depth/, pose/, intrinsic/ (Dai et al., CVPR 2017).

Colour (1296 x 968) and depth (640 x 480) have sizes and intrinsics of their own. Poses are world_from_camera,
OpenCV axes; where tracking was lost they are minus infinity. Raw depth is in millimetres.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import ReadError
from spatialmem.geometry import inverse
from spatialmem.io import depth_scales
from spatialmem.io.images import image_files, read_depth_m, read_rgb
from spatialmem.io.registration import ColourRegistration
from spatialmem.io.shots import Shot, ShotsReader, first_size, frame_stamp_ns, numbered, size_of, some
from spatialmem.io.textfiles import camera_from_matrix, matrix
from spatialmem.types import checked_transform


class ScanNetReader(ShotsReader):
    """One exported scan. Frames have the pixels and intrinsics of depth; colour is registered to them.

    Readings that colour does not see (outside its image) are not `valid`.
    """

    format_name = "scannet"
    layout = "color/0.jpg, depth/0.png, pose/0.txt, ..., intrinsic/intrinsic_color.txt, intrinsic/intrinsic_depth.txt"

    def __init__(
        self, path: str | Path, *, strict: bool = False, session_id: str | None = None, fps: float = 30.0
    ) -> None:
        """List the frames.

        Args:
            path: the scan's folder.
            strict: see `Reader`.
            session_id: see `Reader`.
            fps: the export has no stamps; frame i is taken at i / fps seconds.
        """
        super().__init__(path, strict=strict, session_id=session_id)
        self.depth_scale = depth_scales.SCANNET
        colour, depth = numbered(image_files(self.path / "color")), numbered(image_files(self.path / "depth", True))
        shots = [
            Shot(rgb, depth.get(n, self.path / "depth" / f"{n}.png"), None, frame_stamp_ns(n, fps), n)
            for n, rgb in sorted(colour.items())
        ]
        self.shots = some(shots, self.path / "color", "0.jpg, 1.jpg and so on")
        colour_size, depth_size = self._sizes()
        intrinsic = self.path / "intrinsic"
        self.camera = camera_from_matrix(intrinsic / "intrinsic_depth.txt", *depth_size)
        self._colour_camera = camera_from_matrix(intrinsic / "intrinsic_color.txt", *colour_size)
        self.registration = ColourRegistration(self._colour_camera, self.camera, self._colour_from_depth())
        sizes = (*colour_size, *depth_size)
        self.note("colour, {} x {}, is registered to depth, {} x {}".format(*sizes))
        self.note(f"no stamps in this format: frame i is taken at i / {fps:g} s")

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.is_dir() and all((path / name).is_dir() for name in ("color", "depth", "pose", "intrinsic"))

    def pose_of(self, shot: Shot) -> NDArray[np.float64] | None:
        return matrix(self.path / "pose" / f"{shot.rgb.stem}.txt")

    def images_of(self, shot: Shot) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None, NDArray[np.bool_] | None]:
        assert shot.depth is not None
        depth_m = read_depth_m(shot.depth, self.depth_scale, size_of(self.camera))
        assert self.registration is not None
        rgb, coloured = self.registration.register(read_rgb(shot.rgb, size_of(self._colour_camera)), depth_m)
        return rgb, depth_m, coloured

    def _sizes(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Sizes of colour and depth, from the first readable header of each."""
        colour = first_size([shot.rgb for shot in self.shots])
        return colour, first_size([shot.depth for shot in self.shots if shot.depth])

    def _colour_from_depth(self) -> NDArray[np.float64] | None:
        """The exported extrinsics; identity in the data set itself, where depth was registered beforehand."""
        files = [self.path / "intrinsic" / f"extrinsic_{name}.txt" for name in ("color", "depth")]
        if not all(file.is_file() for file in files):
            return None
        return colour_from_depth(self.path / "intrinsic", *(matrix(file) for file in files))


def colour_from_depth(
    path: Path, rig_from_colour: NDArray[np.float64], rig_from_depth: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(4, 4) from depth to colour camera axes, by the extrinsics in `path`; `ReadError` when these are none."""
    try:
        return inverse(checked_transform(rig_from_colour)) @ checked_transform(rig_from_depth)
    except ValueError as error:
        raise ReadError(f"{path}: extrinsics are no rigid transforms: {error}") from error
