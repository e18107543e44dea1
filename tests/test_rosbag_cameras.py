"""ROS recordings: choice of topics, calibration, rectification and registration of depth."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from bags import DEPTH, OPTICAL, RGB, RGB_INFO, BagWriter, millimetres, rigid, write_statics, write_tree
from synthetic import render_room, room_frames

from spatialmem.errors import ReadError, UnknownName
from spatialmem.io import read
from spatialmem.io.reader import BadReason
from spatialmem.io.ros_cameras import DepthRegistration
from spatialmem.types import Camera

FRAMES = room_frames(3, 40, 30)
CAMERA = FRAMES[0].camera


def write(path, body, kind="mcap", frames=FRAMES):
    """A bag with the tree of transforms; `body(bag, frame)` writes the camera's topics."""
    with BagWriter(path, kind) as bag:
        write_statics(bag, 5)
        for frame in frames:
            write_tree(bag, frame.stamp_ns, frame.world_from_camera)
            body(bag, frame)
    return bag.path


def camera_at(namespace, frame_id=OPTICAL, leaf="image_raw", depth="depth/image_raw"):
    def body(bag, frame):
        bag.info(f"{namespace}/color/camera_info", frame.stamp_ns, CAMERA, frame_id)
        bag.image(f"{namespace}/color/{leaf}", frame.stamp_ns, frame.rgb, "rgb8", frame_id)
        if depth:
            bag.image(f"{namespace}/{depth}", frame.stamp_ns, millimetres(frame.depth_m), "16UC1", frame_id)

    return body


def all_of(*bodies):
    def body(bag, frame):
        for one in bodies:
            one(bag, frame)

    return body


def test_two_cameras_are_never_guessed_between(tmp_path):
    path = write(tmp_path / "b", all_of(camera_at("/front"), camera_at("/rear", "rear_optical")))
    with pytest.raises(ReadError, match=r"rgb_topic='/front/color/image_raw'(.|\n)*rgb_topic='/rear/color/image_raw'"):
        read(path)
    reader = read(path, rgb_topic="/front/color/image_raw")
    assert reader.depth.name == "/front/depth/image_raw"
    np.testing.assert_array_equal(reader[1].rgb, FRAMES[1].rgb)
    rear = read(path, rgb_topic="/rear/color/image_raw", camera_frame="camera_optical")
    assert rear.recording_id == reader.recording_id == reader[0].recording_id  # one session may take both
    with pytest.raises(UnknownName, match="did you mean '/front/color/image_raw'"):
        read(path, rgb_topic="/front/color/image_rw")


def test_the_camera_with_registered_depth_is_taken(tmp_path):
    path = write(tmp_path / "b", all_of(camera_at("/front"), camera_at("/rear", "rear_optical", depth="")))
    assert read(path).colour.name == "/front/color/image_raw"


def test_rectified_before_raw_aligned_before_other_depth(tmp_path):
    def body(bag, frame):
        bag.info(RGB_INFO, frame.stamp_ns, CAMERA)
        bag.image("/camera/color/image_raw", frame.stamp_ns, 255 - frame.rgb, "rgb8")
        bag.image("/camera/color/image_rect_color", frame.stamp_ns, frame.rgb, "rgb8")
        bag.image("/camera/infra1/image_rect_raw", frame.stamp_ns, frame.rgb[:, :, 0], "mono8")
        depth = millimetres(frame.depth_m)
        bag.image(DEPTH, frame.stamp_ns, depth, "16UC1")
        bag.image("/camera/depth/image_rect_raw", frame.stamp_ns, depth + 500, "16UC1", "depth_optical")
        bag.image("/camera/confidence/image", frame.stamp_ns, frame.depth_m, "32FC1")

    reader = read(write(tmp_path / "b", body))
    assert (reader.colour.name, reader.depth.name) == ("/camera/color/image_rect_color", DEPTH)
    np.testing.assert_allclose(reader[0].depth_m, FRAMES[0].depth_m, atol=6e-4)


