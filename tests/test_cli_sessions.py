"""Adding to a memory and replacing one: what would mix recordings or lose a memory does not happen."""

from __future__ import annotations

import shutil
import signal

import cv2
import numpy as np
import pytest
from cli_helpers import KITCHENETTE, change_pose, cut_recording, process, run, run_json

from spatialmem import SpatialMemory, read
from spatialmem.errors import UnplacedSession

FRAMES = tuple(range(0, 30, 5))
LOST = " ".join(["nan"] * 7)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    return cut_recording(tmp_path_factory.mktemp("first") / "room", FRAMES)


@pytest.fixture(scope="module")
def later(tmp_path_factory):
    """Another recording, of the same name: later stamps, other poses."""
    return cut_recording(tmp_path_factory.mktemp("second") / "room", tuple(range(40, 70, 5)))


@pytest.fixture
def memory(room, tmp_path):
    run("build", room, "--out", tmp_path / "a.mem", "--store-all", "--quiet")
    return tmp_path / "a.mem"


def sessions(path):
    with SpatialMemory.open(path) as memory:
        return [keyframe.session_id for keyframe in memory.trajectory()]


def test_two_recordings_in_python_are_two_sessions(room, tmp_path):
    other = cut_recording(tmp_path / "hall", (40, 45))
    with SpatialMemory.create(None, encoder="colours") as memory:
        for frame in read(room):
            memory.observe(frame)
        with pytest.raises(UnplacedSession, match="'hall'"):
            memory.observe(read(other)[0])


def test_another_recording_is_refused_with_what_to_type(memory, tmp_path, capsys):
    hall = cut_recording(tmp_path / "hall", (40, 45))
    before = memory.read_bytes()
    out = run_json(capsys, "build", hall, "--out", memory, "--append", code=1)
    assert out["kind"] == "UnplacedSession"
    assert all(words in out["error"] for words in ("'hall'", "'room'", "--same-world", "--session", "add_session"))
    assert memory.read_bytes() == before
    assert run_json(capsys, "build", hall, "--out", memory, "--append", "--same-world")["stored"] == 2
    assert run_json(capsys, "build", hall, "--out", memory, "--append", "--same-world")["stored"] == 0
    assert sessions(memory) == ["room"] * len(FRAMES) + ["hall"] * 2


def test_the_same_recording_goes_on_where_it_was(room, tmp_path, capsys):
    path = tmp_path / "a.mem"
    run("build", room, "--out", path, "--max-frames", "2", "--quiet")
    run("build", room, "--out", path, "--append", "--quiet")
    again = run_json(capsys, "build", f"{room}/../room", "--out", path, "--append")
    assert again["stored"] == 0 and set(sessions(path)) == {"room"}


def test_another_recording_of_the_same_name_is_refused(memory, later, capsys):
    before = memory.read_bytes()
    out = run_json(capsys, "build", later, "--out", memory, "--append", code=1)
    assert "not the recording" in out["error"] and "stamp" in out["error"] and "--session NEWNAME" in out["error"]
    assert memory.read_bytes() == before
    arguments = ("--append", "--session", "later", "--same-world")
    assert run_json(capsys, "build", later, "--out", memory, *arguments)["stored"] > 0
    assert set(sessions(memory)) == {"room", "later"}


def test_other_poses_under_the_same_stamps_are_another_recording(memory, tmp_path, capsys):
    moved = cut_recording(tmp_path / "room", FRAMES)
    stamp, x, *rest = (moved / "poses.txt").read_text().splitlines()[1].split()
    change_pose(moved, 1, " ".join([stamp, str(float(x) + 0.01), *rest]))
    run("build", moved, "--out", memory, "--append", code=1)
    assert "frame 1 of camera has another pose" in capsys.readouterr().err


def test_what_is_said_of_another_recording_is_not_kept(room, later, tmp_path, capsys):
    path = tmp_path / "a.mem"
    run("build", cut_recording(tmp_path / "room", FRAMES, up=False), "--out", path, "--quiet")
    before = path.read_bytes()
    out = run_json(capsys, "build", later, "--out", path, "--append", "--up", 0, 0, 1, code=1)
    assert out["kind"] == "AnotherRecording" and path.read_bytes() == before
    run("build", tmp_path / "room", "--out", path, "--append", "--up", 0, 0, 1, "--quiet")
    with SpatialMemory.open(path) as memory:
        assert memory.up_in_map.tolist() == [0, 0, 1]


