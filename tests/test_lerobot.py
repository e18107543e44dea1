"""LeRobot data sets: how depth is stored, episodes, what spatialmem.json declares, and every way a frame can be bad."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lerobot_data import (
    DEPTH,
    FPS,
    H264,
    LOSSLESS,
    POSE,
    RGB,
    image_bytes,
    quantised,
    raw_depth,
    write_declaration,
    write_lerobot,
)
from phones import OPENCV_FROM_ARKIT_CAMERA, colour_image, write_video
from reader_checks import assert_one_bad
from recordings import walk
from scipy.spatial.transform import Rotation

from spatialmem.errors import InvalidValue, MissingDependency, ReadError
from spatialmem.io import BadReason, read
from spatialmem.io.check_reader import check_reader, same_frame
from spatialmem.io.lerobot_settings import LeRobotSettings
from spatialmem.types import Frame

COUNT = 6
DATA = "data/chunk-000/file-000.parquet"
COARSE_M = 1.3e-3
IDENTITY = np.eye(4).tolist()


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return walk(COUNT)


@pytest.fixture(scope="module")
def videos(tmp_path_factory, frames) -> Path:
    return write_lerobot(tmp_path_factory.mktemp("lerobot") / "videos", frames, [4, 2])


@pytest.fixture(scope="module")
def images(tmp_path_factory, frames) -> Path:
    return write_lerobot(tmp_path_factory.mktemp("lerobot") / "images", frames, [4, 2], videos=False)


@pytest.fixture
def path(videos, tmp_path) -> Path:
    return Path(shutil.copytree(videos, tmp_path / "set"))


@pytest.fixture
def path_of_images(images, tmp_path) -> Path:
    return Path(shutil.copytree(images, tmp_path / "set"))


def change_info(path: Path, **values: Any) -> None:
    file = path / "meta" / "info.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def change_feature(path: Path, key: str, **values: Any) -> None:
    features = json.loads((path / "meta" / "info.json").read_text())["features"]
    change_info(path, features={**features, key: features[key] | values})


def change_column(path: Path, name: str, change) -> None:
    """Rewrite one column of the data file, an episode a row group as before; `change` takes and gives a list."""
    file = path / DATA
    table = pq.read_table(file)
    at = table.schema.get_field_index(name)
    column = pa.array(change(table.column(name).to_pylist()), table.schema.field(name).type)
    pq.write_table(table.set_column(at, table.schema.field(at), column), file, row_group_size=4)


# depth


def test_depth_of_a_video_is_as_exact_as_its_codes(videos, frames):
    step = (np.log(13.5) - np.log(3.51)) / 4095
    for read_back, frame in zip(read(videos), frames, strict=True):
        assert (np.abs(read_back.depth_m - frame.depth_m) <= step * (frame.depth_m + 3.5) * 0.51).all()


@pytest.mark.parametrize(
    "quantiser", [{"log": False}, {"low": 0.2, "high": 6.0, "shift": 0.0}, {"low": 0.05, "high": 5.0, "shift": 1.0}]
)
def test_every_quantiser_is_undone(tmp_path, frames, quantiser):
    reader = read(write_lerobot(tmp_path / "a", frames, quantiser=quantiser))
    assert check_reader(reader) == []
    for read_back, frame in zip(reader, frames, strict=True):
        np.testing.assert_allclose(read_back.depth_m, frame.depth_m, atol=2.5e-3)


def test_codes_at_the_ends_of_the_range_are_no_reading(path, frames):
    depth_m = np.array(frames[0].depth_m)
    depth_m[:20], depth_m[20:40], depth_m[40:60] = np.nan, 15.0, 0.005
    codes = [quantised(depth_m)] + [quantised(frame.depth_m) for frame in frames[1:]]
    write_video(path / "videos" / DEPTH / "chunk-000/file-000.mp4", codes, range(COUNT), FPS, "libx265", "gray12le",
                LOSSLESS)  # fmt: skip
    first = read(path)[0]
    assert np.isnan(first.depth_m[:60]).all()
    np.testing.assert_allclose(first.depth_m[60:], frames[0].depth_m[60:], atol=COARSE_M)


@pytest.mark.parametrize("metres", [False, True])
def test_images_are_millimetres_or_metres(tmp_path, frames, metres):
    path = write_lerobot(tmp_path / "a", frames, videos=False, metres=metres)
    expected = [frame.depth_m for frame in frames]
    for read_back, depth_m in zip(read(path), expected, strict=True):
        np.testing.assert_allclose(read_back.depth_m, depth_m, atol=0.0 if metres else 6e-4)
    change_feature(path, DEPTH, info={"is_depth_map": True})  # floating values are metres, whole ones millimetres
    for read_back, depth_m in zip(read(path), expected, strict=True):
        np.testing.assert_allclose(read_back.depth_m, depth_m, atol=0.0 if metres else 6e-4)


def test_the_older_marks_of_depth_are_known(path):
    info = json.loads((path / "meta" / "info.json").read_text())["features"][DEPTH]["info"]
    older = {key: value for key, value in info.items() if key != "is_depth_map"}
    change_feature(path, DEPTH, info={**older, "video.is_depth_map": True})
    assert len(list(read(path))) == COUNT
    change_feature(path, DEPTH, info=older, video_info={"video.is_depth_map": True})
    assert len(list(read(path))) == COUNT


# episodes


def test_all_episodes_are_one_session_on_one_clock(videos):
    reader = read(videos)
    assert [frame.stamp_ns for frame in reader] == pytest.approx([i * 1e9 / FPS for i in range(COUNT)], abs=50)
    assert [frame.seq for frame in reader] == list(range(COUNT))
    assert "2 episodes in one session" in str(reader.report)


@pytest.mark.parametrize("kind", ["videos", "images"])
def test_one_episode_is_a_session_of_its_own(kind, videos, images, frames):
    path = {"videos": videos, "images": images}[kind]
    reader = read(path, episode=1)
    delivered = list(reader)
    assert check_reader(reader) == []
    assert {frame.session_id for frame in delivered} == {f"{path.name}-episode-1"}
    assert [frame.stamp_ns for frame in delivered] == pytest.approx([0, 100_000_000], abs=50)  # they are float32
    assert [frame.seq for frame in delivered] == [4, 5]
    for read_back, frame in zip(delivered, frames[4:], strict=True):
        np.testing.assert_allclose(read_back.depth_m, frame.depth_m, atol=COARSE_M)
        assert np.median(np.abs(read_back.rgb.astype(int) - frame.rgb)) <= 3
    with pytest.raises(InvalidValue, match="no episode 2"):
        read(path, episode=2)


def test_the_declaration_may_choose_the_episode(path, frames):
    write_declaration(path, frames[0], episode=0)
    assert len(read(path)) == 4
    assert len(read(path, episode=1)) == 2


# what spatialmem.json declares


def test_without_a_declaration_the_message_shows_one(path):
    (path / "spatialmem.json").unlink()
    with pytest.raises(ReadError, match="no place for intrinsics") as caught:
        read(path)
    assert POSE in str(caught.value) and '"pose_format": "xyz_quat_xyzw"' in str(caught.value)


def pose_column(poses: list[np.ndarray], form: str) -> list[list[float]]:
    rows = []
    for pose in poses:
        xyzw = Rotation.from_matrix(pose[:3, :3]).as_quat()
        quat = xyzw if form == "xyz_quat_xyzw" else np.roll(xyzw, 1)
        rows.append(pose.ravel().tolist() if form == "matrix" else [*pose[:3, 3], *quat])
    return rows


@pytest.mark.parametrize("form", ["xyz_quat_xyzw", "xyz_quat_wxyz", "matrix"])
@pytest.mark.parametrize("axes", ["opencv", "opengl"])
def test_the_pose_of_a_gripper_carries_the_camera(path, frames, form, axes):
    """The state vector holds a joint, then the pose of the gripper; the camera sits 5 cm beside it, turned."""
    gripper_from_camera = np.eye(4)
    gripper_from_camera[:3, :3] = Rotation.from_euler("xyz", [0.3, -0.2, 1.0]).as_matrix()
    gripper_from_camera[:3, 3] = 0.05, -0.01, 0.02
    turned = OPENCV_FROM_ARKIT_CAMERA if axes == "opengl" else np.eye(4)
    grippers = [f.world_from_camera @ turned @ np.linalg.inv(gripper_from_camera) for f in frames]
    state = [[0.7, *row] for row in pose_column(grippers, form)]
    file = path / DATA
    pq.write_table(
        pq.read_table(file).append_column("observation.state", pa.array(state, pa.list_(pa.float64()))), file
    )
    features = json.loads((path / "meta" / "info.json").read_text())["features"]
    change_info(path, features=features | {"observation.state": {"dtype": "float64", "shape": [len(state[0])]}})
    write_declaration(path, frames[0], pose="observation.state", pose_format=form, pose_at=1, camera_axes=axes,
                      body_from_camera=gripper_from_camera.tolist())  # fmt: skip
    for read_back, frame in zip(read(path), frames, strict=True):
        np.testing.assert_allclose(read_back.world_from_camera, frame.world_from_camera, atol=1e-9)


def test_a_pose_may_be_a_feature_of_two_dimensions(path, frames):
    file = path / DATA
    poses = pa.array([f.world_from_camera.tolist() for f in frames], pa.list_(pa.list_(pa.float64())))
    pq.write_table(pq.read_table(file).append_column("camera.pose", poses), file)
    features = json.loads((path / "meta" / "info.json").read_text())["features"]
    change_info(path, features=features | {"camera.pose": {"dtype": "float64", "shape": [4, 4]}})
    write_declaration(path, frames[0], pose="camera.pose", pose_format="matrix")
    for read_back, frame in zip(read(path), frames, strict=True):
        np.testing.assert_allclose(read_back.world_from_camera, frame.world_from_camera, atol=1e-12)


def test_a_camera_that_never_moves_is_declared_once(path, frames):
    world_from_camera = frames[0].world_from_camera
    write_declaration(
        path, frames[0], pose=None, pose_format=None, world_from_camera=world_from_camera.ravel().tolist()
    )
    for frame in read(path):
        np.testing.assert_allclose(frame.world_from_camera, world_from_camera, atol=1e-12)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"intrinsics": None}, "'intrinsics' must be an object"),
        ({"intrinsics": {"fx": 1, "k1": 0.1}}, "rectified first"),
        ({"intrinsics": {"fx": 1}}, "'fy' must be a finite number"),
        ({"pose": None, "pose_format": None}, "give either 'pose'"),
        ({"world_from_camera": IDENTITY}, "give either 'pose'"),
        ({"pose": "observation.pose"}, "names no feature of meta/info.json; it has: .*camera_pose"),
        ({"pose_format": "euler"}, "'pose_format' must be one of xyz_quat_xyzw"),
        ({"pose_format": None}, "'pose_format' must be one of"),
        ({"pose_format": "matrix"}, "holds 7 numbers; .* need 16"),
        ({"pose_at": 1}, "need 8"),
        ({"pose_at": -1}, "'pose_at' must be a number from 0"),
        ({"body_from_camera": [1, 2]}, "'body_from_camera' must be a 4x4 matrix"),
        ({"body_from_camera": [2] * 16}, "no rigid transform"),
        (
            {"pose": None, "pose_format": None, "pose_at": 1, "world_from_camera": IDENTITY},
            "goes with 'pose'",
        ),
        ({"camera_axes": "nerf"}, "'camera_axes' must be one of opencv"),
        ({"up": [0, 0, 0]}, "'up' must be a direction"),
        ({"rgb": POSE}, "is no camera of the data set"),
        ({"depth_scale": 1000}, "unknown key 'depth_scale'"),
    ],
)
def test_a_declaration_that_cannot_be_true_is_refused(path, frames, values, message):
    write_declaration(path, frames[0], **values)
    with pytest.raises(ReadError, match=message):
        read(path)


def test_columns_in_another_order_are_noticed(path, frames):
    change_column(path, POSE, lambda rows: [[*row[3:], *row[:3]] for row in rows])
    with pytest.raises(ReadError, match="not of unit length"):
        list(read(path))


def test_every_key_is_on_the_page():
    page = (Path(__file__).parents[1] / "docs" / "readers.md").read_text()
    for key in LeRobotSettings.__dataclass_fields__:
        assert f"`{key}`" in page, key


def test_several_cameras_ask_for_a_name(path, frames):
    features = json.loads((path / "meta" / "info.json").read_text())["features"]
    wrist = {"observation.images.wrist": features[RGB], "observation.images.wrist_depth": features[DEPTH]}
    change_info(path, features=features | wrist)
    with pytest.raises(ReadError, match="several cameras hold rgb: .*front, .*wrist; name one by 'rgb'"):
        read(path)
    write_declaration(path, frames[0], rgb=RGB)
    assert len(list(read(path))) == COUNT
    change_info(path, features={key: value for key, value in features.items() if key != DEPTH})
    with pytest.raises(ReadError, match="no camera of this data set holds depth"):
        read(path)


# bad frames


def test_colour_and_depth_of_videos_are_the_frames_of_their_time(path, frames):
    """The second frame is missing in both videos: it alone is bad."""
    kept = [0, 2, 3, 4, 5]
    video, colours = "chunk-000/file-000.mp4", [colour_image(frames[i]) for i in kept]
    write_video(path / "videos" / RGB / video, colours, kept, FPS, "libx264", options=H264)
    reader = read(path)
    assert [frame.seq for frame in reader] == kept
    assert reader.report.skipped == {BadReason.UNREADABLE: 1}
    assert "no frame at 0.1" in str(reader.report)


@pytest.mark.parametrize("key", [RGB, DEPTH])
@pytest.mark.parametrize("damage", ["truncated", "text", "empty", "none"])
def test_an_unreadable_image_costs_one_frame(path_of_images, frames, key, damage):
    def change(rows):
        whole = rows[2]["bytes"]
        broken = {"truncated": whole[:-300], "text": b"no image\n" * 20, "empty": b"", "none": None}[damage]
        return [*rows[:2], {"bytes": broken, "path": None}, *rows[3:]]

    change_column(path_of_images, key, change)
    assert_one_bad(path_of_images, BadReason.UNREADABLE, "frame 2", frames)


@pytest.mark.parametrize("key", [RGB, DEPTH])
def test_an_image_of_another_size_costs_one_frame(path_of_images, frames, key):
    small = walk(3, 80, 60)[2]
    data = image_bytes(small.rgb, "PNG") if key == RGB else image_bytes(raw_depth(small, False), "TIFF")
    change_column(path_of_images, key, lambda rows: [*rows[:2], {"bytes": data, "path": None}, *rows[3:]])
    assert_one_bad(path_of_images, BadReason.SIZE_MISMATCH, "80 x 60", frames)


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_lost_pose_costs_one_frame(path, frames, value):
    change_column(path, POSE, lambda rows: [*rows[:2], [value] * 7, *rows[3:]])
    assert_one_bad(path, BadReason.LOST_POSE, "frame 2 (episode 0)", frames, depth_atol_m=COARSE_M)


def test_time_going_backwards_is_counted(path):
    change_column(path, "timestamp", lambda rows: [*rows[:2], rows[1], *rows[3:]])
    reader = read(path)
    assert len(list(reader)) == COUNT - 1
    assert reader.report.skipped == {BadReason.TIME_BACKWARDS: 1}


@pytest.mark.parametrize("key", [RGB, DEPTH])
def test_a_missing_video_leaves_no_frame(path, key):
    (path / "videos" / key / "chunk-000/file-000.mp4").unlink()
    with pytest.raises(ReadError, match=r"no frame of .* can be used(.|\n)*is no video that can be read"):
        list(read(path))


# files that say something else


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"codebase_version": "v2.1"}, "expected v3.0(.|\n)*convert_dataset"),
        ({"codebase_version": None}, "version None"),
        ({"fps": 0}, "'fps' must be positive"),
        ({"features": []}, "'features' must be an object"),
        ({"data_path": "../{chunk_index}.parquet"}, "leads out of the data set"),
        ({"data_path": "{chunk_index.__class__}"}, "no whole Parquet file"),
        ({"data_path": "{secret}"}, "it may name"),
        ({"data_path": 7}, "it may name"),
    ],
)
def test_an_info_that_cannot_be_true_is_refused(path, values, message):
    change_info(path, **values)
    with pytest.raises(ReadError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shape": [120]}, "expected .height, width, 1."),
        ({"shape": [160, 120, 1]}, "equal proportions"),
        ({"info": {"is_depth_map": True, "depth_unit": "inch"}}, "expected m or mm"),
        ({"info": {"is_depth_map": True, "video.depth_min": 5, "video.depth_max": 1}}, "cannot be quantised"),
        ({"info": {"is_depth_map": True, "video.shift": "a"}}, "cannot be quantised"),
        ({"info": {"is_depth_map": True, "video.shift": -1}}, "cannot be quantised"),
    ],
)
def test_a_depth_feature_that_cannot_be_true_is_refused(path, values, message):
    change_feature(path, DEPTH, **values)
    with pytest.raises(ReadError, match=message):
        read(path)


def test_tables_that_are_missing_or_damaged_are_refused(path):
    whole = (path / DATA).read_bytes()
    (path / DATA).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ReadError, match="no whole Parquet file"):
        read(path)
    pq.write_table(pa.table({"index": [1]}), path / DATA)
    with pytest.raises(ReadError, match="lacks the columns episode_index, frame_index"):
        read(path)
    shutil.rmtree(path / "meta" / "episodes")
    with pytest.raises(ReadError, match="is the data set complete"):
        read(path)


def test_without_the_packages_the_command_that_installs_them_is_given(path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingDependency, match=r"pip install 'spatialmem\[lerobot\]'"):
        list(read(path))
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(MissingDependency, match=r"pip install 'spatialmem\[lerobot\]'"):
        read(path)


def test_images_and_videos_show_the_same_room(videos, images):
    for a, b in zip(read(videos, session_id="s"), read(images, session_id="s"), strict=True):
        assert not same_frame(a, b)
        np.testing.assert_allclose(a.depth_m, b.depth_m, atol=2e-3)
        np.testing.assert_array_equal(a.world_from_camera, b.world_from_camera)
