"""How far one gets with EQA without looking: blind and majority answers over held-out houses, by category and kind.

python tools/eqa_floor.py 24 --per-house 35
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict

from policies.agents.blind import Blind
from policies.agents.majority import Majority
from sim.house.world import HouseWorld
from sim.tasks.eqa import Asking, EqaTask, ask
from sim.tasks.eqa.matching import matches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("houses", type=int, nargs="?", default=24)
    parser.add_argument("--per-house", type=int, default=35)
    parser.add_argument("--split", default="test")
    options = parser.parse_args()
    agents = {"majority": Majority(), "blind": Blind(), "chance": None}
    world, task = HouseWorld(light=False), EqaTask()
    scores: dict[str, list[float]] = defaultdict(list)
    seconds = 0.0
    for scene_id in world.scene_ids(options.split, options.houses):
        scene = world.open(scene_id, task.scene_config())
        start = time.perf_counter()
        free, choice = (ask(scene, Asking(options.split, choices), options.per_house) for choices in (False, True))
        seconds += (time.perf_counter() - start) / 2.0
        scene.close()
        for form, goals in (("free", free), ("choice", choice)):
            for goal in goals:
                for name, agent in agents.items():
                    right = matches(agent.answer(goal.text, goal.choices), goal.answers) if agent is not None else 0.0
                    if agent is None and goal.choices:
                        right = 1.0 / len(goal.choices)
                    for part in ("all", goal.category, goal.extra["kind"]):
                        scores[f"{form}/{part}/{name}"].append(float(right))
    report = {key: [round(sum(v) / len(v), 3), len(v)] for key, v in sorted(scores.items())}
    print(json.dumps({"split_sha256": task.split_hash(), "seconds_per_house": round(seconds / options.houses, 2)}))
    parts = sorted({key.split("/")[1] for key in report})
    print(f"{'':26s} {'n':>5s}  free: majority blind   choice: chance majority blind")
    for part in parts:
        values = {f"{f}/{n}": report[f"{f}/{part}/{n}"][0] for f in ("free", "choice") for n in agents}
        count = report[f"free/{part}/blind"][1]
        print(
            f"{part:26s} {count:5d} {values['free/majority']:14.3f} {values['free/blind']:6.3f}"
            f" {values['choice/chance']:13.3f} {values['choice/majority']:8.3f} {values['choice/blind']:6.3f}"
        )


if __name__ == "__main__":
    main()
