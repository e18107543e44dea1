"""`check_recording` on the real recordings, as they are and made wrong on purpose in every way it knows."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
from wrong_conventions import DESK, KITCHEN, LIVING, UP, Y_UP, Truth, move_colour, truth_of

from spatialmem.conventions import QUESTIONS, Verdict, check_recording
from spatialmem.conventions.gravity import direction
from spatialmem.io import read

ALL = (KITCHEN, DESK, LIVING)
POSES = ("poses", "camera_axes", "quat_order")
RIGHT = {"poses": "world_from_camera", "camera_axes": "opencv", "quat_order": "xyzw"}


@pytest.fixture(scope="module")
def recording(shared_data):
    def find(name: str):
        if not (shared_data / name).is_dir():
            pytest.skip(f"no {name} in {shared_data}")
        return shared_data / name

    return find


@pytest.fixture(scope="module")
def truths(recording, tmp_path_factory):
    """Each recording as a right plain folder, written once."""
    made: dict[str, Truth] = {}

    def find(name: str) -> Truth:
        if name not in made:
            made[name] = truth_of(recording(name), tmp_path_factory.mktemp(name))
        return made[name]

    return find


def check(path, **wrong):
    """The report of a recording; exactly the questions in `wrong` are found wrong, with these answers."""
    report = check_recording(read(path))
    verdicts = {f.question: f.verdict for f in report.findings}
    said = {f.question: f.reason for f in report.findings}
    assert {q for q, v in verdicts.items() if v is Verdict.WRONG} == set(wrong), (verdicts, said)
    assert Verdict.UNCERTAIN not in verdicts.values(), said
    assert report.verdict is (Verdict.WRONG if wrong else Verdict.FITS)
    for question, found in wrong.items():
        assert report[question].found == found
    assert bool(report.fix) == bool(wrong)
    return report


def mend(path, report):
    """Write the lines that the report gives into spatialmem.json."""
    file = path / "spatialmem.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **report.settings}))


@pytest.mark.parametrize("name", ALL)
def test_the_recordings_as_they_are(recording, name):
    report = check_recording(read(recording(name)))
    assert report.verdict is Verdict.FITS
    assert {q: report.convention[q] for q in POSES} == RIGHT
    assert all(report[q].verdict is Verdict.FITS for q in QUESTIONS[:5])
    assert report["depth_scale"].found == {KITCHEN: 1000, DESK: 5000, LIVING: 1000}[name]
    assert report["colour"].found == ("unregistered" if name == KITCHEN else "registered")
    assert report["up"].verdict is (Verdict.FITS if name == DESK else Verdict.FOUND)
    assert angle_deg(direction(report["up"].found), UP[name]) < 5.0
    assert report["up"].found == {KITCHEN: report["up"].found, DESK: "z", LIVING: "-y"}[name]
    assert report.rows[0].residual < 0.02 and report.rows[0].overlap > 0.25


WRONG_POSES = {
    "inverted": {"poses": "camera_from_world"},
    "opengl": {"camera_axes": "opengl"},
    "scalar first": {"quat_order": "wxyz"},
}


@pytest.mark.parametrize("wrong", WRONG_POSES)
@pytest.mark.parametrize("name", ALL)
def test_wrong_poses(truths, tmp_path, name, wrong):
    """Everything else is still found to be right, and what is to be typed is what is wrong."""
    written = WRONG_POSES[wrong]
    report = check(truths(name).as_poses(**written).copy(tmp_path / "wrong"), **written)
    assert report.settings == written
    assert len(report.fix) == len(written)


@pytest.mark.parametrize("name, factor", [*itertools.product(ALL, (5.0, 0.2)), (LIVING, 1000.0)])
def test_wrong_depth_scale(truths, tmp_path, name, factor):
    """TUM's scale for millimetres and the other way round, and raw values taken for metres."""
    truth = truths(name)
    right = truth.settings["depth_scale"]
    report = check(truth.copy(tmp_path / "wrong", depth_scale=right / factor), depth_scale=right)
    assert report.settings == {"depth_scale": right}


@pytest.mark.parametrize("name", ALL)
def test_colour_that_is_not_registered(truths, tmp_path, name):
    path = truths(name).copy(tmp_path / "wrong", colour_camera=None, colour_from_depth_m=None)
    if name != KITCHEN:
        move_colour(path, 525.0 / 585.0, 5.0)
    report = check_recording(read(path))
    assert [f.question for f in report.findings if f.verdict is Verdict.WRONG] == ["colour"]
    fx, fy, cx, cy = report.settings["colour_camera"]
    camera = read(path).camera
    assert fx / camera.fx == pytest.approx(525.0 / 585.0, abs=0.03)
    if name == KITCHEN:
        assert report.settings["colour_from_depth_m"] == [-0.025, 0.0, 0.0]
    mend(path, report)
    assert check_recording(read(path))["colour"].verdict is Verdict.FITS


@pytest.mark.parametrize("name", ALL)
def test_wrong_gravity(truths, tmp_path, name):
    """The world turned so that another axis is up, while the old one is declared."""
    truth = truths(name)
    turned = truth.turned(Y_UP)
    report = check_recording(read(turned.copy(tmp_path / "wrong", up=truth.settings["up"])))
    assert [f.question for f in report.findings if f.verdict is Verdict.WRONG] == ["up"]
    assert angle_deg(report.settings["up"], turned.settings["up"]) < 5.0


@pytest.mark.parametrize("name", ALL)
def test_everything_wrong_at_once_is_mended_by_what_is_said(truths, tmp_path, name):
    truth = truths(name)
    axes = "ros_body" if name == LIVING else "opengl"
    turned = truth.turned(Y_UP).as_poses(poses="camera_from_world", camera_axes=axes, quat_order="wxyz")
    right = truth.settings["depth_scale"]
    path = turned.copy(tmp_path / "wrong", up=truth.settings["up"], depth_scale=5.0 * right)
    report = check_recording(read(path))
    found = {f.question: f.found for f in report.findings if f.verdict is Verdict.WRONG}
    assert set(found) == {"poses", "camera_axes", "quat_order", "depth_scale", "up"}
    mend(path, report)
    check(path)
    mended = read(path)
    for i, pose in enumerate(turned.world_from_camera):
        np.testing.assert_allclose(mended[i].world_from_camera, pose, atol=2e-4)  # rounded text


def angle_deg(a, b) -> float:
    cosine = np.dot(a, b) / (np.linalg.norm(a) * np.linalg.norm(b))
    return float(np.rad2deg(np.arccos(np.clip(cosine, -1.0, 1.0))))
