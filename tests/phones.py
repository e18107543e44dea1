"""Recordings of iPhone apps as the apps write them, by their source and their authors' word, from synthetic frames."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import lzfse
import numpy as np
from scipy.spatial.transform import Rotation
from synthetic import render_room

from spatialmem.types import Camera, Frame

ARKIT_FROM_ROOM = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1.0]])
"""ARKit's world is y-up; this one shares its x with the room"""
OPENCV_FROM_ARKIT_CAMERA = np.diag([1.0, -1.0, -1.0, 1.0])
"""ARKit's camera looks along -z with y up"""
COLOUR_SCALE = 4
"""colour is this much larger than depth (7.5 on the device)"""


def colour_camera(frame: Frame) -> Camera:
    c = frame.camera
    return c.scaled_to(c.width * COLOUR_SCALE, c.height * COLOUR_SCALE)


def colour_image(frame: Frame) -> np.ndarray:
    assert frame.world_from_camera is not None
    return render_room(frame.world_from_camera, colour_camera(frame))[0]


def write_video(
    path: Path, images: Sequence[np.ndarray], ticks: Sequence[int], rate: int = 60, codec: str = "libx265",
    pix_fmt: str = "yuv420p", options: dict[str, str] | None = None,
) -> Path:  # fmt: skip
    """An MP4 with these images at these multiples of 1 / rate seconds; of fewer than three, x265 fails at times."""
    path.parent.mkdir(parents=True, exist_ok=True)
    quiet = {"crf": "12", "x265-params": "log-level=none:keyint=4", "tag": "hvc1"} if codec == "libx265" else {}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, options=quiet | (options or {}))
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = Fraction(1, rate)
        for image, tick in zip(images, ticks, strict=True):
            frame = video_frame(image, pix_fmt)
            frame.pts, frame.time_base = tick, Fraction(1, rate)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


def video_frame(image: np.ndarray, pix_fmt: str) -> av.VideoFrame:
    if image.ndim == 3:
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24").reformat(format=pix_fmt)
    frame = av.VideoFrame(image.shape[1], image.shape[0], pix_fmt)
    plane = frame.planes[0]
    rows = np.zeros((plane.height, plane.line_size // 2), np.uint16)
    rows[:, : image.shape[1]] = image
    plane.update(rows.tobytes())
    return frame


def write_stray(path: Path, frames: Sequence[Frame], first_tick: int = -1) -> Path:
    """Stray Scanner: OdometryEncoder, DepthEncoder, ConfidenceEncoder, VideoEncoder and DatasetEncoder of the app."""
    lines = ["timestamp, frame, x, y, z, qx, qy, qz, qw"]
    for i, frame in enumerate(frames):
        assert frame.depth_m is not None and frame.world_from_camera is not None
        arkit = ARKIT_FROM_ROOM @ frame.world_from_camera @ OPENCV_FROM_ARKIT_CAMERA
        turned = Rotation.from_matrix(arkit[:3, :3]) * Rotation.from_quat([1.0, 0.0, 0.0, 0.0])
        values = ", ".join(f"{value:.9f}" for value in (*arkit[:3, 3], *turned.as_quat()))
        lines.append(f"{frame.stamp_ns / 1e9}, {i:06d}, {values}")
        write_grey(path / "depth" / f"{i:06d}.png", np.rint(np.nan_to_num(frame.depth_m) * 1000).astype(np.uint16))
        write_grey(path / "confidence" / f"{i:06d}.png", np.where(frame.depth_m < 2.0, 2, 1).astype(np.uint8))
    (path / "odometry.csv").write_text("\n".join(lines) + "\n")
    rows = [", ".join(f"{value:.9f}" for value in row) for row in colour_camera(frames[0]).K]
    (path / "camera_matrix.csv").write_text("\n".join(rows))
    (path / "imu.csv").write_text("timestamp, a_x, a_y, a_z, alpha_x, alpha_y, alpha_z\n1.0, 0, 1, 0, 0, 0, 0\n")
    ticks = [first_tick + i for i in range(len(frames))]
    write_video(path / "rgb.mp4", [colour_image(frame) for frame in frames], ticks)
    return path


def write_grey(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def record3d_world(frames: Sequence[Frame]) -> np.ndarray:
    """(4, 4) from the room to the world of Record3D, which is the first camera, looking along -z."""
    assert frames[0].world_from_camera is not None
    return np.linalg.inv(frames[0].world_from_camera @ OPENCV_FROM_ARKIT_CAMERA)


def write_record3d(path: Path, frames: Sequence[Frame], lenses: bool = True) -> Path:
    """The folder of an .r3d file, as the app's author describes it."""
    moved, poses = record3d_world(frames), []
    (path / "rgbd").mkdir(parents=True)
    for i, frame in enumerate(frames):
        assert frame.depth_m is not None and frame.world_from_camera is not None
        pose = moved @ frame.world_from_camera @ OPENCV_FROM_ARKIT_CAMERA
        poses.append([*Rotation.from_matrix(pose[:3, :3]).as_quat(), *pose[:3, 3]])
        rgb = colour_image(frame)
        assert cv2.imwrite(str(path / "rgbd" / f"{i}.jpg"), rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        confidence = np.where(frame.depth_m < 2.0, 2, 1).astype(np.uint8)
        (path / "rgbd" / f"{i}.depth").write_bytes(lzfse.compress(frame.depth_m.astype("<f4").tobytes()))
        (path / "rgbd" / f"{i}.conf").write_bytes(lzfse.compress(confidence.tobytes()))
    c, depth = colour_camera(frames[0]), frames[0].camera
    metadata = {
        "w": c.width, "h": c.height, "dw": depth.width, "dh": depth.height, "fps": 30, "K": c.K.T.ravel().tolist(),
        "poses": poses, "initPose": [0, 0, 0, 1, 0, 0, 0], "frameTimestamps": [f.stamp_ns / 1e9 for f in frames],
        "cameraType": 1,
    }  # fmt: skip
    if lenses:
        metadata["perFrameIntrinsicCoeffs"] = [[c.fx, c.fy, c.cx, c.cy]] * len(frames)
    (path / "metadata").write_text(json.dumps(metadata))
    (path / "icon").write_bytes((path / "rgbd" / "0.jpg").read_bytes())
    return path


def write_r3d(path: Path, frames: Sequence[Frame]) -> Path:
    """The same as one file."""
    folder = write_record3d(path / "unpacked", frames)
    file = path / "2026-03-01--10-00-00.r3d"
    with zipfile.ZipFile(file, "w") as archive:
        for part in sorted(folder.rglob("*")):
            archive.write(part, part.relative_to(folder).as_posix())
    return file
