"""docs/own-camera.md: its example is executed, and says what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from recordings import walk
from wrong_conventions import Y_UP, truth_of_frames

from spatialmem.cli import main
from spatialmem.conventions import QUESTIONS

PAGE = (Path(__file__).parents[1] / "docs" / "own-camera.md").read_text()


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Path:
    """The recording of the page: OpenGL axes, y up, units of 0.2 mm, nothing declared."""
    truth = truth_of_frames(walk(12), tmp_path / "images", depth_scale=5000.0)
    turned = truth.turned(Y_UP).as_poses(camera_axes="opengl")
    monkeypatch.chdir(tmp_path)
    return turned.copy(Path("desk"), depth_scale=None, up=None)


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.S)
    assert len(found) == 1
    return found[0]


def test_the_answer_on_the_page_is_the_answer(desk, capsys):
    assert main(["check", "desk"]) == 1
    said = [line.strip() for line in capsys.readouterr().out.splitlines()]
    shown = PAGE.partition("The answer, shortened:\n\n```\n")[2].partition("```")[0].splitlines()
    assert len(shown) == 9
    assert [line for line in shown if line not in said] == []


def test_the_example_mends_the_recording(desk, capsys):
    exec(block("python"), {})
    assert capsys.readouterr().out.startswith("wrong {'poses': 'world_from_camera', 'camera_axes': 'opengl'")
    assert json.loads((desk / "spatialmem.json").read_text()) == json.loads(block("json"))


def test_every_question_is_on_the_page():
    assert all(f"| `{question}` |" in PAGE for question in QUESTIONS)
