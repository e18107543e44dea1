"""The way round the torchvision error is taken for that error alone. In processes of their own: imports stick."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
NEEDS_OPERATOR = """
import torch
@torch.library.register_fake("torchvision::nms")
def fake(dets, scores, iou_threshold):
    return dets
"""
CASES = {
    "sound": "",
    "the error": NEEDS_OPERATOR,
    "out of luck": "raise RuntimeError('out of luck')",
    "libcuda": "raise ImportError('libcuda')",
    "missing": None,
}
"""what stands in the torchvision that is imported; None: there is none"""
TRY = """
import json, os, sys
import torch
from spatialmem.perception.torchvision_compat import import_torchvision

def said():
    try:
        return str(import_torchvision())
    except Exception as error:
        return f"{type(error).__name__} {error}"

for name, folder in json.loads(sys.argv[1]).items():
    if os.fork() == 0:
        if folder is None:
            sys.modules["torchvision"] = None
        else:
            sys.path.insert(0, folder)
        print(json.dumps({name: said()}), flush=True)
        os._exit(0)
    os.wait()
"""
"""forks for each case: importing torch takes longer than all else"""


@pytest.fixture(scope="module")
def said(tmp_path_factory) -> dict[str, str]:
    """What importing it comes to in each case."""
    pytest.importorskip("torch")
    folders = {}
    for name, body in CASES.items():
        folders[name] = None if body is None else str(tmp_path_factory.mktemp("case"))
        if body is not None:
            (Path(folders[name]) / "torchvision").mkdir()
            (Path(folders[name]) / "torchvision" / "__init__.py").write_text(body)
    code = f"import sys; sys.path[:0] = [{str(REPOSITORY)!r}]\n" + TRY
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(folders)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name: what for line in done.stdout.splitlines() for name, what in json.loads(line).items()}


def test_sound_torchvision_is_left_alone(said):
    assert said["sound"] == "False"


def test_the_error_is_met(said):
    import torch

    expected = "True" if torch.version.cuda is None else "RuntimeError operator torchvision::nms does not exist"
    assert said["the error"] == expected


def test_other_errors_are_raised_as_they_are(said):
    assert said["out of luck"] == "RuntimeError out of luck" and said["libcuda"] == "ImportError libcuda"


def test_missing_torchvision_names_the_command(said):
    assert "pip install 'spatialmem[clip]'" in said["missing"]
