"""Writes questions about a house, with their answers and what has to be seen, as JSON; with views of it on request.

python tools/eqa_sample.py 7 --count 35 --split test --pictures /tmp/seven
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sim.house.world import HouseWorld
from sim.scene import Scene, SceneConfig
from sim.tasks.episode import Goal
from sim.tasks.eqa import Asking, EqaTask, ask

_SHOWN = 3
"""things of a question that get a view"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("house", help="seed of the house")
    parser.add_argument("--count", type=int, default=35)
    parser.add_argument("--split", default="train", choices=("train", "val", "test"), help="whose wordings")
    parser.add_argument("--pictures", type=Path, help="folder for views of what each question is about")
    options = parser.parse_args()
    scene = HouseWorld().open(options.house, SceneConfig(480, 360, 79.0))
    free, choice = (ask(scene, Asking(options.split, choices), options.count) for choices in (False, True))
    rows = [row_of(n, f, c) for n, (f, c) in enumerate(zip(free, choice, strict=True))]
    print(json.dumps({"house": options.house, "split_sha256": EqaTask.split_hash(), "questions": rows}, indent=1))
    if options.pictures is not None:
        options.pictures.mkdir(parents=True, exist_ok=True)
        for n, goal in enumerate(free):
            cv2.imwrite(str(options.pictures / f"{n:02d}.jpg"), picture_of(scene, goal)[..., ::-1])
    scene.close()


def row_of(n: int, free: Goal, choice: Goal) -> dict[str, Any]:
    return {
        "id": n, "category": free.category, "kind": free.extra["kind"], "question": free.text,
        "answers": list(free.answers), "choices": list(choice.choices), "needs": list(free.object_ids),
    }  # fmt: skip


def picture_of(scene: Scene, goal: Goal) -> NDArray[np.uint8]:
    """(360, 480 k, 3) views of the first things that a question needs, each from a good viewpoint, under its words."""
    views = [view_of(scene, i) for i in goal.object_ids[:_SHOWN]]
    sheet = np.ascontiguousarray(np.concatenate(views, axis=1))
    for k, line in enumerate((goal.text, f"= {goal.answers[0]}")):
        for colour, width in (((0, 0, 0), 4), ((255, 255, 255), 1)):
            cv2.putText(sheet, line, (6, 20 + 24 * k), cv2.FONT_HERSHEY_SIMPLEX, 0.5, colour, width, cv2.LINE_AA)
    return sheet


def view_of(scene: Scene, object_id: str) -> NDArray[np.uint8]:
    """(360, 480, 3) from the viewpoint that shows most of a thing."""
    thing = next(o for o in scene.objects() if o.object_id == object_id)
    best, most = None, -1
    views = scene.viewpoints_m(object_id)
    for at in views[:: max(1, len(views) // 12)]:
        scene.place(at, 0.0)
        away = thing.middle_m - scene.world_from_camera[:3, 3]
        scene.place(at, math.atan2(away[1], away[0]), math.atan2(away[2], math.hypot(away[0], away[1])))
        sight = scene.look()
        seen = int((sight.instance_ids == thing.instance_id).sum())
        if seen > most:
            best, most = sight.rgb, seen
    return best if best is not None else np.zeros((360, 480, 3), np.uint8)


if __name__ == "__main__":
    main()
