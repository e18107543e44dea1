"""Compiled kernels must not outlive the sources they were made from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMPILED = Path(__file__).parents[1] / "spatialmem" / "voxels" / "compiled.py"


def run(folder: Path, package: str) -> int:
    program = f"from {package}.use import scaled; print(scaled(10))"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.parametrize(("user", "changes"), [("kernels", "kernels"), ("room", "room"), ("room", "kernels")])
def test_a_constant_changed_in_another_file_is_noticed(tmp_path: Path, user: str, changes: str):
    """The compiled function stands in use.py, beside compiled.py or in a folder of its own; only factor.py changes."""
    for name in {"kernels", user}:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "kernels" / "compiled.py").write_text(COMPILED.read_text())
    factor = tmp_path / changes / "factor.py"
    factor.write_text("FACTOR = 2\n")
    (tmp_path / user / "use.py").write_text(
        f"from kernels.compiled import leaf\nfrom {changes}.factor import FACTOR\n\n\n"
        "@leaf\ndef scaled(value):\n    return value * FACTOR\n"
    )
    assert run(tmp_path, user) == 20
    assert list((tmp_path / user).glob("__pycache__/*.nbc")), "nothing was cached, so the test says nothing"
    assert run(tmp_path, user) == 20
    factor.write_text("FACTOR = 7\n")
    assert run(tmp_path, user) == 70
