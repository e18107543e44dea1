"""`spatialmem doctor`: what is installed, what is missing, and the exact line to type."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from spatialmem.cli.codes import FAILED, OK
from spatialmem.cli.output import write_json


@dataclass(frozen=True)
class Doctor:
    """Look at this machine. Exit code 1 when something that spatialmem needs is missing or broken."""

    json: bool = False
    """one JSON object on standard output"""

    def run(self) -> int:
        """Look; returns the exit code."""
        from spatialmem.cli.checks import FAIL, all_checks

        checks = all_checks()
        if self.json:
            values = [{"name": c.name, "status": c.status, "detail": c.detail, "fix": c.fix} for c in checks]
            write_json({"sound": all(c.status != FAIL for c in checks), "checks": values})
        else:
            _print(checks)
        return FAILED if any(c.status == FAIL for c in checks) else OK


def _print(checks: list) -> None:
    from rich import box, print
    from rich.markup import escape
    from rich.table import Table

    colours = {"ok": "green", "fail": "red", "warn": "yellow", "extra": "cyan"}
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for head in ("", "what", "found"):
        table.add_column(head, overflow="fold")
    for check in checks:
        status = f"[{colours[check.status]}]{check.status}[/]"
        table.add_row(status, escape(check.name), escape(check.detail))
    print(table)
    for check in checks:
        if check.fix:
            print(f"{escape(check.name)}:\n    [bold]{escape(check.fix)}[/]")
    counts = Counter(check.status for check in checks)
    named = {"ok": "fine", "warn": "warnings", "fail": "broken", "extra": "extras not installed"}
    print(", ".join(f"{counts[status]} {name}" for status, name in named.items()))
