"""What every benchmark shares: the machine it ran on, the code it measured, alternating runs, tables, results files.

A script makes a `Bench`, adds claims (wanted against measured) and tables (everything else), and calls `finish`.
Figures are kept as the list of their runs; median, smallest and largest are derived from it.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(1, str(ROOT))  # so that scripts run from a checkout in which nothing is installed
RESULTS = ROOT / "benchmarks" / "results"
QUICK_RESULTS = ROOT / "runs" / "benchmarks"
SEED = 20260
RUNS = 5
KITCHEN, TUM, REDWOOD = "7scenes_redkitchen_a", "tum_fr1_rpy_a", "redwood_livingroom1_clean_rendered"
SHORT = {KITCHEN: "kitchen", TUM: "desk", REDWOOD: "living room"}
SCRIPTS = (
    "fusion", "query", "bytes_per_voxel", "observe", "accuracy", "ephemeral", "open_close", "retrieval", "correction",
    "localise", "ground", "navigation", "refine", "waits", "budget", "trust", "day", "time_travel", "houses", "demo",
    "agents", "eqa", "calibration", "encoder_regions", "encoder_map", "encoder_real", "segmenters", "objects",
)  # fmt: skip
"""in the order they are run and reported"""
PACKAGES = ("numpy", "numba", "opencv-python", "open3d-cpu", "open3d", "torch", "zstandard")
QUIET_LOAD = 0.5
"""load average at the start, per core, above which a result is marked as taken on a busy machine"""

Cell = dict[str, Any]
clock = time.perf_counter


# --- figures


def cell(runs: Sequence[float] | float, unit: str = "") -> Cell:
    """A measured figure: the values of its runs, with median, smallest and largest."""
    values = [float(v) for v in ([runs] if isinstance(runs, (int, float)) else runs)]
    return {"median": statistics.median(values), "min": min(values), "max": max(values), "runs": values, "unit": unit}


def ratios(numerator: Sequence[float], denominator: Sequence[float]) -> list[float]:
    """Ratio within each run: both sides ran next to each other, so that the load of the machine cancels."""
    return [a / b for a, b in zip(numerator, denominator, strict=True)]


def alternate(sides: Mapping[str, Callable[[], float | Mapping[str, float]]], runs: int) -> dict[str, list[float]]:
    """Run every side once a run, starting each run with another side. A side returns one figure or several by name."""
    names, found = list(sides), {}
    for run in range(runs):
        for name in names[run % len(names) :] + names[: run % len(names)]:
            given = sides[name]()
            for key, value in given.items() if isinstance(given, Mapping) else [(name, given)]:
                found.setdefault(key, []).append(float(value))
    return found


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` (0 to 100) per cent of the values do not exceed, by nearest rank."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 100).__int__() - 1)]


def show(value: Any) -> str:
    """A cell, number or text as a table shows it."""
    if isinstance(value, dict):
        middle, low, high = (_digits(value[k]) for k in ("median", "min", "max"))
        return middle if len(value["runs"]) == 1 else f"{middle} ({low} .. {high})"
    return _digits(value) if isinstance(value, float) else str(value)


def _digits(value: float) -> str:
    if value != value:
        return "none"
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}" if abs(value) >= 10 else f"{value:.3g}"


# --- the machine and the code


def machine() -> dict[str, Any]:
    """What the figures depend on besides the code, without anything that names the machine."""
    load, cores = list(os.getloadavg()), usable_cores()
    return {
        "cpu": _cpu_model(), "cores": cores, "memory_gib": _memory_gib(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_average_at_start": [round(v, 2) for v in load], "quiet": load[0] <= QUIET_LOAD * cores,
        "python": platform.python_version(), "packages": _versions(),
    }  # fmt: skip


def usable_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def _memory_gib() -> float:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def code_identity(script: Path, parts: Iterable[Path] = ()) -> dict[str, str | None]:
    """Hash of the library's sources (and of the benchmark's own, with its parts), and what git calls the tree."""
    library = [p for p in (ROOT / "spatialmem").rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    shared = (p for p in script.parent.glob("*.py") if p.name in ("common.py", "recordings.py", "encoders.py"))
    own = [script, *shared, *parts]
    return {"library_sha256": _sha256(library), "benchmark_sha256": _sha256(own), "git": _git_describe()}


def _sha256(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(set(paths)):
        if path.suffix not in (".nbi", ".nbc"):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _git_describe() -> str | None:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None


def resident_mib() -> float:
    """Resident memory of this process, MiB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


# --- one benchmark


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What a figure has to reach."""

    must: float | None = None
    aim: float | None = None
    sense: Literal["at most", "at least"] = "at most"

    def __str__(self) -> str:
        limits = ((self.must, ""), (self.aim, " (aim)"))
        return ", ".join(f"{self.sense} {value:g}{label}" for value, label in limits if value is not None)

    def verdict(self, value: float) -> str:
        """ "Either "met", or which of must and aim was missed."""
        missed = [name for name, limit in (("must", self.must), ("aim", self.aim)) if not self._reached(value, limit)]
        return "met" if not missed else f"{missed[0]} missed"

    def _reached(self, value: float, limit: float | None) -> bool:
        if limit is None:
            return True
        return value <= limit if self.sense == "at most" else value >= limit


