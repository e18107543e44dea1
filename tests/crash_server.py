"""Started by test_crash.py: forks, on demand, children that observe frames until they are killed.

A line "PATH EVERY" on standard input makes one. It prints "pid N", then the lsn of every frame that observe() said it
stored; when it is dead this process prints "dead". Forking saves the imports, which cost more than the frames.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import cv2
import memory_helpers as mh
from test_equality import walk

from spatialmem.memory import SpatialMemory

FRAMES = 60


def say(line: str) -> None:
    os.write(1, f"{line}\n".encode())


def observe_until_killed(path: Path, every: int, frames: list) -> None:
    say(f"pid {os.getpid()}")
    memory = SpatialMemory.open(path, "a") if path.exists() else mh.create(path, checkpoint_frames=every)
    for frame in frames[len(memory.trajectory()) :]:
        say(str(memory.observe(frame).lsn))
    os.kill(os.getpid(), 9)


def serve() -> None:
    cv2.setNumThreads(1)  # its own threads would not survive the fork
    frames = walk(FRAMES)
    with mh.create(None, frames[:2]):  # kernels are loaded once for all
        say("ready")
    for line in sys.stdin:
        path, every = line.rsplit(maxsplit=1)
        child = os.fork()
        if child == 0:
            observe_until_killed(Path(path), int(every), frames)
        os.waitpid(child, 0)
        say("dead")


if __name__ == "__main__":
    serve()
