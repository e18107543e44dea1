"""Remember a recording, and ask where something is.

python examples/01_build_and_ask.py [RECORDING] [--out room.mem] [--every N]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from spatialmem import SpatialMemory, read

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("recording", nargs="?", default=Path(__file__).parents[1] / "assets" / "kitchenette", type=Path)
parser.add_argument("--out", default="room.mem", type=Path)
parser.add_argument("--every", default=1, type=int, help="use every n-th frame")
arguments = parser.parse_args()

recording = read(arguments.recording)
with SpatialMemory.create(arguments.out) as memory:
    for number, frame in enumerate(recording):
        if number % arguments.every == 0:
            memory.observe(frame)
    print(recording.report)

with SpatialMemory.open(arguments.out) as memory:  # "r": nothing in the folder changes
    for question in ("yellow cup", "blue", "something purple"):
        answer = memory.query(question, top=3)
        print(f"{question}: {len(answer)} found")
        for hit in answer:
            x, y, z = hit.position_m
            print(f"  at {x:.2f} {y:.2f} {z:.2f} m, score {hit.score:.2f}, {hit.presence.value}")
            print(f"  best seen in frame {hit.evidence[0].seq}, pixels {hit.evidence[0].box_xyxy}")