def test_no_depth_no_colour_no_calibration(tmp_path):
    path = write(tmp_path / "a", camera_at("/front", depth=""))
    with pytest.raises(ReadError, match=r"no depth image(.|\n)*/front/color/image_raw(.|\n)*docs/my-bag.md"):
        read(path)
    path = write(tmp_path / "b", lambda bag, f: bag.image(DEPTH, f.stamp_ns, millimetres(f.depth_m), "16UC1"))
    with pytest.raises(ReadError, match="no colour image"):
        read(path)

    def without_info(bag, frame):
        bag.info("/elsewhere/camera_info", frame.stamp_ns, CAMERA, "other_optical")
        bag.image(RGB, frame.stamp_ns, frame.rgb, "rgb8")
        bag.image(DEPTH, frame.stamp_ns, millimetres(frame.depth_m), "16UC1")

    path = write(tmp_path / "c", without_info)
    with pytest.raises(ReadError, match="/elsewhere/camera_info; give camera_info_topic="):
        read(path)
    assert read(path, camera_info_topic="/elsewhere/camera_info")[0].camera == CAMERA


def with_info(**info):
    def body(bag, frame):
        bag.info(
            RGB_INFO, frame.stamp_ns, info.get("camera", CAMERA), **{k: v for k, v in info.items() if k != "camera"}
        )
        bag.image(RGB, frame.stamp_ns, frame.rgb, "rgb8")
        bag.image(DEPTH, frame.stamp_ns, millimetres(frame.depth_m), "16UC1")

    return body


@pytest.mark.parametrize("kind", ["ros1", "mcap"])
def test_calibration_that_cannot_be_used(tmp_path, kind):
    path = write(tmp_path / "a", with_info(d=(0.1,) * 3), kind)
    with pytest.raises(ReadError, match=r"'plumb_bob' with 3 coefficients.*image_rect"):
        read(path)
    path = write(tmp_path / "c", with_info(size=(4_000_000_000, 30)), kind)
    with pytest.raises(ReadError, match="cannot be|at most"):
        read(path)
    path = write(tmp_path / "b", with_info(d=(0.1,) * 5, model="spline"), kind)
    with pytest.raises(ReadError, match="'spline'"):
        read(path)


def test_size_mismatch_is_counted(tmp_path):
    path = write(tmp_path / "a", with_info(camera=CAMERA.scaled_to(80, 60)))
    with pytest.raises(ReadError, match=r"size mismatch: 3(.|\n)*camera_info_topic"):
        list(read(path))

    def one_small_depth(bag, frame):
        bag.info(RGB_INFO, frame.stamp_ns, CAMERA)
        bag.image(RGB, frame.stamp_ns, frame.rgb, "rgb8")
        depth = millimetres(frame.depth_m)
        bag.image(DEPTH, frame.stamp_ns, depth[::2, ::2] if frame.seq == 1 else depth, "16UC1")

    reader = read(write(tmp_path / "b", one_small_depth))
    assert [frame.seq for frame in reader] == [0, 2]
    assert reader.report.skipped == {BadReason.SIZE_MISMATCH: 1}


def test_region_of_interest_and_binning(tmp_path):
    full = CAMERA.scaled_to(160, 120)
    path = write(tmp_path / "a", with_info(camera=full, roi=(20, 10, 80, 60), binning=2))
    expected = Camera(full.fx, full.fy, full.cx - 20, full.cy - 10, 80, 60).scaled_to(40, 30)
    assert read(path)[0].camera == expected