def test_the_same_recording_under_another_name_goes_on_as_it_is_told_to(memory, room, tmp_path, capsys):
    renamed = tmp_path / "renamed"
    shutil.copytree(room, renamed)
    run("build", renamed, "--out", memory, "--append", code=1)
    said = capsys.readouterr().err
    assert "very recording that this memory holds as session 'room'" in said and "--session room" in said
    assert run_json(capsys, "build", renamed, "--out", memory, "--append", "--session", "room")["stored"] == 0


def test_a_recording_of_which_nothing_is_stored_leaves_no_session(memory, tmp_path, capsys):
    before, blind = memory.read_bytes(), cut_recording(tmp_path / "blind", (40, 45))
    depth = {path: path.read_bytes() for path in (blind / "depth").iterdir()}
    for path in depth:
        cv2.imwrite(str(path), np.zeros((240, 320), np.uint16))
    arguments = ("build", blind, "--out", memory, "--append", "--same-world")
    out = run_json(capsys, *arguments)
    assert out["stored"] == 0 and out["skipped"] == {"no usable depth reading": 2}
    assert memory.read_bytes() == before
    min(depth).write_bytes(depth[min(depth)])  # its first frame can be used now
    assert run_json(capsys, *arguments)["stored"] == 1 and sessions(memory) == ["room"] * len(FRAMES) + ["blind"]


def test_same_world_does_not_contradict_a_declared_place(memory, tmp_path, capsys):
    hall, away = cut_recording(tmp_path / "hall", (40, 45)), np.eye(4)
    away[0, 3] = 3.0
    with SpatialMemory.open(memory, "a") as opened:
        opened.add_session("hall", away)
    run("build", hall, "--out", memory, "--append", "--same-world", code=1)
    assert "leave --same-world out" in capsys.readouterr().err
    assert run_json(capsys, "build", hall, "--out", memory, "--append")["stored"] == 2


def test_overwriting_fails_without_harm(memory, tmp_path, capsys):
    before = memory.read_bytes()
    broken = cut_recording(tmp_path / "broken", FRAMES)
    for line in range(len(FRAMES)):
        change_pose(broken, line, f"{1767261600 + line} {LOST}")
    run("build", broken, "--out", memory, "--overwrite", code=1)
    (broken / "poses.txt").unlink()
    run("build", broken, "--out", memory, "--overwrite", code=1)
    half = cut_recording(tmp_path / "half", FRAMES)
    (half / "rgb" / "0020.jpg").write_bytes(b"broken")
    run("build", half, "--out", memory, "--overwrite", "--strict", code=1)
    blind = cut_recording(tmp_path / "blind", FRAMES)
    for path in (blind / "depth").iterdir():
        cv2.imwrite(str(path), np.zeros((240, 320), np.uint16))
    run("build", blind, "--out", memory, "--overwrite", code=1)
    assert f"{memory} is still the old memory" in capsys.readouterr().err
    assert memory.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mem", "blind", "broken", "half"]


def test_a_memory_that_is_being_written_is_not_overwritten(memory, room, capsys):
    with SpatialMemory.open(memory, "a"):
        run("build", room, "--out", memory, "--overwrite", code=1)
    assert "is open for appending" in capsys.readouterr().err
    assert len(sessions(memory)) == len(FRAMES)


def wait_for(stream, text):
    for line in stream:
        if text in line:
            return
    raise AssertionError(f"the process ended without saying {text!r}")


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_a_stopped_replacement_leaves_the_old_memory(memory, room, tmp_path, ending):
    before = memory.read_bytes()
    build = process("build", KITCHENETTE, "--out", memory, "--overwrite", "--store-all")
    wait_for(build.stderr, "frame 1 of 72")
    build.send_signal(ending)
    _, err = build.communicate(timeout=100)
    assert memory.read_bytes() == before and sessions(memory) == ["room"] * len(FRAMES)
    if ending == signal.SIGINT:
        assert build.returncode == 130 and "is still the old memory" in err
        assert [path.name for path in tmp_path.iterdir()] == ["a.mem"]
    else:
        assert (tmp_path / "a.mem-building").exists()
    run("build", room, "--out", memory, "--overwrite", "--max-frames", "3", "--store-all", "--quiet")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mem"] and len(sessions(memory)) == 3


def test_a_link_to_a_memory_goes_on_pointing_to_it(memory, room, tmp_path):
    link = tmp_path / "link.mem"
    link.symlink_to(memory)
    run("build", room, "--out", link, "--overwrite", "--max-frames", "2", "--store-all", "--quiet")
    assert link.is_symlink() and len(sessions(memory)) == 2
