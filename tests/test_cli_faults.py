"""Bad recordings and Ctrl-C: the command says what happened, and what is left is a memory that opens."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest
from cli_helpers import COMMAND, ENVIRONMENT, KITCHENETTE, change_pose, cut_recording, process, run, run_json

from spatialmem import SpatialMemory

FRAMES = tuple(range(0, 40, 5))
LOST = " ".join(["nan"] * 8)


@pytest.fixture
def recording(tmp_path):
    return cut_recording(tmp_path / "room", FRAMES)


def damage(path):
    path.write_bytes(path.read_bytes()[:2000])


def test_bad_frames_are_counted_by_reason(recording, tmp_path, capsys):
    change_pose(recording, 2, "1767261602.0 nan nan nan nan nan nan nan")
    damage(recording / "rgb" / "0025.jpg")
    (recording / "depth" / "0030.png").unlink()
    out = run_json(capsys, "build", recording, "--out", tmp_path / "a.mem", "--store-all")
    assert out["frames"] == out["stored"] == len(FRAMES) - 3
    assert out["bad_frames"] == {"lost pose": 1, "unreadable file": 2}
    assert any("0025" in line for line in out["bad_examples"]["unreadable file"])
    run("build", recording, "--out", tmp_path / "b.mem")
    table = capsys.readouterr().out
    assert "bad: lost pose" in table and "bad: unreadable file" in table


def test_strict_stops_at_a_bad_frame(recording, tmp_path, capsys):
    damage(recording / "rgb" / "0025.jpg")
    out = run_json(capsys, "build", recording, "--out", tmp_path / "a.mem", "--strict", "--store-all", code=1)
    assert "0025" in out["error"] and out["kind"] == "BadFrame"
    with SpatialMemory.open(tmp_path / "a.mem") as memory:
        assert len(memory.trajectory()) == 5


def test_nothing_is_made_of_a_recording_without_poses(recording, tmp_path, capsys):
    for line in range(len(FRAMES)):
        change_pose(recording, line, LOST)
    run("build", recording, "--out", tmp_path / "a.mem", code=1)
    assert capsys.readouterr().err.startswith("error: ")
    assert [path.name for path in tmp_path.iterdir()] == ["room"]


def test_a_missing_pose_line_is_an_error(recording, tmp_path, capsys):
    poses = (recording / "poses.txt").read_text().splitlines()
    (recording / "poses.txt").write_text("\n".join(poses[:-1]))
    run("build", recording, "--out", tmp_path / "a.mem", code=1)
    assert "8 images and poses.txt 7 poses" in capsys.readouterr().err
    assert not (tmp_path / "a.mem").exists()


@pytest.mark.parametrize("name", ["absent", "empty", "notes.txt"])
def test_what_is_no_recording_is_named(name, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no recording")
    run("build", tmp_path / name, "--out", tmp_path / "a.mem", code=1)
    assert name in capsys.readouterr().err and not (tmp_path / "a.mem").exists()


def test_the_folder_of_the_memory_must_exist(recording, tmp_path, capsys):
    run("build", recording, "--out", tmp_path / "absent" / "a.mem", code=1)
    assert "make it first" in capsys.readouterr().err


def test_a_plan_needs_up(tmp_path, capsys):
    recording = cut_recording(tmp_path / "room", FRAMES, up=False)
    run("build", recording, "--out", tmp_path / "a.mem", "--quiet")
    run("export", tmp_path / "a.mem", "--map", tmp_path / "map", "--ply", tmp_path / "p.ply", code=1)
    assert "declare it with --up X Y Z" in capsys.readouterr().err
    assert not (tmp_path / "map").exists() and not (tmp_path / "p.ply").exists()
    out = run_json(capsys, "export", tmp_path / "a.mem", "--map", tmp_path / "map", "--up", "0", "0", "2")
    assert out["map"]["free"] > 100 and out["map"]["occupied"] > 50
    run("build", recording, "--out", tmp_path / "b.mem", "--quiet", "--estimate-up")
    with SpatialMemory.open(tmp_path / "b.mem") as memory:
        assert memory.up_in_map is not None and memory.up_in_map[2] > 0.999


def test_export_writes_what_it_says(recording, tmp_path, capsys):
    memory = tmp_path / "a.mem"
    run("build", recording, "--out", memory, "--quiet")
    names = {"--ply": "p.ply", "--mesh": "m.ply", "--trajectory": "t.txt", "--map": "plan.yaml"}
    pairs = [argument for option, name in names.items() for argument in (option, tmp_path / name)]
    out = run_json(capsys, "export", memory, *pairs)
    with SpatialMemory.open(memory) as opened:
        assert out["trajectory"]["poses"] == len(opened.trajectory())
        assert out["ply"]["points"] == len(opened.points().position_m) > 1000
        assert out["mesh"]["triangles"] == len(opened.mesh().triangles) > 1000
    lines = [line for line in (tmp_path / "t.txt").read_text().splitlines() if not line.startswith("#")]
    given = (recording / "poses.txt").read_text().split("\n")[0].split()
    assert len(lines) == out["trajectory"]["poses"]
    assert [float(word) for word in lines[0].split()] == pytest.approx([float(word) for word in given], abs=1e-6)
    assert 0.0 < out["map"]["low_m"] < 0.3 and (tmp_path / "plan.pgm").is_file()
    run("export", memory, code=1)
    assert "nothing to export" in capsys.readouterr().err


def test_the_command_as_a_process(recording, tmp_path):
    command = [*COMMAND, "build", str(recording), "--out", str(tmp_path / "a.mem"), "--json"]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == len(FRAMES) and "frame 1 of 8" in done.stderr
    wrong = subprocess.run([*COMMAND, "infu"], env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)
    assert (wrong.returncode, wrong.stdout) == (2, "") and "did you mean 'info'?" in wrong.stderr


def wait_for(stream, text):
    for line in stream:
        if text in line:
            return
    raise AssertionError(f"the process ended without saying {text!r}")


def test_ctrl_c_leaves_a_memory_that_opens(tmp_path):
    path = tmp_path / "a.mem"
    build = process("build", KITCHENETTE, "--out", path, "--store-all", "--json")
    wait_for(build.stderr, "frame 1 of 72")
    build.send_signal(signal.SIGINT)
    out, err = build.communicate(timeout=100)
    said = json.loads(out)
    assert build.returncode == 130 and said["interrupted"] is True
    assert f"holds {said['stored']} frames; go on with --append" in err
    assert [file.name for file in tmp_path.iterdir()] == ["a.mem"]
    with SpatialMemory.open(path) as memory:
        assert len(memory.trajectory()) == said["stored"] and 1 <= said["stored"] < 72
        assert memory.check() == []


def test_a_second_ctrl_c_loses_nothing_either(tmp_path):
    path = tmp_path / "a.mem"
    build = process("build", KITCHENETTE, "--out", path, "--store-all")
    wait_for(build.stderr, "frame 1 of 72")
    build.send_signal(signal.SIGINT)
    wait_for(build.stderr, "Ctrl-C again")
    build.send_signal(signal.SIGINT)
    build.communicate(timeout=100)
    assert build.returncode == 130
    with SpatialMemory.open(path, "a") as memory:
        assert len(memory.trajectory()) >= 1 and memory.check() == []
        before = memory.canonical_hash()
        memory.rebuild()
        assert memory.canonical_hash() == before


@pytest.mark.parametrize("arguments", [["--help"], ["build", "--help"]])
def test_a_reader_that_goes_away_is_not_told_of_it(arguments):
    theirs, ours = os.pipe()
    os.close(theirs)
    done = subprocess.run([*COMMAND, *arguments], stdout=ours, stderr=subprocess.PIPE, env=ENVIRONMENT, check=False)
    os.close(ours)
    assert done.returncode == 1 and done.stderr == b""
