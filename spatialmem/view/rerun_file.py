"""A memory as a recording for the Rerun viewer: the map as it grew, the path, every stored frame with its picture.

The root is z-up; the entity `map` carries the rotation from the map frame, and everything below it is in the map
frame. Cameras are pinholes that look along z, x right, y down, which is Rerun's own convention as well.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import SpatialMemError, require
from spatialmem.geometry import rotation_to_z_up
from spatialmem.view.canvas import PATH, fitted
from spatialmem.view.scene import PageScene, Step, page_scene
from spatialmem.view.words import counts_from_1970

if TYPE_CHECKING:
    from spatialmem.log_entry import Keyframe
    from spatialmem.memory import SpatialMemory

STEPS = 200
"""in how many steps the map grows, at most"""
MAX_POINT_BYTES = 1_000_000_000
"""the map has fewer points where it would be more"""
_PICTURE = (640, 640)
_JPEG_QUALITY = 85


def write_rerun(memory: SpatialMemory, path: Path) -> dict[str, Any]:
    """Write an .rrd file; needs the extra `rerun`.

    Timelines: `frame` (number in the log), and `time` (stamps that count from 1970) or `clock` (others).

    Args:
        memory: read only.
        path: the file to write; replaced when it exists.

    Returns:
        What was written: `points`, `frames`, and `pictures`, fewer where frames have none any more.

    Raises `MissingDependency` without rerun-sdk.
    """
    rr = require("rerun", "rerun")
    scene = page_scene(memory, MAX_POINT_BYTES, STEPS)
    recording = rr.RecordingStream("spatialmem", make_default=False, make_thread_default=False)
    recording.save(path)
    try:
        _log_frame(rr, recording, scene)
        for number, step in enumerate(scene.steps):
            _set_time(recording, step.last)
            _log_step(rr, recording, number, step, scene.cell_m)
        keyframes, pictures = memory.trajectory(), 0
        for keyframe in keyframes:
            _set_time(recording, keyframe)
            rgb = _picture(memory, keyframe.lsn)
            pictures += rgb is not None
            _log_keyframe(rr, recording, keyframe, rgb)
    finally:
        recording.flush()
        recording.disconnect()
    points = sum(len(step.surface) + len(step.ceiling) for step in scene.steps)
    return {"points": points, "frames": len(keyframes), "pictures": pictures}


def _picture(memory: SpatialMemory, lsn: int) -> NDArray[np.uint8] | None:
    """(H, W, 3), None where it is damaged or no longer stored: the rest is worth writing."""
    try:
        return memory.keyframe(lsn).rgb
    except SpatialMemError:
        return None


def _log_frame(rr: Any, recording: Any, scene: PageScene) -> None:
    recording.log("/", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
    recording.log("map", rr.Transform3D(mat3x3=rotation_to_z_up(scene.up)), static=True)
    if len(scene.free):
        cells = rr.Points3D(scene.free.position_m, colors=scene.free.rgb, radii=scene.free.cell_m * 0.1)
        recording.log("map/free_space", cells, static=True)


def _log_step(rr: Any, recording: Any, number: int, step: Step, cell_m: float) -> None:
    for name, cloud in (("surface", step.surface), ("ceiling", step.ceiling)):
        if len(cloud):
            points = rr.Points3D(cloud.position_m, colors=cloud.rgb, radii=cell_m / 2.0)
            recording.log(f"map/{name}/{number:03d}", points)
    if len(step.path_m):
        recording.log(f"map/path/{number:03d}", rr.LineStrips3D(step.path_m, colors=[PATH], radii=0.005))


def _log_keyframe(rr: Any, recording: Any, keyframe: Keyframe, rgb: NDArray[np.uint8] | None) -> None:
    image = fitted(rgb, *_PICTURE)[0] if rgb is not None and max(rgb.shape[:2]) > max(_PICTURE) else rgb
    camera = keyframe.camera if image is None else keyframe.camera.scaled_to(image.shape[1], image.shape[0])
    entity = ["map", "cameras", keyframe.session_id, keyframe.camera_id]
    pose = keyframe.map_from_camera
    recording.log(entity, rr.Transform3D(translation=pose[:3, 3], mat3x3=pose[:3, :3]))
    pinhole = rr.Pinhole(
        image_from_camera=camera.K, resolution=(camera.width, camera.height), camera_xyz=rr.ViewCoordinates.RDF,
        image_plane_distance=0.2,
    )  # fmt: skip
    recording.log([*entity, "rgb"], pinhole)
    if image is None:
        return
    _, jpeg = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    recording.log([*entity, "rgb"], rr.EncodedImage(contents=jpeg.tobytes(), media_type="image/jpeg"))


def _set_time(recording: Any, keyframe: Keyframe) -> None:
    recording.set_time("frame", sequence=keyframe.lsn)
    if counts_from_1970(keyframe.stamp_ns):
        recording.set_time("time", timestamp=np.datetime64(keyframe.stamp_ns, "ns"))
    else:
        recording.set_time("clock", duration=np.timedelta64(keyframe.stamp_ns, "ns"))
