"""How a reader is found: by the path, by name, from a plug-in; and what is said when none fits."""

from __future__ import annotations

import json
import sys
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from recordings import save_text, walk, write_folder, write_matrix_folder, write_tum

from spatialmem import io
from spatialmem.errors import InvalidValue, ReadError, UnknownName
from spatialmem.io import BadReason, Reader, read
from spatialmem.io.check_reader import check_reader, same_frame
from spatialmem.io.export_folder import write_plain_folder
from spatialmem.types import Frame


def test_an_unknown_layout_lists_what_is_there_and_what_is_known(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(ReadError) as caught:
        read(tmp_path)
    said = str(caught.value)
    assert "notes.txt, pictures/" in said
    for name in io.READERS:
        assert f"\n  {name}: " in said
    with pytest.raises(ReadError, match="there is no"):
        read(tmp_path / "nowhere")
    with pytest.raises(ReadError, match="an empty folder"):
        read(tmp_path / "pictures")
    with pytest.raises(ReadError, match="a file of 5 bytes"):
        read(tmp_path / "notes.txt")


def test_a_format_can_be_named(tmp_path):
    path = write_folder(tmp_path / "a", walk(2))
    assert len(read(path, format="folder")) == 2
    assert len(read(path, format="spatialmem.io.folder:FolderReader")) == 2
    with pytest.raises(UnknownName, match="did you mean 'folder'"):
        read(path, format="foldr")
    with pytest.raises(ReadError, match="module:Class"):
        read(path, format="no.such.module:Reader")
    with pytest.raises(ReadError, match="no subclass"):
        read(path, format="pathlib:Path")


def test_options_are_checked_against_the_reader(tmp_path):
    path = write_tum(tmp_path / "a", walk(2))
    with pytest.raises(InvalidValue, match="did you mean 'max_dt_s'"):
        read(path, max_dt=0.1)
    assert len(read(path, max_dt_s=0.01)) == 2
    with pytest.raises(ReadError, match="lists no frame"):
        read(path, max_dt_s=0.001)


def test_frames_and_readers_pass_through(tmp_path):
    frames = walk(3)
    reader = read([frames[0], frames[2], frames[1]])
    assert [frame.seq for frame in reader] == [0, 2]
    assert reader.report.skipped == {BadReason.TIME_BACKWARDS: 1}
    assert read(reader) is reader


class PluggedReader(Reader):
    format_name = "plugged"
    layout = "one file called plugged"

    @classmethod
    def recognises(cls, path):
        return (path / "plugged").exists()

    def __len__(self):
        return 2

    def read_frame(self, index):
        return walk(2)[index]


def plug_in(monkeypatch, *entries: tuple[str, str]) -> None:
    points = [EntryPoint(name, value, "spatialmem.readers") for name, value in entries]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points if "readers" in group else [])
    monkeypatch.setitem(sys.modules, "plugged_module", sys.modules[__name__])


def test_a_plug_in_is_tried_and_a_broken_one_is_logged(monkeypatch, tmp_path, caplog):
    (tmp_path / "plugged").touch()
    plug_in(
        monkeypatch, ("broken", "no_such_module:X"), ("odd", "json:dumps"), ("plugged", "plugged_module:PluggedReader")
    )
    reader = read(tmp_path)
    assert isinstance(reader, PluggedReader)
    assert "broken" in caplog.text and "odd" in caplog.text
    assert check_reader(reader) == []
    assert isinstance(read(tmp_path, format="plugged"), PluggedReader)
    with pytest.raises(UnknownName, match="plugged"):
        read(tmp_path, format="plugge")


class SloppyReader(PluggedReader):
    """Everything a reader must not do: one array for all, state that changes, poses the wrong way round."""

    def __init__(self, path):
        super().__init__(path)
        self.frames = [frame.with_pose(np.linalg.inv(frame.world_from_camera)) for frame in walk(2)]

    def __getitem__(self, index):
        return self.frames[index % 2]


def test_the_checker_finds_what_is_wrong(tmp_path):
    problems = "\n".join(check_reader(SloppyReader(tmp_path)))
    assert "poses inverted" in problems
    assert "expected IndexError" in problems
    assert "hand out new arrays" in problems


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"depth_scal": 1000}, "did you mean 'depth_scale'"),
        ({"brightness": 1}, "known keys: depth_scale"),
        ({"depth_scale": 0}, "must be positive"),
        ({"depth_scale": "1000"}, "finite number"),
        ({"camera_axes": "opengl "}, "must be one of opencv, opengl, ros_body"),
        ({"pose_format": "matrix"}, "expected 16 values"),
        ({"stamps": "file"}, "stamps.txt"),
        ({"up": [0, 0, 0]}, "must be a direction"),
        ({"up": [0, 1]}, "three numbers"),
        ({"frame_id": ""}, "must be a name"),
        ([1], "one JSON object"),
    ],
)
def test_spatialmem_json_is_held_to_its_keys(tmp_path, values, said):
    path = write_folder(tmp_path / "a", walk(2))
    (path / "spatialmem.json").write_text(json.dumps(values))
    with pytest.raises(ReadError, match=said):
        read(path)


