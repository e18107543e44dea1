"""One process that opens a memory, asks it twice and closes it: `open_once.py FILE MODE`; seconds as JSON.

Used by open_close.py. Nothing but the standard library is imported before the clock starts.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter

TEXT = "red cupboards"


def opened(path: str, mode: str) -> dict[str, float]:
    """Seconds of each step, and the number of hits."""
    begun = perf_counter()
    from spatialmem.memory import SpatialMemory

    imported = perf_counter()
    memory = SpatialMemory.open(path, mode="a" if mode == "a" else "r")
    ready = perf_counter()
    memory.query(TEXT)
    first = perf_counter()
    hits = len(memory.query(TEXT))
    second = perf_counter()
    memory.close()
    return {
        "import": imported - begun, "open": ready - imported, "first query": first - ready,
        "second query": second - first, "close": perf_counter() - second, "start to first answer": first - begun,
        "hits": hits,
    }  # fmt: skip


if __name__ == "__main__":
    sys.path.insert(1, str(Path(__file__).resolve().parents[1]))
    print(json.dumps(opened(sys.argv[1], sys.argv[2])))
