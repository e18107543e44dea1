"""The judge of labelled answers, on a made-up view; and the label file itself."""

from __future__ import annotations

import copy
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialmem.io import read
from spatialmem.types import Camera, Frame
from tests.labelled import LABELS_PATH, Box, LabelError, PresentQuery, judge, load, surface_points

CAMERA = Camera(100.0, 100.0, 40.0, 30.0, 80, 60)
WALL_M, THING_M = 3.0, 2.0
THING_BOX = (30, 20, 50, 40)


def pose() -> np.ndarray:
    """A pose that is neither at the origin nor along an axis."""
    a, b = 0.7, -0.4
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_z @ about_x
    matrix[:3, 3] = (0.5, -1.0, 2.0)
    return matrix


def frame(depth_m: np.ndarray | None = None) -> Frame:
    """A flat thing, 2 m away, in front of a wall at 3 m."""
    if depth_m is None:
        depth_m = np.full((60, 80), WALL_M, np.float32)
        depth_m[20:41, 30:51] = THING_M
    return Frame(np.zeros((60, 80, 3), np.uint8), depth_m, CAMERA, pose(), stamp_ns=1)


def at(u: float, v: float, z: float) -> np.ndarray:
    """(3,) map position of a pixel at a depth."""
    in_camera = np.array([(u - CAMERA.cx) / CAMERA.fx * z, (v - CAMERA.cy) / CAMERA.fy * z, z, 1.0])
    return (pose() @ in_camera)[:3]


def question(*boxes: Box) -> PresentQuery:
    return PresentQuery("made up", "red thing", boxes[0], (40, 30), boxes[1:])


THING = question(Box("thing", 0, THING_BOX))


@given(u=st.floats(30, 50), v=st.floats(20, 40))
def test_a_hit_on_the_thing_is_right(u: float, v: float) -> None:
    verdict = judge(THING, at(u, v, THING_M), [frame()])
    assert verdict.right
    assert verdict.distance_m <= 0.015  # half a pixel diagonal at 2 m


@given(u=st.floats(52, 79), v=st.floats(0, 59))
def test_a_hit_beside_the_box_is_not_inside(u: float, v: float) -> None:
    assert not judge(THING, at(u, v, WALL_M), [frame()]).inside


@pytest.mark.parametrize(
    ("depth_m", "inside"), [(1.80, False), (1.90, True), (2.10, True), (2.20, False), (WALL_M, False), (-2.0, False)]
)
def test_a_hit_off_the_seen_surface_is_not_inside(depth_m: float, inside: bool) -> None:
    assert judge(THING, at(40, 30, depth_m), [frame()]).inside is inside


def test_distance_is_to_the_nearest_labelled_surface_point() -> None:
    assert judge(THING, at(40, 30, 2.5), [frame()]).distance_m == pytest.approx(0.5)
    beside = judge(THING, at(60, 30, THING_M), [frame()])
    assert beside.distance_m == pytest.approx(0.2)  # ten pixels of 2 cm
    assert not beside.right


def test_another_box_of_the_same_answer_is_right_too() -> None:
    frames = {0: frame(), 7: frame()}
    both = question(Box("far", 0, (0, 0, 9, 9)), Box("thing", 7, THING_BOX))
    assert both.frames_needed == (0, 7)
    assert judge(both, at(40, 30, THING_M), frames).right
    assert not judge(question(both.box), at(40, 30, THING_M), frames).inside


def test_a_depth_range_keeps_what_lies_behind_out_of_a_box() -> None:
    loose = question(Box("thing", 0, (20, 10, 60, 50)))
    tight = question(Box("thing", 0, (20, 10, 60, 50), depth_m=(1.9, 2.1)))
    on_wall = at(24, 14, WALL_M)
    assert judge(loose, on_wall, [frame()]).right
    assert not judge(tight, on_wall, [frame()]).inside
    assert judge(tight, on_wall, [frame()]).distance_m > 0.9
    assert judge(tight, at(40, 30, THING_M), [frame()]).right


def test_without_depth_at_the_pixel_the_rest_of_the_box_decides() -> None:
    depth = np.full((60, 80), WALL_M, np.float32)
    depth[20:41, 30:51] = THING_M
    depth[24:37, 34:47] = np.nan
    assert judge(THING, at(40, 30, THING_M), [frame(depth)]).inside
    assert not judge(THING, at(40, 30, 2.5), [frame(depth)]).inside


