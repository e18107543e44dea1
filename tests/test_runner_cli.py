"""`spatialmem eval`: what it says, what it refuses, and what it keeps of episodes for people to look at."""

from __future__ import annotations

import importlib
import json
import sys

import numpy as np
import pytest
from cli_helpers import picture_size, run, run_json
from runner_cases import plan

from sim.runner import evaluate

GIVEN = ("eval", "runner_cases:Reach", "--world", "runner_cases:RoomWorld", "--agent", "runner_cases:Homing")


def test_a_run_as_one_object_and_as_a_table(tmp_path, capfd):
    out = tmp_path / "run"
    values = run_json(capfd, *GIVEN, "--episodes", 3, "--out", out, "--wrapper", "runner_cases:Noisy",
                      "--task-args", '{"turn_deg": 10}')  # fmt: skip
    assert values["statuses"] == {"success": 3} and values["metrics"]["success"] == 1.0 and values["agent"] == "Homing"
    assert not values["stopped"] and values["done"] == values["episodes"] == 3
    assert json.loads((out / "manifest.json").read_text())["task_settings"]["scene"]["motion"]["turn_deg"] == 10
    run(*GIVEN, "--episodes", 4, "--out", out, "--wrapper", "runner_cases:Noisy", "--task-args", '{"turn_deg": 10}')
    shown = capfd.readouterr()
    assert "4 of 4 done" in shown.out and "3 of 4 episodes are done already" in shown.err and "reset" in shown.err
    assert "drawing 4 episodes" in shown.err


@pytest.mark.parametrize(("changed", "code", "named"), [
    (("--agent-args", "{turn"), 2, "is no JSON"),
    (("--task-args", "[1]"), 2, "is no JSON object"),
    (("--agent", "hominy"), 1, "unknown agent 'hominy'"),
    (("--agent", "runner_cases:Homming"), 1, "did you mean 'Homing'?"),
    (("--episodes", "0"), 1, "at least 1"),
    (("--act-timeout", "-1"), 1, "act_timeout_s must be positive"),
])  # fmt: skip
def test_what_cannot_be_is_refused(tmp_path, capfd, changed, code, named):
    run(*GIVEN, "--out", tmp_path / "run", *changed, code=code)
    assert named in capfd.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_machine_without_worlds_is_told_what_to_type(tmp_path, capfd, monkeypatch):
    monkeypatch.setitem(sys.modules, "sim", None)
    monkeypatch.delitem(sys.modules, "sim.errors", raising=False)
    run(*GIVEN, "--out", tmp_path / "run", code=1)
    assert "pip install 'spatialmem[sim]'" in capfd.readouterr().err


# recordings


@pytest.fixture(scope="module", params=["png", "mp4", "rrd"])
def recorded(request, tmp_path_factory):
    """The kind and the files of two episodes."""
    pytest.importorskip({"mp4": "av", "rrd": "rerun"}.get(request.param, "cv2"))
    out = tmp_path_factory.mktemp("recorded") / request.param
    done = evaluate(plan("Homing", count=2, record=request.param), out)
    return request.param, [out / "recordings" / row["recording"] for row in done.rows], done.rows


def test_episodes_are_kept_as_files(recorded):
    kind, files, rows = recorded
    assert [file.name for file in files] == [f"episode-0000{n}.{kind}" for n in range(2)]
    if kind == "png":
        width, height = picture_size(files[0])
        assert width > 400 and height > 500
    elif kind == "mp4":
        import av

        with av.open(str(files[0])) as film:
            frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
        assert len(frames) == rows[0]["steps"] + 10  # a second of how it ended
        assert np.abs(frames[0].astype(int) - frames[-1]).max() > 100
    else:
        assert files[0].read_bytes()[:3] == b"RRF" and files[0].stat().st_size > 10_000


def test_a_missing_package_is_answered_with_the_line_to_type(monkeypatch):
    recorder = importlib.import_module("sim.runner.recording.recorder")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(recorder.MissingPackage, match=r"pip install 'spatialmem\[sim\]'"):
        recorder.require("av", "sim")
