"""`spatialmem changes`: what is not as it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from spatialmem.cli.codes import OK
from spatialmem.cli.output import evidence_values, write_json
from spatialmem.cli.query import last_stamp_ns, stamp_of

if TYPE_CHECKING:
    from spatialmem.retrieval.changes import Change


@dataclass(frozen=True)
class Changes:
    """What has changed since a time: things that departed, things that appeared, places seen for the first time."""

    memory: tyro.conf.Positional[Path]
    """the memory file; it is not changed"""
    since: str
    """what to compare with: seconds, an ISO date and time (UTC), or a span such as 10min before the last frame"""
    until: str | None = None
    """compare it with this time instead of the last frame; written like --since"""
    json: bool = False
    """one JSON object on standard output"""

    def run(self) -> int:
        """Tell; returns the exit code."""
        from spatialmem.memory import SpatialMemory

        with SpatialMemory.open(self.memory, "r") as memory:
            last_ns = last_stamp_ns(memory)
            since_ns = stamp_of(self.since, last_ns, "--since")
            until_ns = None if self.until is None else stamp_of(self.until, last_ns, "--until")
            found = memory.changes(since_ns, until_ns)
        if self.json:
            listed = [_values(change) for change in found]
            write_json({"memory": self.memory, "since_ns": since_ns, "until_ns": until_ns, "changes": listed})
        else:
            _table(found, since_ns)
        return OK


def _values(change: Change) -> dict[str, Any]:
    values = {"kind": change.kind, **vars(change), "extent_m": change.extent_m}
    return {**values, "evidence": [evidence_values(evidence) for evidence in change.evidence]}


def _table(found: Sequence[Change], since_ns: int) -> None:
    from rich import box, print
    from rich.table import Table

    from spatialmem.view.words import when

    if not found:
        print(f"nothing has changed since {when(since_ns)}, as far as anybody looked")
        return
    table = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))
    for head, width in _COLUMNS.items():
        table.add_column(head, width=width, overflow="fold")
    for number, change in enumerate(found, start=1):
        place = ", ".join(f"{value:.2f}" for value in change.position_m)
        extent = "x".join(f"{value:.2f}" for value in change.extent_m)
        best = change.evidence[0] if change.evidence else None
        frame = "" if best is None else f"{best.camera_id} {best.seq}"
        table.add_row(str(number), change.kind, place, extent, _what(change), when(change.stamp_ns), frame)
    print(table)


_COLUMNS = {"": 2, "change": 10, "x, y, z (m)": 16, "size (m)": 14, "what": 11, "found": 10, "best frame": 8}
"""heads and the widths that fit 80 characters"""


def _what(change: Change) -> str:
    from spatialmem.retrieval.changes import Appeared, Departed, NewlySeen

    if isinstance(change, (Departed, Appeared)):
        return "rgb " + ",".join(map(str, change.rgb))
    return f"{change.volume_m3:.1f} m3" if isinstance(change, NewlySeen) else ""
