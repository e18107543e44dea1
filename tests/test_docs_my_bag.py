"""docs/my-bag.md: its code is run on a bag, and it names every option of the reader."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from bags import RGB_INFO, BagWriter, write_bag
from recordings import walk
from test_rosbag import write_images, write_tum

from spatialmem.io import read
from spatialmem.io.rosbag import RosbagReader

PAGE = (Path(__file__).parents[1] / "docs" / "my-bag.md").read_text()
CODE = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)


class Counting:
    """Stands for a memory."""

    def __init__(self) -> None:
        self.frames = []

    def observe(self, frame) -> None:
        self.frames.append(frame)


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_reading_and_checking(here, capsys):
    assert len(CODE) == 3
    write_bag(here / "my_bag", walk(12), "mcap")
    space = {"memory": Counting()}
    exec(CODE[0], space)
    assert len(space["memory"].frames) == 12
    exec(CODE[2], space)
    said = capsys.readouterr().out
    assert "12 frames read, 0 skipped" in said and "fits {'poses': 'world_from_camera'" in said


def test_without_poses(here):
    frames = walk(4)
    with BagWriter(here / "my_bag", "sqlite3") as bag:
        bag.info(RGB_INFO, 5, frames[0].camera)
        for frame in frames:
            write_images(bag, frame)
    write_tum(here / "camera.txt", [f.stamp_ns for f in frames], [f.world_from_camera for f in frames])
    space = {"read": read}
    exec(CODE[1], space)
    assert len(list(space["reader"])) == 4


def test_every_option_is_on_the_page():
    options = set(inspect.signature(RosbagReader).parameters) - {"path", "strict", "session_id"}
    assert [name for name in options if f"`{name}`" not in PAGE] == []
