"""`spatialmem check`: which conventions a recording follows, before anything is built from it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from spatialmem.cli.codes import FAILED, OK
from spatialmem.cli.output import write_json

if TYPE_CHECKING:
    from spatialmem.conventions import Finding, Report, Row

_ROWS_SHOWN, _INDENT = 5, 11


@dataclass(frozen=True)
class Check:
    """Compare some frames of a recording under the usual wrong conventions, and say which fit.

    Exit code 1 when something declared is wrong.
    """

    path: tyro.conf.Positional[Path]
    """the recording; nothing in it is changed"""
    format: str | None = None
    """name of the format, where looking at the path is not enough"""
    depth_scale: float | None = None
    """raw depth / depth_scale = metres, in place of what the recording declares"""
    json: bool = False
    """one JSON object on standard output"""

    def run(self) -> int:
        """Check; returns the exit code."""
        from spatialmem.conventions import Verdict, check_recording
        from spatialmem.io import read

        started = time.monotonic()
        options: dict[str, Any] = {} if self.depth_scale is None else {"depth_scale": self.depth_scale}
        report = check_recording(read(self.path, format=self.format, **options))
        if self.json:
            write_json({"recording": self.path, **_values(report), "seconds": round(time.monotonic() - started, 3)})
        else:
            _print(report)
        return FAILED if report.verdict is Verdict.WRONG else OK


def _values(report: Report) -> dict[str, Any]:
    """A report for JSON."""
    return {
        "format": report.format, "frames": report.frames, "pairs": report.pairs, "verdict": report.verdict,
        "convention": report.convention,
        "questions": {finding.question: _finding_values(finding) for finding in report.findings},
        "combinations": [_row_values(row) for row in report.rows],
        "fix": report.fix, "settings": report.settings, "notes": report.notes,
    }  # fmt: skip


def _finding_values(finding: Finding) -> dict[str, Any]:
    return {
        "verdict": finding.verdict, "declared": finding.declared, "found": finding.found,
        "candidates": finding.candidates, "residuals": finding.residuals, "unit": finding.unit,
        "reason": finding.reason,
    }  # fmt: skip


def _row_values(row: Row) -> dict[str, Any]:
    return {
        "poses": row.poses, "camera_axes": row.camera_axes, "quat_order": row.quat_order,
        "depth_factor": row.depth_factor, "residual": row.residual, "agreement": row.agreement,
        "overlap": row.overlap,
    }  # fmt: skip


def _print(report: Report) -> None:
    from rich import get_console, print
    from rich.markup import escape
    from rich.padding import Padding

    said = ""
    for finding in report.findings:
        print(f"{_coloured(finding.verdict.value)}[bold]{finding.question}[/]: {escape(_answer(finding))}")
        tried = ", ".join(f"{name} {_number(value)}" for name, value in finding.residuals.items())
        for line in (finding.reason, f"{tried} ({finding.unit})" if tried else ""):
            if line and line != said:  # one reason may hold for several questions
                print(Padding(escape(line), (0, 0, 0, _INDENT)))
        said = finding.reason
    _print_combinations(report)
    for note in report.notes:
        print(f"note: {escape(note)}")
    for line in report.fix:
        get_console().print(f"[bold]{escape(line)}[/]", soft_wrap=True)  # to be copied
    verdict = report.verdict.value
    print(f"{_coloured(verdict)}{report.frames} frames as {report.format}, compared in {report.pairs} pairs")


def _coloured(verdict: str) -> str:
    colours = {"fits": "green", "found": "green", "wrong": "red", "uncertain": "yellow"}
    return f"[{colours[verdict]}]{verdict:<{_INDENT}}[/]"


def _answer(finding: Finding) -> str:
    """What fits, and what is declared where that is something else."""
    if finding.verdict.value == "uncertain":
        fits = " or ".join(map(_text, finding.candidates)) or "nothing can be said"
    else:
        fits = _text(finding.found)
    return fits if finding.declared in (None, finding.found) else f"{fits}; declared {_text(finding.declared)}"


def _print_combinations(report: Report) -> None:
    """The pose conventions that fit best, whatever the verdict."""
    from rich import box, print
    from rich.table import Table

    table = Table(title="poses, best first", title_justify="left", box=box.SIMPLE_HEAD, header_style="bold")
    for head in ("poses", "camera_axes", "quat_order", "depth x", "residual", "overlap"):
        table.add_column(head)
    for row in report.rows[:_ROWS_SHOWN]:
        table.add_row(row.poses, row.camera_axes, row.quat_order, f"{row.depth_factor:.3g}", _share(row.residual),
                      _share(row.overlap))  # fmt: skip
    print(table)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return "unregistered: " + "; ".join(f"{key} {_text(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(f"{item:g}" for item in value)
    return f"{value:g}" if isinstance(value, (int, float)) else str(value)


def _number(value: float) -> str:
    return f"{value:.3g}" if value == value else "-"


def _share(value: float) -> str:
    return f"{value:.1%}" if value == value else "-"
