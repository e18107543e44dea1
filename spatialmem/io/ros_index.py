"""One pass over a ROS recording: where every image lies, when it was taken, all calibrations and all poses."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import ReadError
from spatialmem.io.ros_bagfile import BagFile, MessageRef
from spatialmem.io.ros_cameras import calibration_key
from spatialmem.io.ros_topics import ODOMETRY_TYPE, is_static
from spatialmem.io.ros_transforms import TransformTree, frame_name, stamp_of


@dataclass(frozen=True)
class Located:
    """An image message: when it was taken and where it lies."""

    stamp_ns: int
    frame: str
    ref: MessageRef


@dataclass
class InfoHistory:
    """CameraInfo messages that differ from the one before them; most recordings hold a single one."""

    stamps: list[int] = field(default_factory=list)
    messages: list[Any] = field(default_factory=list)

    def add(self, message: Any) -> None:
        """Keep a message if it changes anything but its stamp."""
        if not self.messages or calibration_key(message) != calibration_key(self.messages[-1]):
            self.stamps.append(stamp_of(message.header))
            self.messages.append(message)

    def index_at(self, stamp_ns: int) -> int:
        """Number of the message in force at an instant; the first one before that."""
        return max(0, bisect.bisect_right(self.stamps, stamp_ns) - 1)


@dataclass
class PoseTrack:
    """Poses of a body from one topic."""

    topic: str
    frame: str
    """frame they are given in"""
    body_frame: str
    """frame they are of; empty where the message does not say"""
    stamps: list[int] = field(default_factory=list)
    poses: list[Any] = field(default_factory=list)


@dataclass
class BagIndex:
    """What the pass found."""

    images: dict[str, list[Located]]
    infos: dict[str, InfoHistory]
    tracks: dict[str, PoseTrack]
    transforms: TransformTree
    undecoded: dict[str, int]
    """messages that do not decode, by topic"""


def build_index(
    bag: BagFile, images: Sequence[str], infos: Sequence[str], tf: Sequence[str], poses: Sequence[str], max_gap_ns: int
) -> BagIndex:
    """Read every message of these topics once; of images only the header.

    Raises:
        ReadError: the recording is damaged, or changes frames half way.
    """
    index = BagIndex({t: [] for t in images}, {t: InfoHistory() for t in infos}, {}, TransformTree(max_gap_ns), {})
    for ref, raw in bag.scan({*images, *infos, *tf, *poses}):
        try:
            if ref.topic in index.images:
                stamp_ns, frame = bag.header(raw)
                index.images[ref.topic].append(Located(stamp_ns, frame_name(frame), ref))
                continue
            message = bag.decode(ref, raw)
        except ReadError:
            index.undecoded[ref.topic] = index.undecoded.get(ref.topic, 0) + 1
            continue
        _file_away(index, ref.topic, message, ref.topic in tf)
    return index


def _file_away(index: BagIndex, topic: str, message: Any, is_tf: bool) -> None:
    if topic in index.infos:
        index.infos[topic].add(message)
    elif is_tf:
        index.transforms.add_message(message, is_static(topic))
    else:
        _add_pose(index.tracks, topic, message)


def _add_pose(tracks: dict[str, PoseTrack], topic: str, message: Any) -> None:
    pose = message.pose if message.pose.__msgtype__ == "geometry_msgs/msg/Pose" else message.pose.pose
    body = frame_name(message.child_frame_id) if message.__msgtype__ == ODOMETRY_TYPE else ""
    track = tracks.setdefault(topic, PoseTrack(topic, frame_name(message.header.frame_id), body))
    if (frame_name(message.header.frame_id), body) != (track.frame, track.body_frame):
        raise ReadError(
            f"{topic} changes its frames within the recording, from {track.frame!r}, {track.body_frame!r} to "
            f"{message.header.frame_id!r}, {body!r}; split the recording there, or use tf"
        )
    track.stamps.append(stamp_of(message.header))
    track.poses.append(pose)


def pair_by_stamp(
    colour_ns: NDArray[np.int64], depth_ns: NDArray[np.int64], tolerance_ns: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of colour and depth images that are each other's nearest in time and no farther apart than allowed.

    Args:
        colour_ns: (N,) stamps in order of recording.
        depth_ns: (M,) stamps in order of recording.
        tolerance_ns: largest difference.

    Returns:
        Two (P,) arrays, colour in order of recording; no image occurs twice.
    """
    if not (colour_ns.size and depth_ns.size):
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    to_depth, to_colour = _nearest(colour_ns, depth_ns), _nearest(depth_ns, colour_ns)
    near = np.abs(colour_ns - depth_ns[to_depth]) <= tolerance_ns
    mutual = to_colour[to_depth] == np.arange(colour_ns.size)
    chosen = np.nonzero(near & mutual)[0]
    return chosen, to_depth[chosen]


def _nearest(stamps: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.intp]:
    """Index into `others` of the nearest to each stamp; the earlier one, and the first recorded, on a tie."""
    order = np.argsort(others, kind="stable")
    ordered = others[order]
    after = np.clip(np.searchsorted(ordered, stamps, side="left"), 0, ordered.size - 1)
    before = np.clip(after - 1, 0, None)
    before = np.searchsorted(ordered, ordered[before], side="left")
    closer = np.abs(stamps - ordered[before]) <= np.abs(ordered[after] - stamps)
    return order[np.where(closer, before, after)]
