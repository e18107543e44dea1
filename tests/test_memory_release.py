"""What a closed memory had in RAM is free once nobody has the memory: nothing waits for Python to look for cycles."""

from __future__ import annotations

import gc
import weakref

import memory_helpers as mh
import numpy as np
import pytest
import rooms

from spatialmem import SpatialMemory
from spatialmem.geometry import make_transform

FRAMES = rooms.walk(1, 4)


def nothing(memory: SpatialMemory) -> None:
    """Only what was observed."""


def asked(memory: SpatialMemory) -> None:
    memory.query("red", at=(0.0, 0.0, 0.8), radius_m=2.0)
    memory.render(FRAMES[0].pose, FRAMES[0].camera)
    memory.occupancy(np.zeros((1, 3)))
    memory.free_space()
    next(memory.mesh_pieces())
    memory.localize(FRAMES[1])


def changed(memory: SpatialMemory) -> None:
    log = memory.trajectory()
    moved = log[1].map_from_camera @ make_transform(np.eye(3), (0.02, 0.0, 0.0))
    memory.correct_poses({log[1].lsn: moved})
    memory.forget(frames=[log[2].lsn])


def went_back(memory: SpatialMemory) -> None:
    with memory.at(memory.trajectory()[1].stamp_ns) as before:
        before.query("red")
    memory.changes(memory.trajectory()[0].stamp_ns)


def refused(memory: SpatialMemory) -> None:
    with pytest.raises(ValueError, match="must be"):
        memory.query("red", top=0)


@pytest.mark.parametrize("use", [nothing, asked, changed, went_back, refused])
@pytest.mark.parametrize("options", [{}, {"file_bytes": 1 << 30, "ram_bytes": 64 << 20}])
def test_a_closed_memory_leaves_nothing_behind(tmp_path, use, options):
    check_released(lambda: mh.create(tmp_path / "a.mem", FRAMES, **options), use)
    check_released(lambda: SpatialMemory.open(tmp_path / "a.mem"), nothing if use is changed else use)


@pytest.mark.parametrize("use", [nothing, asked, SpatialMemory.reset])
def test_nor_does_an_ephemeral_one(use):
    check_released(lambda: mh.create(None, FRAMES), use)


def check_released(make, use) -> None:
    gc.collect()
    gc.disable()
    try:
        memory = make()
        use(memory)
        gone = [weakref.ref(part) for part in (memory, memory._layers, memory._layers.surface, memory._keeper)]
        memory.close()
        del memory
        assert [ref() for ref in gone] == [None] * 4
    finally:
        gc.enable()