def test_a_box_without_any_depth_makes_nothing_right() -> None:
    depth = np.full((60, 80), WALL_M, np.float32)
    depth[10:51, 20:61] = 0.0
    verdict = judge(THING, at(40, 30, THING_M), [frame(depth)])
    assert not verdict.inside
    assert verdict.distance_m == float("inf")


def test_surface_points_are_the_pixels_of_the_box_in_the_map() -> None:
    points = surface_points(THING.box, frame())
    assert points.shape == (21 * 21, 3)
    np.testing.assert_allclose(points[0], at(30, 20, THING_M), atol=1e-9)
    np.testing.assert_allclose(points[-1], at(50, 40, THING_M), atol=1e-9)


def test_a_frame_without_pose_or_depth_cannot_judge() -> None:
    rgb = np.zeros((60, 80, 3), np.uint8)
    for lacking in (Frame(rgb, None, CAMERA, pose(), 1), Frame(rgb, frame().depth_m, CAMERA, None, 1)):
        with pytest.raises(LabelError, match="has no"):
            judge(THING, at(40, 30, THING_M), [lacking])


def test_the_label_file_is_varied_enough() -> None:
    labels = load()
    assert len(labels.present) >= 24
    assert len({(q.recording, q.box.frame) for q in labels.present}) >= 10
    assert len({q.text for q in labels.present}) >= 7
    absent = Counter(q.recording for q in labels.absent)
    assert set(absent) == set(labels.files) and min(absent.values()) >= 6
    assert sum(q.reason == "colour" for q in labels.absent) >= 4


def _box_outside(raw: dict) -> None:
    raw["recordings"]["tum_fr1_rpy_a"]["things"]["screens"][0]["box_xyxy"][2] = 640


def _thing_unknown(raw: dict) -> None:
    raw["recordings"]["tum_fr1_rpy_a"]["texts"]["something red"].append("nothing")


def _point_outside(raw: dict) -> None:
    raw["present"][0]["point_px"] = [0, 479]


def _box_not_listed(raw: dict) -> None:
    raw["present"][0]["box_xyxy"][0] += 1


def _twice(raw: dict) -> None:
    raw["present"].append(raw["present"][0])


def _present_and_absent(raw: dict) -> None:
    raw["absent"].append({**raw["absent"][0], "text": raw["present"][0]["text"]})


def _newer(raw: dict) -> None:
    raw["schema"] = 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_box_outside, "leaves the image"),
        (_thing_unknown, "not under 'things'"),
        (_point_outside, "outside its box"),
        (_box_not_listed, "listed 0 times"),
        (_twice, "more than once"),
        (_present_and_absent, "as present and as absent"),
        (_newer, "schema 2"),
    ],
)
def test_a_broken_label_file_is_refused(tmp_path, spoil, message: str) -> None:
    raw = copy.deepcopy(json.loads(LABELS_PATH.read_text(encoding="utf-8")))
    spoil(raw)
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(LabelError, match=message):
        load(path)


def test_the_named_files_are_in_the_recordings(shared_data) -> None:
    named = [shared_data / recording / file for recording, files in load().files.items() for file in files.values()]
    assert [path for path in named if not path.is_file()] == []


def test_every_label_point_is_a_right_answer_and_the_air_before_it_is_not(shared_data) -> None:
    labels = load()
    readers = {name: read(shared_data / name) for name in labels.files}
    for name, reader in readers.items():
        frames = {i: reader[i] for i in labels.files[name]}
        for q in (q for q in labels.present if q.recording == name):
            seen, (u, v) = frames[q.box.frame], q.point_px
            assert seen.depth_m is not None and seen.world_from_camera is not None
            z = float(seen.depth_m[v, u])
            ray = np.array([(u - seen.camera.cx) / seen.camera.fx, (v - seen.camera.cy) / seen.camera.fy, 1.0])
            rotation, origin = seen.world_from_camera[:3, :3], seen.world_from_camera[:3, 3]
            where = f"{name}: {q.text} in frame {q.box.frame}"
            assert judge(q, rotation @ (ray * z) + origin, frames).right, where
            assert not judge(q, rotation @ (ray * z / 2) + origin, frames).right, where
