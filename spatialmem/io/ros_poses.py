"""Where the poses of a ROS recording come from: tf, or an odometry or pose topic, or a file, hung into the tree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatialmem import geometry
from spatialmem.errors import InvalidValue, ReadError
from spatialmem.io.ros_index import BagIndex, PoseTrack
from spatialmem.io.ros_topics import WHAT_TO_RECORD
from spatialmem.io.ros_transforms import TransformTree, frame_name
from spatialmem.io.trajectory import read_trajectory
from spatialmem.types import checked_transform

_WORLD_NAMES = ("map", "odom", "world")


@dataclass(frozen=True)
class PoseSource:
    """Gives world_from_camera at any instant of the recording."""

    tree: TransformTree
    world_frame: str
    camera_frame: str
    described: str
    """what was chosen, for the report"""

    def world_from_camera(self, stamp_ns: int) -> NDArray[np.float64]:
        """(4, 4) float64; `BadFrame` (lost pose) where the recording has none."""
        pose = self.tree.lookup(self.world_frame, self.camera_frame, stamp_ns)
        pose[:3, :3] = geometry.orthonormalise(pose[:3, :3])  # a chain of products drifts by rounding
        return pose


@dataclass(frozen=True)
class PoseOptions:
    """What the user says about poses; None: find out."""

    world_frame: str | None = None
    odom_topic: str | None = None
    body_frame: str | None = None
    body_from_camera: NDArray[np.float64] | None = None
    trajectory: Path | None = None

    @classmethod
    def checked(
        cls, world_frame: str | None, odom_topic: str | None, body_frame: str | None,
        body_from_camera: ArrayLike | None, trajectory: str | Path | None,
    ) -> PoseOptions:  # fmt: skip
        """The same, validated: `InvalidValue` for an offset that is no rigid transform, or two sources of poses."""
        if odom_topic and trajectory is not None:
            raise InvalidValue("give odom_topic or trajectory, not both: each is a source of poses")
        offset = None if body_from_camera is None else checked_transform(np.asarray(body_from_camera, dtype=np.float64))
        world = frame_name(world_frame) if world_frame else None
        file = None if trajectory is None else Path(trajectory)
        return cls(world, odom_topic, frame_name(body_frame) if body_frame else None, offset, file)


def find_poses(index: BagIndex, camera_frame: str, options: PoseOptions) -> PoseSource:
    """Choose the source of poses and check that it reaches the camera.

    Raises:
        ReadError: no source, several that could be meant, or one that does not reach the camera; says what to do.
    """
    tree = index.transforms
    offset = options.body_from_camera
    if offset is not None and options.body_frame:
        _hang(tree, options.body_frame, camera_frame, offset)
    if options.trajectory is not None:
        return _from_track(index, _track_of_file(options.trajectory, camera_frame, options), camera_frame, options)
    if options.odom_topic:
        return _from_track(index, _track(index, options.odom_topic), camera_frame, options)
    if offset is not None and not options.body_frame:  # an offset alone counts from the body of a pose topic
        return _from_track(index, _only_track(index, camera_frame, options), camera_frame, options)
    world = _world_in_tf(tree, camera_frame, options.world_frame)
    if world:
        return PoseSource(tree, world, camera_frame, f"poses from tf: {world} <- {camera_frame}")
    track = _only_track(index, camera_frame, options)
    return _from_track(index, track, camera_frame, options)


def _world_in_tf(tree: TransformTree, camera_frame: str, wanted: str | None) -> str | None:
    for name in (wanted,) if wanted else _WORLD_NAMES:
        if name != camera_frame and tree.connected(name, camera_frame):
            return name
    return None


def _track(index: BagIndex, topic: str) -> PoseTrack:
    if topic not in index.tracks:
        raise ReadError(f"no message of {topic} decodes; choose another odom_topic, or use tf")
    return index.tracks[topic]


def _track_of_file(path: Path, camera_frame: str, options: PoseOptions) -> PoseTrack:
    """Poses that another program worked out: of the camera, unless the options say of what."""
    found, _ = read_trajectory(path)
    of_camera = options.body_frame is None and options.body_from_camera is None
    return PoseTrack(
        path.name, options.world_frame or "world", camera_frame if of_camera else "", found.stamp_ns.tolist(),
        list(found.world_from_camera),
    )  # fmt: skip


def _only_track(index: BagIndex, camera_frame: str, options: PoseOptions) -> PoseTrack:
    """The one topic with poses, odometry first."""
    tracks = [index.tracks[topic] for topic in sorted(index.tracks)]
    if options.world_frame:
        tracks = [t for t in tracks if t.frame == options.world_frame]
    tracks = [t for t in tracks if t.body_frame] or tracks
    if len(tracks) == 1:
        return tracks[0]
    if tracks:
        names = "\n".join(f"  odom_topic={t.topic!r}   ({len(t.stamps)} poses in {t.frame!r})" for t in tracks)
        raise ReadError(f"several topics carry poses, tf reaches no world frame; give one of these options:\n{names}")
    wanted = options.world_frame or " or ".join(_WORLD_NAMES)
    raise ReadError(
        f"the recording has no poses: tf does not connect {wanted} with the camera's frame {camera_frame!r} "
        f"({index.transforms.describe()}) and there is no odometry topic in that frame; {WHAT_TO_RECORD}; or name the "
        "frames with world_frame=... and camera_frame=...; or give the poses that another program worked out with "
        "trajectory=FILE"
    )


def _from_track(index: BagIndex, track: PoseTrack, camera_frame: str, options: PoseOptions) -> PoseSource:
    """Hang the track into the tree as parent of its body; what tf said about that body no longer counts."""
    tree = index.transforms
    offset = options.body_from_camera
    body = options.body_frame or track.body_frame or ("" if offset is None else f"body of {track.topic}")
    if not body:
        raise ReadError(
            f"{track.topic} does not say what its poses are of; give body_frame=... (a tf frame such as 'base_link', "
            f"or {camera_frame!r} if they are of the camera) or body_from_camera=... (4x4)"
        )
    frame = track.frame or "world"
    tree.detach(body)
    for stamp_ns, pose in zip(track.stamps, track.poses, strict=True):
        add = tree.add if isinstance(pose, np.ndarray) else tree.add_pose  # of a file, or a message
        add(frame, body, stamp_ns, pose, static=False)
    if offset is not None:
        _hang(tree, body, camera_frame, offset)
    world = options.world_frame or frame
    if not tree.connected(world, camera_frame):
        raise ReadError(
            f"{track.topic} gives poses of {body!r} in {frame!r}, but nothing connects {world!r} with the camera's "
            f"frame {camera_frame!r} ({tree.describe()}); record /tf_static, or give body_from_camera=... (4x4)"
        )
    return PoseSource(tree, world, camera_frame, f"poses from {track.topic}: {world} <- {body} <- {camera_frame}")


def _hang(tree: TransformTree, body: str, camera_frame: str, body_from_camera: NDArray[np.float64]) -> None:
    tree.detach(camera_frame)
    tree.add(body, camera_frame, 0, body_from_camera, static=True)
