"""Every number a memory is built with. Stored in the file; a memory opens with the numbers it was made with."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from dataclasses import dataclass, field
from typing import Any

from spatialmem.errors import InvalidValue

_MEGABYTE = 1 << 20


@dataclass(frozen=True)
class GateConfig:
    """Which frames are kept. A frame is stored as soon as one of the reasons holds."""

    novelty: float = 0.03
    """store when this share of the depth readings falls where the map has no surface"""
    disagreement: float = 0.01
    """store when this share of the readings contradicts the map by more than 3 sigma"""
    max_gap_s: float = 1.0
    """store when the last stored frame of this camera is older than this"""
    store_all: bool = False
    """keep every frame that can be kept"""

    def __post_init__(self) -> None:
        _in_range("gate.novelty", self.novelty, 0.0, 1.0)
        _in_range("gate.disagreement", self.disagreement, 0.0, 1.0)
        _in_range("gate.max_gap_s", self.max_gap_s, 0.0, math.inf)


@dataclass(frozen=True)
class MemoryConfig:
    """The numbers of a memory. Defaults suit a robot indoors."""

    voxel_size_m: float = 0.02
    """edge of a surface voxel"""
    truncation_voxels: float = 3.0
    """half width of the band around a surface that is stored, in voxels"""
    min_depth_m: float = 0.1
    """nearer readings are ignored"""
    max_depth_m: float = 5.0
    """farther readings are ignored by the surface; free space is carved up to here"""
    free_voxel_m: float = 0.08
    """edge of a free-space voxel"""
    workspace_m: tuple[float, float, float, float, float, float] | None = None
    """x0, y0, z0, x1, y1, z1 in the map frame: nothing outside is mapped; None: no limit"""
    encode_every: int = 1
    """run the encoder on every n-th stored frame"""
    checkpoint_frames: int = 128
    """start writing voxel blocks to the file after this many stored frames"""
    ram_bytes: int = 1024 * _MEGABYTE
    """what the pools of voxel blocks may take; reserved at create, never exceeded"""
    jpeg_quality: int = 90
    """quality of stored colour"""
    gate: GateConfig = field(default_factory=GateConfig)

    def __post_init__(self) -> None:
        _in_range("voxel_size_m", self.voxel_size_m, 0.001, 1.0)
        _in_range("truncation_voxels", self.truncation_voxels, 2.0, 16.0)
        _in_range("min_depth_m", self.min_depth_m, 0.0, 100.0)
        _in_range("max_depth_m", self.max_depth_m, self.min_depth_m + 0.01, 80.0)  # packed readings reach 83 m
        _in_range("free_voxel_m", self.free_voxel_m, self.voxel_size_m, 2.0)
        _in_range("encode_every", self.encode_every, 1, 1_000_000)
        _in_range("checkpoint_frames", self.checkpoint_frames, 1, 100_000)
        _in_range("ram_bytes", self.ram_bytes, 16 * _MEGABYTE, 1 << 44)
        _in_range("jpeg_quality", self.jpeg_quality, 1, 100)
        if self.workspace_m is not None:
            box = tuple(float(v) for v in self.workspace_m)
            if len(box) != 6 or not all(math.isfinite(v) for v in box) or any(box[i] >= box[i + 3] for i in range(3)):
                raise InvalidValue(f"workspace_m must be x0, y0, z0, x1, y1, z1 with x0 < x1 and so on; given {box}")
            object.__setattr__(self, "workspace_m", box)

    @property
    def truncation_m(self) -> float:
        """Half width of the stored band, metres."""
        return self.truncation_voxels * self.voxel_size_m

    def to_json(self) -> str:
        """One JSON object, keys sorted."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> MemoryConfig:
        """The inverse of `to_json`; unknown keys are errors that suggest the nearest one."""
        values = json.loads(text)
        gate = _build(GateConfig, values.pop("gate", {}))
        return _build(cls, {**values, "gate": gate})


def _build(kind: type, values: dict[str, Any]) -> Any:
    known = {f.name for f in dataclasses.fields(kind)}
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
            raise InvalidValue(f"unknown option {key!r} of {kind.__name__}; {hint}")
    if values.get("workspace_m") is not None:
        values = {**values, "workspace_m": tuple(values["workspace_m"])}
    return kind(**values)


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise InvalidValue(f"{name} must lie between {low:g} and {high:g}; given {value!r}")