class Bench:
    """Collects what one script measured; prints it and writes it to a file."""

    def __init__(
        self, script: str, claim: str, about: str | None,
        options: Callable[[argparse.ArgumentParser], None] | None = None, parts: Iterable[Path] = (),
    ) -> None:  # fmt: skip
        """script: its `__file__`; claim: what it is about, one line; about: its `__doc__`, how it was measured;
        options: adds options of its own to the command; parts: further files it is made of."""
        about = " ".join((about or "").split())
        self.name = Path(script).stem
        parser = argparse.ArgumentParser(description=f"{claim}\n{about}")
        parser.add_argument("--quick", action="store_true", help="few frames, 2 runs: not to be quoted")
        parser.add_argument("--json", type=Path, help="results file (default: in benchmarks/results/, quick: in runs/)")
        if options is not None:
            options(parser)
        self.options = parser.parse_args()
        given = _given(parser, self.options)
        self._stem = "-".join([self.name, *(re.sub(r"[^A-Za-z0-9]+", "", word) for word in given)])
        self.quick: bool = self.options.quick
        self.runs = 2 if self.quick else RUNS
        self._started = clock()
        self._record: dict[str, Any] = {
            "name": self.name, "claim": claim, "about": about, "options": given,
            "command": shlex.join([".venv/bin/python", f"benchmarks/{self.name}.py", *given]),
            "quick": self.quick, "seed": SEED, "runs": self.runs,
            "started": datetime.now(timezone.utc).isoformat("T", "seconds"), "machine": machine(),
            "code": code_identity(Path(script).resolve(), parts), "claims": [], "tables": [], "missing": [],
        }  # fmt: skip

    def claim(self, what: str, runs: Sequence[float] | float, unit: str, wanted: Wanted, note: str = "") -> None:
        """A figure against what is wanted of it; judged by its median."""
        measured = cell(runs, unit)
        limit = wanted.must if wanted.must is not None else wanted.aim
        self._record["claims"].append({
            "what": what, "unit": unit, "wanted": str(wanted), "must": wanted.must, "aim": wanted.aim,
            "sense": wanted.sense, "measured": measured,
            "ratio": measured["median"] / limit if limit and unit != "points" else None,
            "verdict": wanted.verdict(measured["median"]), "note": note,
        })  # fmt: skip

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Further figures; entries are cells, numbers or texts, units stand in the column heads."""
        self._record["tables"].append({"title": title, "columns": list(columns), "rows": [list(row) for row in rows]})

    def missing(self, what: str) -> None:
        """Something that could not be measured, and why."""
        self._record["missing"].append(what)

    def detail(self, key: str, value: Any) -> None:
        """Anything else worth keeping in the results file."""
        self._record.setdefault("details", {})[key] = value

    def progress(self, text: str) -> None:
        """One line on standard error, with the time since the start."""
        print(f"[{clock() - self._started:6.1f} s] {self.name}: {text}", file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Print everything and write the results file."""
        self._record["duration_s"] = round(clock() - self._started, 1)
        print_record(self._record)
        folder = QUICK_RESULTS if self.quick else RESULTS
        path = (
            self.options.json or folder / f"{self._stem}.json"
        )  # another run must not take the place of the usual one
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self._record, indent=1) + "\n", encoding="utf-8")
        print(f"written: {path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}")


def _given(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[str]:
    """The words of a benchmark's own options that are not as usual."""
    words = []
    for name, value in sorted(vars(options).items()):
        if name not in ("quick", "json") and value != parser.get_default(name):
            several = value if isinstance(value, list) else [] if value is True else [value]
            words += [f"--{name.replace('_', '-')}", *map(str, several)]
    return words


def claim_rows(record: Mapping[str, Any]) -> Iterator[list[str]]:
    """The claims of a results file as table rows: what, wanted, measured, unit, measured / wanted, verdict."""
    for entry in record["claims"]:
        ratio = "" if entry["ratio"] is None else _digits(entry["ratio"])
        what = f"{entry['what']} [{entry['note']}]" if entry["note"] else entry["what"]
        yield [what, entry["wanted"], show(entry["measured"]), entry["unit"], ratio, entry["verdict"]]


CLAIM_COLUMNS = ["what", "wanted", "measured: median (min .. max)", "unit", "measured / wanted", "verdict"]


def machine_line(record: Mapping[str, Any]) -> str:
    """One line on where and with which code a result was taken."""
    where, code = record["machine"], record["code"]
    busy = "" if where["quiet"] else ", BUSY"
    return (
        f"{where['cpu']}, {where['cores']} cores, {where['memory_gib']} GiB, load {where['load_average_at_start'][0]}"
        f"{busy}; Python {where['python']}; seed {record['seed']}, {record['runs']} runs; "
        f"code {code['library_sha256'][:12]} ({code['git']})"
    )


def print_record(record: Mapping[str, Any]) -> None:
    """The whole result as tables on standard output."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(f"[bold]{record['claim']}[/bold]{'  (quick: not to quote)' if record['quick'] else ''}")
    console.print(machine_line(record), highlight=False)
    claims = {"title": "claims", "columns": CLAIM_COLUMNS, "rows": list(claim_rows(record))}
    for given in ([claims] if record["claims"] else []) + record["tables"]:
        table = Table(*given["columns"], title=given["title"], title_justify="left")
        for row in given["rows"]:
            table.add_row(*(show(entry).replace("[", "\\[") for entry in row))
        console.print(table)
    for line in record["missing"]:
        console.print(f"not measured: {line}")
    console.print(f"took {record['duration_s']} s", highlight=False)
