"""Every number a memory is built with has an effect that can be seen, and is kept in the file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room

from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.errors import InvalidValue, OutOfRoom
from spatialmem.memory import SpatialMemory
from spatialmem.types import Stored

LAP = 8
FRAMES = [room.room_frame(i, LAP) for i in range(5)]


def observed(path, **options) -> SpatialMemory:
    """A memory that was shown five frames, whether it kept them or not."""
    memory = SpatialMemory.create(path, encoder="colours", config=mh.config(**options))
    for frame in FRAMES:
        memory.observe(frame)
    return memory


def depths_m(**options) -> tuple[float, float]:
    """Least and largest depth that a memory of one frame shows from where it was taken."""
    with mh.create(None, FRAMES[:1], **options) as memory:
        depth = memory.render(FRAMES[0].world_from_camera, FRAMES[0].camera).depth_m
        return float(np.nanmin(depth)), float(np.nanmax(depth))


def refined(memory: SpatialMemory) -> list:
    """The pose by which a frame stands that is 2 cm off."""
    pose = FRAMES[0].pose.copy()
    pose[:3, 3] += (0.01, 0.01, 0.015)
    memory.observe(mh.at(FRAMES[0], 50, world_from_camera=pose))
    return memory.trajectory()[-1].map_from_camera.tolist()


def stored(memory: SpatialMemory) -> list[str]:
    """Reasons of a walk with equal views and small changes in it."""
    frames = [FRAMES[0], mh.at(FRAMES[0], 1), room.room_frame(2, 64), mh.at(FRAMES[0], 25)]
    frames.append(mh.at(room.room_frame(0, LAP, boxes=mh.without("red")), 27))
    results = [memory.observe(mh.at(f, 100 + f.seq)) for f in frames]
    return [result.reason for result in results]


EFFECTS: dict[str, tuple[Any, Callable[[SpatialMemory], Any]]] = {
    "voxel_size_m": (0.06, lambda m: len(m.points().position_m)),
    "truncation_voxels": (5.0, lambda m: m.info()["surface_blocks"]),
    "min_depth_m": (2.0, lambda m: len(m.points().position_m)),
    "max_depth_m": (2.0, lambda m: len(m.points().position_m)),
    "free_voxel_m": (0.16, lambda m: m.free_space().voxel_size_m),
    "workspace_m": ((0.0, -2.0, 0.2, 1.9, 2.0, 2.0), lambda m: m.points().position_m.min(0).round(1).tolist()),
    "encode_every": (2, lambda m: m.sql("SELECT encoded FROM keyframes ORDER BY lsn")),
    "checkpoint_frames": (2, lambda m: m.info()["base_lsn"]),
    "jpeg_quality": (30, lambda m: m.info()["file_bytes"]["frames"]),
    "ram_bytes": (96 << 20, lambda m: m._layers.surface.pools.dist.nbytes),
    "file_bytes": (64 << 20, lambda m: m.info()["budget"]["file_bytes"]),
    "refine_poses": (True, refined),
    "segmenter": ("regions", lambda m: len(list(m._keeper.observed.after(0, 99, m._keeper.rows)))),
    "gate.novelty": (0.0, stored),
    "gate.disagreement": (0.9, stored),
    "gate.max_gap_s": (0.05, stored),
    "gate.store_all": (True, stored),
}
"""field -> (another value, something that can be seen of a memory)"""


def fields() -> set[str]:
    plain = {f.name for f in dataclasses.fields(MemoryConfig)} - {"gate"}
    return plain | {f"gate.{f.name}" for f in dataclasses.fields(GateConfig)}


def test_every_field_is_tried():
    assert set(EFFECTS) == fields()


@pytest.mark.parametrize("name", EFFECTS)
def test_changing_a_field_changes_something(tmp_path, name):
    other, effect = EFFECTS[name]
    gate = {"store_all": False, "novelty": 0.3} if name.startswith("gate") else {}
    options = {"gate": {**gate, name.removeprefix("gate."): other}} if name.startswith("gate") else {name: other}
    with (
        observed(tmp_path / "as-usual.mem", gate=gate) as usual,
        observed(tmp_path / "other.mem", **options) as changed,
    ):
        assert effect(usual) != effect(changed)
    with SpatialMemory.open(tmp_path / "other.mem") as reopened:
        assert reopened.config == mh.config(**options) and reopened.config != mh.config(gate=gate)


def test_what_the_effects_look_like(tmp_path):
    """The right way round, where it can be said."""
    least, largest = depths_m()
    assert least < 1.75 and largest > 2.9
    assert depths_m(max_depth_m=2.0)[1] < 2.05
    assert depths_m(min_depth_m=2.0)[0] > 1.95
    box = (0.0, -2.0, 0.2, 1.9, 2.0, 2.0)
    with observed(tmp_path / "d.mem", workspace_m=box) as bounded:
        points = bounded.points().position_m
        block_m = 8 * 0.04
        assert np.all(points > np.array(box[:3]) - block_m) and np.all(points < np.array(box[3:]) + block_m)
        assert len(bounded.query("red")) == 1 and len(bounded.query("blue")) == 0
        free = bounded.free_space()
        lit = free.origin_m + (np.argwhere(free.state > 0) + 0.5) * free.voxel_size_m
        assert np.all(lit > np.array(box[:3]) - 0.09) and np.all(lit < np.array(box[3:]) + 0.09)


def test_the_gate_keeps_what_its_numbers_ask_for():
    def reasons(**gate) -> list[str]:
        with SpatialMemory.create(
            None, encoder="colours", config=mh.config(gate={"store_all": False, **gate})
        ) as memory:
            return stored(memory)

    usual = reasons(novelty=0.3)
    assert usual == ["first", "redundant", "redundant", "time", "disagreement"]
    assert reasons(novelty=0.3, max_gap_s=10.0)[3] == "redundant"
    assert reasons(novelty=0.3, disagreement=1.0)[4] == "redundant"
    assert reasons(novelty=0.0)[1] == "novelty"
    assert reasons(store_all=True) == ["first", "every", "every", "every", "every"]


def test_the_reserve_is_never_exceeded():
    with SpatialMemory.create(
        None, encoder="colours", config=mh.config(ram_bytes=16 << 20, voxel_size_m=0.02, free_voxel_m=0.32)
    ) as memory:
        with pytest.raises(OutOfRoom, match="16 MiB"):
            for i in range(LAP):
                assert isinstance(memory.observe(room.room_frame(i, LAP)), Stored)
        assert memory.info()["ram_bytes"] <= 16 << 20


@pytest.mark.parametrize(
    ("field", "value"),
    [("voxel_size_m", 0.0), ("truncation_voxels", 1.0), ("max_depth_m", 0.05), ("free_voxel_m", 0.001),
     ("encode_every", 0), ("checkpoint_frames", 0), ("ram_bytes", 1), ("jpeg_quality", 101),
     ("workspace_m", (0, 0, 0, 0, 1, 1)), ("min_depth_m", float("nan"))],
)  # fmt: skip
def test_numbers_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(InvalidValue, match=field):
        MemoryConfig(**{field: value})
