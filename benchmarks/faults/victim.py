"""Forks, on demand, children that change a memory until they are killed: `faults.victim SIDES`, started by server.py.

A line "DEED PATH" on standard input makes one. This process says "ready" once; the child says "pid N" and then what
marks.py lets it say; when it is dead this process says "dead STATUS". Forking saves the imports and the loading
of kernels, which cost more than all the rest.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from faults.marks import mark_all, say
from faults.scene import bulky, made, store, walk
from spatialmem.memory import SpatialMemory
from spatialmem.types import Frame

FRAMES = 40
"""frames of the walk that memories here are made of"""


def observe(path: Path, frames: list[Frame]) -> None:
    """Store one frame after the other."""
    memory = SpatialMemory.open(path, "a")
    for frame in frames[len(memory.trajectory()) :]:
        say(f"=stored {store(memory, frame)}")


def close(path: Path, frames: list[Frame]) -> None:
    """Open, store two frames, close, again and again."""
    number = 0
    while True:
        memory = SpatialMemory.open(path, "a")
        begun = len(memory.trajectory())
        for frame in frames[begun : begun + 2]:
            say(f"=stored {store(memory, frame)}")
        memory.close()
        number += 1
        say(f"=closed {number}")


def correct(path: Path, frames: list[Frame]) -> None:
    """Correct poses from one of the sets in the file SIDES to the next, round and round."""
    sides = json.loads(Path(sys.argv[1]).read_text())
    poses = [{int(lsn): np.array(pose) for lsn, pose in side.items()} for side in sides]
    memory, number = SpatialMemory.open(path, "a"), 0
    while True:
        memory.correct_poses(poses[number % len(poses)])
        number += 1
        say(f"=corrected {number}")


def forget(path: Path, frames: list[Frame]) -> None:
    """Forget every other frame."""
    memory = SpatialMemory.open(path, "a")
    for lsn in range(2, len(memory.trajectory()) + 1, 2):
        memory.forget(frames=[lsn])
        say(f"=forgotten {lsn}")


def recover(path: Path, frames: list[Frame]) -> None:
    """Open what a killed writer left."""
    say("+opening")
    SpatialMemory.open(path, "a")
    say("-opening")


def rebuild(path: Path, frames: list[Frame]) -> None:
    """Make every layer anew, again and again."""
    memory = SpatialMemory.open(path, "a")
    while True:
        memory.rebuild()


def evict(path: Path, frames: list[Frame]) -> None:
    """Go on observing where every frame has to push something out."""
    memory = SpatialMemory.open(path, "a")
    for number in range(len(memory.trajectory()), 10_000):
        say(f"=stored {store(memory, bulky(number))}")


def leave(path: Path, frames: list[Frame]) -> None:
    """Go on observing where every frame has blocks leave RAM."""
    evict(path, frames)


DEEDS: dict[str, Callable[[Path, list[Frame]], None]] = {
    deed.__name__: deed for deed in (observe, close, correct, forget, recover, rebuild, evict, leave)
}


def serve() -> None:
    """Until standard input ends."""
    import cv2

    cv2.setNumThreads(1)  # its own threads would not survive the fork
    frames = walk(FRAMES)
    made(None, frames[:12]).close()  # kernels are loaded once for all
    mark_all()
    say("ready")
    for line in sys.stdin:
        deed, path = line.strip().split(maxsplit=1)
        child = os.fork()
        if child == 0:
            say(f"pid {os.getpid()}")
            DEEDS[deed](Path(path), frames)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        say(f"dead {status}")


if __name__ == "__main__":
    serve()
