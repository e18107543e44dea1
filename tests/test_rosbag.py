"""ROS recordings read back from bags that rosbags' writers wrote: images, pairing, poses, choice of topics."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from bags import (
    BASE_FROM_OPTICAL,
    DEPTH,
    DEPTH_INFO,
    KINDS,
    OPTICAL,
    RGB,
    RGB_INFO,
    BagWriter,
    compressed_depth,
    jpeg,
    map_from_odom,
    millimetres,
    rigid,
    write_bag,
    write_statics,
    write_tree,
)
from scipy.spatial.transform import Rotation, Slerp
from synthetic import room_frames

from spatialmem.errors import InvalidValue, ReadError, UnknownName
from spatialmem.io import read
from spatialmem.io.reader import BadFrame, BadReason
from spatialmem.io.rosbag import RosbagReader

FRAMES = room_frames(6, 40, 30)
CAMERA = FRAMES[0].camera
STEP_NS = FRAMES[1].stamp_ns - FRAMES[0].stamp_ns
MILLISECOND = 1_000_000


def write_images(bag: BagWriter, frame, rgb_topic=RGB, depth_topic=DEPTH, later_ns=0) -> None:
    bag.image(rgb_topic, frame.stamp_ns, frame.rgb, "rgb8")
    bag.image(depth_topic, frame.stamp_ns + later_ns, millimetres(frame.depth_m), "16UC1")


def assert_same(found, expected, pose_atol=1e-9) -> None:
    np.testing.assert_array_equal(found.rgb, expected.rgb)
    np.testing.assert_allclose(found.depth_m, expected.depth_m, atol=6e-4)
    np.testing.assert_allclose(found.world_from_camera, expected.world_from_camera, atol=pose_atol)
    assert found.camera == expected.camera
    assert found.stamp_ns == expected.stamp_ns


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(tmp_path, kind):
    path = write_bag(tmp_path / "room", FRAMES, kind)
    reader = read(path)
    assert isinstance(reader, RosbagReader)
    assert len(reader) == len(FRAMES)
    for found, expected in zip(reader, FRAMES, strict=True):
        assert_same(found, expected)
    assert reader.frame_id == "map"
    assert reader.up_in_world == (0.0, 0.0, 1.0)
    assert reader.report.skipped_total == 0
    text = str(reader.report)
    assert RGB in text and DEPTH in text and RGB_INFO in text and "map <- camera_optical" in text


@pytest.mark.parametrize("kind", KINDS)
def test_random_access_repeats_exactly(tmp_path, kind):
    """All messages share one time of recording, so that only the order tells them apart."""
    with BagWriter(tmp_path / "room", kind) as bag:
        write_statics(bag, 5)
        bag.info(RGB_INFO, 5, CAMERA)
        for frame in FRAMES:
            write_tree(bag, frame.stamp_ns, frame.world_from_camera)
            bag.image(RGB, frame.stamp_ns, frame.rgb, "rgb8", log_ns=77)
            bag.image(DEPTH, frame.stamp_ns, millimetres(frame.depth_m), "16UC1", log_ns=77)
    reader = read(bag.path)
    order = [5, 0, 3, 3, -1, 1, 4, 2, 0]
    iterator = iter(reader)
    next(iterator)
    for index in order:
        assert_same(reader[index], FRAMES[index])
    assert_same(next(iterator), FRAMES[1])
    with pytest.raises(IndexError):
        reader[6]


def test_compressed_topics(tmp_path):
    with BagWriter(tmp_path / "room", "mcap") as bag:
        write_statics(bag, 5)
        for frame in FRAMES:
            write_tree(bag, frame.stamp_ns, frame.world_from_camera)
            bag.info(RGB_INFO, frame.stamp_ns, CAMERA)
            bag.compressed(RGB + "/compressed", frame.stamp_ns, jpeg(frame.rgb), "rgb8; jpeg compressed bgr8")
            packed = compressed_depth(millimetres(frame.depth_m))
            bag.compressed(DEPTH + "/compressedDepth", frame.stamp_ns, packed, "16UC1; compressedDepth png")
    for found, expected in zip(read(bag.path, rgb_topic=RGB), FRAMES, strict=True):
        sent = cv2.imdecode(np.frombuffer(jpeg(expected.rgb), np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(found.rgb, sent[:, :, ::-1])
        np.testing.assert_allclose(found.depth_m, expected.depth_m, atol=6e-4)
        assert found.camera_id == RGB


def test_float_depth_with_holes(tmp_path):
    depth = FRAMES[0].depth_m.copy()
    depth[:5] = np.nan
    depth[5:8] = np.inf
    with BagWriter(tmp_path / "room", "ros1") as bag:
        write_statics(bag, 5)
        write_tree(bag, FRAMES[0].stamp_ns, FRAMES[0].world_from_camera)
        bag.info(RGB_INFO, 5, CAMERA)
        bag.image(RGB, FRAMES[0].stamp_ns, FRAMES[0].rgb, "rgb8")
        bag.image(DEPTH, FRAMES[0].stamp_ns, depth, "32FC1")
    found = read(bag.path)[0]
    assert np.isnan(found.depth_m[:8]).all()
    np.testing.assert_array_equal(found.depth_m[8:], depth[8:])


def test_near_depth_is_metres_because_the_encoding_says_so(tmp_path):
    with BagWriter(tmp_path / "room", "mcap") as bag:
        write_statics(bag, 5)
        write_tree(bag, FRAMES[0].stamp_ns, FRAMES[0].world_from_camera)
        bag.info(RGB_INFO, 5, CAMERA)
        bag.image(RGB, FRAMES[0].stamp_ns, FRAMES[0].rgb, "rgb8")
        bag.image(DEPTH, FRAMES[0].stamp_ns, np.full((30, 40), 420, np.uint16), "16UC1")
    assert read(bag.path)[0].depth_m.max() == np.float32(0.42)


def _between(stamps, poses, at):
    out = np.eye(4)
    out[:3, :3] = Slerp(stamps, Rotation.from_matrix([p[:3, :3] for p in poses]))(at).as_matrix()
    out[:3, 3] = [np.interp(at, stamps, [p[k, 3] for p in poses]) for k in range(3)]
    return out


def write_sparse_tree(path: Path, kind: str = "mcap"):
    """map -> odom every 0.2 s, odom -> base_link every 0.05 s, images in between; returns the path and the edges."""
    slow = np.arange(0.8, 1.81, 0.2)
    fast = np.arange(0.83, 1.79, 0.05)
    drift = [map_from_odom(round(t * 1e9)) for t in slow]
    walk = [rigid((np.cos(t), np.sin(2 * t), 0.0), (0.1 * t, 0.0, 1.5 * t)) for t in fast]
    with BagWriter(path, kind) as bag:
        write_statics(bag, 5)
        bag.info(RGB_INFO, 5, CAMERA)
        for t, pose in zip(slow, drift, strict=True):
            bag.tf(round(t * 1e9), ("map", "odom", pose))
        for t, pose in zip(fast, walk, strict=True):
            bag.tf(round(t * 1e9), ("odom", "base_link", pose))
        for frame in FRAMES:
            write_images(bag, frame)
    return bag.path, (slow, drift), (fast, walk)


@pytest.mark.parametrize("kind", KINDS)
def test_interpolated_poses_agree_with_scipy(tmp_path, kind):
    path, slow, fast = write_sparse_tree(tmp_path / "room", kind)
    for frame in read(path):
        at = frame.stamp_ns / 1e9
        expected = _between(*slow, at) @ _between(*fast, at) @ BASE_FROM_OPTICAL
        np.testing.assert_allclose(frame.world_from_camera, expected, atol=1e-6)


def test_frames_beyond_the_poses_are_lost_and_counted(tmp_path):
    with BagWriter(tmp_path / "room", "sqlite3") as bag:
        write_statics(bag, 5)
        bag.info(RGB_INFO, 5, CAMERA)
        for k, frame in enumerate(FRAMES):
            if 0 < k < 4:
                write_tree(bag, frame.stamp_ns, frame.world_from_camera)
            write_images(bag, frame)
    reader = read(bag.path)
    assert [frame.seq for frame in reader] == [1, 2, 3]
    assert reader.report.skipped == {BadReason.LOST_POSE: 3}
    assert "before the first" in str(reader.report) and "after the last" in str(reader.report)
    with pytest.raises(BadFrame, match="nothing is extrapolated"):
        reader[0]
    with pytest.raises(BadFrame, match="lost pose"):
        list(read(bag.path, strict=True))


def test_a_gap_in_the_poses_is_not_bridged(tmp_path):
    with BagWriter(tmp_path / "room", "mcap") as bag:
        write_statics(bag, 5)
        bag.info(RGB_INFO, 5, CAMERA)
        for k, frame in enumerate(FRAMES):
            if k != 2:
                write_tree(bag, frame.stamp_ns, frame.world_from_camera)
            write_images(bag, frame)
    assert [frame.seq for frame in read(bag.path, max_gap_s=0.15)] == [0, 1, 3, 4, 5]
    assert len(list(read(bag.path, max_gap_s=0.25))) == 6


def write_odometry(path, topics=("/odom",), child="base_link", statics=True, kind="mcap", write=None):
    """Poses on topics instead of tf; `write` replaces how one is written."""
    with BagWriter(path, kind) as bag:
        if statics:
            write_statics(bag, 5)
        bag.info(RGB_INFO, 5, CAMERA)
        for frame in FRAMES:
            odom_from_base = frame.world_from_camera @ np.linalg.inv(BASE_FROM_OPTICAL)
            for topic in topics:
                if write is None:
                    bag.odometry(topic, frame.stamp_ns, "odom", child, odom_from_base)
                else:
                    write(bag, topic, frame.stamp_ns, odom_from_base)
            write_images(bag, frame)
    return bag.path


@pytest.mark.parametrize("kind", KINDS)
def test_odometry_with_static_transforms(tmp_path, kind):
    reader = read(write_odometry(tmp_path / "room", kind=kind))
    assert reader.frame_id == "odom"
    for found, expected in zip(reader, FRAMES, strict=True):
        assert_same(found, expected)


def test_odometry_with_a_given_offset(tmp_path):
    path = write_odometry(tmp_path / "room", statics=False)
    with pytest.raises(ReadError, match="body_from_camera"):
        read(path)
    for found, expected in zip(read(path, body_from_camera=BASE_FROM_OPTICAL), FRAMES, strict=True):
        assert_same(found, expected)
    with pytest.raises(InvalidValue, match="4x4"):
        read(path, body_from_camera=np.eye(3))


def test_a_named_odometry_topic_comes_before_tf(tmp_path):
    offset = rigid((5.0, 0.0, 0.0))
    with BagWriter(tmp_path / "room", "mcap") as bag:
        write_statics(bag, 5)
        bag.info(RGB_INFO, 5, CAMERA)
        for frame in FRAMES:
            write_tree(bag, frame.stamp_ns, frame.world_from_camera)
            base = offset @ frame.world_from_camera @ np.linalg.inv(BASE_FROM_OPTICAL)
            bag.odometry("/vio/odometry", frame.stamp_ns, "vio_world", "base_link", base)
            write_images(bag, frame)
    assert_same(read(bag.path)[2], FRAMES[2])
    reader = read(bag.path, odom_topic="/vio/odometry")
    assert reader.frame_id == "vio_world"
    np.testing.assert_allclose(reader[2].world_from_camera, offset @ FRAMES[2].world_from_camera, atol=1e-9)


def test_several_odometry_topics_are_ambiguous(tmp_path):
    path = write_odometry(tmp_path / "room", topics=("/wheel/odom", "/vio/odom"))
    with pytest.raises(ReadError, match=r"odom_topic='/vio/odom'(.|\n)*odom_topic='/wheel/odom'"):
        read(path)
    assert_same(read(path, odom_topic="/wheel/odom")[1], FRAMES[1])
    with pytest.raises(UnknownName, match="did you mean '/wheel/odom'"):
        read(path, odom_topic="/wheel/odm")


@pytest.mark.parametrize("covariance", [False, True])
def test_pose_topics_need_to_be_told_what_they_are_of(tmp_path, covariance):
    def write(bag, topic, stamp_ns, matrix):
        bag.pose(topic, stamp_ns, "world", matrix, covariance)

    path = write_odometry(tmp_path / "room", topics=("/mocap/pose",), write=write)
    with pytest.raises(ReadError, match="body_frame="):
        read(path)
    for options in ({"body_frame": "base_link"}, {"body_from_camera": BASE_FROM_OPTICAL}):
        reader = read(path, **options)
        assert reader.frame_id == "world"
        assert_same(reader[3], FRAMES[3])


def test_poses_of_the_camera_itself(tmp_path):
    def write(bag, topic, stamp_ns, matrix):
        bag.pose(topic, stamp_ns, "map", matrix @ BASE_FROM_OPTICAL)

    path = write_odometry(tmp_path / "room", topics=("/camera_pose",), statics=False, write=write)
    assert_same(read(path, body_frame=OPTICAL)[4], FRAMES[4])


def test_world_frame_by_name(tmp_path):
    path = write_bag(tmp_path / "room", FRAMES)
    reader = read(path, world_frame="odom")
    expected = np.linalg.inv(map_from_odom(FRAMES[2].stamp_ns)) @ FRAMES[2].world_from_camera
    np.testing.assert_allclose(reader[2].world_from_camera, expected, atol=1e-9)
    assert reader.frame_id == "odom"
    with pytest.raises(ReadError, match=r"does not connect mars .*base_link, camera_link"):
        read(path, world_frame="mars")
    with pytest.raises(ReadError, match="camera_frame="):
        read(path, camera_frame="other_camera")


def test_without_poses_the_error_says_what_to_record(tmp_path):
    path = write_odometry(tmp_path / "room", topics=())
    with pytest.raises(ReadError, match=r"has no poses(.|\n)*/tf and /tf_static"):
        read(path)


def write_tum(path, stamps_ns, poses):
    """What a SLAM program gives out."""
    lines = []
    for stamp_ns, pose in zip(stamps_ns, poses, strict=True):
        values = (*pose[:3, 3], *Rotation.from_matrix(pose[:3, :3]).as_quat())
        lines.append(" ".join([f"{stamp_ns / 1e9:.9f}", *(f"{value:.12f}" for value in values)]))
    path.write_text("\n".join(lines) + "\n")
    return path


def test_poses_of_a_file_for_a_recording_without_any(tmp_path):
    stamps, poses = [f.stamp_ns for f in FRAMES], [f.world_from_camera for f in FRAMES]
    bare = write_odometry(tmp_path / "bare", topics=(), statics=False)
    of_camera = write_tum(tmp_path / "camera.txt", stamps, poses)
    reader = read(bare, trajectory=of_camera)
    assert reader.frame_id == "world" and any("poses from camera.txt" in note for note in reader.notes)
    for found, expected in zip(reader, FRAMES, strict=True):
        assert_same(found, expected, pose_atol=1e-8)
    of_body = write_tum(tmp_path / "body.txt", stamps, [pose @ np.linalg.inv(BASE_FROM_OPTICAL) for pose in poses])
    by_offset = read(bare, trajectory=str(of_body), body_from_camera=BASE_FROM_OPTICAL, world_frame="map")
    assert by_offset.frame_id == "map"
    statics = write_odometry(tmp_path / "statics", topics=())
    for reader in (by_offset, read(statics, trajectory=of_body, body_frame="base_link")):
        for found, expected in zip(reader, FRAMES, strict=True):
            assert_same(found, expected, pose_atol=1e-8)


def test_poses_of_a_file_come_before_those_of_the_recording(tmp_path):
    path, offset = write_bag(tmp_path / "room", FRAMES), rigid((5.0, 0.0, 0.0))
    moved = write_tum(tmp_path / "a.txt", [f.stamp_ns for f in FRAMES[1:]], [offset @ f.pose for f in FRAMES[1:]])
    reader = read(path, trajectory=moved)
    for found, expected in zip(reader, FRAMES[1:], strict=True):
        np.testing.assert_allclose(found.world_from_camera, offset @ expected.world_from_camera, atol=1e-8)
    assert reader.report.skipped == {BadReason.LOST_POSE: 1}
    with pytest.raises(InvalidValue, match="not both"):
        read(path, trajectory=moved, odom_topic="/odom")
    with pytest.raises(ReadError, match="expected a text file"):
        read(path, trajectory=tmp_path / "missing.txt")


def test_pairing_by_stamp(tmp_path):
    with BagWriter(tmp_path / "room", "mcap") as bag:
        write_statics(bag, 5)
        bag.info(RGB_INFO, 5, CAMERA)
        for k, frame in enumerate(FRAMES):
            write_tree(bag, frame.stamp_ns, frame.world_from_camera)
            bag.image(RGB, frame.stamp_ns, frame.rgb, "rgb8")
            if k % 2 == 0:
                bag.image(DEPTH, frame.stamp_ns + 12 * MILLISECOND, millimetres(frame.depth_m), "16UC1")
    reader = read(bag.path)
    assert [frame.stamp_ns for frame in reader] == [frame.stamp_ns for frame in FRAMES[::2]]
    assert "3 of 6 colour images" in str(reader.report) and "at most 12.00 ms" in str(reader.report)
    assert_same(reader[1], FRAMES[2])
    with pytest.raises(ReadError, match=r"nearest to the first: 12\.0 ms.*pair_tolerance_s"):
        read(bag.path, pair_tolerance_s=0.005)


def test_time_going_backwards_is_counted(tmp_path):
    jumbled = [FRAMES[k] for k in (0, 1, 3, 2, 4)]
    with BagWriter(tmp_path / "room", "mcap") as bag:
        write_statics(bag, 5)
        bag.info(RGB_INFO, 5, CAMERA)
        for k, frame in enumerate(jumbled):
            write_tree(bag, frame.stamp_ns, frame.world_from_camera)
            for topic, pixels, encoding in ((RGB, frame.rgb, "rgb8"), (DEPTH, millimetres(frame.depth_m), "16UC1")):
                bag.image(topic, frame.stamp_ns, pixels, encoding, log_ns=10 + k)
    reader = read(bag.path)
    assert [frame.stamp_ns for frame in reader] == [FRAMES[k].stamp_ns for k in (0, 1, 3, 4)]
    assert reader.report.skipped == {BadReason.TIME_BACKWARDS: 1}


def test_unstamped_images_are_refused(tmp_path):
    with BagWriter(tmp_path / "room", "mcap") as bag:
        write_statics(bag, 5)
        bag.info(RGB_INFO, 5, CAMERA)
        for frame in FRAMES:
            write_tree(bag, frame.stamp_ns, frame.world_from_camera)
            bag.image(RGB, 0, frame.rgb, "rgb8", log_ns=frame.stamp_ns)
            bag.image(DEPTH, 0, millimetres(frame.depth_m), "16UC1", log_ns=frame.stamp_ns)
    with pytest.raises(ReadError, match="carry no time stamps"):
        read(bag.path)


def test_options_out_of_range(tmp_path):
    path = write_bag(tmp_path / "room", FRAMES[:2])
    with pytest.raises(InvalidValue, match="max_gap_s"):
        read(path, max_gap_s=0.0)
    with pytest.raises(InvalidValue, match="no option 'rgb_topics'; did you mean 'rgb_topic'"):
        read(path, rgb_topics="/x")


def test_closing_is_final_and_idempotent(tmp_path):
    with RosbagReader(write_bag(tmp_path / "room", FRAMES[:2])) as reader:
        assert reader[0].seq == 0
    reader.close()
    with pytest.raises(ReadError):
        reader[0]


def test_depth_info_is_not_needed_when_depth_shares_colours_frame(tmp_path):
    path = write_bag(tmp_path / "room", FRAMES[:2])
    assert_same(read(path, depth_info_topic=RGB_INFO)[0], FRAMES[0])
    assert DEPTH_INFO not in str(read(path).report)
