"""A memory as a Rerun recording, read back by Rerun's own reader."""

from __future__ import annotations

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from cli_helpers import run, run_json
from rerun.chunk import RrdReader

from spatialmem import SpatialMemory, errors
from spatialmem.view.rerun_file import write_rerun

FRAMES = 6


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("rrd") / "room.mem"
    with mh.create(path, room.room_frames(FRAMES)) as memory:
        memory.declare_up((0.0, 1.0, 0.0))  # not z, so that a frame left unturned would be seen
    return path


def chunks(path):
    """Columns of a recording: (entity, column name) -> values in the order of the file."""
    found = {}
    for chunk in RrdReader(path).stream():
        batch = chunk.to_record_batch()
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            found.setdefault((chunk.entity_path, name), []).extend(
                column.cast("int64").to_pylist() if name == "log_time" else column.to_pylist()
            )
    return found


def test_what_is_written_reads_back(path, tmp_path, capsys):
    out = run_json(capsys, "export", path, "--rrd", tmp_path / "room.rrd")
    found = chunks(tmp_path / "room.rrd")
    with SpatialMemory.open(path) as memory:
        points, keyframes = memory.points().position_m, memory.trajectory()
    assert out["rrd"]["points"] == len(points) and out["rrd"]["frames"] == FRAMES
    surface = [value for (entity, name), values in found.items() for value in values
               if entity.startswith(("/map/surface/", "/map/ceiling/")) and name == "Points3D:positions"]  # fmt: skip
    shown = np.concatenate([np.array(value, np.float32) for value in surface])
    np.testing.assert_array_equal(shown[np.lexsort(shown.T)], points[np.lexsort(points.T)])
    camera = "/map/cameras/main/camera"
    translation = np.array(found[camera, "Transform3D:translation"], np.float64).reshape(-1, 3)
    np.testing.assert_allclose(translation, [k.map_from_camera[:3, 3] for k in keyframes], atol=1e-6)
    columns = np.array(found[camera, "Transform3D:mat3x3"], np.float64).reshape(-1, 3, 3)  # Rerun's are column-major
    np.testing.assert_allclose(columns.transpose(0, 2, 1), [k.map_from_camera[:3, :3] for k in keyframes], atol=1e-6)
    assert found[camera, "frame"] == [k.lsn for k in keyframes]
    assert len(found[f"{camera}/rgb", "EncodedImage:blob"]) == FRAMES
    turned = np.array(found["/map", "Transform3D:mat3x3"][0], np.float64).reshape(3, 3).T
    np.testing.assert_allclose(turned @ (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), atol=1e-6)


def test_a_picture_that_is_no_longer_stored_is_left_out(path, tmp_path, monkeypatch):
    original = SpatialMemory.keyframe

    def keyframe(memory, lsn):
        if lsn == 3:
            raise errors.MemoryFileError("row 3 of table frames is missing")
        return original(memory, lsn)

    monkeypatch.setattr(SpatialMemory, "keyframe", keyframe)
    with SpatialMemory.open(path) as memory:
        written = write_rerun(memory, tmp_path / "room.rrd")
    found = chunks(tmp_path / "room.rrd")
    assert (written["frames"], written["pictures"]) == (FRAMES, FRAMES - 1)
    assert found["/map/cameras/main/camera", "frame"] == list(range(1, FRAMES + 1))
    assert len(found["/map/cameras/main/camera/rgb", "EncodedImage:blob"]) == FRAMES - 1


def test_a_recording_that_cannot_be_written_leaves_nothing(path, tmp_path, capsys):
    run("export", path, "--rrd", tmp_path / "absent" / "room.rrd", code=1)
    assert "mkdir -p" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_missing_is_named(path, tmp_path, monkeypatch):
    def absent(module):
        raise ModuleNotFoundError(name=module)

    with monkeypatch.context() as patch:
        patch.setattr(errors.importlib, "import_module", absent)
        with SpatialMemory.open(path) as memory, pytest.raises(errors.MissingDependency, match=r"spatialmem\[rerun\]"):
            write_rerun(memory, tmp_path / "room.rrd")
    assert not (tmp_path / "room.rrd").exists()
