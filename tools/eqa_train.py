"""Writes the questions that blind answerers are fitted on: train houses, train wordings.

python tools/eqa_train.py 120
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from sim.house.world import HouseWorld
from sim.tasks.eqa import Asking, EqaTask, ask

TARGET = Path(__file__).resolve().parents[1] / "policies" / "agents" / "eqa_train.json"
PER_HOUSE = 35


def main(houses: int) -> None:
    world, task = HouseWorld(light=False), EqaTask()
    rows = []
    for scene_id in world.scene_ids("train", houses):
        scene = world.open(scene_id, task.scene_config())
        free, choice = (ask(scene, Asking("train", choices), PER_HOUSE) for choices in (False, True))
        scene.close()
        rows += [[f.extra["kind"], f.text, f.answers[0], list(c.choices)] for f, c in zip(free, choice, strict=True)]
        print(scene_id, len(rows), flush=True)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    head = (
        f'{{"version": 1, "world": "house", "split": "train", "houses": {houses}, "split_sha256": "{task.split_hash()}"'
    )
    TARGET.write_text(f'{head},\n"questions": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 120)
