"""Freezes the questions of EQA: writes sim/tasks/eqa/split.json with the hashes of the files beside it, and the
houses held out, and says the hash to put into sim/tasks/eqa/frozen.py.

    python tools/eqa_freeze.py
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "sim" / "tasks" / "eqa"
FROZEN = ("wordings.json", "knowledge.json", "common.json")
HELD_OUT = {"house": {"first": 200_000, "count": 500}}
"""world -> seeds of its test split (sim/house/world.py)"""


def main() -> None:
    hashes = {name: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for name in FROZEN}
    text = json.dumps({"version": 1, "sha256": hashes, "held_out": HELD_OUT}, indent=1) + "\n"
    (FOLDER / "split.json").write_text(text, encoding="utf-8")
    print(f'SPLIT_SHA256 = "{hashlib.sha256(text.encode()).hexdigest()}"')


if __name__ == "__main__":
    main()
