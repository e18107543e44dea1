"""What a verb says: a table for people or one JSON object on standard output, progress on standard error."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from spatialmem.types import Answer, Evidence, Hit


def write_json(values: dict[str, Any]) -> None:
    """One JSON object and a newline on standard output."""
    print(json.dumps(plain(values), allow_nan=False))


def plain(value: Any) -> Any:
    """The value made of what JSON knows: arrays as lists, paths and enums as text, NaN and infinity as null."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Enum):
        return value.value
    return str(value) if isinstance(value, Path) else value


def answer_values(answer: Answer) -> dict[str, Any]:
    """An answer for JSON."""
    return {
        "hits": [_hit_values(hit) for hit in answer.hits], "unknown_words": list(answer.unknown_words),
        "calibrated": answer.calibrated, "searched_voxels": answer.searched_voxels,
        "not_searched": answer.not_searched, "place": None if answer.place is None else answer.place.value,
    }  # fmt: skip


def _hit_values(hit: Hit) -> dict[str, Any]:
    return {
        "position_m": hit.position_m, "extent_m": hit.extent_m, "box_min_m": hit.box_min_m,
        "box_max_m": hit.box_max_m, "score": hit.score, "calibrated": hit.calibrated,
        "first_seen_ns": hit.first_seen_ns, "last_seen_ns": hit.last_seen_ns, "presence": hit.presence,
        "voxels": hit.voxels, "evidence": [evidence_values(evidence) for evidence in hit.evidence],
    }  # fmt: skip


def evidence_values(evidence: Evidence) -> dict[str, Any]:
    """A frame that shows something, for JSON."""
    return {
        "lsn": evidence.lsn, "session": evidence.session_id, "camera": evidence.camera_id, "seq": evidence.seq,
        "stamp_ns": evidence.stamp_ns, "box_xyxy": evidence.box_xyxy, "voxels": evidence.voxels,
    }  # fmt: skip


def pairs_table(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """A table of names and values."""
    from rich import box, print
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(escape(name), escape(value))
    print(table)


def answer_table(title: str, answer: Answer) -> None:
    """The hits of an answer, and what it does not cover."""
    from rich import box, print
    from rich.markup import escape
    from rich.table import Table

    if answer.hits:
        table = Table(
            title=escape(title), title_justify="left", box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0)
        )
        for head, width in _COLUMNS.items():
            table.add_column(head, width=width, overflow="fold")
        for number, hit in enumerate(answer.hits, start=1):
            table.add_row(str(number), *_hit_cells(hit))
        print(table)
    else:
        print(f"{escape(title)}: nothing found ({answer.searched_voxels} voxels searched)")
    if answer.hits and not answer.calibrated and answer.hits[0].score < 1.0 - 1e-9:
        print("scores are not calibrated: compare them with each other, do not read them as probabilities")
    if answer.unknown_words:
        print("words the encoder does not know, without influence: " + escape(", ".join(answer.unknown_words)))
    if answer.place is not None:
        print("the place itself: " + answer.place.value)
    if answer.not_searched:
        print("not searched: " + escape(answer.not_searched))


_COLUMNS = {
    "": 1, "x, y, z (m)": 16, "size (m)": 14, "score": 5, "presence": 8, "last seen": 10, "best frame": 10,
}  # fmt: skip
"""heads and the widths that fit 80 characters"""


def _hit_cells(hit: Hit) -> list[str]:
    from spatialmem.view.words import when

    evidence = hit.evidence[0] if hit.evidence else None
    return [
        ", ".join(f"{value:.2f}" for value in hit.position_m), "x".join(f"{value:.2f}" for value in hit.extent_m),
        f"{hit.score:.2f}", hit.presence.value, when(hit.last_seen_ns),
        f"{evidence.camera_id} {evidence.seq}" if evidence else "",
    ]  # fmt: skip


def say(text: str) -> None:
    """A line on standard error."""
    print(text, file=sys.stderr, flush=True)
