"""Cameras of ROS: sensor_msgs/CameraInfo to a pinhole camera, rectification, registration of depth to colour.

Facts: the definition of sensor_msgs/CameraInfo (K and D describe the raw image, P the rectified one; binning and
region of interest count full-resolution pixels) and OpenCV's distortion models of the same names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem import geometry
from spatialmem.errors import InvalidValue, ReadError
from spatialmem.types import Camera

_BROWN = ("plumb_bob", "rational_polynomial")
_BROWN_LENGTHS = (4, 5, 8, 12, 14)
_FISHEYE = ("equidistant", "fisheye")
_FISHEYE_LENGTH = 4
_SAME_FOCAL = 1e-3
_SAME_CENTRE_PX = 0.5
_LARGEST_SPLAT_PX = 16
_SHORTEST_PX, _LONGEST_PX = 1e-2, 1e6  # focal lengths outside are not calibrated, or damage
_LARGEST_SIDE = 16384  # tables are built for this many pixels: not for the numbers of a damaged message


@dataclass(frozen=True)
class Lens:
    """How one image stream maps rays to pixels: a pinhole camera and, when not rectified, a distortion."""

    camera: Camera
    distortion: tuple[float, ...] = ()
    """coefficients in OpenCV's order; empty: the image is a pinhole image as it is"""
    fisheye: bool = False


def lens_from_info(info: Any, rectified: bool, topic: str) -> Lens:
    """The lens behind a CameraInfo message.

    Args:
        info: the message, of ROS 1 (K, D, P) or ROS 2 (k, d, p).
        rectified: the images are rectified ones, so that P describes them.
        topic: for messages.

    Raises:
        ReadError: not calibrated, a distortion model that is not known, the second camera of a stereo pair.
    """
    k, p = info_field(info, "k").reshape(3, 3), info_field(info, "p").reshape(3, 4)
    use_p = rectified and np.isfinite(p).all() and p[0, 0] > 0.0
    if use_p and abs(p[0, 3]) > 1e-9 * p[0, 0]:
        raise ReadError(
            f"{topic} is of the second camera of a stereo pair (P[0,3] = {p[0, 3]:g}); name the first one (left) "
            "with rgb_topic=... and camera_info_topic=..."
        )
    matrix = p[:, :3] if use_p else k
    focal = matrix[[0, 1], [0, 1]]
    if not np.isfinite(matrix).all() or not ((focal > _SHORTEST_PX) & (np.abs(matrix).max() < _LONGEST_PX)).all():
        raise ReadError(f"{topic} holds no calibration (focal length {matrix[0, 0]:g}); calibrate the camera first")
    distortion, fisheye = ((), False) if rectified else _distortion(info, topic)
    try:
        camera = _delivered_camera(Camera.from_matrix(matrix, int(info.width), int(info.height)), info)
    except InvalidValue as error:
        raise ReadError(f"{topic} holds no usable calibration: {error}") from error
    return Lens(camera, distortion, fisheye)


def info_field(info: Any, name: str) -> NDArray[np.float64]:
    """D, K, R or P of a CameraInfo as float64; ROS 1 writes these names in capitals, ROS 2 in small letters."""
    values = getattr(info, name, None)
    return np.asarray(getattr(info, name.upper()) if values is None else values, dtype=np.float64)


def calibration_key(info: Any) -> tuple[Any, ...]:
    """Everything of a CameraInfo but its stamp, to compare two of them."""
    roi = info.roi
    arrays = tuple(info_field(info, name).tobytes() for name in "dkrp")
    crop = (roi.x_offset, roi.y_offset, roi.width, roi.height, info.binning_x, info.binning_y)
    return (info.width, info.height, info.distortion_model, info.header.frame_id, *arrays, *crop)


