"""Counts what is common in train houses, so that questions can be drawn whose answers nobody guesses; then freezes.

python tools/eqa_common.py 60
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

import eqa_freeze

from sim.house.world import HouseWorld
from sim.scene import SceneConfig
from sim.tasks.eqa.asking import CATEGORIES
from sim.tasks.eqa.inventory import Inventory
from sim.tasks.eqa.matching import normalised

TARGET = Path(__file__).resolve().parents[1] / "sim" / "tasks" / "eqa" / "common.json"
FEWEST = 4
"""subjects met less often tell nothing"""


def main(houses: int) -> None:
    world = HouseWorld(light=False)
    counts: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for scene_id in world.scene_ids("train", houses):
        scene = world.open(scene_id, SceneConfig())
        inventory = Inventory(scene)
        for drafter in (d for group in CATEGORIES.values() for d in group):
            for draft in drafter(inventory):
                counts[drafter.__name__][draft.subject][normalised(draft.guess)] += 1
        scene.close()
        print(scene_id, flush=True)
    kept = {
        kind: {s: dict(sorted(c.items())) for s, c in sorted(subjects.items()) if c.total() >= FEWEST}
        for kind, subjects in sorted(counts.items())
    }
    lines = ",\n".join(f"{json.dumps(kind)}: {json.dumps(subjects)}" for kind, subjects in kept.items())
    TARGET.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
    eqa_freeze.main()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
