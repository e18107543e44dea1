"""The memory of an agent through an episode: what it is shown goes in, and what it asks comes out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import final

import numpy as np

from sim import observation as keys
from sim.agent import Brief, Observation
from sim.errors import InvalidSetting
from sim.scene import Scene
from spatialmem import Frame, MemoryConfig, SpatialMemory
from spatialmem.perception import Encoder, load_encoder
from spatialmem.perception.ids import detections_of_ids
from spatialmem.retrieval.context import Context
from spatialmem.things import MapObject

IDS = "ids"
"""segmenter of an agent that takes the simulator's masks"""
_VOXEL_M = 0.05
_RAM_BYTES = 512 << 20


@final
class Remembering:
    """One memory at a time, made anew for every episode."""

    def __init__(self, encoder: str, segmenter: str, pictures: bool = False) -> None:
        """`pictures`: for a planner that sees; the images are kept, in a file of a temporary folder."""
        self._encoder_name, self._segmenter = encoder, segmenter
        self._folder = TemporaryDirectory(prefix="spatialmem-") if pictures else None
        self._number = 0
        self._encoder: Encoder | None = None
        self._memory: SpatialMemory | None = None
        self._things: dict[int, MapObject] = {}
        self._scene: Scene | None = None

    @property
    def memory(self) -> SpatialMemory:
        """Of the present episode."""
        assert self._memory is not None, "reset was not called"
        return self._memory

    def reset(self, brief: Brief) -> None:
        """An episode begins."""
        self._brief = brief
        self._begin()

    def forget(self) -> None:
        """Forget all of it."""
        if self._folder is not None:
            self._begin()
            return
        self.memory.reset()
        self.memory.declare_up((0.0, 0.0, 1.0))
        self._stamp_ns, self._things = -1, {}

    def _begin(self) -> None:
        """A new memory in place of the one there is."""
        self._let_go()
        self._encoder = self._encoder or load_encoder(self._encoder_name)
        config = MemoryConfig(voxel_size_m=_VOXEL_M, ram_bytes=_RAM_BYTES)
        segmenter = "" if self._segmenter == IDS else self._segmenter
        self._number += 1
        path = None if self._folder is None else Path(self._folder.name) / f"{self._number}.mem"
        self._memory = SpatialMemory.create(path, self._encoder, config, segmenter=segmenter)
        self._memory.declare_up((0.0, 0.0, 1.0))
        self._stamp_ns, self._things = -1, {}

    def allow(self, scene: Scene) -> None:
        """The scene whose masks it takes."""
        self._scene = scene

    @property
    def privileged(self) -> bool:
        """Whether it is told which pixels are of which thing, and what that is called."""
        return self._segmenter == IDS

    def see(self, observation: Observation) -> None:
        """Remember what the camera shows."""
        self._stamp_ns = max(self._stamp_ns + 1, int(observation[keys.STAMP]))
        frame = Frame(
            observation[keys.RGB], np.asarray(observation[keys.DEPTH], np.float32), self._brief.camera,
            np.asarray(observation[keys.POSE], np.float64), self._stamp_ns, depth_unit="m",
        )  # fmt: skip
        self.memory.observe(frame, self._masks(observation))
        self._things = {}

    def _masks(self, observation: Observation) -> list | None:
        if self._segmenter != IDS:
            return None
        if self._scene is None:
            raise InvalidSetting("an agent with segmenter='ids' must be allowed the scene; see Agent.allow")
        shown = observation[keys.IDS] if keys.IDS in observation else self._scene.look().instance_ids
        names = {o.instance_id: o.category for o in self._scene.objects() if o.group != "structure"}
        return detections_of_ids(shown, names)

    def things(self) -> dict[int, MapObject]:
        """All things by number, as of the last frame."""
        if not self._things:
            self._things = {thing.object_id: thing for thing in self.memory.objects()}
        return self._things

    def thing(self, object_id: int) -> MapObject | None:
        """A thing as it is known now."""
        return self.things().get(object_id)

    def context(self, observation: Observation, refused: Collection[int], explores: bool) -> Context:
        """What a planner is shown towards the present goal; `refused` things are left out."""
        picture, sees = observation[keys.GOAL_IMAGE], self._folder is not None
        context = self.memory.context(
            str(observation[keys.GOAL_TEXT]), goal_rgb=picture if picture.size else None,
            view_rgb=observation[keys.RGB] if sees else None,
            map_from_camera=np.asarray(observation[keys.POSE], np.float64), explores=explores, pictures=sees,
            details=str(observation[keys.GOAL_KIND]) == "question",
        )  # fmt: skip
        return replace(context, objects=tuple(o for o in context.objects if o.object_id not in refused))

    @property
    def n_bytes(self) -> float:
        """What the map holds, without what is reserved for more."""
        return 0.0 if self._memory is None else float(self._memory.info()["ram_bytes"])

    def identity(self) -> Mapping[str, str]:
        """What answers depend on."""
        encoder = self._encoder = self._encoder or load_encoder(self._encoder_name)
        return {"encoder": encoder.fingerprint, "segmenter": self._segmenter}

    def _let_go(self) -> None:
        if self._memory is not None:
            path, self._memory = self._memory.path, self._memory.close()
            if path is not None:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Give back what it holds."""
        self._let_go()
        if self._folder is not None:
            self._folder.cleanup()
