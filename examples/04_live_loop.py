"""A robot's loop: one thread observes at the rate of the camera, another asks meanwhile.

The camera here is the demo recording, played as fast as the memory takes it.

    python examples/04_live_loop.py [--frames N]
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from pathlib import Path

from spatialmem import SpatialMemory, Stored, read

parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
parser.add_argument("--frames", default=72, type=int)
frames = parser.parse_args().frames

recording = read(Path(__file__).parents[1] / "assets" / "kitchenette")
finished = threading.Event()
halfway = threading.Event()


def observe(memory: SpatialMemory) -> None:
    """The sensor's thread: `Stored` means that the frame is on disk."""
    stored = 0
    try:
        for number, frame in zip(range(frames), recording, strict=False):
            stored += isinstance(memory.observe(frame), Stored)
            if 2 * number >= frames:
                halfway.set()
    finally:
        halfway.set()
        finished.set()
    print(f"{stored} of {frames} frames stored")


with tempfile.TemporaryDirectory() as folder, SpatialMemory.create(Path(folder) / "live.mem") as memory:
    sensor = threading.Thread(target=observe, args=(memory,))
    sensor.start()
    halfway.wait()
    while True:
        last_round = finished.is_set()
        places = [hit.position_m.round(2).tolist() for hit in memory.query("blue", top=1)]
        print(f"after {len(memory.trajectory())} frames: blue at {places}")
        if last_round:
            break
        finished.wait(0.5)
    sensor.join()