def test_rectified_topics_use_the_projection_matrix(tmp_path):
    p = np.array([[33.0, 0, 18.0, 0], [0, 34.0, 14.0, 0], [0, 0, 1, 0]])

    def body(bag, frame, p=p):
        bag.info(RGB_INFO, frame.stamp_ns, CAMERA, d=(0.2, 0.1, 0, 0, 0), p=p)
        bag.image("/camera/color/image_rect_color", frame.stamp_ns, frame.rgb, "rgb8")
        bag.image(DEPTH, frame.stamp_ns, millimetres(frame.depth_m), "16UC1")

    found = read(write(tmp_path / "a", body))[0]
    assert found.camera == Camera(33.0, 34.0, 18.0, 14.0, 40, 30)
    np.testing.assert_array_equal(found.rgb, FRAMES[0].rgb)
    right = p.copy()
    right[0, 3] = -2.0
    path = write(tmp_path / "b", lambda bag, frame: body(bag, frame, right))
    with pytest.raises(ReadError, match="second camera of a stereo pair"):
        read(path)


def _normalised(camera: Camera, d, fisheye: bool) -> np.ndarray:
    """(H, W, 2) slope of the ray each distorted pixel sees, by OpenCV's inverse of the model."""
    u, v = np.meshgrid(np.arange(camera.width, dtype=np.float64), np.arange(camera.height, dtype=np.float64))
    points = np.stack([u, v], axis=-1).reshape(-1, 1, 2)
    if fisheye:
        out = cv2.fisheye.undistortPoints(points, camera.K, np.array(d))
    else:
        out = cv2.undistortPoints(points, camera.K, np.array(d))
    return out.reshape(camera.height, camera.width, 2)


@pytest.mark.parametrize(
    ("model", "d"),
    [("plumb_bob", (-0.18, 0.06, 0.002, -0.003, 0.0)), ("equidistant", (-0.02, 0.01, 0.0, 0.0))],
)
def test_colour_and_depth_are_rectified(tmp_path, model, d):
    """The scene is a ramp over the slope of the ray, so that the rectified image is known exactly."""
    camera = Camera(90.0, 92.0, 62.0, 44.0, 120, 90)
    seen = _normalised(camera, d, model == "equidistant")
    ramp = np.clip(128 + 120 * seen, 0, 255)
    rgb = np.dstack([ramp[:, :, 0], ramp[:, :, 1], np.full(ramp.shape[:2], 60)]).astype(np.uint8)
    depth = np.where(seen[:, :, 0] > 0.0, 3.0, 2.0)  # two walls, an edge in between

    def body(bag, frame):
        bag.info(RGB_INFO, frame.stamp_ns, camera, d=d, model=model)
        bag.image(RGB, frame.stamp_ns, rgb, "rgb8")
        bag.image(DEPTH, frame.stamp_ns, depth.astype(np.float32), "32FC1")

    reader = read(write(tmp_path / "a", body, frames=FRAMES[:1]))
    found = reader[0]
    assert "rectified here" in str(reader.report)
    assert found.camera == camera
    straight = _normalised(camera, (0.0,) * 4, False)
    wanted = np.clip(128 + 120 * straight, 0, 255)
    inside = found.valid if found.valid is not None else np.ones((90, 120), bool)
    assert inside.mean() > 0.8
    assert np.abs(found.rgb[inside][:, :2] - wanted[inside]).max() < 2.5
    assert np.abs(rgb[inside][:, :2].astype(float) - wanted[inside]).max() > 5.0  # there was something to undo
    assert set(np.unique(found.depth_m[np.isfinite(found.depth_m)])) == {2.0, 3.0}  # no mixture at the edge
    clear = inside & (np.abs(straight[:, :, 0]) > 0.02)
    np.testing.assert_array_equal(found.depth_m[clear], np.where(straight[:, :, 0] > 0.0, 3.0, 2.0)[clear])


DEPTH_FRAME = "depth_optical"
OPTICAL_FROM_DEPTH = rigid((0.05, 0.01, -0.005), (0.01, -0.02, 0.005))
DEPTH_CAMERA = Camera(52.0, 51.0, 30.0, 22.0, 64, 48)
WIDE = room_frames(3, 96, 72)


