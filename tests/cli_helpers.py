"""Small recordings cut from the demo recording, and the command run inside and outside this process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import pytest

from spatialmem.cli import main

ROOT = Path(__file__).resolve().parents[1]
KITCHENETTE = ROOT / "assets" / "kitchenette"
COMMAND = [sys.executable, "-m", "spatialmem.cli"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160"}


def cut_recording(folder: Path, frames: Sequence[int], up: bool = True, depth: bool = True) -> Path:
    """A plain folder with some frames of the demo recording."""
    lines = [line for line in (KITCHENETTE / "poses.txt").read_text().splitlines() if not line.startswith("#")]
    kinds = [("rgb", "jpg"), *([("depth", "png")] if depth else [])]
    for name, suffix in kinds:
        (folder / name).mkdir(parents=True)
        for i in frames:
            shutil.copy(KITCHENETTE / name / f"{i:04d}.{suffix}", folder / name)
    (folder / "poses.txt").write_text("\n".join(lines[i] for i in frames) + "\n")
    shutil.copy(KITCHENETTE / "intrinsics.txt", folder)
    settings = json.loads((KITCHENETTE / "spatialmem.json").read_text())
    if not up:
        del settings["up"]
    (folder / "spatialmem.json").write_text(json.dumps(settings))
    return folder


def change_pose(folder: Path, line: int, text: str) -> None:
    """Replace one line of poses.txt."""
    lines = (folder / "poses.txt").read_text().splitlines()
    lines[line] = text
    (folder / "poses.txt").write_text("\n".join(lines) + "\n")


def run(*arguments: object, code: int = 0) -> None:
    """`spatialmem ARGUMENTS`, in this process."""
    assert main([str(argument) for argument in arguments]) == code


def run_json(capsys: pytest.CaptureFixture, *arguments: object, code: int = 0) -> dict[str, Any]:
    """The one object that `spatialmem ARGUMENTS --json` prints."""
    capsys.readouterr()
    run(*arguments, "--json", code=code)
    out = capsys.readouterr().out
    assert out.endswith("\n") and out.count("\n") == 1, out
    return json.loads(out)


def process(*arguments: object) -> subprocess.Popen[str]:
    """`spatialmem ARGUMENTS` as a process of its own, with pipes."""
    command = [*COMMAND, *map(str, arguments)]
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of an image file."""
    image = cv2.imread(str(path))
    assert image is not None
    return image.shape[1], image.shape[0]
