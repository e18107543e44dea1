"""Every example runs as it is, on few frames of the demo recording, and says what it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("[0-9]*.py"))
CASES = {
    "01_build_and_ask": (["--every", "6"], r"yellow cup: [1-9](.|\n)*something purple: 0 found"),
    "02_own_reader": ([], r"8 frames, [1-8] stored\nblue things at \[\[0\.\d"),
    "03_render_view": (["--every", "6"], r"surface in [3-9]\d % of the pixels"),
    "04_live_loop": (["--frames", "12"], r"after \d+ frames: blue at \[\[0\.\d"),
    "05_walk_and_remember": (["--steps", "30"], r"\d+ frames of scene 0 stored(.|\n)*green at .*: 0\.0\d m .*green"),
    "06_own_agent": (["--episodes", "1", "--steps", "8"], r"careful: SPL [01]\.\d\d(.|\n)*1 episodes, 1 houses"),
    "07_ask_a_planner": (
        [],
        r"a cup: go to object 2 .*\na bed: explore frontier 1 .*\nWhat.*: yellow .*\n4 calls.* 1 answers",
    ),
}


def test_every_example_has_a_case():
    assert [path.stem for path in EXAMPLES] == sorted(CASES)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example(path, tmp_path):
    arguments, expected = CASES[path.stem]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", str(path), *arguments]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert re.search(expected, done.stdout), done.stdout


def test_the_readme_runs(tmp_path):
    (block,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    script = tmp_path / "readme.py"
    script.write_text(block.replace('"kitchen.mem"', repr(str(tmp_path / "kitchen.mem"))) + "print(state)\n")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", str(script)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr
    assert "[2.11 1.45 0.85]" in done.stdout and done.stdout.endswith("[2]\n")


PAGES = (
    "README.md",
    "docs/index.md",
    "docs/cli.md",
    "docs/view.md",
    "docs/environments.md",
    "docs/planner.md",
    "assets/README.md",
)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    path = ROOT / page
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", path.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_the_page_of_the_command_names_every_verb_and_field():
    from spatialmem.cli import VERBS

    text = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert [verb for verb in VERBS if f"spatialmem {verb}" not in text] == []
