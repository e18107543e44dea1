"""LeRobot data sets, version 3, as LeRobot's writer lays them out, from synthetic frames.

After datasets/dataset_writer.py, utils.py and depth_utils.py of LeRobot: tables by pyarrow, H.264 colour, lossless
12-bit HEVC depth or TIFF images in the tables, a spatialmem.json for what the format has no place for.
"""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from phones import colour_camera, colour_image, write_video
from PIL import Image
from scipy.spatial.transform import Rotation

from spatialmem.types import Frame

FPS = 10
RGB, DEPTH, POSE = "observation.images.front", "observation.images.front_depth", "observation.camera_pose"
NAMES = ["x", "y", "z", "qx", "qy", "qz", "qw"]


def quantised(depth_m: np.ndarray, low: float = 0.01, high: float = 10.0, shift: float = 3.5, log: bool = True) -> Any:
    """12-bit codes by LeRobot's quantize_depth, in metres; what is not known is 0, as from a RealSense."""
    depth = np.nan_to_num(depth_m.astype(np.float64))
    if log:
        share = (np.log(depth + shift) - np.log(low + shift)) / (np.log(high + shift) - np.log(low + shift))
    else:
        share = (depth - low) / (high - low)
    return np.rint(share * 4095).clip(0, 4095).astype(np.uint16)


def write_lerobot(
    path: Path, frames: Sequence[Frame], episodes: Sequence[int] | None = None, videos: bool = True,
    metres: bool = False, quantiser: dict[str, Any] | None = None,
) -> Path:  # fmt: skip
    """A data set of one camera; `episodes` gives the lengths of its episodes, one after the other in the same files.

    Images are stored in the tables instead of videos where `videos` is False, depth then in millimetres or `metres`.
    """
    episodes = [len(frames)] if episodes is None else list(episodes)
    video = {"low": 0.01, "high": 10.0, "shift": 3.5, "log": True} | (quantiser or {})
    starts = np.cumsum([0, *episodes])
    write_info(path, frames[0], len(episodes), len(frames), videos, "m" if metres else "mm", video)
    rows = [episode_rows(frames, e, int(starts[e]), n, videos, metres) for e, n in enumerate(episodes)]
    data = path / "data" / "chunk-000" / "file-000.parquet"
    data.parent.mkdir(parents=True)
    with pq.ParquetWriter(data, rows[0].schema, compression="snappy") as writer:
        for table in rows:  # an episode is a row group
            writer.write_table(table)
    listed = [episode_row(e, int(starts[e]), n, videos) for e, n in enumerate(episodes)]
    file = path / "meta" / "episodes" / "chunk-000" / "file-000.parquet"
    file.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(listed), file)
    if videos:
        name = "chunk-000/file-000.mp4"
        colours = [colour_image(frame) for frame in frames]
        write_video(path / "videos" / RGB / name, colours, range(len(frames)), FPS, "libx264", options=H264)
        codes = [quantised(frame.depth_m, **video) for frame in frames if frame.depth_m is not None]
        write_video(path / "videos" / DEPTH / name, codes, range(len(frames)), FPS, "libx265", "gray12le", LOSSLESS)
    write_declaration(path, frames[0])
    return path


H264 = {"crf": "8", "g": "2"}
LOSSLESS = {"x265-params": "log-level=none:lossless=1:keyint=2"}


def write_declaration(path: Path, frame: Frame, **more: Any) -> None:
    """spatialmem.json: what the format has no place for; None takes a key out."""
    c = colour_camera(frame)
    lens = {"fx": c.fx, "fy": c.fy, "cx": c.cx, "cy": c.cy, "width": c.width, "height": c.height}
    values = {"intrinsics": lens, "pose": POSE, "pose_format": "xyz_quat_xyzw", "up": [0, 0, 1]} | more
    (path / "spatialmem.json").write_text(json.dumps({k: v for k, v in values.items() if v is not None}))


