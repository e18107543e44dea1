"""Recordings in every format a reader knows, written here to the letter of the format from synthetic frames.

`WRITERS` maps a format to a function (path, frames) -> path to read. A test module that brings another
format adds it before tests are collected, or here.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from bags import KINDS as BAG_KINDS
from bags import write_bag
from lerobot_data import write_lerobot
from phones import ARKIT_FROM_ROOM, record3d_world, write_r3d, write_record3d, write_stray
from scipy.spatial.transform import Rotation
from synthetic import render_room, room_frame

from spatialmem.io.export_folder import write_plain_folder
from spatialmem.types import Camera, Frame

Writer = Callable[[Path, Sequence[Frame]], Path]
SEVEN_SCENES_COLOUR = Camera(525.0, 525.0, 320.0, 240.0, 640, 480)
SCANNET_COLOUR = Camera(230.0, 232.0, 161.0, 118.0, 320, 240)


def walk(count: int, width: int = 160, height: int = 120) -> list[Frame]:
    """Frames six degrees apart: neighbours overlap well."""
    return [room_frame(i, 60, width, height) for i in range(count)]


def write_folder(path: Path, frames: Sequence[Frame]) -> Path:
    return write_plain_folder(path, frames, up=(0.0, 0.0, 1.0))


def write_matrix_folder(path: Path, frames: Sequence[Frame]) -> Path:
    """A plain folder as people make them by hand: jpg, millimetres, 16 numbers a line, no spatialmem.json."""
    for i, frame in enumerate(frames):
        save(path / "rgb" / f"{i}.jpg", frame.rgb)
        save_depth(path / "depth" / f"{i}.png", frame, 1000.0)
    save_text(path / "poses.txt", [matrix_line(frame) for frame in frames])
    c = frames[0].camera
    save_text(path / "intrinsics.json", [json.dumps({"fx": c.fx, "fy": c.fy, "cx": c.cx, "cy": c.cy})])
    return path


def write_tum(path: Path, frames: Sequence[Frame]) -> Path:
    """Ground truth at stamps of its own, between those of the images; depth 4 ms after colour."""
    rgb, depth = ["# color images"], ["# depth maps"]
    for frame in frames:
        at, later = frame.stamp_ns / 1e9, frame.stamp_ns / 1e9 + 0.004
        save(path / "rgb" / f"{at:.6f}.png", frame.rgb)
        save_depth(path / "depth" / f"{later:.6f}.png", frame, 5000.0)
        rgb.append(f"{at:.6f} rgb/{at:.6f}.png")
        depth.append(f"{later:.6f} depth/{later:.6f}.png")
    save_text(path / "rgb.txt", rgb)
    save_text(path / "depth.txt", depth)
    truth = ["# timestamp tx ty tz qx qy qz qw", *(tum_line(frame.stamp_ns, frame) for frame in frames)]
    save_text(path / "groundtruth.txt", truth)
    c = frames[0].camera
    save_text(path / "intrinsics.txt", [f"{c.fx} {c.fy} {c.cx} {c.cy}"])
    return path


def write_seven_scenes(path: Path, frames: Sequence[Frame]) -> Path:
    """Colour by a second camera 25 mm to the right, with a focal length of its own; 65535 is invalid."""
    camera = frames[0].camera
    colour = SEVEN_SCENES_COLOUR.scaled_to(camera.width, camera.height)
    depth_from_colour = np.eye(4)
    depth_from_colour[0, 3] = 0.025
    for i, frame in enumerate(frames):
        assert frame.world_from_camera is not None
        rgb, _ = render_room(frame.world_from_camera @ depth_from_colour, colour)
        save(path / f"frame-{i:06d}.color.png", rgb)
        save_depth(path / f"frame-{i:06d}.depth.png", frame, 1000.0, invalid=65535)
        save_text(path / f"frame-{i:06d}.pose.txt", matrix_rows(frame.world_from_camera))
    save_text(path / "camera-intrinsics.txt", matrix_rows(camera.K))
    return path


def write_redwood(path: Path, frames: Sequence[Frame]) -> Path:
    lines = []
    for i, frame in enumerate(frames):
        assert frame.world_from_camera is not None
        save(path / "image" / f"{i:05d}.jpg", frame.rgb)
        save_depth(path / "depth" / f"{i:05d}.png", frame, 1000.0)
        lines += [f"{i} {i} {i + 1}", *matrix_rows(frame.world_from_camera)]
    save_text(path / "trajectory.log", lines)
    c = frames[0].camera
    values = {"width": c.width, "height": c.height, "intrinsic_matrix": c.K.T.ravel().tolist()}
    save_text(path / "camera_intrinsic.json", [json.dumps(values)])
    return path


def write_replica(path: Path, frames: Sequence[Frame]) -> Path:
    for i, frame in enumerate(frames):
        save(path / "results" / f"frame{i:06d}.jpg", frame.rgb)
        save_depth(path / "results" / f"depth{i:06d}.png", frame, 6553.5)
    save_text(path / "traj.txt", [matrix_line(frame) for frame in frames])
    c = frames[0].camera
    values = {"w": c.width, "h": c.height, "fx": c.fx, "fy": c.fy, "cx": c.cx, "cy": c.cy, "scale": 6553.5}
    save_text(path / "cam_params.json", [json.dumps({"camera": values})])
    return path


def write_scannet(path: Path, frames: Sequence[Frame]) -> Path:
    """Colour of another size and focal length than depth; names without leading zeros."""
    for i, frame in enumerate(frames):
        assert frame.world_from_camera is not None
        rgb, _ = render_room(frame.world_from_camera, SCANNET_COLOUR)
        save(path / "color" / f"{i}.jpg", rgb)
        save_depth(path / "depth" / f"{i}.png", frame, 1000.0)
        save_text(path / "pose" / f"{i}.txt", matrix_rows(frame.world_from_camera))
    for name, camera in (("color", SCANNET_COLOUR), ("depth", frames[0].camera)):
        save_text(path / "intrinsic" / f"intrinsic_{name}.txt", matrix_rows(homogeneous(camera.K)))
        save_text(path / "intrinsic" / f"extrinsic_{name}.txt", matrix_rows(np.eye(4)))
    return path


def write_sens(path: Path, frames: Sequence[Frame], colour_kind: int = 2, depth_kind: int = 1) -> Path:
    """ScanNet's container, version 4, as its C++ writes it; colour of another size and focal length than depth."""
    camera, no_move = frames[0].camera, np.eye(4)
    out = struct.pack("<IQ", 4, len(b"StructureSensor")) + b"StructureSensor"
    for matrix in (homogeneous(SCANNET_COLOUR.K), no_move, homogeneous(camera.K), no_move):
        out += struct.pack("<16f", *matrix.ravel())
    sizes = (SCANNET_COLOUR.width, SCANNET_COLOUR.height, camera.width, camera.height)
    out += struct.pack("<2i4IfQ", colour_kind, depth_kind, *sizes, 1000.0, len(frames))
    for frame in frames:
        assert frame.world_from_camera is not None and frame.depth_m is not None
        rgb, _ = render_room(frame.world_from_camera, SCANNET_COLOUR)
        colour = rgb.tobytes() if colour_kind == 0 else encoded({1: ".png", 2: ".jpg"}[colour_kind], rgb)
        raw = np.rint(np.nan_to_num(frame.depth_m) * 1000.0).astype("<u2").tobytes()
        depth = zlib.compress(raw, 8) if depth_kind == 1 else raw
        stamp_us = frame.stamp_ns // 1000
        out += struct.pack("<16f", *frame.world_from_camera.ravel())
        out += struct.pack("<4Q", stamp_us, stamp_us + 3000, len(colour), len(depth)) + colour + depth
    out += struct.pack("<Q", 1) + struct.pack("<15dQ", *range(15), frames[0].stamp_ns // 1000)  # one IMU reading
    path.mkdir(parents=True, exist_ok=True)
    file = path / "scene0000_00.sens"
    file.write_bytes(out)
    return file


def bag_writer(kind: str) -> Writer:
    def write(path: Path, frames: Sequence[Frame]) -> Path:
        return write_bag(path, frames, kind)

    return write


WRITERS: dict[str, Writer] = {
    "folder": write_folder,
    "folder-by-hand": write_matrix_folder,
    "tum": write_tum,
    "7scenes": write_seven_scenes,
    "redwood": write_redwood,
    "replica": write_replica,
    "scannet": write_scannet,
    "sens": write_sens,
    "stray": write_stray,
    "record3d": write_record3d,
    "record3d-r3d": write_r3d,
    "lerobot": write_lerobot,
    "lerobot-images": lambda path, frames: write_lerobot(path, frames, videos=False),
    **{f"rosbag-{kind}": bag_writer(kind) for kind in BAG_KINDS},
}
"""format -> writer; what follows a dash names a variant"""

DEPTH_TOLERANCE_M = {"lerobot": 1.3e-3}
"""where a format rounds depth more coarsely than to a millimetre"""


def world_from_room(name: str, frames: Sequence[Frame]) -> np.ndarray:
    """(4, 4) from the room of the frames to the world that a recording in this format gives its poses in."""
    if name.startswith("record3d"):
        return record3d_world(frames)
    return ARKIT_FROM_ROOM if name == "stray" else np.eye(4)


def save(path: Path, rgb: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 97])


