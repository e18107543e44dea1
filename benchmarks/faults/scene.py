"""Memories so small that hundreds of them can be broken: a changing room seen in images of 64 x 48."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from synthetic import BOXES, FIRST_STAMP_NS, FRAME_STEP_NS, Box, look, render_room, room_camera

from spatialmem.budget import ByteBudget
from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.memory import SpatialMemory
from spatialmem.types import Frame, Stored

SIZE, BULKY_SIZE = (64, 48), (240, 180)
NEVER = 100_000
"""checkpoint_frames of a memory that writes blocks only when it is closed"""
CROWDED = ByteBudget(64 << 20, 8 << 20)
"""the least file: of bulky frames it holds some fifty"""
FINE = {"voxel_size_m": 0.02, "free_voxel_m": 0.08}
"""with these, blocks of a few bulky frames are more than the least RAM holds"""
_FLOATING = Box("red", (1.5, -0.3, 0.5), (2.0, 0.3, 1.1), (200, 25, 30))
_WITHOUT = [box for box in BOXES if box.name != "red"]
_WITH = [*_WITHOUT, _FLOATING]


def walk(count: int, size: tuple[int, int] = SIZE) -> list[Frame]:
    """Views from changing poses, most of them of one place where a box comes, goes and comes back; one frame without
    depth, one with a mask."""
    frames = []
    for i in range(count):
        position = np.array([-0.6 + 0.1 * (i % 5), -0.6 + 0.3 * (i % 4), 1.2 + 0.1 * (i % 3)])
        target = np.array([1.75, 0.0, 0.8]) if i % 7 else np.array([-2.0, 0.0, 0.4])
        frame = view(i, position, target, _WITHOUT if 4 <= i % 18 < 12 else _WITH, size)
        if i == 3:
            frame = dataclasses.replace(frame, depth_m=None)
        if i == 5:
            frame = dataclasses.replace(frame, valid=np.arange(size[0])[None, :].repeat(size[1], 0) % 50 > 9)
        frames.append(frame)
    return frames


def view(
    number: int, position_m: np.ndarray, target_m: np.ndarray, boxes: Sequence[Box], size: tuple[int, int]
) -> Frame:
    """Frame `number`, from one point towards another."""
    camera, pose = room_camera(*size), look(position_m, target_m - position_m)
    rgb, depth = render_room(pose, camera, boxes)
    return Frame(rgb, depth, camera, pose, FIRST_STAMP_NS + number * FRAME_STEP_NS, seq=number)


@cache
def bulky(number: int) -> Frame:
    """Frame `number` of a camera that turns, of noise that does not compress: some hundred kilobytes of log, so that a
    memory of the least budget has to give something up soon."""
    angle = 0.35 * number
    position = np.array([0.3 * np.cos(angle), 0.3 * np.sin(angle), 1.3])
    frame = view(number, position, position + [np.cos(angle), np.sin(angle), -0.2], BOXES, BULKY_SIZE)
    noise = np.random.default_rng(number)
    rgb = noise.integers(0, 256, frame.rgb.shape, np.uint8)
    depth = frame.depth_m + noise.normal(0.0, 0.002, frame.depth_m.shape).astype(np.float32)
    return dataclasses.replace(frame, rgb=rgb, depth_m=depth)


def config(checkpoint_frames: int = NEVER, **options) -> MemoryConfig:
    """Coarse voxels, the least reserve, every frame kept."""
    small = {"voxel_size_m": 0.08, "free_voxel_m": 0.3, "ram_bytes": 16 << 20, "gate": GateConfig(store_all=True)}
    return MemoryConfig(**{**small, "checkpoint_frames": checkpoint_frames, **options})


def made(path: Path | None, frames: list[Frame], budget: ByteBudget | None = None, **options) -> SpatialMemory:
    """An open memory that has stored all of these frames."""
    memory = SpatialMemory.create(path, encoder="colours", config=config(**options), budget=budget)
    for frame in frames:
        store(memory, frame)
    return memory


def store(memory: SpatialMemory, frame: Frame) -> int:
    """Observe a frame that must be stored; its lsn."""
    result = memory.observe(frame)
    if not isinstance(result, Stored):
        raise RuntimeError(f"frame {frame.seq} was not stored: {result}")
    return result.lsn
