"""Makes the library say when it enters and leaves the places in which a process is to be killed.

Lines on standard output: "+PLACE" on entering, "-PLACE" on leaving (also by an exception), "=WHAT NUMBER" for
what was acknowledged. A place inside another is named after it, "close:fold" in "close".
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
from collections.abc import Callable
from typing import Any

from spatialmem.memory import SpatialMemory
from spatialmem.store.file import MemoryFile
from spatialmem.store.writer import Writer
from spatialmem.thinning import Thinning

_entered: list[str] = []
"""places that this process is in, outermost first"""


def say(line: str) -> None:
    """One line, in one write, so that a kill cuts none in two."""
    os.write(1, f"{line}\n".encode())


def can_leave_ram() -> bool:
    """Whether blocks that find no room in RAM go to the file in this release, rather than be refused."""
    return importlib.util.find_spec("spatialmem.store.block_store") is not None


def mark_all() -> None:
    """Let the methods in which memory and file are changed say so."""
    _mark(Thinning, "_evict", lambda given: "eviction")
    if can_leave_ram():
        store = importlib.import_module("spatialmem.store.block_store")
        _mark(store.FileBlocks, "put", lambda given: "leaving")
    _mark(MemoryFile, "append_frame", lambda given: "checkpoint" if _has_blocks(given) else "commit")
    _mark(MemoryFile, "write_checkpoint", lambda given: "leaving:file" if "leaving" in _entered else "close:blocks")
    _mark(Writer, "close", lambda given: "close:fold")
    _mark(MemoryFile, "correct", lambda given: "correction:file")
    _mark(MemoryFile, "erase", lambda given: "forget:erase")
    _mark(Writer, "rewrite", lambda given: "forget:rewrite")
    _mark(MemoryFile, "replace_layers", lambda given: "rebuild:file")
    for name, place in (("correct_poses", "correction"), ("forget", "forget"), ("close", "close"),
                        ("rebuild", "rebuild")):  # fmt: skip
        _mark(SpatialMemory, name, lambda given, place=place: place)


def _has_blocks(given: dict[str, Any]) -> bool:
    return bool(given.get("surface") or given.get("free") or given.get("checkpoint"))


def _mark(owner: type, name: str, place_of: Callable[[dict[str, Any]], str]) -> None:
    inner = getattr(owner, name)

    @functools.wraps(inner)
    def outer(*args: Any, **given: Any) -> Any:
        place = place_of(given)
        _entered.append(place)
        say(f"+{place}")
        try:
            return inner(*args, **given)
        finally:
            say(f"-{place}")
            _entered.remove(place)

    setattr(owner, name, outer)
