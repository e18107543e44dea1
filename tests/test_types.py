"""Values refuse what would poison a memory, and every refusal names the fix."""

from __future__ import annotations

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialmem import geometry as g
from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.errors import InvalidFrame, InvalidValue
from spatialmem.types import Answer, Camera, Frame, Hit, Presence, checked_transform

CAMERA = Camera(50.0, 50.0, 3.5, 2.5, 8, 6)


def make_frame(**changes) -> Frame:
    depth = np.linspace(0.5, 3.0, 48, dtype=np.float32).reshape(6, 8)
    values = {
        "rgb": np.zeros((6, 8, 3), np.uint8),
        "depth_m": depth,
        "camera": CAMERA,
        "world_from_camera": np.eye(4),
        "stamp_ns": 1,
    }
    return Frame(**{**values, **changes})


# Camera


@pytest.mark.parametrize(
    "changes",
    [{"fx": 0.0}, {"fy": -1.0}, {"cx": math.nan}, {"cy": math.inf}, {"fx": math.inf}],
)
def test_camera_refuses_impossible_lenses(changes):
    with pytest.raises(InvalidValue, match="finite, positive focal lengths; given"):
        dataclasses.replace(CAMERA, **changes)


@pytest.mark.parametrize("changes", [{"width": 0}, {"height": -3}, {"width": 8.5}, {"width": 65_501}])
def test_camera_refuses_impossible_sizes(changes):
    with pytest.raises(InvalidValue, match="positive integer size; given"):
        dataclasses.replace(CAMERA, **changes)


def test_camera_from_matrix():
    assert Camera.from_matrix(CAMERA.K, 8, 6) == CAMERA
    four = np.eye(4)
    four[:3, :3] = CAMERA.K
    assert Camera.from_matrix(four, 8, 6) == CAMERA  # ScanNet writes 4x4
    with pytest.raises(InvalidValue, match=r"3x3 or 4x4; given shape \(3, 4\)"):
        Camera.from_matrix(np.ones((3, 4)), 8, 6)
    skewed = CAMERA.K
    skewed[0, 1] = 0.1
    with pytest.raises(InvalidValue, match="rectify the images first"):
        Camera.from_matrix(skewed, 8, 6)


@pytest.mark.parametrize("hfov_deg", [0.0, 180.0, -10.0, math.nan])
def test_camera_refuses_impossible_fields_of_view(hfov_deg):
    with pytest.raises(InvalidValue, match="between 0 and 180"):
        Camera.from_hfov(hfov_deg, 8, 6)


# Frame: what is accepted


def test_a_good_frame_keeps_its_values():
    frame = make_frame(stamp_ns=np.int64(7), session_id="a", camera_id="b", seq=3)
    assert frame.key == ("a", "b", 3)
    assert type(frame.stamp_ns) is int
    assert frame.depth_m is not None
    assert frame.depth_m.dtype == np.float32


def test_frames_without_depth_or_pose_are_frames():
    assert make_frame(depth_m=None).depth_m is None
    assert make_frame(world_from_camera=None).world_from_camera is None


def test_invalid_readings_are_allowed_and_kept():
    depth = np.full((6, 8), np.nan, dtype=np.float32)
    assert np.isnan(make_frame(depth_m=depth).depth_m).all()
    depth[0, :4] = (np.inf, -np.inf, 0.0, -1.0)
    np.testing.assert_array_equal(make_frame(depth_m=depth).depth_m, depth)


def test_float64_depth_becomes_float32():
    depth = make_frame(depth_m=np.full((6, 8), 2.0)).depth_m
    assert depth is not None
    assert depth.dtype == np.float32


def test_frames_and_their_fields_cannot_be_reassigned():
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_frame().seq = 2  # pyright: ignore[reportAttributeAccessIssue]


def test_with_pose_changes_the_pose_alone_and_checks_it():
    frame = make_frame()
    moved = frame.with_pose(g.exp_se3([1.0, 0.0, 0.0, 0.1, 0.0, 0.0]))
    assert moved.rgb is frame.rgb
    assert moved.world_from_camera is not None
    assert moved.world_from_camera[0, 3] == pytest.approx(1.0)
    with pytest.raises(InvalidFrame):
        frame.with_pose(np.zeros((4, 4)))


