"""The way round the torchvision error is taken for that error alone. In processes of their own: imports stick."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


def run(code: str, path: Path | None = None) -> str:
    paths = f"import sys; sys.path[:0] = [{str(REPOSITORY)!r}]; sys.path[:0] = {[str(path)] if path else []!r}\n"
    done = subprocess.run([sys.executable, "-c", paths + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def fake_torchvision(folder: Path, body: str) -> Path:
    (folder / "torchvision").mkdir()
    (folder / "torchvision" / "__init__.py").write_text(body)
    return folder


TRY = """
from spatialmem.perception.torchvision_compat import import_torchvision
try:
    print(import_torchvision())
except Exception as error:
    print(type(error).__name__, error)
"""
NEEDS_OPERATOR = """
import torch
@torch.library.register_fake("torchvision::nms")
def fake(dets, scores, iou_threshold):
    return dets
"""


def test_sound_torchvision_is_left_alone(tmp_path):
    assert run(TRY, fake_torchvision(tmp_path, "")) == "False"


def test_the_error_is_met(tmp_path):
    pytest.importorskip("torch")
    import torch

    expected = "True" if torch.version.cuda is None else "RuntimeError operator torchvision::nms does not exist"
    assert run(TRY, fake_torchvision(tmp_path, NEEDS_OPERATOR)) == expected


@pytest.mark.parametrize("body", ["raise RuntimeError('out of luck')", "raise ImportError('libcuda')"])
def test_other_errors_are_raised_as_they_are(tmp_path, body):
    kind, message = body.removeprefix("raise ").rstrip(")").replace("'", "").split("(")
    assert run(TRY, fake_torchvision(tmp_path, body)) == f"{kind} {message}"


def test_missing_torchvision_names_the_command():
    code = "import sys; sys.modules['torchvision'] = None\n" + TRY
    assert "pip install 'spatialmem[clip]'" in run(code)
