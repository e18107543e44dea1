"""The code in docs/readers.md runs as it stands there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from recordings import save, save_depth, walk, write_folder

from spatialmem.io import BadReason, read
from spatialmem.io.check_reader import check_reader
from spatialmem.io.settings import FolderSettings

PAGE = Path(__file__).parents[1] / "docs" / "readers.md"


@pytest.fixture
def blocks() -> list[str]:
    """The python blocks of the page: reading, an own reader, checking it."""
    found = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.S)
    assert len(found) == 3
    return found


@pytest.fixture
def capture(tmp_path) -> Path:
    path = tmp_path / "path" / "to" / "capture"
    shots = []
    for i, frame in enumerate(walk(4)):
        save(path / f"{i}.jpg", frame.rgb)
        save_depth(path / f"{i}.depth.png", frame, 1000.0)
        c, pose = frame.camera, frame.world_from_camera.tolist()
        intrinsics = [c.fx, c.fy, c.cx, c.cy, c.width, c.height]
        shot = {"rgb": f"{i}.jpg", "depth": f"{i}.depth.png", "stamp_ns": frame.stamp_ns}
        shots.append({**shot, "fx_fy_cx_cy_width_height": intrinsics, "world_from_camera": pose})
    (path / "capture.json").write_text(json.dumps(shots))
    return path


def test_the_first_example_reads_a_recording(blocks, tmp_path, monkeypatch, capsys):
    (tmp_path / "path" / "to").mkdir(parents=True)
    write_folder(tmp_path / "path" / "to" / "recording", walk(2))
    monkeypatch.chdir(tmp_path)
    exec(blocks[0], {})
    assert "2 frames read, 0 skipped" in capsys.readouterr().out


def test_the_example_of_an_own_reader_is_short_sound_and_robust(blocks, capture, tmp_path, monkeypatch):
    space: dict = {"__name__": "example"}
    exec(blocks[1], space)
    body = [line for line in blocks[1].split("class ")[1].splitlines() if line.strip()]
    assert len(body) <= 13
    kind = space["CaptureReader"]
    assert check_reader(kind(capture)) == []
    monkeypatch.chdir(tmp_path)
    exec(blocks[2], space)
    (capture / "2.jpg").write_bytes(b"broken")
    reader = kind(capture, session_id="b")
    assert [frame.seq for frame in reader] == [0, 1, 3]
    assert reader.report.skipped == {BadReason.UNREADABLE: 1}
    assert [frame.session_id for frame in reader] == ["b"] * 3


def test_every_key_of_the_plain_folder_is_on_the_page():
    text = PAGE.read_text()
    for key in FolderSettings.__dataclass_fields__:
        assert f"| `{key}` |" in text


def test_every_format_is_on_the_page():
    from spatialmem.io import READERS

    text = PAGE.read_text()
    assert all(f"| `{name}` |" in text for name in READERS)


def test_formats_without_stamps_take_a_frame_rate(tmp_path):
    from recordings import WRITERS

    for name in ("7scenes", "redwood", "replica", "scannet"):
        path = WRITERS[name](tmp_path / name, walk(2))
        assert read(path, fps=10)[1].stamp_ns == 100_000_000