# Frame: what is refused


@pytest.mark.parametrize(
    ("rgb", "says"),
    [
        (np.zeros((6, 8, 3), np.float32), "given float32.*scale floats by 255"),
        (np.zeros((6, 8, 4), np.uint8), "drop alpha"),
        (np.zeros((6, 8), np.uint8), r"uint8 of shape \(H, W, 3\)"),
        (None, "given NoneType"),
        (np.zeros((8, 6, 3), np.uint8), r"rgb is 6 x 8 but the camera is 8 x 6; use camera.scaled_to\(6, 8\)"),
    ],
)
def test_colour_of_another_form_is_refused(rgb, says):
    with pytest.raises(InvalidFrame, match=says):
        make_frame(rgb=rgb)


@pytest.mark.parametrize(
    ("depth_m", "says"),
    [
        (np.ones((3, 4), np.float32), r"shape of rgb, \(6, 8\); given \(3, 4\); register depth to colour"),
        ([[1.0] * 8] * 6, "given list"),
        (np.full((6, 8), 1500, np.uint16), "given uint16; divide raw depth by its scale"),
        (np.full((6, 8), 1500.0, np.float32), "median of 1500, which looks like millimetres; divide by 1000"),
        (np.linspace(0, 1, 48).reshape(6, 8), "never exceeds 1.0.*normalised depth; multiply by the sensor's maximum"),
        (np.full((6, 8), 0.4), r'depth_unit="m" if everything really is nearer'),
    ],
)
def test_depth_of_another_form_or_unit_is_refused(depth_m, says):
    with pytest.raises(InvalidFrame, match=says):
        make_frame(depth_m=depth_m)


def test_normalised_depth_is_told_by_its_readings_alone():
    """Invalid values beyond 1.0 do not make normalised depth look metric."""
    depth = np.full((6, 8), 0.7, np.float32)
    depth[0, 0] = np.inf
    with pytest.raises(InvalidFrame, match=r"never exceeds 1\.0"):
        make_frame(depth_m=depth)


def test_near_depth_is_accepted_when_declared():
    depth = np.full((6, 8), 0.3, np.float32)
    np.testing.assert_array_equal(make_frame(depth_m=depth, depth_unit="m").depth_m, depth)


def test_declaring_metres_does_not_let_millimetres_through():
    with pytest.raises(InvalidFrame, match="millimetres"):
        make_frame(depth_m=np.full((6, 8), 900.0, np.float32), depth_unit="m")


def test_one_reading_beyond_a_metre_is_metric():
    depth = np.full((6, 8), 0.3, np.float32)
    depth[2, 2] = 1.001
    make_frame(depth_m=depth)


@pytest.mark.parametrize("valid", [np.ones((6, 8), np.uint8), np.ones((8, 6), bool)])
def test_masks_of_another_form_are_refused(valid):
    with pytest.raises(InvalidFrame, match=r"bool of shape \(6, 8\)"):
        make_frame(valid=valid)


@pytest.mark.parametrize("stamp_ns", [1.5, True, "1", -1, 2**63])
def test_stamps_are_whole_nanoseconds(stamp_ns):
    with pytest.raises(InvalidFrame, match="stamp_ns must"):
        make_frame(stamp_ns=stamp_ns)


@pytest.mark.parametrize("name", ["session_id", "camera_id"])
def test_names_are_not_empty(name):
    with pytest.raises(InvalidFrame, match="non-empty"):
        make_frame(**{name: ""})


# poses


def pose_with(index, value) -> np.ndarray:
    pose = g.exp_se3([1.0, 2.0, 3.0, 0.3, -0.2, 0.9])
    pose[index] = value
    return pose


