"""`spatialmem info`: what a memory holds, and whether it is sound."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from spatialmem.cli.codes import FAILED, OK
from spatialmem.cli.output import pairs_table, plain, say, write_json


@dataclass(frozen=True)
class Info:
    """What a memory holds. The file is not changed."""

    memory: tyro.conf.Positional[Path]
    """the memory file"""
    verify: bool = False
    """read everything and look for damage; exit code 1 when there is any"""
    hash: bool = False
    """add the canonical hash of all layers"""
    json: bool = False
    """one JSON object on standard output"""

    def run(self) -> int:
        """Tell; returns the exit code."""
        from spatialmem.memory import SpatialMemory

        with SpatialMemory.open(self.memory, "r") as memory:
            values: dict[str, Any] = {"memory": self.memory, **memory.info()}
            if self.hash:
                values["canonical_hash"] = memory.canonical_hash()
            problems = memory.check() if self.verify else []
        if self.verify:
            values["problems"] = problems
        if self.json:
            write_json(values)
        else:
            pairs_table("", _rows({key: value for key, value in values.items() if key not in ("problems", "path")}))
            if self.verify and not problems:
                print("verified: no problem found")
        for problem in problems:
            say(f"problem: {problem}")
        return FAILED if problems else OK


def _rows(values: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested values as (dotted name, text)."""
    rows = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if name == "file_bytes":  # for people the whole is enough
            rows.append((name, _text(name, value["total"])))
        elif isinstance(value, dict):
            rows += _rows(value, f"{name}.")
        elif key == "evicted":
            rows += [(name, _evicted(total)) for total in value] or [(name, "none")]
        else:
            rows.append((name, _text(key, plain(value))))
    return rows


def _evicted(total: dict[str, Any]) -> str:
    from spatialmem.view.words import size

    what = "images and depth" if total["what"] == "frames" else "image vectors"
    some = f"{what} of {total['frames']:,} frames, {size(total['bytes'])}"
    return f"{some}, the last after frame {total['at_lsn']}: {total['reason']}"


def _text(key: str, value: Any) -> str:
    from spatialmem.view.words import size, when

    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int) and key.endswith("_ns"):
        return f"{when(value)} ({value})"
    if isinstance(value, int) and key.endswith("bytes"):
        return f"{size(value)} ({value:,})"
    if isinstance(value, list):
        return ", ".join(_text(key, item) for item in value) or "none"
    return f"{value:,}" if isinstance(value, int) else f"{value:.6g}" if isinstance(value, float) else str(value)
