"""What `check_recording` says when the frames cannot tell, and what it says of formats other than the plain folder."""

from __future__ import annotations

import itertools
import shlex
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import WRITERS, matrix_rows, save_depth, save_text, walk
from synthetic import BOXES, look, render_room, room_camera, room_pose
from wrong_conventions import Y_UP

from spatialmem.cli import main
from spatialmem.conventions import QUESTIONS, Verdict, check_recording
from spatialmem.conventions.compare import jackknife
from spatialmem.conventions.gravity import direction, named
from spatialmem.conventions.readings import ALL_READINGS, as_written, understood
from spatialmem.conventions.report import Finding, Report
from spatialmem.errors import ReadError
from spatialmem.geometry import exp_se3, exp_so3, inverse, make_transform
from spatialmem.io import read
from spatialmem.io.images import natural_key
from spatialmem.memory import SpatialMemory
from spatialmem.types import Frame

POSES = QUESTIONS[:3]


def frames_at(poses, boxes=BOXES) -> list[Frame]:
    camera = room_camera(160, 120)
    frames = []
    for i, pose in enumerate(poses):
        rgb, depth_m = render_room(pose, camera, boxes)
        frames.append(Frame(rgb, depth_m, camera, pose, i * 100_000_000, seq=i))
    return frames


def check(poses, boxes=BOXES) -> Report:
    return check_recording(read(frames_at(poses, boxes)))


def test_a_walk_is_certain():
    report = check([room_pose(i, 60) for i in range(12)])
    verdicts = {f.question: f.verdict for f in report.findings}
    assert verdicts == {**dict.fromkeys(QUESTIONS, Verdict.FITS), "up": Verdict.FOUND}
    assert report["up"].found == "z"
    assert report.verdict is Verdict.FITS
    assert (report.rows[0].poses, report.rows[0].camera_axes) == ("world_from_camera", "opencv")
    assert len(report.rows) == len(ALL_READINGS)


def test_a_camera_that_stands_still():
    shake = np.random.default_rng(0).standard_normal((6, 6)) * 1e-3
    report = check([room_pose(3, 60) @ exp_se3(twist) for twist in shake])
    assert report.verdict is Verdict.UNCERTAIN
    for question in (*POSES, "depth_scale", "up"):
        assert report[question].verdict is Verdict.UNCERTAIN
        assert "stands still" in report[question].reason
        assert report.convention[question] is None
    assert report["colour"].verdict is Verdict.FITS  # one frame is enough to see that


def test_a_scene_that_is_a_plane():
    report = check([look((1.2, 0.1 * i - 0.3, 1.3 + 0.05 * (i % 3)), (1.0, 0.1 * (i % 2), 0.04 * i - 0.1))
                    for i in range(8)], boxes=())  # fmt: skip
    for question in (*POSES, "depth_scale", "up"):
        assert report[question].verdict is Verdict.UNCERTAIN
        assert "plane" in report[question].reason


def test_frames_that_do_not_overlap():
    report = check([room_pose(i, 4) for i in range(4)])
    for question in (*POSES, "depth_scale", "up"):
        assert report[question].verdict is Verdict.UNCERTAIN
    assert "different places" in report["poses"].reason or "overlap" in report["poses"].reason
    assert report.settings == {} and report.fix == ()


def test_poses_that_are_wrong_in_no_usual_way():
    """Rotations of one recording with positions of another: nothing fits, and nothing is made up."""
    poses = [room_pose(i, 60) for i in range(10)]
    strange = [make_transform(exp_so3((0.0, 0.0, 0.9 * i)) @ p[:3, :3], 2.0 * p[:3, 3]) for i, p in enumerate(poses)]
    report = check_recording(read([f.with_pose(p) for f, p in zip(frames_at(poses), strange, strict=True)]))
    assert all(report[question].verdict is Verdict.UNCERTAIN for question in POSES)
    assert report["poses"].residuals["world_from_camera"] != 0.0


def test_sliding_sideways_leaves_the_axes_open():
    """Moving along x alone looks the same with y and z turned over: the other questions are answered."""
    report = check([look((-1.5, 0.12 * i - 0.5, 1.4), (1.0, 0.0, -0.2)) for i in range(8)])
    axes = report["camera_axes"]
    assert axes.verdict is Verdict.UNCERTAIN
    assert set(axes.candidates) == {"opencv", "opengl"}
    assert report["poses"].verdict is Verdict.FITS
    assert report["depth_scale"].verdict is Verdict.FITS
    assert report["up"].verdict is Verdict.UNCERTAIN


def test_a_difference_that_noise_makes_refutes_nothing():
    """The same slide by a hand that trembles by a hundredth of a degree, over noisy depth."""
    rng = np.random.default_rng(1)
    slide = [look((-1.5, 0.12 * i - 0.5, 1.4), (1.0, 0.0, -0.2)) for i in range(8)]
    poses = [pose @ exp_se3(2e-4 * rng.standard_normal(6)) for pose in slide]
    noisy = [replace(f, depth_m=f.depth_m * rng.normal(1.0, 0.004, f.depth_m.shape).astype(np.float32))
             for f in frames_at(poses) if f.depth_m is not None]  # fmt: skip
    axes = check_recording(read(noisy))["camera_axes"]
    assert axes.verdict is Verdict.UNCERTAIN
    assert set(axes.candidates) == {"opencv", "opengl"}


def test_turning_on_the_spot_leaves_the_scale_open():
    report = check([look((0.0, 0.0, 1.4), (np.cos(a), np.sin(a), -0.3)) for a in np.linspace(0.0, 2.0, 14)])
    assert all(report[question].verdict is Verdict.FITS for question in POSES)
    scale = report["depth_scale"]
    assert scale.verdict is Verdict.UNCERTAIN
    assert 1.0 in scale.candidates and len(scale.candidates) > 1
    assert "moves too little" in scale.reason