def unregistered(info=True, tf=True):
    def body(bag, frame):
        _, depth = render_room(frame.world_from_camera @ OPTICAL_FROM_DEPTH, DEPTH_CAMERA)
        if tf:
            bag.tf(frame.stamp_ns, (OPTICAL, DEPTH_FRAME, OPTICAL_FROM_DEPTH), topic="/tf_static")
        bag.info(RGB_INFO, frame.stamp_ns, frame.camera)
        if info:
            bag.info("/camera/depth/camera_info", frame.stamp_ns, DEPTH_CAMERA, DEPTH_FRAME)
        bag.image(RGB, frame.stamp_ns, frame.rgb, "rgb8")
        bag.image("/camera/depth/image_rect_raw", frame.stamp_ns, millimetres(depth), "16UC1", DEPTH_FRAME)

    return body


def test_depth_of_another_camera_is_registered(tmp_path):
    reader = read(write(tmp_path / "a", unregistered(), frames=WIDE))
    assert "registered to colour: frame depth_optical into camera_optical" in str(reader.report)
    for found, exact in zip(reader, WIDE, strict=True):
        np.testing.assert_array_equal(found.rgb, exact.rgb)
        error = np.abs(found.depth_m - exact.depth_m)
        covered = np.isfinite(error)
        assert covered[10:-10, 20:-20].mean() > 0.97  # no gaps although colour has more pixels
        assert np.nanmedian(error) < 0.01
        assert (error[covered] < 0.1).mean() > 0.93  # the rest: edges, half a depth pixel wide


@pytest.mark.parametrize(
    ("options", "why"), [({"info": False}, "no camera_info"), ({"tf": False}, "tf does not connect")]
)
def test_depth_that_cannot_be_registered_is_refused(tmp_path, options, why):
    path = write(tmp_path / "a", unregistered(**options), frames=WIDE)
    with pytest.raises(ReadError, match=rf"not registered.*{why}.*aligned_depth_to_color/image_raw"):
        read(path)


def test_smaller_depth_in_the_same_frame_is_resampled_by_its_calibration(tmp_path):
    small = WIDE[0].camera.scaled_to(48, 36)

    def body(bag, frame):
        _, depth = render_room(frame.world_from_camera, small)
        bag.info(RGB_INFO, frame.stamp_ns, frame.camera)
        bag.info("/camera/depth/camera_info", frame.stamp_ns, small)
        bag.image(RGB, frame.stamp_ns, frame.rgb, "rgb8")
        bag.image("/camera/depth/image_rect", frame.stamp_ns, millimetres(depth), "16UC1")

    reader = read(write(tmp_path / "a", body, frames=WIDE))
    assert "resampled" in str(reader.report)
    error = np.abs(reader[0].depth_m - WIDE[0].depth_m)
    assert np.isfinite(error).mean() > 0.99
    assert np.median(error[np.isfinite(error)]) < 0.02


def test_the_nearest_surface_wins():
    """Two readings that fall on one pixel: seen from far to the right, a near post hides the wall behind it."""
    camera = Camera(20.0, 20.0, 9.5, 7.5, 20, 16)
    depth = np.full((16, 20), 4.0, np.float32)
    depth[:, 4:8] = 1.0
    moved = DepthRegistration(camera, camera, rigid((0.3, 0.0, 0.0))).register(depth)
    # the shift is 20 * 0.3 / depth: 6 pixels for the post, 1.5 for the wall
    assert (moved[:, 10:14] == 1.0).all()
    assert (moved[:, 15:] == 4.0).all()
    assert np.isnan(moved[:, 0]).all()  # nothing was seen there


def test_calibration_that_changes_is_followed(tmp_path):
    zoomed = Camera(60.0, 60.0, 19.5, 14.5, 40, 30)

    def body(bag, frame):
        bag.info(RGB_INFO, frame.stamp_ns, CAMERA if frame.seq < 2 else zoomed)
        bag.image(RGB, frame.stamp_ns, frame.rgb, "rgb8")
        bag.image(DEPTH, frame.stamp_ns, millimetres(frame.depth_m), "16UC1")

    reader = read(write(tmp_path / "a", body))
    assert [frame.camera for frame in reader] == [CAMERA, CAMERA, zoomed]
    assert "calibration changes 1 times" in str(reader.report)