def _distortion(info: Any, topic: str) -> tuple[tuple[float, ...], bool]:
    values = tuple(info_field(info, "d").tolist())
    if not any(values):
        return (), False
    model = info.distortion_model.strip().lower()
    fisheye = model in _FISHEYE
    fits = len(values) == _FISHEYE_LENGTH if fisheye else len(values) in _BROWN_LENGTHS
    if not fits or not (fisheye or model in _BROWN) or not np.isfinite(values).all():
        raise ReadError(
            f"{topic} describes distorted images by {info.distortion_model!r} with {len(values)} coefficients, which "
            f"is not known (known: {', '.join((*_BROWN, *_FISHEYE))}); record the rectified topics (image_rect)"
        )
    return values, fisheye


def _delivered_camera(full: Camera, info: Any) -> Camera:
    """The camera of the image as sent: cropped to the region of interest, then binned."""
    roi, bins = info.roi, (max(1, int(info.binning_x)), max(1, int(info.binning_y)))
    width, height = int(roi.width) or full.width, int(roi.height) or full.height
    if max(width, height) > _LARGEST_SIDE:
        raise InvalidValue(f"images of {width} x {height} pixels cannot be")
    cut = Camera(full.fx, full.fy, full.cx - int(roi.x_offset), full.cy - int(roi.y_offset), width, height)
    return cut if bins == (1, 1) else cut.scaled_to(width // bins[0], height // bins[1])


def same_pinhole(a: Camera, b: Camera) -> bool:
    """Whether two cameras put every ray on the same pixel, to within what calibration is good for."""
    focal = abs(a.fx / b.fx - 1.0) < _SAME_FOCAL and abs(a.fy / b.fy - 1.0) < _SAME_FOCAL
    centre = abs(a.cx - b.cx) < _SAME_CENTRE_PX and abs(a.cy - b.cy) < _SAME_CENTRE_PX
    return focal and centre and (a.width, a.height) == (b.width, b.height)


class Rectifier:
    """Removes the distortion of one lens; the pinhole camera stays `lens.camera`."""

    def __init__(self, lens: Lens) -> None:
        self.lens = lens
        self._maps: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        if lens.distortion:
            self._maps = _source_pixels(lens)
            x, y = self._maps
            self.valid = (x >= 0) & (x <= lens.camera.width - 1) & (y >= 0) & (y <= lens.camera.height - 1)

    def colour(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
        """(H, W, 3) rectified colour, and (H, W) bool where the sensor saw something (None: everywhere)."""
        if self._maps is None:
            return rgb, None
        import cv2

        out = cv2.remap(rgb, *self._maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        out[~self.valid] = 0
        return np.asarray(out, dtype=np.uint8), None if self.valid.all() else self.valid

    def depth(self, depth_m: NDArray[np.float32]) -> NDArray[np.float32]:
        """(H, W) rectified depth, metres: the nearest reading, never a mixture of two surfaces."""
        if self._maps is None:
            return depth_m
        x, y = (np.rint(values).astype(np.intp) for values in self._maps)
        height, width = depth_m.shape
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        out = np.full(depth_m.shape, np.nan, dtype=np.float32)
        out[inside] = depth_m[y[inside], x[inside]]
        return out


def _source_pixels(lens: Lens) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """For every rectified pixel, x and y in the distorted image."""
    import cv2

    k, size = lens.camera.K, (lens.camera.width, lens.camera.height)
    d = np.array(lens.distortion, dtype=np.float64)
    build = cv2.fisheye.initUndistortRectifyMap if lens.fisheye else cv2.initUndistortRectifyMap
    x, y = build(k, d, np.eye(3), k, size, cv2.CV_32FC1)
    return np.asarray(x, dtype=np.float32), np.asarray(y, dtype=np.float32)


class DepthRegistration:
    """Moves depth into the pixels of another camera. Holds tables only: every call stands alone.

    Args:
        depth_camera: camera of the depth images.
        camera: camera to register to.
        camera_from_depth: (4, 4) between their optical frames, metres.
    """

    def __init__(self, depth_camera: Camera, camera: Camera, camera_from_depth: NDArray[np.float64]) -> None:
        self._camera = camera
        self._offset = camera_from_depth[:3, 3].astype(np.float32)
        corners = (_turned_rays(depth_camera, camera_from_depth, shift) for shift in (-0.5, 0.0, 0.5))
        self._first_corner, self._centre, self._last_corner = corners

    def register(self, depth_m: NDArray[np.float32]) -> NDArray[np.float32]:
        """(H, W) float32 metres in the pixels of the other camera, NaN where no reading falls; the nearest wins.

        `depth_m` is (h, w) metres along the optical axis, NaN invalid. Every reading covers the rectangle that its
        pixel covers in the other image, so that no gaps open when that image is the larger one.
        """
        with np.errstate(invalid="ignore"):
            known = np.isfinite(depth_m) & (depth_m > 0.0)
        z = depth_m[known]
        moved_z = self._centre[2][known] * z + self._offset[2]
        order = np.argsort(-moved_z)  # far first: of several readings in one pixel the nearest is written last
        first, last = (self._pixels(rays, known, z)[:, order] for rays in (self._first_corner, self._last_corner))
        return _splat(first, last, moved_z[order], self._camera)

    def _pixels(self, rays: NDArray[np.float32], known: NDArray[np.bool_], z: NDArray[np.float32]):
        """(2, N) float32 pixel coordinates of the readings; NaN behind the camera."""
        x, y, depth = (rays[k][known] * z + self._offset[k] for k in range(3))
        depth = np.where(depth > 0.0, depth, np.float32(np.nan))
        fx, fy, cx, cy = (np.float32(v) for v in (self._camera.fx, self._camera.fy, self._camera.cx, self._camera.cy))
        return np.stack([x / depth * fx + cx, y / depth * fy + cy])


def _turned_rays(camera: Camera, target_from_camera: NDArray[np.float64], shift_px: float) -> NDArray[np.float32]:
    """(3, H, W) rays through points `shift_px` right of and below each pixel centre, z = 1, in the target's axes."""
    shifted = Camera(camera.fx, camera.fy, camera.cx - shift_px, camera.cy - shift_px, camera.width, camera.height)
    turned = geometry.pixel_rays(shifted) @ target_from_camera[:3, :3].T
    return np.ascontiguousarray(np.moveaxis(turned, -1, 0), dtype=np.float32)


def _splat(a: NDArray[np.float32], b: NDArray[np.float32], depth: NDArray[np.float32], camera: Camera):
    """Depth over the pixel centres between corners a and b (2, N) of each reading; readings come far first."""
    low, high = np.minimum(a, b), np.maximum(a, b)
    with np.errstate(invalid="ignore"):
        usable = (
            (depth > 0.0) & (high[0] >= 0.0) & (high[1] >= 0.0) & (low[0] <= camera.width) & (low[1] <= camera.height)
        )
    low, high, depth = low[:, usable], high[:, usable], depth[usable]
    x, y = np.floor(low).astype(np.int32) + 1
    columns, rows = np.floor(high).astype(np.int32) - (x - 1, y - 1)
    # a reading smaller than a pixel may hold no centre: it counts for the nearest one
    x = np.where(columns < 1, np.rint((low[0] + high[0]) / 2.0).astype(np.int32), x)
    y = np.where(rows < 1, np.rint((low[1] + high[1]) / 2.0).astype(np.int32), y)
    columns, rows = np.clip(columns, 1, _LARGEST_SPLAT_PX), np.clip(rows, 1, _LARGEST_SPLAT_PX)
    out = np.full(camera.height * camera.width, np.inf, dtype=np.float32)
    for dy in range(int(rows.max(initial=0))):
        for dx in range(int(columns.max(initial=0))):
            u, v = x + dx, y + dy
            hit = (dx < columns) & (dy < rows) & (u >= 0) & (u < camera.width) & (v >= 0) & (v < camera.height)
            layer = np.full_like(out, np.inf)
            layer[v[hit] * camera.width + u[hit]] = depth[hit]
            np.minimum(out, layer, out=out)
    out[np.isinf(out)] = np.nan
    return out.reshape(camera.height, camera.width)
