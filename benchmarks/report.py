"""Write benchmarks/README.md from the results files, so that no figure is copied by hand: `report.py [--quick]`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from common import CLAIM_COLUMNS, QUICK_RESULTS, RESULTS, ROOT, SCRIPTS, claim_rows, code_identity, machine_line, show

_HEAD = """\
# Benchmarks

Written by `benchmarks/report.py` from `benchmarks/results/*.json`: run the scripts to change a figure, never edit it.

    make bench                                       # everything, then this page
    .venv/bin/python benchmarks/NAME.py [--quick] [--json FILE]

`--quick` takes few frames and two runs, to see that a script works; its figures go to `runs/` and are not to be quoted.
The real recordings are looked for in `$SPATIALMEM_SHARED`, or in `../shared/data` beside the repository. A figure is
the median of its runs, with the smallest and the largest in brackets. Sides that are compared run in turn in the same
run, and a ratio is taken within each run. `measured / wanted` is to the must, where there is one, else to the aim.
"""


def load(folder: Path) -> dict[str, dict[str, Any]]:
    """The results that are there, in the order of the scripts; after each those that were taken with its options."""
    paths = [path for name in SCRIPTS for path in [folder / f"{name}.json", *sorted(folder.glob(f"{name}-*.json"))]]
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths if path.is_file()}


def of_script(name: str, results: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The results of one script, those with the usual options first."""
    return [found for found in results if found.partition("-")[0] == name]


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Iterator[str]:
    """Lines of a table."""
    yield "| " + " | ".join(columns) + " |"
    yield "|" + " --- |" * len(columns)
    for row in rows:
        yield "| " + " | ".join(show(entry).replace("|", "\\|") for entry in row) + " |"


def overview(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """One line a script: how many claims were met, and what was missed."""
    yield "## Overview\n"
    rows = []
    for name in SCRIPTS:
        if name not in results:
            rows.append([f"`{name}`", "not measured yet", "", ""])
        for record in (results[found] for found in of_script(name, results)):
            claims = record["claims"]
            met = sum(entry["verdict"] == "met" for entry in claims)
            worst = [entry["what"] for entry in claims if entry["verdict"] != "met"]
            called = " ".join([name, *record.get("options", ())])
            rows.append([f"`{called}`", record["claim"], f"{met} of {len(claims)} met", "; ".join(worst)])
    yield from markdown_table(["script", "claim", "verdict", "missed"], rows)
    yield ""


def remarks(record: Mapping[str, Any], library: str | None) -> Iterator[str]:
    """What keeps a result from being quoted."""
    if record["quick"]:
        yield "**Quick run: not to be quoted.**\n"
    if not record["machine"]["quiet"]:
        yield "**The machine was busy when this was measured.**\n"
    if record["code"]["library_sha256"] != library:
        yield "**Measured with other sources of the library than these: run it again.**\n"


def section(record: Mapping[str, Any], library: str | None) -> Iterator[str]:
    """One script."""
    options = record.get("options", ())
    yield f"## {record['claim']}" + (f", `{' '.join(options)}`\n" if options else "\n")
    yield f"    {record['command']}\n"
    yield f"{record['about']}\n"
    yield f"Taken {record['started'][:10]} in {record['duration_s']:.0f} s: {machine_line(record)}.\n"
    yield from remarks(record, library)
    if record["claims"]:
        yield from markdown_table(CLAIM_COLUMNS, list(claim_rows(record)))
        yield ""
    for table in record["tables"]:
        yield f"{table['title'].capitalize()}:\n"
        yield from markdown_table(table["columns"], table["rows"])
        yield ""
    for line in record["missing"]:
        yield f"- Not measured: {line}"
    if record["missing"]:
        yield ""


def lines(results: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The whole page."""
    library = code_identity(Path(__file__).resolve())["library_sha256"]
    yield _HEAD
    yield from overview(results)
    for name in SCRIPTS:
        for found in of_script(name, results):
            yield from section(results[found], library)
        if name not in results:
            yield f"## {name}\n"
            yield f"Not measured yet: there is no `results/{name}.json`.\n\n    .venv/bin/python benchmarks/{name}.py\n"
    if results:
        minutes = sum(record["duration_s"] for record in results.values()) / 60
        yield f"These results took {minutes:.1f} minutes together."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="from and to runs/benchmarks/")
    quick = parser.parse_args().quick
    path = QUICK_RESULTS / "README.md" if quick else ROOT / "benchmarks" / "README.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines(load(QUICK_RESULTS if quick else RESULTS))).rstrip() + "\n", encoding="utf-8")
    print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
