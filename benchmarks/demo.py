"""How long `spatialmem demo` takes: a house made, explored, remembered, asked three questions, pictures written.

The command as it is typed, as a process of its own. Cold: an empty NUMBA_CACHE_DIR, as after the installation, so that
every kernel is compiled; warm: the kernels as the run before left them. Expected on 2 quiet cores: 3 x (70 + 25) s.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from common import ROOT, Bench, Wanted, cell, clock

RUNS, QUICK_RUNS = 3, 1


def shown(folder: Path, kernels: Path) -> tuple[float, dict[str, Any]]:
    """Seconds of the command, and the object that it wrote."""
    command = [sys.executable, "-m", "spatialmem.cli", "demo", "--json", "--quiet", "--out", str(folder)]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(kernels), "PYTHONPATH": str(ROOT)}
    start = clock()
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    return clock() - start, json.loads(done.stdout)


def main() -> None:
    parts = [path for folder in ("sim", "policies") for path in (ROOT / folder).rglob("*.py")]
    bench = Bench(__file__, "The demo, cold and warm", __doc__, parts=parts)
    taken: dict[str, list[float]] = {"cold": [], "warm": []}
    told: dict[str, Any] = {}
    for number in range(QUICK_RUNS if bench.quick else RUNS):
        with tempfile.TemporaryDirectory() as name:
            for kind, found in taken.items():
                seconds, told = shown(Path(name) / "demo", Path(name) / "kernels")
                found.append(seconds)
                bench.progress(f"run {number + 1}, {kind}: {seconds:.0f} s")
    bench.claim("cold, from command to pictures", taken["cold"], "s", Wanted(must=120.0))
    bench.table("the demo", ["", "s"], [[kind, cell(found)] for kind, found in taken.items()])
    rows = [
        [answer["text"], ", ".join(answer["true_things"]), len(answer["hits"]), answer["off_m"]]
        for answer in told["answers"]
    ]
    columns = ["question", "things meant, by the truth", "hits", "best hit off its box, m"]
    bench.table("what it was asked", columns, rows)
    bench.claim("questions", len(rows), "", Wanted(must=3.0, sense="at least"))
    bench.detail("walk", {name: told[name] for name in ("house", "frames", "stored")})
    bench.finish()


if __name__ == "__main__":
    main()
