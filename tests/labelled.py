"""Labelled questions about real recordings, and the judging of an answer against them.

`tests/data/README.md` explains the file. Nothing here uses the library's own geometry: the judge must not
share a mistake with what it judges.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from spatialmem.types import Camera, Frame

LABELS_PATH = Path(__file__).parent / "data" / "labelled_queries.json"
SCHEMA = 1
OCCLUSION_TOLERANCE_M = 0.15
"""how far a hit may lie from the surface that the judging frame saw at its pixel"""
POSITION_TOLERANCE_M = 0.15
"""how far a right hit may lie from the nearest surface point of a labelled thing"""
_PIXEL_WINDOW = 2  # depth is looked up in 5 x 5 pixels: single pixels at an edge have no or mixed readings
_DEPTH_SLACK_M = 0.05  # on both sides of a box's depth range


class LabelError(ValueError):
    """The label file breaks its own rules; the message names the entry."""


class Frames(Protocol):
    """Anything that gives the frame of an index: a reader, a dict, a list."""

    def __getitem__(self, index: int, /) -> Frame: ...


class Size(NamedTuple):
    """Width and height of a recording's images, pixels."""

    width: int
    height: int


@dataclass(frozen=True)
class Box:
    """One thing in one image."""

    thing: str
    """name of the thing, unique in its recording"""
    frame: int
    """index of the frame in the reader's order, from 0"""
    box_xyxy: tuple[int, int, int, int]
    """pixels, inclusive, centres at integers: left, top, right, bottom"""
    depth_m: tuple[float, float] | None = None
    """nearest and farthest depth of the thing inside the box; None: all that the box shows belongs to it"""

    def holds(self, u: float, v: float) -> bool:
        """Whether a pixel position lies in the box (its outer pixels reach half a pixel further)."""
        left, top, right, bottom = self.box_xyxy
        return left - 0.5 <= u <= right + 0.5 and top - 0.5 <= v <= bottom + 0.5

    def holds_depth(self, depth_m: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Which depths, metres along the optical axis, can belong to the thing."""
        depth = np.asarray(depth_m, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            known = np.isfinite(depth) & (depth > 0)
            if self.depth_m is None:
                return known
            return known & (depth >= self.depth_m[0] - _DEPTH_SLACK_M) & (depth <= self.depth_m[1] + _DEPTH_SLACK_M)


@dataclass(frozen=True)
class PresentQuery:
    """A question whose answer is in the recording, labelled in one frame."""

    recording: str
    """folder name of the recording"""
    text: str
    """the question"""
    box: Box
    """the thing in the frame of this label"""
    point_px: tuple[int, int]
    """a pixel (column, row) of the thing in that frame, with a depth reading"""
    also: tuple[Box, ...]
    """every other box of the recording where the same answer is right"""

    @property
    def boxes(self) -> tuple[Box, ...]:
        """All boxes where an answer is right, the entry's own first."""
        return (self.box, *self.also)

    @property
    def frames_needed(self) -> tuple[int, ...]:
        """Indices of the frames that `judge` looks at, rising."""
        return tuple(sorted({box.frame for box in self.boxes}))


@dataclass(frozen=True)
class AbsentQuery:
    """A question that must be answered with nothing."""

    recording: str
    text: str
    reason: Literal["colour", "word"]
    """"colour": nothing of that colour is there; "word": the thing is not there, and colours say nothing of it"""


@dataclass(frozen=True)
class Labels:
    """The whole label file."""

    present: tuple[PresentQuery, ...]
    absent: tuple[AbsentQuery, ...]
    files: Mapping[str, Mapping[int, str]]
    """recording -> frame index -> name of the colour file, relative to the recording's folder"""


class Verdict(NamedTuple):
    """What `judge` found."""

    inside: bool
    """the hit falls into one of the boxes, and is not hidden there"""
    distance_m: float
    """from the hit to the nearest labelled surface point, metres; inf when no box has a depth reading"""

    @property
    def right(self) -> bool:
        """Inside a box, and within `POSITION_TOLERANCE_M` of the thing."""
        return self.inside and self.distance_m <= POSITION_TOLERANCE_M


def load(path: Path = LABELS_PATH) -> Labels:
    """Read and check the label file.

    Raises:
        LabelError: when an entry breaks the rules of tests/data/README.md.
    """
    raw = json.loads(path.read_text(encoding="utf-8"))
    if raw.get("schema") != SCHEMA:
        raise LabelError(f"{path.name} has schema {raw.get('schema')!r}; this loader reads {SCHEMA}")
    files = {name: {int(i): file for i, file in rec["files"].items()} for name, rec in raw["recordings"].items()}
    present = tuple(_present(entry, raw["recordings"]) for entry in raw["present"])
    absent = tuple(_absent(entry, raw["recordings"]) for entry in raw["absent"])
    _check_unique([(q.recording, q.text, q.box.frame, q.box.box_xyxy) for q in present])
    _check_unique([(q.recording, q.text) for q in absent])
    both = {(q.recording, q.text) for q in present} & {(q.recording, q.text) for q in absent}
    if both:
        raise LabelError(f"asked as present and as absent: {sorted(both)}")
    return Labels(present, absent, files)


def _present(entry: dict, recordings: dict) -> PresentQuery:
    recording, text = _recording(entry, recordings), entry["text"]
    rec, where = recordings[recording], f"{recording}: {text!r} in frame {entry['frame']}"
    if text not in rec["texts"]:
        raise LabelError(f"{recording}: {text!r} has no list of things under 'texts'")
    boxes = [box for thing in rec["texts"][text] for box in _boxes(recording, thing, rec)]
    wanted = (entry["thing"], entry["frame"], tuple(entry["box_xyxy"]))
    own = [box for box in boxes if (box.thing, box.frame, box.box_xyxy) == wanted]
    if len(own) != 1:
        raise LabelError(f"{where}: its box is listed {len(own)} times under its text, not once")
    u, v = entry["point_px"]
    if not own[0].holds(u, v):
        raise LabelError(f"{where}: point_px {u, v} lies outside its box")
    return PresentQuery(recording, text, own[0], (u, v), tuple(box for box in boxes if box is not own[0]))


def _boxes(recording: str, thing: str, rec: dict) -> list[Box]:
    if thing not in rec["things"]:
        raise LabelError(f"{recording}: {thing!r} is not under 'things'")
    size = Size(*rec["size"])
    return [_box(recording, thing, row, size, rec["files"]) for row in rec["things"][thing]]


def _box(recording: str, thing: str, row: dict, size: Size, files: dict) -> Box:
    left, top, right, bottom = row["box_xyxy"]
    where = f"{recording}: {thing!r} in frame {row['frame']}"
    if not (0 <= left < right < size.width and 0 <= top < bottom < size.height):
        raise LabelError(f"{where}: box {row['box_xyxy']} is empty or leaves the image of {size.width} x {size.height}")
    if str(row["frame"]) not in files:
        raise LabelError(f"{where}: the frame has no file name under 'files'")
    depth = row.get("depth_m")
    if depth is not None and not 0 < depth[0] < depth[1]:
        raise LabelError(f"{where}: depth_m must be [nearest, farthest] in metres; given {depth}")
    return Box(thing, row["frame"], (left, top, right, bottom), None if depth is None else (depth[0], depth[1]))


def _absent(entry: dict, recordings: dict) -> AbsentQuery:
    recording, text, reason = _recording(entry, recordings), entry["text"], entry["reason"]
    if reason not in ("colour", "word"):
        raise LabelError(f"{recording}: {text!r}: reason must be 'colour' or 'word'; given {reason!r}")
    return AbsentQuery(recording, text, reason)


def _recording(entry: dict, recordings: dict) -> str:
    if entry["recording"] not in recordings:
        raise LabelError(f"{entry['text']!r}: recording {entry['recording']!r} is not under 'recordings'")
    return entry["recording"]


def _check_unique(keys: list[tuple]) -> None:
    twice = sorted({str(key) for key in keys if keys.count(key) > 1})
    if twice:
        raise LabelError(f"listed more than once: {', '.join(twice)}")


def judge(entry: PresentQuery, hit_position_map: NDArray[np.floating], frames: Frames) -> Verdict:
    """Whether a hit is on a thing that the question means.

    Args:
        hit_position_map: (3,) position of the hit in the map frame, metres; the map frame is the world of `frames`.
        frames: gives the frame of each index in `entry.frames_needed`.
    """
    hit = np.asarray(hit_position_map, dtype=np.float64).reshape(3)
    verdicts = [_judge_in(box, hit, frames[box.frame]) for box in entry.boxes]
    return Verdict(any(v.inside for v in verdicts), min(v.distance_m for v in verdicts))


def _judge_in(box: Box, hit: NDArray[np.float64], frame: Frame) -> Verdict:
    rotation, origin = _pose(frame)
    in_camera = (hit - origin) @ rotation
    surface = surface_points(box, frame)
    distance = float(np.linalg.norm(surface - hit, axis=1).min()) if len(surface) else float("inf")
    return Verdict(_visible_inside(box, in_camera, frame), distance)


def _visible_inside(box: Box, in_camera: NDArray[np.float64], frame: Frame) -> bool:
    camera, z = frame.camera, float(in_camera[2])
    if z <= 0 or not bool(box.holds_depth(np.array(z))):
        return False
    u = camera.fx * float(in_camera[0]) / z + camera.cx
    v = camera.fy * float(in_camera[1]) / z + camera.cy
    if not box.holds(u, v):
        return False
    seen = _depth_around(frame, round(u), round(v))
    if seen.size == 0:  # glossy or black: what the box shows elsewhere still bounds where the thing can be
        seen = _depth_in(box, frame)[2]
    return seen.size > 0 and bool(seen.min() - OCCLUSION_TOLERANCE_M <= z <= seen.max() + OCCLUSION_TOLERANCE_M)


def surface_points(box: Box, frame: Frame) -> NDArray[np.float64]:
    """(N, 3) positions in the map frame, metres, of the depth pixels that show the thing in the box."""
    rotation, origin = _pose(frame)
    u, v, z = _depth_in(box, frame)
    camera: Camera = frame.camera
    in_camera = np.stack(((u - camera.cx) / camera.fx * z, (v - camera.cy) / camera.fy * z, z), axis=1)
    return in_camera @ rotation.T + origin


def _depth_in(box: Box, frame: Frame) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    left, top, right, bottom = box.box_xyxy
    depth = _depth(frame)[top : bottom + 1, left : right + 1]
    rows, columns = np.nonzero(box.holds_depth(depth))
    return (columns + left).astype(np.float64), (rows + top).astype(np.float64), depth[rows, columns].astype(np.float64)


def _depth_around(frame: Frame, u: int, v: int) -> NDArray[np.floating]:
    top, left = max(v - _PIXEL_WINDOW, 0), max(u - _PIXEL_WINDOW, 0)
    window = _depth(frame)[top : v + _PIXEL_WINDOW + 1, left : u + _PIXEL_WINDOW + 1]
    with np.errstate(invalid="ignore"):
        return window[np.isfinite(window) & (window > 0)]


def _depth(frame: Frame) -> NDArray[np.float32]:
    if frame.depth_m is None:
        raise LabelError(f"frame {frame.key} has no depth; answers are judged in frames with depth")
    return frame.depth_m


def _pose(frame: Frame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rotation (3, 3) and origin (3,) of map_from_camera."""
    if frame.world_from_camera is None:
        raise LabelError(f"frame {frame.key} has no pose; answers are judged in frames with a pose")
    return frame.world_from_camera[:3, :3], frame.world_from_camera[:3, 3]
