"""The tree of frames against an independent computation with scipy."""

from __future__ import annotations

import numpy as np
import pytest
from bags import store_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from spatialmem.errors import ReadError
from spatialmem.io.reader import BadFrame, BadReason
from spatialmem.io.ros_transforms import TransformTree

SECOND = 10**9
STORE = store_of("mcap")


def _random_pose(rng) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = Rotation.random(random_state=rng.integers(2**31)).as_matrix(), rng.normal(size=3)
    return pose


def _between(stamps, poses, at) -> np.ndarray:
    out = np.eye(4)
    out[:3, :3] = Slerp(stamps, Rotation.from_matrix([p[:3, :3] for p in poses]))(at).as_matrix()
    out[:3, 3] = [np.interp(at, stamps, [p[k, 3] for p in poses]) for k in range(3)]
    return out


def _tree(max_gap_s=100.0) -> TransformTree:
    return TransformTree(round(max_gap_s * SECOND))


@settings(max_examples=40)
@given(st.integers(0, 2**31 - 1), st.floats(0.0, 9.0))
def test_lookup_across_branches_agrees_with_scipy(seed, at_s):
    """root -> a -> b (moving, moving), root -> c (static) -> d (moving); d seen from b."""
    rng = np.random.default_rng(seed)
    tree, edges = _tree(), {}
    for parent, child in (("root", "a"), ("a", "b"), ("c", "d")):
        stamps = np.sort(rng.choice(np.arange(1, 9000), 8, replace=False)) / 1000.0
        stamps = np.concatenate([[0.0], stamps, [9.0]])
        poses = [_random_pose(rng) for _ in stamps]
        edges[child] = (stamps, poses)
        for k in rng.permutation(len(stamps)):  # messages may arrive in any order
            tree.add(parent, child, round(stamps[k] * SECOND), poses[k], static=False)
    fixed = _random_pose(rng)
    tree.add("root", "c", 0, fixed, static=True)
    at_ns = round(at_s * SECOND)
    at = at_ns / SECOND
    root_from_b = _between(*edges["a"], at) @ _between(*edges["b"], at)
    root_from_d = fixed @ _between(*edges["d"], at)
    np.testing.assert_allclose(tree.lookup("b", "d", at_ns), np.linalg.inv(root_from_b) @ root_from_d, atol=1e-7)
    np.testing.assert_allclose(tree.lookup("root", "b", at_ns), root_from_b, atol=1e-7)
    np.testing.assert_allclose(tree.lookup("a", "root", at_ns), np.linalg.inv(_between(*edges["a"], at)), atol=1e-7)


def test_message_transforms_keep_their_quaternion_order():
    quat = STORE.types["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=np.sin(0.35), w=np.cos(0.35))
    place = STORE.types["geometry_msgs/msg/Vector3"](x=1.0, y=2.0, z=3.0)
    tree = _tree()
    tree.add_pose(
        "/map", "/base", 5, STORE.types["geometry_msgs/msg/Transform"](translation=place, rotation=quat), True
    )
    found = tree.lookup("map", "base", 0)
    np.testing.assert_allclose(found[:3, :3], Rotation.from_euler("z", 0.7).as_matrix(), atol=1e-12)
    np.testing.assert_allclose(found[:3, 3], (1, 2, 3))


@pytest.mark.parametrize("bad", [(0, 0, 0, 0), (0, 0, 0, 2), (np.nan, 0, 0, 1), (0, 0, 0, 1e9)])
def test_what_is_no_rotation_is_dropped_and_counted(bad):
    x, y, z, w = (float(v) for v in bad)
    quat = STORE.types["geometry_msgs/msg/Quaternion"](x=x, y=y, z=z, w=w)
    place = STORE.types["geometry_msgs/msg/Vector3"](x=1.0, y=2.0, z=3.0)
    tree = _tree()
    tree.add_pose("map", "base", 5, STORE.types["geometry_msgs/msg/Transform"](translation=place, rotation=quat), False)
    assert tree.dropped == 1
    assert not tree.connected("map", "base")


def test_nothing_is_extrapolated():
    tree = _tree()
    for stamp in (2, 4):
        tree.add("map", "base", stamp * SECOND, np.eye(4), static=False)
    for stamp, said in ((2 * SECOND - 1, "before the first"), (4 * SECOND + 1, "after the last")):
        with pytest.raises(BadFrame, match=said) as caught:
            tree.lookup("map", "base", stamp)
        assert caught.value.reason is BadReason.LOST_POSE
    assert tree.lookup("map", "base", 4 * SECOND).shape == (4, 4)


def test_long_gaps_are_not_bridged_but_their_ends_hold():
    tree = _tree(max_gap_s=0.5)
    for stamp_ns in (0, 400_000_000, 1_000_000_000):
        tree.add("map", "base", stamp_ns, np.eye(4), static=False)
    assert tree.lookup("map", "base", 399_999_999) is not None
    assert tree.lookup("map", "base", 400_000_000) is not None
    with pytest.raises(BadFrame, match=r"no sample for 0\.600 s.*max_gap_s"):
        tree.lookup("map", "base", 400_000_001)


def test_the_latest_of_equal_stamps_and_of_statics_counts():
    tree, late = _tree(), np.eye(4)
    late[0, 3] = 5.0
    for pose in (np.eye(4), late):
        tree.add("map", "base", 7, pose, static=False)
        tree.add("base", "camera", 7, pose, static=True)
    assert tree.lookup("map", "base", 7)[0, 3] == 5.0
    assert tree.lookup("base", "camera", 0)[0, 3] == 5.0


def test_a_frame_with_two_parents_is_refused_by_name():
    tree = _tree()
    tree.add("odom", "base", 0, np.eye(4), static=True)
    tree.add("vio", "base", 0, np.eye(4), static=True)
    with pytest.raises(ReadError, match=r"'base' more than one parent \(odom, vio\)"):
        tree.lookup("odom", "base", 0)
    tree.detach("base")
    tree.add("odom", "base", 0, np.eye(4), static=True)
    assert tree.connected("odom", "base")


def test_loops_and_separate_trees_are_errors():
    tree = _tree()
    tree.add("a", "b", 0, np.eye(4), static=True)
    tree.add("c", "d", 0, np.eye(4), static=True)
    assert not tree.connected("a", "d")
    assert not tree.connected("a", "nowhere")
    with pytest.raises(ReadError, match="does not connect 'd' with 'a'; frames in the recording: a, b, c, d"):
        tree.lookup("a", "d", 0)
    tree.add("b", "a", 0, np.eye(4), static=True)
    with pytest.raises(ReadError, match="loop"):
        tree.lookup("a", "b", 0)
