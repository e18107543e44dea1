"""The ground as it was read last, and what a body has bumped into since."""

from __future__ import annotations

import math
from typing import final

import numpy as np
from numpy.typing import NDArray

from policies.navigation.bumps import Bumps
from policies.navigation.graph import AT_M, Graph, graph_of
from policies.navigation.source import GroundSource
from sim.body import Stand
from spatialmem.ground.floors import Floors
from spatialmem.ground.standing import Body
from spatialmem.voxels.free_reading import OCCUPIED, UNKNOWN

_SIDEWAYS_M, _LOW_M = (-0.1, 0.0, 0.1), 0.55
"""where, beside the line of a move and above the ground, something new may stand; lower is what one climbs"""


@final
class Known:
    """Reading the ground takes about as long as ten ticks, so it is done when there is need."""

    def __init__(self, memory: GroundSource, body: Body) -> None:
        self.memory, self.body = memory, body
        self.bumps = Bumps()
        self.age: int | None = None
        """actions since the ground was read; None before that"""
        self._read: Graph | None = None
        self._bumped: Graph | None = None

    def read(self) -> None:
        """Read the ground now."""
        self._read, self._bumped, self.age = graph_of(self.memory.floors(self.body)), None, 0

    def grow_older(self) -> None:
        """An action is done."""
        self.age = None if self.age is None else self.age + 1

    @property
    def graph(self) -> Graph:
        """The ground as it was read last, with what was bumped into; read now when it never was."""
        if self._read is None:
            self.read()
        assert self._read is not None
        if self._bumped is None:
            self._bumped = self.bumps.applied(self._read)
        return self._bumped

    @property
    def floors(self) -> Floors:
        """The floors as they were read last."""
        return self.graph.floors

    def around(self, stand: Stand, within_m: float = AT_M) -> tuple[Graph, int]:
        """The graph for a body that is somewhere, and its place there; -1 where no ground is known so near."""
        place = self.graph.place_at(stand.ground_m, within_m)
        return (self.graph.eased(place) if place >= 0 else self.graph), place

    def bumped(self, stand: Stand) -> None:
        """A move ahead ended early at a stand."""
        self.bumps.add(stand)
        self._bumped = None

    def forgive(self, count: int) -> None:
        """What was bumped into first closes nothing any more."""
        self.bumps.forgive(count)
        self._bumped = None

    def blocks(self, stand: Stand, forward_m: float) -> bool:
        """Whether, since the ground was read, something has been seen where a move ahead leads."""
        if not self.age:
            return False
        ahead = np.array([math.cos(stand.yaw_rad), math.sin(stand.yaw_rad), 0.0])
        left, up = np.array([-ahead[1], ahead[0], 0.0]), np.array([0.0, 0.0, 1.0])
        along = np.arange(0.05, forward_m + self.body.radius_m, 0.05)
        points = (
            stand.ground_m + along[:, None, None, None] * ahead
            + np.array(_SIDEWAYS_M)[None, :, None, None] * left
            + np.arange(_LOW_M, self.body.height_m, 0.08)[None, None, :, None] * up
        ).reshape(-1, 3)  # fmt: skip
        found = points[self.memory.occupancy(points) == OCCUPIED]
        return bool((self._was(found) != OCCUPIED).any())

    def _was(self, points_m: NDArray[np.float64]) -> NDArray[np.uint8]:
        """(N,) state of points (N, 3) when the ground was read."""
        free = self.graph.standing.free
        at = np.floor((points_m - free.origin_m) / free.voxel_size_m).astype(np.int64)
        inside = np.all((at >= 0) & (at < free.state.shape), axis=1)
        state, (x, y, z) = np.full(len(at), UNKNOWN, np.uint8), at[inside].T
        state[inside] = free.state[x, y, z]
        return state
