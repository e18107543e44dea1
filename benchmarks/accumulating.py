"""Objects that only accumulate, to compare with: the object map of ConceptGraphs (Gu et al., ICRA 2024, section III).

Each detection is a cloud of points; it is taken for one of the object for which the share of its points that lie near
one of the object's, plus the cosine of their features, is greatest, if the sum is large enough, else it is a new
object. Every so many frames clouds are cleared of noise and objects that overlap are joined. Nothing is ever moved or
gone. The numbers are those of 3D-Mem (Yang et al., CVPR 2025), which uses the method, but for the size of voxels, which
is that of ConceptGraphs. Written from the paper and from reading both programs; differs in that boxes that must touch
are axis-aligned, and that objects with one detection are kept, and only not told of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from spatialmem import Frame
from spatialmem.things import Detection, Observations

_VOXEL_M = 0.025
"""points are as far apart, and so near to be of one object"""
_NOISE_M, _NOISE_POINTS = 0.1, 10
"""DBSCAN"""
_LEAST_PIXELS, _LEAST_POINTS, _MOST_POINTS = 25, 16, 5_000
_ENOUGH = 1.2
"""sum of overlap and cosine"""
_TIDY_EVERY = 12
"""frames"""
_JOIN = 0.7
"""overlap, and cosine, and likeness of names, from which objects are joined"""
_LEAST_DETECTIONS = 2


@final
class Cloud:
    """A detection, or what several add up to; of the map frame, metres."""

    def __init__(self, number: int, points_m: NDArray[np.float64], feature: NDArray[np.float64], label: str, ns: int):
        self.number, self.detections, self.labels, self.last_ns = number, 1, Counter({label: 1}), ns
        self.feature = feature
        self.put(points_m)
        self.tidied = True

    @property
    def label(self) -> str:
        """What it was called most."""
        return max(sorted(self.labels), key=lambda name: self.labels[name])

    def put(self, points_m: NDArray[np.float64]) -> None:
        """Take these points in place of those of before."""
        self.points_m, self._tree = points_m, None
        self.low_m, self.high_m = points_m.min(axis=0), points_m.max(axis=0)

    def share_near(self, points_m: NDArray[np.float64]) -> float:
        """Of points (N, 3), those near one of this cloud."""
        if self._tree is None:
            self._tree = cKDTree(self.points_m)
        return float(np.isfinite(self._tree.query(points_m, distance_upper_bound=_VOXEL_M)[0]).mean())

    def take(self, other: Cloud) -> None:
        """Add another one."""
        mine, its = self.detections, other.detections
        mean = (self.feature * mine + other.feature * its) / (mine + its)
        self.feature = mean / max(float(np.linalg.norm(mean)), 1e-12)
        self.detections, self.last_ns = mine + its, max(self.last_ns, other.last_ns)
        self.labels.update(other.labels)
        self.put(_thinned(np.concatenate([self.points_m, other.points_m])))
        self.tidied = False


@final
class Accumulating:
    """The objects of a memory that only accumulates."""

    def __init__(self) -> None:
        self._clouds: list[Cloud] = []
        self._numbered = self._frames = 0

    def take(self, frame: Frame, masks: Sequence[NDArray[np.bool_]], seen: Observations) -> None:
        """Go on by one frame; masks: of the detections of `seen`, of the frame's size."""
        found = [c for n, mask in enumerate(masks) if (c := self._cloud(frame, mask, seen, n)) is not None]
        at = [self._of(cloud) for cloud in found]
        for cloud, known in zip(found, at, strict=True):
            if known is None:
                self._numbered += 1
                cloud.number = self._numbered
                self._clouds.append(cloud)
            else:
                known.take(cloud)
        self._frames += 1
        if self._frames % _TIDY_EVERY == 0:
            self.tidy()

    def objects(self) -> list[Cloud]:
        """What was detected twice at least."""
        return [cloud for cloud in self._clouds if cloud.detections >= _LEAST_DETECTIONS]

    def tidy(self) -> None:
        """Clear clouds of noise, and join those that overlap."""
        for cloud in self._clouds:
            if not cloud.tidied:
                kept = _without_noise(cloud.points_m)
                cloud.put(kept if len(kept) >= 4 else cloud.points_m)
                cloud.tidied = True
        overlaps = sorted(self._overlaps(), key=lambda one: -one[0])
        gone = set[int]()
        for _, one, other in overlaps:
            alike = float(one.feature @ other.feature) > _JOIN and one.labels.keys() & other.labels.keys()
            if alike and not gone & {id(one), id(other)}:
                other.take(one)
                gone.add(id(one))
                other.number = min(one.number, other.number)
        self._clouds = [cloud for cloud in self._clouds if id(cloud) not in gone]

    def _overlaps(self) -> list[tuple[float, Cloud, Cloud]]:
        """Pairs of which so much of the first lies at the second."""
        low, high = (np.array([getattr(c, side) for c in self._clouds]).reshape(-1, 3) for side in ("low_m", "high_m"))
        meet = ((low[:, None] <= high) & (low <= high[:, None])).all(axis=2) & ~np.eye(len(low), dtype=bool)
        pairs = [(self._clouds[i], self._clouds[j]) for i, j in zip(*np.nonzero(meet), strict=True)]
        found = [(other.share_near(one.points_m), one, other) for one, other in pairs]
        return [pair for pair in found if pair[0] > _JOIN]

    def _cloud(self, frame: Frame, mask: NDArray[np.bool_], seen: Observations, n: int) -> Cloud | None:
        assert frame.depth_m is not None and frame.world_from_camera is not None and seen.features is not None
        rows, columns = np.nonzero(mask & np.isfinite(frame.depth_m) & (frame.depth_m > 0.0))
        if np.count_nonzero(mask) < _LEAST_PIXELS or len(rows) < _LEAST_POINTS:
            return None
        z, camera = frame.depth_m[rows, columns].astype(np.float64), frame.camera
        local = np.stack([(columns - camera.cx) / camera.fx * z, (rows - camera.cy) / camera.fy * z, z], axis=1)
        pose = np.asarray(frame.world_from_camera, np.float64)
        points = _without_noise(_thinned(local @ pose[:3, :3].T + pose[:3, 3]))
        return Cloud(0, points, seen.features[n].astype(np.float64), seen.labels[n], frame.stamp_ns)

    def _of(self, cloud: Cloud) -> Cloud | None:
        """The object that a detection is taken for."""
        best, known = _ENOUGH, None
        for other in self._clouds:
            if (cloud.low_m <= other.high_m).all() and (other.low_m <= cloud.high_m).all():
                likeness = float(cloud.feature @ other.feature) + other.share_near(cloud.points_m)
                if likeness >= best:
                    best, known = likeness, other
        return known


