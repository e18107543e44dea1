"""LeRobotDataset v3 with depth: meta/info.json, meta/episodes/, data/ (Parquet), videos/ (MP4).

Read from LeRobot's source (datasets/utils.py, depth_utils.py, configs/video.py). A depth feature is marked
`is_depth_map`. As video it holds codes of 12 bits, logarithmic or linear between depth_min and depth_max metres; as
images, 16-bit millimetres or 32-bit metres. Intrinsics and poses have no place in the format: spatialmem.json declares
them (lerobot_settings.py).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, ReadError
from spatialmem.geometry import opencv_pose
from spatialmem.io.images import depth_from_raw, raw_depth_in, rgb_in
from spatialmem.io.lerobot_settings import POSE_VALUES, LeRobotSettings, pose_in, read_lerobot_settings
from spatialmem.io.lerobot_tables import EXTRA, INFO, Rows, Tables
from spatialmem.io.phones import colour_at, depth_camera
from spatialmem.io.reader import BadFrame, BadReason, Reader, recording_name
from spatialmem.io.shots import size_of, usable_pose
from spatialmem.io.video import Video
from spatialmem.types import Frame

_NS = 1_000_000_000
_TOP_CODE = (1 << 12) - 1
_FARTHEST_M = 1e5
_QUANTISER = {"depth_min": 0.01, "depth_max": 10.0, "shift": 3.5, "use_log": True}
"""LeRobot's defaults, for what the feature's info leaves out"""
_UNITS = {"m": 1.0, "mm": 1000.0}
_IMAGES = ("video", "image")


class LeRobotReader(Reader):
    """One camera of a data set; frames have the pixels of depth, colour is brought to them.

    All episodes are one session, on one clock that counts the frames of the data set, unless one is chosen.
    Code 0 and the highest code of a depth video are readings at or beyond the range, and count as none.
    """

    format_name = "lerobot"
    layout = "meta/info.json, meta/episodes/, data/, videos/, and a spatialmem.json (LeRobotDataset v3 with depth)"

    def __init__(
        self, path: str | Path, *, strict: bool = False, session_id: str | None = None, episode: int | None = None
    ) -> None:
        """Read what is listed, and the declaration of camera and poses.

        Args:
            path: the data set's folder.
            strict: see `Reader`.
            session_id: see `Reader`; a chosen episode is a session of its own.
            episode: the episode to read; goes before what spatialmem.json says; None: all, one after the other.

        Raises:
            MissingDependency: pyarrow is not installed; PyAV, when the first frame of a video is asked for.
        """
        super().__init__(path, strict=strict, session_id=session_id)
        self._tables = Tables(self.path)
        self.settings = read_lerobot_settings(self.path, self._tables.features)
        self.frame_id, self.up_in_world = self.settings.frame_id, self.settings.up
        self._rgb_key, self._depth_key = _keys(self.path, self._tables.features, self.settings)
        self._depth_info = _dict_in(self._tables.features[self._depth_key], "info")
        size = _size_in(self.path, self._depth_key, self._tables.features[self._depth_key])
        self.camera = depth_camera(self.settings.intrinsics, size, self.path)
        self._dequantised = self._dequantiser()
        self._episodes = self._chosen(self.settings.episode if episode is None else episode, session_id)
        self._frames = [(rows, i) for rows in self._episodes for i in range(len(rows.at))]
        if not self._frames:
            raise ReadError(f"{self.path} lists no frame")
        self._videos: dict[str, Video] = {}
        self._note_choices()

    @classmethod
    def recognises(cls, path: Path) -> bool:
        return path.is_dir() and (path / INFO).is_file()

    def __len__(self) -> int:
        return len(self._frames)

    def describe(self, index: int) -> str:
        rows, i = self._frames[index]
        return f"frame {rows.index[i]} (episode {rows.episode['episode_index']})"

    def read_frame(self, index: int) -> Frame:
        rows, i = self._frames[index]
        pose = usable_pose(self._pose(rows, i), "no pose is stored for it")
        stamp_ns = self._stamp_ns(rows, i)
        depth_m = self._depth_m(rows, i)
        rgb = colour_at(self._rgb(rows, i), size_of(self.camera))
        seq = int(rows.index[i])
        return Frame(rgb, depth_m, self.camera, pose, stamp_ns, session_id=self.session_id, seq=seq, depth_unit="m")

    def _chosen(self, episode: int | None, session_id: str | None) -> list[Rows]:
        listed = self._tables.episodes()
        if episode is not None:
            listed = [row for row in listed if row["episode_index"] == episode]
            if not listed:
                raise InvalidValue(f"{self.path} has no episode {episode}")
            if session_id is None:
                self.session_id = f"{recording_name(self.path)}-episode-{episode}"
        self._single = episode is not None
        found = [self._tables.rows(row, self.settings.pose) for row in listed]
        if self.settings.pose_format is not None:
            needed = self.settings.pose_at + POSE_VALUES[self.settings.pose_format]
            short = next((rows for rows in found if rows.pose.shape[1] < needed), None)
            if short is not None:
                raise ReadError(
                    f"{short.file}: {self.settings.pose} holds {short.pose.shape[1]} numbers; pose_format and pose_at "
                    f"in spatialmem.json need {needed}"
                )
        return found

    def _pose(self, rows: Rows, i: int) -> NDArray[np.float64]:
        settings = self.settings
        if settings.world_from_camera is not None:
            return opencv_pose(settings.world_from_camera, settings.camera_axes)  # pyright: ignore[reportArgumentType]
        assert settings.pose_format is not None
        end = settings.pose_at + POSE_VALUES[settings.pose_format]
        values = rows.pose[i, settings.pose_at : end]
        if not np.isfinite(values).all():
            return np.full((4, 4), np.nan)
        body = pose_in(values, settings.pose_format)
        camera = body if settings.body_from_camera is None else body @ settings.body_from_camera
        return opencv_pose(camera, settings.camera_axes)  # pyright: ignore[reportArgumentType] - checked on reading

    def _stamp_ns(self, rows: Rows, i: int) -> int:
        seconds = float(rows.timestamp_s[i])
        if not 0.0 <= seconds < 2**31:
            raise BadFrame(BadReason.INVALID, f"its timestamp is {seconds}; expected seconds since the episode began")
        before = 0 if self._single else int(rows.index[0])
        return round(before * _NS / self._tables.fps) + round(seconds * _NS)

    def _rgb(self, rows: Rows, i: int) -> NDArray[np.uint8]:
        size = size_of(self.settings.intrinsics)
        if self._tables.features[self._rgb_key].get("dtype") == "image":
            return rgb_in(self._tables.image(rows, i, self._rgb_key), self._rgb_key, size)
        rgb = self._video_frame(rows, i, self._rgb_key, Video.rgb)
        if rgb.shape[1::-1] != size:
            found = "{} x {}".format(*rgb.shape[1::-1])
            raise BadFrame(BadReason.SIZE_MISMATCH, f"{self._rgb_key} is {found}; its intrinsics {size[0]} x {size[1]}")
        return rgb

    def _depth_m(self, rows: Rows, i: int) -> NDArray[np.float32]:
        size = size_of(self.camera)
        if self._tables.features[self._depth_key].get("dtype") == "image":
            raw = raw_depth_in(self._tables.image(rows, i, self._depth_key), self._depth_key, size)
            unit = self._depth_info.get("depth_unit") or ("m" if raw.dtype.kind == "f" else "mm")
            return depth_from_raw(raw, _UNITS[unit])
        codes = self._video_frame(rows, i, self._depth_key, Video.codes)
        if codes.shape[::-1] != size:
            found = "{} x {}".format(*codes.shape[::-1])
            raise BadFrame(BadReason.SIZE_MISMATCH, f"{self._depth_key} is {found}; expected {size[0]} x {size[1]}")
        return self._dequantised[np.minimum(codes, _TOP_CODE)]

    def _video_frame(self, rows: Rows, i: int, key: str, read: Any) -> NDArray:
        """One frame of a camera's video: the episode starts at from_timestamp in its file."""
        file = self._tables.file_of(rows.episode, "video", key)
        start = rows.episode.get(f"videos/{key}/from_timestamp")
        if isinstance(start, bool) or not isinstance(start, (int, float)) or not math.isfinite(start):
            raise ReadError(f"videos/{key}/from_timestamp of the episode is {start!r}; expected seconds")
        if key not in self._videos or self._videos[key].path != file:
            self._videos[key] = Video(file, EXTRA)
        video = self._videos[key]
        return read(video, video.nearest(start + float(rows.timestamp_s[i]), 0.5 / self._tables.fps))

    def _dequantiser(self) -> NDArray[np.float32]:
        """(4096,) metres of each code; NaN for the lowest and the highest (LeRobot's dequantize_depth)."""
        unit = self._depth_info.get("depth_unit")
        if unit is not None and not (isinstance(unit, str) and unit in _UNITS):
            raise ReadError(f"{self.path / INFO}: depth_unit of {self._depth_key} is {unit!r}; expected m or mm")
        values = {name: self._depth_info.get(f"video.{name}", default) for name, default in _QUANTISER.items()}
        values = {name: default if values[name] is None else values[name] for name, default in _QUANTISER.items()}
        numeric = all(isinstance(values[name], (int, float)) for name in ("depth_min", "depth_max", "shift"))
        low, high, shift = (values["depth_min"], values["depth_max"], values["shift"]) if numeric else (0, 0, 0)
        if not 0.0 <= low < high <= _FARTHEST_M or (values["use_log"] and not 0.0 < low + shift <= _FARTHEST_M):
            raise ReadError(f"{self.path / INFO}: depth of {self._depth_key} cannot be quantised by {values}")
        share = np.arange(_TOP_CODE + 1) / _TOP_CODE
        if values["use_log"]:
            metres = np.exp(math.log(low + shift) * (1 - share) + math.log(high + shift) * share) - shift
        else:
            metres = low + (high - low) * share
        metres[[0, _TOP_CODE]] = np.nan
        return metres.astype(np.float32)

    def _note_choices(self) -> None:
        size, depth = size_of(self.settings.intrinsics), size_of(self.camera)
        self.note(f"colour: {self._rgb_key}, {size[0]} x {size[1]}; depth: {self._depth_key}, {depth[0]} x {depth[1]}")
        if not self._single and len(self._episodes) > 1:
            self.note(f"{len(self._episodes)} episodes in one session, one after the other (episode= reads one)")


