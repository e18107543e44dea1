"""Compiled kernels must not outlive the sources they were made from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = "from kernels.use import scaled; print(scaled(10))"


def run(folder: Path) -> int:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=folder, capture_output=True, text=True, check=True)
    return int(done.stdout)


def test_a_constant_changed_in_another_file_is_noticed(tmp_path: Path):
    """The compiled function stands in use.py; only factor.py changes."""
    compiled = Path(__file__).parents[1] / "spatialmem" / "voxels" / "compiled.py"
    folder = tmp_path / "kernels"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "compiled.py").write_text(compiled.read_text())
    (folder / "factor.py").write_text("FACTOR = 2\n")
    (folder / "use.py").write_text(
        "from kernels.compiled import leaf\nfrom kernels.factor import FACTOR\n\n\n"
        "@leaf\ndef scaled(value):\n    return value * FACTOR\n"
    )
    assert run(tmp_path) == 20
    assert list(folder.glob("__pycache__/*.nbc")), "nothing was cached, so the test says nothing"
    assert run(tmp_path) == 20
    (folder / "factor.py").write_text("FACTOR = 7\n")
    assert run(tmp_path) == 70