@pytest.mark.parametrize(
    ("pose", "says"),
    [
        (np.eye(3), r"4x4 matrix; given shape \(3, 3\)"),
        (pose_with((0, 0), np.nan), "tracking lost.*skip the frame"),
        (pose_with((2, 3), -np.inf), "tracking lost.*skip the frame"),
        (pose_with(0, 0.0).T @ np.diag([1, 1, 1, 1.0]), "transposed"),
        (g.exp_se3([1.0, 2.0, 3.0, 0.3, -0.2, 0.9]).T, "last row.*is the matrix transposed"),
        (np.diag([2.0, 2.0, 2.0, 1.0]), "remove scale and shear"),
        (np.diag([1.0, 1.0, -1.0, 1.0]), "reflection.*convert the axes by a rotation"),
    ],
)
def test_poses_that_are_not_rigid_are_refused(pose, says):
    with pytest.raises(InvalidFrame, match=says):
        make_frame(world_from_camera=pose)
    with pytest.raises(InvalidFrame, match=says):
        checked_transform(pose)


@given(st.integers(0, 2**32 - 1))
def test_every_rigid_pose_is_accepted_and_rounding_is_forgiven(seed):
    rng = np.random.default_rng(seed)
    pose = g.exp_se3(rng.uniform(-3.0, 3.0, 6))
    np.testing.assert_array_equal(checked_transform(pose), pose)
    written = np.round(pose, 4)  # what a text file of four decimals holds
    np.testing.assert_array_equal(checked_transform(written), written)


# configuration


def test_config_survives_json():
    config = MemoryConfig(
        voxel_size_m=0.04, workspace_m=(-1, -2, 0, 1, 2, 3), gate=GateConfig(store_all=True, max_gap_s=0.5)
    )
    assert MemoryConfig.from_json(config.to_json()) == config
    assert MemoryConfig.from_json(MemoryConfig().to_json()) == MemoryConfig()
    assert MemoryConfig.from_json("{}") == MemoryConfig()


def test_config_json_is_canonical():
    text = MemoryConfig().to_json()
    assert text == json.dumps(json.loads(text), sort_keys=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"voxel_size": 0.02}', "unknown option 'voxel_size' of MemoryConfig; did you mean 'voxel_size_m'"),
        ('{"gate": {"noveltyy": 0.1}}', "unknown option 'noveltyy' of GateConfig; did you mean 'novelty'"),
        ('{"qqq": 1}', "known: .*voxel_size_m"),
    ],
)
def test_unknown_options_suggest_the_nearest(text, says):
    with pytest.raises(InvalidValue, match=says):
        MemoryConfig.from_json(text)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("voxel_size_m", 0.0),
        ("voxel_size_m", math.nan),
        ("truncation_voxels", 1.0),
        ("min_depth_m", -0.1),
        ("max_depth_m", 0.1),
        ("free_voxel_m", 0.01),
        ("encode_every", 0),
        ("checkpoint_frames", 0),
        ("ram_bytes", 1),
        ("jpeg_quality", 101),
    ],
)
def test_options_out_of_range_are_refused_with_the_range(name, value):
    with pytest.raises(InvalidValue, match=rf"{name} must lie between .* and .*; given"):
        MemoryConfig(**{name: value})


@pytest.mark.parametrize(("name", "value"), [("novelty", 1.1), ("disagreement", -0.1), ("max_gap_s", math.nan)])
def test_gate_options_out_of_range_are_refused(name, value):
    with pytest.raises(InvalidValue, match=rf"gate\.{name} must lie between"):
        GateConfig(**{name: value})


@pytest.mark.parametrize("box", [(0, 0, 0, 1, 1), (0, 0, 0, 1, 1, 0), (0, 0, 0, 1, 1, math.inf)])
def test_workspaces_are_boxes(box):
    with pytest.raises(InvalidValue, match="x0 < x1"):
        MemoryConfig(workspace_m=box)


def test_truncation_is_in_voxels():
    assert MemoryConfig(voxel_size_m=0.05, truncation_voxels=4.0).truncation_m == pytest.approx(0.2)


# answers


def test_an_answer_is_a_sequence_of_hits_and_may_be_empty():
    low, high = np.array([0.0, 0.0, 0.0]), np.array([1.0, 2.0, 3.0])
    hit = Hit((low + high) / 2, low, high, 0.5, False, 1, 2, Presence.PRESENT, (), 9)
    answer = Answer((hit,))
    assert list(answer) == [hit]
    assert answer[0] is hit
    np.testing.assert_array_equal(hit.extent_m, [1.0, 2.0, 3.0])
    assert len(Answer(())) == 0
    assert not Answer(())