def _keys(path: Path, features: dict[str, dict[str, Any]], settings: LeRobotSettings) -> tuple[str, str]:
    """Features of colour and of depth: those declared, else the only ones, else a pair by their names."""
    cameras = [key for key, feature in features.items() if feature.get("dtype") in _IMAGES]
    depths = [key for key in cameras if _is_depth(features[key])]
    colours = [key for key in cameras if key not in depths]
    rgb = settings.rgb or _only(path, "rgb", colours)
    named = [key for key in depths if key in (f"{rgb}_depth", f"{rgb}.depth")]
    depth = settings.depth or _only(path, "depth", named or depths)
    for key in (rgb, depth):
        if features[key].get("dtype") not in _IMAGES:
            raise ReadError(f"{path}: {key} is no camera of the data set; it has: {', '.join(cameras) or 'none'}")
    return rgb, depth


def _only(path: Path, name: str, keys: list[str]) -> str:
    if len(keys) == 1:
        return keys[0]
    if not keys:
        raise ReadError(f"{path}: no camera of this data set holds {name}; spatialmem needs colour and depth")
    raise ReadError(f"{path}: several cameras hold {name}: {', '.join(keys)}; name one by {name!r} in spatialmem.json")


def _is_depth(feature: dict[str, Any]) -> bool:
    """By the mark in `info`, or by the older one, which stood in `info` or in `video_info`."""
    info, older = _dict_in(feature, "info"), _dict_in(feature, "video_info")
    return bool(info.get("is_depth_map") or info.get("video.is_depth_map") or older.get("video.is_depth_map"))


def _dict_in(values: dict[str, Any], key: str) -> dict[str, Any]:
    found = values.get(key)
    return found if isinstance(found, dict) else {}


def _size_in(path: Path, key: str, feature: dict[str, Any]) -> tuple[int, int]:
    """Width and height of a depth feature: shape is (H, W), (H, W, 1) or (1, H, W)."""
    shape = feature.get("shape")
    sides = [s for s in shape if isinstance(s, int) and s > 0] if isinstance(shape, list) else []
    if len(sides) == 3 and 1 in (sides[0], sides[-1]):
        sides = sides[:2] if sides[-1] == 1 else sides[1:]
    if len(sides) != 2 or max(sides) > 1 << 13:
        raise ReadError(f"{path / INFO}: shape of {key} is {shape!r}; expected [height, width, 1]")
    return sides[1], sides[0]