def test_too_few_frames_are_an_error():
    with pytest.raises(ReadError, match="two are needed"):
        check([room_pose(0, 60)])


def test_a_scale_that_nobody_uses_is_measured(tmp_path):
    from wrong_conventions import truth_of_frames

    truth = truth_of_frames(walk(12), tmp_path / "truth", depth_scale=2000.0)
    report = check_recording(read(truth.copy(tmp_path / "wrong", depth_scale=1000.0)))
    assert report["depth_scale"].verdict is Verdict.WRONG
    assert report["depth_scale"].found == pytest.approx(2000.0, rel=0.02)


@pytest.mark.parametrize("name", ["tum", "7scenes", "redwood", "replica", "scannet"])
def test_formats_that_fix_their_conventions(tmp_path, name):
    """The line says what to change in the files, since there is nothing to declare."""
    frames = frames_at([room_pose(i, 60) for i in range(6)])
    in_files = name in ("7scenes", "scannet")  # their writers render colour at the pose of the frame
    written = frames if in_files else [frame.with_pose(inverse(frame.pose)) for frame in frames]
    path = WRITERS[name](tmp_path / "recording", written)
    for file in [*path.glob("*.pose.txt"), *path.glob("pose/*.txt")]:
        save_text(file, matrix_rows(inverse(np.loadtxt(file))))
    report = check_recording(read(path, format=name))
    assert report.format == name
    assert report["poses"].found == "camera_from_world"
    assert report["camera_axes"].verdict is report["quat_order"].verdict is Verdict.FITS
    assert "geometry.inverse(pose)" in report.fix[0] and name in report.fix[0]
    assert report.settings == {}


SCALE_LINES = {
    "tum": "depth_scale=1000)",
    "redwood": "depth_scale=5000)",
    "replica": '"scale": 1000',
    "scannet": "raw / 5000",
}


@pytest.mark.parametrize("name", SCALE_LINES)
def test_the_line_for_a_depth_scale_that_a_format_does_not_mean(tmp_path, name):
    """Files with the depth unit of another format."""
    frames = frames_at([room_pose(i, 60) for i in range(6)])
    path = WRITERS[name](tmp_path / "recording", frames)
    right = 1000.0 if "1000" in SCALE_LINES[name] else 5000.0
    images = [file for file in path.rglob("*.png") if "depth" in f"{file.parent.name}/{file.name}"]
    for frame, file in zip(frames, sorted(images, key=natural_key), strict=True):
        save_depth(file, frame, right)
    report = check_recording(read(path, format=name))
    assert report["depth_scale"].found == right
    assert SCALE_LINES[name] in report.fix[0]


def test_the_line_for_up_works_as_typed(tmp_path, capsys):
    """In a format that has no place for it, and in a folder whose name has a space."""
    frames = [frame.with_pose(Y_UP @ frame.pose) for frame in walk(12)]
    path = WRITERS["redwood"](tmp_path / "my room", frames)
    report = check_recording(read(path))
    assert report["up"].found == "y"
    line = next(line for line in report.fix if "--up" in line)
    program, *words = shlex.split(line.replace("FILE.mem", str(tmp_path / "a.mem")))
    assert program == "spatialmem" and main([*words, "--json", "--voxel-size-m", "0.05"]) == 0
    with SpatialMemory.open(tmp_path / "a.mem") as memory:
        np.testing.assert_array_equal(memory.up_in_map, (0.0, 1.0, 0.0))


@pytest.mark.parametrize("reading", ALL_READINGS, ids=str)
def test_readings_are_undone(reading):
    poses = np.array([room_pose(i, 7) @ exp_se3((0.1, 0.2, 0.3, 0.4, -0.5, 0.6)) for i in range(7)])
    np.testing.assert_allclose(understood(as_written(poses, reading), reading), poses, atol=1e-12)


def test_readings_differ():
    pose = room_pose(1, 7) @ exp_se3((0.1, 0.2, 0.3, 0.4, -0.5, 0.6))
    meanings = [understood(pose, reading) for reading in ALL_READINGS]
    assert all(np.abs(a - b).max() > 1e-3 for a, b in itertools.combinations(meanings, 2))


@given(st.lists(st.floats(-1.0, 1.0), min_size=6, max_size=6))
def test_the_jackknife_of_pairs_without_common_frames_is_the_standard_error(values):
    pairs = np.arange(12).reshape(6, 2)
    mean, error = jackknife(np.array(values), pairs)
    assert mean == pytest.approx(np.mean(values), abs=1e-12)
    # six pairs, each left out twice among twelve: 11 / 12 * 2 * 5 s^2 / 25
    assert error == pytest.approx(np.std(values, ddof=1) * np.sqrt(11.0 / 30.0), abs=1e-9)


def test_the_names_of_up():
    assert named((0.05, -0.99, 0.02)) == "-y"
    assert named((0.0, -0.889, -0.457)) == (0.0, -0.889, -0.457)
    assert direction("-y") == [0.0, -1.0, 0.0]


def test_a_wrong_answer_outweighs_an_open_one():
    def report_of(*verdicts):
        return Report("folder", 2, 1, tuple(Finding("up", v, None, None, ()) for v in verdicts), (), (), {}, ())

    assert report_of(Verdict.FITS, Verdict.FOUND).verdict is Verdict.FITS
    assert report_of(Verdict.FITS, Verdict.UNCERTAIN).verdict is Verdict.UNCERTAIN
    assert report_of(Verdict.UNCERTAIN, Verdict.WRONG).verdict is Verdict.WRONG
