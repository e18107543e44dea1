"""Every number a memory is built with. Stored in the file; a memory opens with the numbers it was made with."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spatialmem.checks import described, numeric_array, real_number, whole_number
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
        _keep_number(self, "novelty", 0.0, 1.0)
        _keep_number(self, "disagreement", 0.0, 1.0)
        _keep_number(self, "max_gap_s", 0.0, math.inf)
        _keep_flag(self, "store_all")


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
    """what the pools of the map may take in RAM, reserved at create; with `file_bytes`, what all of the memory may"""
    file_bytes: int | None = None
    """what the file with its -wal and -shm may take; None: no limit"""
    refine_poses: bool = False
    """move each frame onto the map, by at most 5 cm and 2 degrees beyond the frame before, before it is stored"""
    jpeg_quality: int = 90
    """quality of stored colour"""
    segmenter: str = ""
    """what finds things in frames, by name (docs/segmenters.md); empty: only what `observe` is given makes objects"""
    gate: GateConfig = field(default_factory=GateConfig)

    def __post_init__(self) -> None:
        _keep_number(self, "voxel_size_m", 0.001, 1.0)
        _keep_number(self, "truncation_voxels", 2.0, 16.0)
        _keep_number(self, "min_depth_m", 0.0, 100.0)
        _keep_number(self, "max_depth_m", self.min_depth_m + 0.01, 80.0)  # packed readings reach 83 m
        _keep_number(self, "free_voxel_m", self.voxel_size_m, 2.0)
        _keep_whole(self, "encode_every", 1, 1_000_000)
        _keep_whole(self, "checkpoint_frames", 1, 100_000)
        _keep_whole(self, "ram_bytes", 16 * _MEGABYTE, 1 << 44)
        if self.file_bytes is not None:
            _keep_whole(self, "file_bytes", 8 * _MEGABYTE, 1 << 50)
        _keep_whole(self, "jpeg_quality", 1, 100)
        _keep_flag(self, "refine_poses")
        if not isinstance(self.segmenter, str):
            raise InvalidValue(f"segmenter must be a name; given {described(self.segmenter)}; see docs/segmenters.md")
        if self.workspace_m is not None:
            object.__setattr__(self, "workspace_m", _checked_box(self.workspace_m))
        if not isinstance(self.gate, GateConfig):
            raise InvalidValue(f"gate must be a GateConfig; given {described(self.gate)}; use GateConfig(novelty=...)")

    @property
    def has_budget(self) -> bool:
        """Whether the memory was made with a `ByteBudget`: then `ram_bytes` bounds more than the pools."""
        return self.file_bytes is not None

    @property
    def free_space_bytes(self) -> int:
        """Share of `ram_bytes` that the free-space layer may take; the surface has the rest."""
        return self.ram_bytes // 8

    @property
    def farthest_m(self) -> float:
        """Largest coordinate that the keys of blocks (20 bits and a sign) and of sightings (int16) can hold."""
        return min((1 << 20) * 8 * self.voxel_size_m, (1 << 15) * 8 * self.free_voxel_m) - 4.0 * self.max_depth_m

    @property
    def truncation_m(self) -> float:
        """Half width of the stored band, metres."""
        return self.truncation_voxels * self.voxel_size_m

    def to_json(self) -> str:
        """One JSON object, keys sorted; `file_bytes` and `segmenter` only where there is one: earlier releases do not
        know them."""
        values = dataclasses.asdict(self)
        if self.file_bytes is None:
            del values["file_bytes"]
        if not self.segmenter:
            del values["segmenter"]
        return json.dumps(values, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> MemoryConfig:
        """The inverse of `to_json`; unknown keys are errors that suggest the nearest one."""
        try:
            values = json.loads(text)
        except (TypeError, ValueError) as error:
            raise InvalidValue(f"a configuration must be one JSON object; given {described(text)}: {error}") from error
        if not isinstance(values, dict) or not isinstance(values.get("gate", {}), dict):
            raise InvalidValue(f"a configuration and its gate must be JSON objects; given {described(text)}")
        gate = _build(GateConfig, values.pop("gate", {}))
        return _build(cls, {**values, "gate": gate})


def _build(kind: type, values: dict[str, Any]) -> Any:
    known = {f.name for f in dataclasses.fields(kind)}
    for key in values:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
            raise InvalidValue(f"unknown option {key!r} of {kind.__name__}; {hint}")
    return kind(**values)


def _checked_box(workspace_m: Iterable[float]) -> tuple[float, ...]:
    box = numeric_array(workspace_m)
    if box is None or box.shape != (6,) or not np.isfinite(box).all() or (box[:3] >= box[3:]).any():
        raise InvalidValue(
            "workspace_m must be x0, y0, z0, x1, y1, z1 with x0 < x1 and so on, metres; "
            f"given {described(workspace_m)}; leave it None for no limit"
        )
    return tuple(box.tolist())


def _keep_number(config: Any, name: str, low: float, high: float) -> None:
    given = getattr(config, name)
    value = real_number(given)
    if value is None or not low <= value <= high:
        raise InvalidValue(f"{_full(config, name)} must lie between {low:g} and {high:g}; given {_shown(given)}")
    object.__setattr__(config, name, value)


def _keep_whole(config: Any, name: str, low: int, high: int) -> None:
    given = getattr(config, name)
    value = whole_number(given)
    if value is None:
        raise InvalidValue(
            f"{_full(config, name)} must be a whole number between {low} and {high}; given {_shown(given)}"
        )
    if not low <= value <= high:
        raise InvalidValue(f"{_full(config, name)} must lie between {low} and {high}; given {_shown(given)}")
    object.__setattr__(config, name, value)


def _keep_flag(config: Any, name: str) -> None:
    given = getattr(config, name)
    if not isinstance(given, (bool, np.bool_)):
        raise InvalidValue(f"{_full(config, name)} must be True or False; given {described(given)}; use bool()")
    object.__setattr__(config, name, bool(given))


def _full(config: Any, name: str) -> str:
    return f"gate.{name}" if isinstance(config, GateConfig) else name


def _shown(given: Any) -> str:
    """The value with what to do about it."""
    hint = "choose a value in that range" if real_number(given) is not None else "give a number"
    return f"{described(given)}; {hint}"
