"""From a pair of image messages to colour and depth of one pinhole camera: decoded, rectified, registered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import ReadError
from spatialmem.io.reader import BadFrame, BadReason
from spatialmem.io.ros_cameras import DepthRegistration, Lens, Rectifier, lens_from_info, same_pinhole
from spatialmem.io.ros_images import decode_colour, decode_depth
from spatialmem.io.ros_index import InfoHistory
from spatialmem.io.ros_topics import ImageTopic
from spatialmem.io.ros_transforms import TransformTree
from spatialmem.types import Camera

RECORD_ALIGNED = (
    "record the depth image aligned to colour instead (realsense2_camera: align_depth.enable:=true and "
    "/camera/aligned_depth_to_color/image_raw; depth_image_proc/register: depth_registered/image_rect)"
)


class Optics:
    """Lenses of one image topic through the recording, each with its tables built once."""

    def __init__(self, history: InfoHistory, topic: str, rectified: bool) -> None:
        self._history = history
        self._built = [Rectifier(lens_from_info(info, rectified, topic)) for info in history.messages]

    def at(self, stamp_ns: int) -> Rectifier:
        """The rectifier in force at an instant."""
        return self._built[self._history.index_at(stamp_ns)]

    @property
    def first(self) -> Lens:
        """The first lens of the recording."""
        return self._built[0].lens

    @property
    def changes(self) -> int:
        """How often the calibration changes within the recording."""
        return len(self._built) - 1


@dataclass(frozen=True)
class Picture:
    """What a frame needs of its images."""

    rgb: NDArray[np.uint8]
    depth_m: NDArray[np.float32]
    camera: Camera
    valid: NDArray[np.bool_] | None


class Pair:
    """Turns colour and depth messages into one picture in the pixels of the rectified colour camera.

    Args:
        colour, depth: the topics.
        colour_optics: lenses of the colour topic.
        depth_optics: lenses of the depth topic; None: no calibration recorded, then depth must lie in colour's pixels.
        tree: frames; needed when depth has another optical frame than colour.
        camera_frame: frame of the colour camera in `tree`.
        depth_scale: integer depth divided by this is metres.

    Raises:
        ReadError: depth is not registered to colour and what is needed to do it was not recorded.
    """

    def __init__(
        self, colour: ImageTopic, depth: ImageTopic, colour_optics: Optics, depth_optics: Optics | None,
        tree: TransformTree, camera_frame: str, depth_scale: float,
    ) -> None:  # fmt: skip
        self.colour_optics, self._depth_optics = colour_optics, depth_optics
        self._tree, self._scale = tree, depth_scale
        self._built: tuple[tuple[Camera, Camera, bytes], DepthRegistration] | None = None
        self._camera_frame, self._depth_frame = camera_frame, depth.frame
        self.same_frame = depth.frame == colour.frame
        if not self.same_frame:
            self._check_registrable(colour, depth)

    def described(self) -> str:
        """How depth gets into colour's pixels, for the report."""
        if not self.same_frame:
            return f"depth is registered to colour: frame {self._depth_frame} into {self._camera_frame}"
        optics = self._depth_optics
        if optics is None or same_pinhole(self.colour_optics.first.camera, optics.first.camera):
            return f"depth is taken to lie in colour's pixels (both name the frame {self._depth_frame!r})"
        return "depth has colour's frame but other intrinsics: it is resampled into colour's pixels"

    def picture(self, colour_message: Any, depth_message: Any, stamp_ns: int) -> Picture:
        """Decode, rectify and register one pair."""
        rectifier = self.colour_optics.at(stamp_ns)
        camera = rectifier.lens.camera
        rgb = decode_colour(colour_message)
        _check_size(rgb, camera, "colour")
        depth = self._depth_in_colour(decode_depth(depth_message, self._scale), rectifier, stamp_ns)
        rgb, valid = rectifier.colour(rgb)
        return Picture(rgb, depth, camera, valid)

    def _depth_in_colour(self, depth: NDArray[np.float32], colour: Rectifier, stamp_ns: int) -> NDArray[np.float32]:
        camera = colour.lens.camera
        own = self._depth_optics.at(stamp_ns) if self._depth_optics is not None else None
        if own is None or (self.same_frame and own.lens == colour.lens):
            _check_size(depth, camera, "depth")
            return colour.depth(depth)
        _check_size(depth, own.lens.camera, "depth")
        straight = own.depth(depth)
        if self.same_frame and same_pinhole(own.lens.camera, camera):
            return straight
        camera_from_depth = np.eye(4)
        if not self.same_frame:
            camera_from_depth = self._tree.lookup(self._camera_frame, self._depth_frame, stamp_ns)
        return self._registration(own.lens.camera, camera, camera_from_depth).register(straight)

    def _registration(self, depth: Camera, camera: Camera, camera_from_depth: NDArray[np.float64]) -> DepthRegistration:
        """Its tables, built anew only when a camera or their places have changed."""
        key = (depth, camera, camera_from_depth.tobytes())
        built = self._built
        if built is None or built[0] != key:
            built = self._built = (key, DepthRegistration(depth, camera, camera_from_depth))
        return built[1]

    def _check_registrable(self, colour: ImageTopic, depth: ImageTopic) -> None:
        why = ""
        if self._depth_optics is None:
            why = "there is no camera_info of the depth image"
        elif not self._tree.connected(self._camera_frame, depth.frame):
            why = "tf does not connect the two frames"
        if why:
            raise ReadError(
                f"{depth.name} (frame {depth.frame!r}) is not registered to {colour.name} (frame {colour.frame!r}), "
                f"and it cannot be done here: {why}; {RECORD_ALIGNED}"
            )


def _check_size(image: NDArray[Any], camera: Camera, what: str) -> None:
    height, width = image.shape[:2]
    if (width, height) != (camera.width, camera.height):
        raise BadFrame(
            BadReason.SIZE_MISMATCH,
            f"{what} is {width} x {height}, its camera_info says {camera.width} x {camera.height}; record the "
            "camera_info of the images as sent (resize nodes have their own), or name it with camera_info_topic=... "
            "(depth_info_topic=... for depth)",
        )
