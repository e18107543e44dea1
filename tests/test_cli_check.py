"""`spatialmem check`."""

from __future__ import annotations

import json

import pytest
from cli_helpers import KITCHENETTE, cut_recording, run, run_json

from spatialmem.conventions import QUESTIONS

FRAMES = range(0, 60, 4)


@pytest.fixture
def recording(tmp_path):
    return cut_recording(tmp_path / "recording", FRAMES)


def declare(path, **settings):
    file = path / "spatialmem.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **settings}))


def test_a_right_recording(recording, capsys):
    values = run_json(capsys, "check", recording)
    assert values["verdict"] == "fits"
    assert values["convention"] == {
        "poses": "world_from_camera", "camera_axes": "opencv", "quat_order": "xyzw", "depth_scale": 1000,
        "colour": "registered", "up": "z",
    }  # fmt: skip
    assert list(values["questions"]) == list(QUESTIONS)
    assert values["questions"]["poses"]["residuals"]["world_from_camera"] < 0.02
    assert values["questions"]["poses"]["residuals"]["camera_from_world"] > 0.05
    assert values["combinations"][0]["residual"] < 0.02
    assert values["fix"] == [] and values["settings"] == {}
    assert values["frames"] == len(FRAMES) and values["recording"] == str(recording)


def test_a_wrong_recording_is_mended_by_the_line_it_prints(recording, capsys):
    declare(recording, camera_axes="opengl")
    before = (recording / "spatialmem.json").read_text()
    values = run_json(capsys, "check", recording, code=1)
    assert values["verdict"] == "wrong"
    assert values["convention"]["camera_axes"] == "opencv"
    assert values["questions"]["camera_axes"]["verdict"] == "wrong"
    assert values["questions"]["camera_axes"]["declared"] == "opengl"
    assert values["fix"] == [f'{recording}/spatialmem.json: "camera_axes": "opencv"']
    assert (recording / "spatialmem.json").read_text() == before  # it only says so
    declare(recording, **values["settings"])
    assert run_json(capsys, "check", recording)["verdict"] == "fits"


def test_the_table_names_what_is_wrong_and_the_line_to_type(recording, capsys):
    run("check", recording, "--depth-scale", 5000, code=1)
    out = capsys.readouterr().out
    assert "depth_scale: 1000; declared 5000" in out
    assert '"depth_scale": 1000' in out.replace("\n", "")
    assert "world_from_camera" in out and "overlap" in out


def test_frames_that_cannot_tell_are_no_failure(tmp_path, capsys):
    path = cut_recording(tmp_path / "still", [3, 4, 5])
    line = (path / "poses.txt").read_text().splitlines()[0].split()
    stamps = [text.split()[0] for text in (path / "poses.txt").read_text().splitlines()]
    (path / "poses.txt").write_text("\n".join(" ".join([stamp, *line[1:]]) for stamp in stamps))
    values = run_json(capsys, "check", path)
    assert values["verdict"] == "uncertain"
    assert values["convention"]["poses"] is None
    assert "stands still" in values["questions"]["poses"]["reason"]


def test_what_cannot_be_read_is_an_error(tmp_path, capsys):
    values = run_json(capsys, "check", tmp_path / "missing", code=1)
    assert values["kind"] == "ReadError"
    assert (
        run_json(capsys, "check", cut_recording(tmp_path / "flat", [0, 5], depth=False), code=1)["kind"] == "ReadError"
    )


def test_the_recording_that_comes_along(capsys):
    assert run_json(capsys, "check", KITCHENETTE)["verdict"] == "fits"