def masks_of(seen: Observations, detections: Sequence[Detection]) -> list[NDArray[np.bool_]]:
    """The masks (H, W) of observations, which were made of these detections."""
    by_box: dict[tuple[float, ...], list[NDArray[np.bool_]]] = {}
    for detection in detections:
        by_box.setdefault(_box(detection.mask), []).append(detection.mask)
    return [
        by_box[(*(float(v) for v in box), float(pixels))].pop(0)
        for box, pixels in zip(seen.boxes_xyxy, seen.pixels, strict=True)
    ]


def _box(mask: NDArray[np.bool_]) -> tuple[float, ...]:
    """Left, top, right, bottom, number of pixels."""
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return (0.0,) * 5
    return tuple(float(v) for v in (columns[0], rows[0], columns[-1], rows[-1], np.count_nonzero(mask)))


def _thinned(points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """The means of points in voxels; of more than may be, evenly chosen ones."""
    _, inverse, counts = np.unique(
        np.floor(points_m / _VOXEL_M).astype(np.int64) @ (1, 1 << 20, 1 << 40), return_inverse=True, return_counts=True
    )
    means = np.stack([np.bincount(inverse, points_m[:, axis]) for axis in range(3)], axis=1) / counts[:, None]
    return means if len(means) <= _MOST_POINTS else means[np.linspace(0, len(means) - 1, _MOST_POINTS).astype(int)]


def _without_noise(points_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest cluster; all where that is tiny."""
    import open3d as o3d

    cloud = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(points_m))
    labels = np.asarray(cloud.cluster_dbscan(eps=_NOISE_M, min_points=_NOISE_POINTS))
    if not (labels >= 0).any():
        return points_m
    largest = points_m[labels == np.bincount(labels[labels >= 0]).argmax()]
    return largest if len(largest) >= 5 else points_m
