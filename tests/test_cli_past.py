"""`spatialmem correct` and `spatialmem forget`."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from cli_helpers import run, run_json
from test_correction import corrections

from spatialmem.io.export_trajectory import write_trajectory_tum
from spatialmem.memory import SpatialMemory


@pytest.fixture
def path(walked, tmp_path):
    return shutil.copyfile(walked, tmp_path / "a.mem")


def test_a_corrected_trajectory(path, tmp_path, capsys):
    with SpatialMemory.open(path) as memory:
        wanted = corrections(memory, range(1, 21), seed=8)
        stamps = [k.stamp_ns for k in memory.trajectory()]
    write_trajectory_tum(tmp_path / "better.txt", stamps, list(wanted.values()))
    out = run_json(capsys, "correct", path, "--trajectory", tmp_path / "better.txt")
    assert out["recorded"] == out["applied"] == 20 and out["surface_blocks"] > 100
    with SpatialMemory.open(path) as memory:
        for keyframe in memory.trajectory():
            np.testing.assert_allclose(keyframe.map_from_camera, wanted[keyframe.lsn], atol=1e-5)
        assert memory.check() == []
    run("correct", path, "--trajectory", tmp_path / "better.txt")
    assert "0 of them far enough" in " ".join(capsys.readouterr().out.split())


def test_a_trajectory_of_something_else_is_refused(path, tmp_path, capsys):
    write_trajectory_tum(tmp_path / "other.txt", [17], [np.eye(4)])
    assert run("correct", path, "--trajectory", tmp_path / "other.txt", code=1) is None
    assert "none of the 1 stamps" in capsys.readouterr().err


def test_forgetting_frames(path, capsys):
    out = run_json(capsys, "forget", path, "--frames", "3", "4")
    assert (out["frames"], out["frames_left"]) == (2, 18)
    out = run_json(capsys, "forget", path, "--box", "1.4", "-0.4", "0.4", "2.1", "0.4", "1.2")
    assert out["frames"] > 0 and out["frames_left"] == 18 - out["frames"]
    run("forget", path, code=1)
    assert "forget what" in capsys.readouterr().err