@pytest.mark.parametrize("axes", ["opencv", "opengl", "ros_body"])
@pytest.mark.parametrize("direction", ["world_from_camera", "camera_from_world"])
def test_declared_axes_and_directions_are_converted(tmp_path, axes, direction):
    frames = walk(4)
    theirs_from_opencv = {
        "opencv": np.eye(4),
        "opengl": np.diag([1.0, -1.0, -1.0, 1.0]),
        "ros_body": np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]]),
    }[axes]
    poses = [frame.world_from_camera @ np.linalg.inv(theirs_from_opencv) for frame in frames]
    if direction == "camera_from_world":
        poses = [np.linalg.inv(pose) for pose in poses]
    path = write_matrix_folder(tmp_path / "a", frames)
    save_text(path / "poses.txt", [" ".join(f"{v:.9f}" for v in pose.ravel()) for pose in poses])
    if axes != "opencv":
        problems = check_reader(read(path, depth_scale=1000))
        assert any("disagrees" in problem for problem in problems)
    declared = {"camera_axes": axes, "poses": direction, "depth_scale": 1000, "fps": 10, "up": [0, 0, 2]}
    (path / "spatialmem.json").write_text(json.dumps(declared))
    reader = read(path)
    assert check_reader(reader) == []
    assert reader.up_in_world == (0, 0, 1)
    for given, frame in zip(reader, frames, strict=True):
        np.testing.assert_allclose(given.world_from_camera, frame.world_from_camera, atol=1e-6)
    assert [frame.stamp_ns for frame in reader] == [0, 100_000_000, 200_000_000, 300_000_000]


def test_an_undeclared_depth_scale_is_reported_and_near_scenes_are_suspect(tmp_path):
    frames = [_nearer(frame) for frame in walk(2)]
    path = write_matrix_folder(tmp_path / "a", frames)
    reader = read(path)
    assert any("16-bit depth is taken as millimetres" in note for note in reader.report.notes)
    with pytest.raises(ReadError, match="never exceeds 1.0"):
        list(reader)
    assert len(list(read(path, depth_scale=1000.0))) == 2


def test_the_plain_folder_keeps_stamps_poses_and_masks(tmp_path):
    frames = [_masked(frame) for frame in walk(3)]
    lost = Frame(frames[1].rgb, frames[1].depth_m, frames[1].camera, None, frames[1].stamp_ns, valid=frames[1].valid)
    path = write_plain_folder(tmp_path / "a", [frames[0], lost, frames[2]], frame_id="map", up=(0, 0, 1))
    reader = read(path)
    delivered = list(reader)
    assert reader.report.skipped == {BadReason.LOST_POSE: 1}
    assert reader.frame_id == "map"
    for given, frame in zip(delivered, [frames[0], frames[2]], strict=True):
        assert given.stamp_ns == frame.stamp_ns
        assert np.array_equal(given.rgb, frame.rgb) and np.array_equal(given.valid, frame.valid)
        np.testing.assert_allclose(given.world_from_camera, frame.world_from_camera, atol=1e-12)
        np.testing.assert_allclose(given.depth_m, frame.depth_m, atol=1.01e-4)
    again = write_plain_folder(tmp_path / "b", read(path))
    assert all(a.stamp_ns == b.stamp_ns for a, b in zip(read(again), delivered, strict=True))


def test_the_plain_folder_refuses_what_it_cannot_hold(tmp_path):
    frame = walk(1)[0]
    with pytest.raises(InvalidValue, match="does not fit a 16-bit image"):
        write_plain_folder(tmp_path / "a", [frame], depth_scale=50_000)
    with pytest.raises(InvalidValue, match="not an empty folder"):
        write_plain_folder(tmp_path / "a", [frame])
    with pytest.raises(InvalidValue, match="no frames"):
        write_plain_folder(tmp_path / "b", [])
    with pytest.raises(InvalidValue, match="one camera"):
        write_plain_folder(tmp_path / "c", [frame, walk(1, 80, 60)[0]])


def test_float_arrays_and_colour_alone_are_read(tmp_path):
    frames = walk(2)
    path = write_matrix_folder(tmp_path / "a", frames)
    for i, frame in enumerate(frames):
        (path / "depth" / f"{i}.png").unlink()
        np.save(path / "depth" / f"{i}.npy", frame.depth_m)
    for given, frame in zip(read(path), frames, strict=True):
        np.testing.assert_array_equal(given.depth_m, frame.depth_m)
    for file in (path / "depth").iterdir():
        file.unlink()
    (path / "depth").rmdir()
    assert [frame.depth_m for frame in read(path)] == [None, None]


def test_poses_and_images_must_be_as_many(tmp_path):
    path = write_folder(tmp_path / "a", walk(3))
    lines = (path / "poses.txt").read_text().splitlines()
    (path / "poses.txt").write_text("\n".join(lines[:-1]))
    with pytest.raises(ReadError, match="3 images and poses.txt 2 poses"):
        read(path)


def test_iterations_are_independent(tmp_path):
    reader = read(write_folder(tmp_path / "a", walk(3)))
    one, two = iter(reader), iter(reader)
    assert all(same_frame(next(one), next(two)) for _ in range(3))


def _nearer(frame: Frame) -> Frame:
    assert frame.depth_m is not None
    return Frame(frame.rgb, frame.depth_m * 0.1, frame.camera, frame.world_from_camera, frame.stamp_ns, depth_unit="m")


def _masked(frame: Frame) -> Frame:
    valid = np.ones(frame.rgb.shape[:2], bool)
    valid[:10, frame.seq :] = False
    return Frame(frame.rgb, frame.depth_m, frame.camera, frame.world_from_camera, frame.stamp_ns, valid=valid)
