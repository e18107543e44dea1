"""Runs trials in a process of its own: what kills or hangs it costs one answer, and is counted.

`faults.worker MODULE FOLDER` answers a line of JSON on standard input with one on standard output: the result of
`Trials(FOLDER).trial(line)` of the module. `Worker` is the other side.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

_BENCHMARKS = Path(__file__).resolve().parents[1]
_PATIENCE_S = 120.0
Spec = dict[str, Any]


class Worker:
    """Trials of a module, made in another process; a new one where the last one died or hung."""

    def __init__(self, module: str, folder: Path, timeout_s: float) -> None:
        self._module, self._folder, self._timeout_s = module, folder, timeout_s
        self._process: subprocess.Popen | None = None

    def trial(self, spec: Spec) -> Spec:
        """The answer; {"outcome": "died"} or {"outcome": "hung"} where there is none."""
        process = self._running()
        process.stdin.write(json.dumps(spec).encode() + b"\n")
        process.stdin.flush()
        line = _line(process, self._timeout_s)
        if line:
            return json.loads(line)
        process.kill()
        process.communicate()
        self._process = None
        return {"outcome": "hung" if line is None else "died", "detail": f"status {process.returncode}"}

    def _running(self) -> Any:
        if self._process is None:
            found_at = os.pathsep.join([str(_BENCHMARKS), str(_BENCHMARKS.parent)])
            self._process = subprocess.Popen(
                [sys.executable, "-m", "faults.worker", self._module, str(self._folder)], stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": found_at},
            )  # fmt: skip
            if not _line(self._process, _PATIENCE_S):
                raise RuntimeError(f"a worker for {self._module} did not start")
        return self._process

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
            self._process = None


def _line(process: Any, timeout_s: float) -> bytes | None:
    """A line of its output; b"" when it died, None when it took too long. There is never more than one waiting."""
    ready, _, _ = select.select([process.stdout.fileno()], [], [], timeout_s)
    return process.stdout.readline() if ready else None


def serve(module: str, folder: Path) -> None:
    """Until standard input ends."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what libraries print goes elsewhere
    trials = importlib.import_module(module).Trials(folder)
    answers.write(b"{}\n")
    for line in sys.stdin:
        answers.write(json.dumps(trials.trial(json.loads(line))).encode() + b"\n")


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