def write_info(path: Path, frame: Frame, episodes: int, count: int, videos: bool, unit: str, video: dict) -> None:
    colour, depth = colour_camera(frame), frame.camera
    scalars = {"timestamp": "float32", "frame_index": "int64", "episode_index": "int64", "index": "int64"}
    kind, axes = "video" if videos else "image", ["height", "width", "channels"]
    stored = {"video.codec": "hevc", "video.pix_fmt": "gray12le", "video.fps": FPS}
    stored |= {"video.depth_min": video["low"], "video.depth_max": video["high"]}
    stored |= {"video.shift": video["shift"], "video.use_log": video["log"]}
    info = {
        "codebase_version": "v3.0", "robot_type": "so101", "fps": FPS, "total_episodes": episodes,
        "total_frames": count, "total_tasks": 1, "chunks_size": 1000, "splits": {"train": f"0:{episodes}"},
        "data_files_size_in_mb": 100, "video_files_size_in_mb": 200,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4" if videos else None,
        "features": {
            RGB: {"dtype": kind, "shape": [colour.height, colour.width, 3], "names": axes},
            DEPTH: {"dtype": kind, "shape": [depth.height, depth.width, 1], "names": axes,
                    "info": {"is_depth_map": True, "depth_unit": unit, **(stored if videos else {})}},
            POSE: {"dtype": "float32", "shape": [7], "names": NAMES},
            "action": {"dtype": "float32", "shape": [2], "names": ["pan", "tilt"]},
            **{name: {"dtype": kind, "shape": [1], "names": None} for name, kind in scalars.items()},
        },
    }  # fmt: skip
    (path / "meta").mkdir(parents=True)
    (path / "meta" / "info.json").write_text(json.dumps(info, indent=4))


def episode_rows(frames: Sequence[Frame], episode: int, start: int, n: int, videos: bool, metres: bool) -> pa.Table:
    """What `data/` holds of one episode."""
    own = frames[start : start + n]
    columns = {
        POSE: pa.array([pose_values(f) for f in own], pa.list_(pa.float32(), 7)),
        "action": pa.array([[0.0, 0.0]] * n, pa.list_(pa.float32(), 2)),
        "timestamp": pa.array([i / FPS for i in range(n)], pa.float32()),
        "frame_index": pa.array(range(n), pa.int64()),
        "episode_index": pa.array([episode] * n, pa.int64()),
        "index": pa.array(range(start, start + n), pa.int64()),
        "task_index": pa.array([0] * n, pa.int64()),
    }
    if not videos:
        image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        colour = [image_bytes(colour_image(f), "PNG") for f in own]
        depth = [image_bytes(raw_depth(f, metres), "TIFF") for f in own]
        columns[RGB] = pa.array([{"bytes": b, "path": f"frame-{i:06d}.png"} for i, b in enumerate(colour)], image)
        columns[DEPTH] = pa.array([{"bytes": b, "path": f"frame-{i:06d}.tiff"} for i, b in enumerate(depth)], image)
    return pa.table(columns)


def episode_row(episode: int, start: int, n: int, videos: bool) -> dict[str, Any]:
    """What `meta/episodes/` holds of one episode."""
    row: dict[str, Any] = {"episode_index": episode, "tasks": ["look around"], "length": n}
    row |= {"data/chunk_index": 0, "data/file_index": 0, "dataset_from_index": start, "dataset_to_index": start + n}
    for key in (RGB, DEPTH) if videos else ():
        row |= {f"videos/{key}/chunk_index": 0, f"videos/{key}/file_index": 0}
        row |= {f"videos/{key}/from_timestamp": start / FPS, f"videos/{key}/to_timestamp": (start + n) / FPS}
    return row | {"stats/action/mean": [0.0, 0.0], "meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}


def pose_values(frame: Frame) -> list[float]:
    assert frame.world_from_camera is not None
    quat_xyzw = Rotation.from_matrix(frame.world_from_camera[:3, :3]).as_quat()
    return [*frame.world_from_camera[:3, 3], *quat_xyzw]


def raw_depth(frame: Frame, metres: bool) -> np.ndarray:
    assert frame.depth_m is not None
    known = np.nan_to_num(frame.depth_m)
    return known.astype(np.float32) if metres else np.rint(known * 1000).astype(np.uint16)


def image_bytes(image: np.ndarray, kind: str) -> bytes:
    """As LeRobot's image writer saves it: PNG, or TIFF without compression for depth."""
    out = io.BytesIO()
    options = {"compress_level": 1} if kind == "PNG" else {"compression": "raw"}
    Image.fromarray(image).save(out, kind, **options)
    return out.getvalue()