def encoded(suffix: str, rgb: np.ndarray) -> bytes:
    """The bytes `save` would write."""
    done, data = cv2.imencode(suffix, rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 97])
    assert done
    return data.tobytes()


def homogeneous(k: np.ndarray) -> np.ndarray:
    """(4, 4) of a (3, 3) matrix."""
    whole = np.eye(4)
    whole[:3, :3] = k
    return whole


def save_depth(path: Path, frame: Frame, scale: float, invalid: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert frame.depth_m is not None
    known = np.isfinite(frame.depth_m)
    raw = np.where(known, np.rint(np.where(known, frame.depth_m, 0) * scale), invalid)
    assert cv2.imwrite(str(path), raw.astype(np.uint16))


def save_text(path: Path, lines: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def matrix_rows(matrix: np.ndarray) -> list[str]:
    return [" ".join(f"{value:.9f}" for value in row) for row in matrix]


def matrix_line(frame: Frame) -> str:
    assert frame.world_from_camera is not None
    return " ".join(matrix_rows(frame.world_from_camera))


def tum_line(stamp_ns: int, frame: Frame) -> str:
    assert frame.world_from_camera is not None
    quat_xyzw = Rotation.from_matrix(frame.world_from_camera[:3, :3]).as_quat()
    return f"{stamp_ns / 1e9:.4f} " + " ".join(f"{v:.8f}" for v in (*frame.world_from_camera[:3, 3], *quat_xyzw))
