"""`spatialmem merge`, and `build --append` of a recording that is found in the map."""

from __future__ import annotations

import numpy as np
import pytest
from cli_helpers import cut_recording, run, run_json
from scipy.spatial.transform import Rotation

from spatialmem import SpatialMemory, read
from spatialmem import geometry as g

THERE = g.make_transform(g.exp_so3((0.0, 0.1, 1.2)), (0.8, -0.5, 0.2))
"""where the other recording's world lies in the map"""


def moved(folder, frames):
    """A recording in a world of its own."""
    recording = cut_recording(folder, frames, up=False)
    lines = []
    for line in (recording / "poses.txt").read_text().splitlines():
        stamp, x, y, z, *quat_xyzw = map(float, line.split())
        pose = g.make_transform(Rotation.from_quat(quat_xyzw).as_matrix(), (x, y, z))
        away = g.inverse(THERE) @ pose
        numbers = (*away[:3, 3], *Rotation.from_matrix(away[:3, :3]).as_quat())
        lines.append(" ".join([line.split()[0], *(f"{n:.9f}" for n in numbers)]))
    (recording / "poses.txt").write_text("\n".join(lines) + "\n")
    return recording


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    return cut_recording(folder / "morning", range(0, 72, 2)), moved(folder / "evening", range(1, 72, 6))


@pytest.fixture(scope="module")
def built(recordings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    for recording in recordings:
        run("build", recording, "--out", folder / f"{recording.name}.mem", "--store-all", "--quiet")
    return folder


@pytest.fixture
def folder(built, tmp_path):
    for path in built.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def assert_in_place(path, recording):
    """The frames of the session stand where the recording says, seen from the map."""
    poses = {frame.seq: THERE @ frame.pose for frame in read(recording)}
    with SpatialMemory.open(path) as memory:
        there = [k for k in memory.trajectory() if k.session_id.endswith("evening")]
        assert len(there) == len(poses)
        for keyframe in there:
            distance, angle = g.pose_difference(keyframe.map_from_camera, poses[keyframe.seq])
            assert distance < 0.03 and np.rad2deg(angle) < 1.0
        assert memory.check() == []


def test_a_recording_with_a_world_of_its_own_is_found_in_the_map(folder, recordings, capsys):
    path = folder / "morning.mem"
    out = run_json(capsys, "build", recordings[1], "--out", path, "--append")
    assert out["stored"] == 12
    assert_in_place(path, recordings[1])
    assert run_json(capsys, "build", recordings[1], "--out", path, "--append")["stored"] == 0


def test_it_says_how_it_was_found(folder, recordings, capsys):
    run("build", recordings[1], "--out", folder / "morning.mem", "--append", "--quiet")
    said = capsys.readouterr().err
    assert "was found in the map" in said and "frames agree within" in said and "session 'evening'" in said


def test_a_memory_is_merged_where_it_is_found(folder, recordings, capsys):
    path, other = folder / "morning.mem", folder / "evening.mem"
    before = other.read_bytes()
    out = run_json(capsys, "merge", path, other)
    assert out["stored"] == 12 and out["frames"] == 48 and out["sessions"] == ["evening/evening"]
    assert out["localised"]["agreed"] >= 3 and np.shape(out["map_from_other"]) == (4, 4)
    assert other.read_bytes() == before
    assert_in_place(path, recordings[1])
    run("merge", path, other)
    captured = capsys.readouterr()
    told = " ".join(captured.out.split())
    assert "frame 1 of 12: 0 stored" in captured.err
    run("merge", path, other, "--quiet")
    assert capsys.readouterr().err == ""
    assert "0 frames of" in told and "12 duplicate" in told and "known" in told


def test_what_is_not_found_is_refused_until_it_is_said(folder, tmp_path, capsys):
    few = cut_recording(tmp_path / "few", (3, 4))
    run("build", few, "--out", tmp_path / "few.mem", "--store-all", "--quiet")
    before = (folder / "morning.mem").read_bytes()
    out = run_json(capsys, "merge", folder / "morning.mem", tmp_path / "few.mem", code=1)
    assert (
        out["kind"] == "UnplacedSession" and "it takes 3 that agree" in out["error"] and "--same-world" in out["error"]
    )
    assert (folder / "morning.mem").read_bytes() == before
    arguments = ("--same-world", "--name", "robot 2")
    out = run_json(capsys, "merge", folder / "morning.mem", tmp_path / "few.mem", *arguments)
    assert out["stored"] == 2 and out["localised"] is None and out["sessions"] == ["robot 2/few"]
    assert np.array_equal(out["map_from_other"], np.eye(4))
