"""Real bags for tests, written to the format by rosbags' own writers: ROS 1, ROS 2 with sqlite3 or mcap storage."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Ros2Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from scipy.spatial.transform import Rotation

from spatialmem.types import Camera, Frame

KINDS = ("ros1", "sqlite3", "mcap")
OPTICAL = "camera_optical"
RGB, DEPTH = "/camera/color/image_raw", "/camera/aligned_depth_to_color/image_raw"
RGB_INFO, DEPTH_INFO = "/camera/color/camera_info", "/camera/aligned_depth_to_color/camera_info"
_TF_MESSAGE = "geometry_msgs/TransformStamped[] transforms\n"


def store_of(kind: str):
    store = get_typestore(Stores.ROS1_NOETIC if kind == "ros1" else Stores.ROS2_HUMBLE)
    if kind == "ros1":
        store.register(get_types_from_msg(_TF_MESSAGE, "tf2_msgs/msg/TFMessage"))
    return store


class BagWriter:
    """A bag that is being written; topics appear with their first message."""

    def __init__(self, path: Path, kind: str) -> None:
        self.kind, self.store = kind, store_of(kind)
        self.path = path.with_suffix(".bag") if kind == "ros1" else path
        plugin = StoragePlugin.MCAP if kind == "mcap" else StoragePlugin.SQLITE3
        self.writer: Any = (
            Ros1Writer(self.path) if kind == "ros1" else Ros2Writer(self.path, version=8, storage_plugin=plugin)
        )
        self.connections: dict[str, Any] = {}

    def __enter__(self) -> BagWriter:
        self.writer.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    def make(self, name: str, **fields: Any) -> Any:
        return self.store.types[name](**fields)

    def header(self, stamp_ns: int, frame: str) -> Any:
        stamp = self.make("builtin_interfaces/msg/Time", sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9)
        extra = {"seq": 0} if self.kind == "ros1" else {}
        return self.make("std_msgs/msg/Header", stamp=stamp, frame_id=frame, **extra)

    def write(self, topic: str, message: Any, log_ns: int) -> None:
        kind = message.__msgtype__
        if topic not in self.connections:
            self.connections[topic] = self.writer.add_connection(topic, kind, typestore=self.store)
        serialize = self.store.serialize_ros1 if self.kind == "ros1" else self.store.serialize_cdr
        self.writer.write(self.connections[topic], log_ns, bytes(serialize(message, kind)))

    def image(
        self, topic: str, stamp_ns: int, pixels: np.ndarray, encoding: str, frame: str = OPTICAL, pad: int = 0,
        big: bool = False, log_ns: int | None = None,
    ) -> None:  # fmt: skip
        """Rows get `pad` extra bytes; `big` sends the samples big endian."""
        height, width = pixels.shape[:2]
        sent = pixels.astype(pixels.dtype.newbyteorder(">" if big else "<"))
        rows = np.frombuffer(sent.tobytes(), np.uint8).reshape(height, -1)
        rows = np.concatenate([rows, np.full((height, pad), 0xAB, np.uint8)], axis=1)
        message = self.make(
            "sensor_msgs/msg/Image", header=self.header(stamp_ns, frame), height=height, width=width,
            encoding=encoding, is_bigendian=int(big), step=rows.shape[1], data=rows.reshape(-1),
        )  # fmt: skip
        self.write(topic, message, stamp_ns if log_ns is None else log_ns)

    def compressed(self, topic: str, stamp_ns: int, data: bytes, fmt: str, frame: str = OPTICAL) -> None:
        message = self.make(
            "sensor_msgs/msg/CompressedImage", header=self.header(stamp_ns, frame), format=fmt,
            data=np.frombuffer(data, np.uint8),
        )  # fmt: skip
        self.write(topic, message, stamp_ns)

    def info(
        self, topic: str, stamp_ns: int, camera: Camera, frame: str = OPTICAL, d: Sequence[float] = (),
        model: str = "plumb_bob", p: np.ndarray | None = None, size: tuple[int, int] | None = None,
        roi: tuple[int, int, int, int] = (0, 0, 0, 0), binning: int = 0,
    ) -> None:  # fmt: skip
        projection = np.hstack([camera.K, np.zeros((3, 1))]) if p is None else p
        arrays = {"d": np.array(d, float), "k": camera.K.ravel(), "r": np.eye(3).ravel(), "p": projection.ravel()}
        arrays = {name.upper() if self.kind == "ros1" else name: value for name, value in arrays.items()}
        region = self.make(
            "sensor_msgs/msg/RegionOfInterest", x_offset=roi[0], y_offset=roi[1], width=roi[2], height=roi[3],
            do_rectify=False,
        )  # fmt: skip
        width, height = size or (camera.width, camera.height)
        message = self.make(
            "sensor_msgs/msg/CameraInfo", header=self.header(stamp_ns, frame), height=height, width=width,
            distortion_model=model, binning_x=binning, binning_y=binning, roi=region, **arrays,
        )  # fmt: skip
        self.write(topic, message, stamp_ns)

    def tf(
        self, stamp_ns: int, *edges: tuple[str, str, np.ndarray], topic: str = "/tf", log_ns: int | None = None
    ) -> None:
        """Edges are parent, child, (4, 4) parent_from_child."""
        transforms = [
            self.make(
                "geometry_msgs/msg/TransformStamped", header=self.header(stamp_ns, parent), child_frame_id=child,
                transform=self.make(
                    "geometry_msgs/msg/Transform",
                    translation=self._vector("Vector3", matrix), rotation=self._quat(matrix),
                ),
            )
            for parent, child, matrix in edges
        ]  # fmt: skip
        self.write(
            topic, self.make("tf2_msgs/msg/TFMessage", transforms=transforms), stamp_ns if log_ns is None else log_ns
        )

    def odometry(self, topic: str, stamp_ns: int, frame: str, child: str, matrix: np.ndarray) -> None:
        zero = self.make("geometry_msgs/msg/Vector3", x=0.0, y=0.0, z=0.0)
        twist = self.make("geometry_msgs/msg/Twist", linear=zero, angular=zero)
        cov = np.zeros(36)
        message = self.make(
            "nav_msgs/msg/Odometry", header=self.header(stamp_ns, frame), child_frame_id=child,
            pose=self.make("geometry_msgs/msg/PoseWithCovariance", pose=self._pose(matrix), covariance=cov),
            twist=self.make("geometry_msgs/msg/TwistWithCovariance", twist=twist, covariance=cov),
        )  # fmt: skip
        self.write(topic, message, stamp_ns)

    def pose(self, topic: str, stamp_ns: int, frame: str, matrix: np.ndarray, covariance: bool = False) -> None:
        header, pose = self.header(stamp_ns, frame), self._pose(matrix)
        if covariance:
            pose = self.make("geometry_msgs/msg/PoseWithCovariance", pose=pose, covariance=np.zeros(36))
        name = "PoseWithCovarianceStamped" if covariance else "PoseStamped"
        self.write(topic, self.make(f"geometry_msgs/msg/{name}", header=header, pose=pose), stamp_ns)

    def _pose(self, matrix: np.ndarray) -> Any:
        return self.make(
            "geometry_msgs/msg/Pose", position=self._vector("Point", matrix), orientation=self._quat(matrix)
        )

    def _vector(self, name: str, matrix: np.ndarray) -> Any:
        x, y, z = (float(v) for v in matrix[:3, 3])
        return self.make(f"geometry_msgs/msg/{name}", x=x, y=y, z=z)

    def _quat(self, matrix: np.ndarray) -> Any:
        x, y, z, w = (float(v) for v in Rotation.from_matrix(matrix[:3, :3]).as_quat())
        return self.make("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w)


def rigid(xyz: Sequence[float], rotvec: Sequence[float] = (0, 0, 0)) -> np.ndarray:
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = Rotation.from_rotvec(rotvec).as_matrix(), xyz
    return matrix


BASE_FROM_LINK = rigid((0.2, -0.05, 0.9), (0.0, 0.3, 0.1))
LINK_FROM_OPTICAL = np.array([[0.0, 0, 1, 0.01], [-1, 0, 0, 0.02], [0, -1, 0, 0], [0, 0, 0, 1]])
BASE_FROM_OPTICAL = BASE_FROM_LINK @ LINK_FROM_OPTICAL


def map_from_odom(stamp_ns: int) -> np.ndarray:
    """A slow, steady drift."""
    t = stamp_ns / 1e9
    return rigid((0.3 + 0.05 * t, -0.2, 0.0), (0.0, 0.0, 0.4 + 0.02 * t))


def write_tree(bag: BagWriter, stamp_ns: int, world_from_optical: np.ndarray) -> None:
    """map -> odom -> base_link at one instant, such that the camera is at `world_from_optical`."""
    drift = map_from_odom(stamp_ns)
    odom_from_base = np.linalg.inv(drift) @ world_from_optical @ np.linalg.inv(BASE_FROM_OPTICAL)
    bag.tf(stamp_ns, ("map", "odom", drift), ("odom", "base_link", odom_from_base))


def write_statics(bag: BagWriter, stamp_ns: int) -> None:
    edges = (("base_link", "camera_link", BASE_FROM_LINK), ("camera_link", OPTICAL, LINK_FROM_OPTICAL))
    bag.tf(stamp_ns, *edges, topic="/tf_static")


def millimetres(depth_m: np.ndarray) -> np.ndarray:
    """uint16, 0 where there is no reading."""
    return np.rint(np.where(np.isfinite(depth_m), depth_m, 0.0) * 1000.0).astype(np.uint16)


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def jpeg(rgb: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", np.ascontiguousarray(rgb[:, :, ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes()


def compressed_depth(raw: np.ndarray, quant_a: float = 0.0, quant_b: float = 0.0) -> bytes:
    """What compressed_depth_image_transport sends: its header, then a 16-bit PNG."""
    return struct.pack("<iff", 0, quant_a, quant_b) + png(raw)


def write_bag(path: Path, frames: Sequence[Frame], kind: str = "mcap") -> Path:
    """A plain recording of posed frames: rgb8, 16UC1, camera_info, the whole tree of transforms."""
    with BagWriter(path, kind) as bag:
        write_statics(bag, frames[0].stamp_ns)
        for frame in frames:
            assert frame.depth_m is not None and frame.world_from_camera is not None
            write_tree(bag, frame.stamp_ns, frame.world_from_camera)
            bag.info(RGB_INFO, frame.stamp_ns, frame.camera)
            bag.info(DEPTH_INFO, frame.stamp_ns, frame.camera)
            bag.image(RGB, frame.stamp_ns, frame.rgb, "rgb8")
            bag.image(DEPTH, frame.stamp_ns, millimetres(frame.depth_m), "16UC1")
    return bag.path
