"""The tree of frames of a ROS recording (tf): who is whose child, and where at which instant.

Rules as in tf2 and REP-105: every frame has one parent; a transform message gives parent_from_child; a static
transform holds at all times; between two samples translation is interpolated straight and rotation along the shorter
arc. Unlike a live tf2 buffer nothing is forgotten, and nothing is extrapolated.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem import geometry
from spatialmem.errors import ReadError
from spatialmem.io.reader import BadFrame, BadReason

_UNIT_TOLERANCE = 0.01  # of a quaternion's length; tf2 drops what is farther off, too
_FARTHEST_M = 1e8  # beyond it a transform is damage, not a place on this planet
_NAMES_SHOWN = 20

_Pose = tuple[float, ...] | NDArray[np.float64]
"""x, y, z (metres), qx, qy, qz, qw as recorded, or (4, 4); turned into a matrix only when a frame needs it"""


def frame_name(name: str) -> str:
    """A frame's name without the leading slash that ROS 1 recordings may carry."""
    return name.strip().lstrip("/")


@dataclass
class _Edge:
    """Samples of one parent_from_child; static ones hold at all times."""

    parent: str
    static: bool
    stamps: list[int] = field(default_factory=list)
    poses: list[_Pose] = field(default_factory=list)
    ordered: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    def in_order(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rising stamps and the index of their pose; of samples with one stamp the last recorded counts."""
        if self.ordered is None:
            stamps = np.array(self.stamps, dtype=np.int64)
            order = np.argsort(stamps, kind="stable")
            last = np.append(np.diff(stamps[order]) > 0, True)
            self.ordered = (stamps[order][last], order[last])
        return self.ordered


class TransformTree:
    """All transforms of a recording. Stamps are nanoseconds, lengths metres.

    Args:
        max_gap_ns: two samples farther apart than this are not interpolated between.
    """

    def __init__(self, max_gap_ns: int) -> None:
        self._max_gap_ns = max_gap_ns
        self._edges: dict[str, dict[str, _Edge]] = {}
        self.dropped = 0
        """number of transforms left out: not finite, absurdly far, or with a quaternion that is no rotation"""

    @property
    def frames(self) -> set[str]:
        """Names of all frames."""
        parents = {parent for edges in self._edges.values() for parent in edges}
        return parents | set(self._edges)

    def add_message(self, message: Any, static: bool) -> None:
        """Every transform of a TFMessage."""
        for item in message.transforms:
            stamp_ns = stamp_of(item.header)
            self.add_pose(item.header.frame_id, item.child_frame_id, stamp_ns, item.transform, static)

    def add_pose(self, parent: str, child: str, stamp_ns: int, pose: Any, static: bool) -> None:
        """One parent_from_child, from a geometry_msgs Transform (translation, rotation) or Pose."""
        is_transform = "Transform" in pose.__msgtype__
        place, turn = (pose.translation, pose.rotation) if is_transform else (pose.position, pose.orientation)
        quat_xyzw = (turn.x, turn.y, turn.z, turn.w)
        numbers = (place.x, place.y, place.z, *quat_xyzw)
        sane = all(math.isfinite(value) and abs(value) < _FARTHEST_M for value in numbers)
        if not sane or abs(math.hypot(*quat_xyzw) - 1.0) > _UNIT_TOLERANCE:
            self.dropped += 1
            return
        self.add(parent, child, stamp_ns, numbers, static)

    def add(self, parent: str, child: str, stamp_ns: int, parent_from_child: _Pose, static: bool) -> None:
        """One sample of parent_from_child. A later static transform replaces an earlier one."""
        parent, child = frame_name(parent), frame_name(child)
        if not parent or not child or parent == child:
            self.dropped += 1
            return
        edges = self._edges.setdefault(child, {})
        edge = edges.setdefault(parent, _Edge(parent, static))
        if static and not edge.static:
            return
        if edge.static:
            edge = edges[parent] = _Edge(parent, static)
        edge.stamps.append(stamp_ns)
        edge.poses.append(parent_from_child)
        edge.ordered = None

    def detach(self, child: str) -> None:
        """Forget every parent of `child`, to give it another one."""
        self._edges.pop(frame_name(child), None)

    def connected(self, a: str, b: str) -> bool:
        """Whether both frames exist and hang on the same tree."""
        a, b = frame_name(a), frame_name(b)
        return a in self.frames and b in self.frames and self._chain(a)[-1] == self._chain(b)[-1]

    def lookup(self, target: str, source: str, stamp_ns: int) -> NDArray[np.float64]:
        """(4, 4) float64 target_from_source at an instant.

        Raises:
            ReadError: the frames are not connected, or a frame on the way has two parents.
            BadFrame: the instant lies outside the samples, or in a gap longer than allowed.
        """
        target, source = frame_name(target), frame_name(source)
        if target == source:
            return np.eye(4)
        up, down = self._chain(source), self._chain(target)
        shared = next((name for name in up if name in down), None)
        if shared is None:
            raise ReadError(f"tf does not connect {source!r} with {target!r}; {self.describe()}")
        ancestor_from_source = self._compose(up[: up.index(shared)], stamp_ns)
        ancestor_from_target = self._compose(down[: down.index(shared)], stamp_ns)
        return geometry.inverse(ancestor_from_target) @ ancestor_from_source

    def describe(self) -> str:
        """The frames known, for messages."""
        return f"frames in the recording: {_listed(self.frames)}"

    def _chain(self, name: str) -> list[str]:
        """From a frame up to the root of its tree."""
        chain = [name]
        while chain[-1] in self._edges:
            parent = self._edge(chain[-1]).parent
            if parent in chain:
                raise ReadError(f"tf has a loop: {' -> '.join([*chain, parent])}; two nodes publish opposites")
            chain.append(parent)
        return chain

    def _edge(self, child: str) -> _Edge:
        edges = self._edges[child]
        if len(edges) > 1:
            raise ReadError(
                f"tf gives frame {child!r} more than one parent ({', '.join(sorted(edges))}), so its place is not "
                "defined; record with one source of that transform, or name a pose topic with odom_topic=..."
            )
        return next(iter(edges.values()))

    def _compose(self, children: Iterable[str], stamp_ns: int) -> NDArray[np.float64]:
        total = np.eye(4)
        for child in children:
            total = self._sample(self._edge(child), child, stamp_ns) @ total
        return total

    def _sample(self, edge: _Edge, child: str, stamp_ns: int) -> NDArray[np.float64]:
        if edge.static:
            return _matrix_of(edge.poses[-1])
        stamps, order = edge.in_order()
        name = f"transform {edge.parent} <- {child}"
        if not stamps[0] <= stamp_ns <= stamps[-1]:
            side, end = ("before the first", stamps[0]) if stamp_ns < stamps[0] else ("after the last", stamps[-1])
            raise BadFrame(
                BadReason.LOST_POSE,
                f"the image is {abs(stamp_ns - int(end)) / 1e9:.3f} s {side} sample of {name}; nothing is extrapolated",
            )
        after = int(np.searchsorted(stamps, stamp_ns, side="left"))
        if stamps[after] == stamp_ns:
            return _matrix_of(edge.poses[order[after]])
        gap = int(stamps[after] - stamps[after - 1])
        if gap > self._max_gap_ns:
            raise BadFrame(
                BadReason.LOST_POSE,
                f"{name} has no sample for {gap / 1e9:.3f} s around the image; the limit is "
                f"{self._max_gap_ns / 1e9:.3f} s (max_gap_s)",
            )
        share = int(stamp_ns - stamps[after - 1]) / gap
        before_pose, after_pose = edge.poses[order[after - 1]], edge.poses[order[after]]
        return geometry.interpolate(_matrix_of(before_pose), _matrix_of(after_pose), share)


def stamp_of(header: Any) -> int:
    """Nanoseconds of a std_msgs/Header."""
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


def _matrix_of(pose: _Pose) -> NDArray[np.float64]:
    if isinstance(pose, tuple):
        return geometry.make_transform(geometry.matrix_from_quat_xyzw(pose[3:]), pose[:3])
    return np.asarray(pose, dtype=np.float64)


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    more = f" and {len(ordered) - _NAMES_SHOWN} more" if len(ordered) > _NAMES_SHOWN else ""
    return (", ".join(ordered[:_NAMES_SHOWN]) or "none") + more
