"""A view put together of what its rays meet among some blocks after the other."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.types import Camera, View
from spatialmem.voxels import cast
from spatialmem.voxels.integrate import Grid
from spatialmem.voxels.pools import Pools


@final
class JointView:
    """What the rays of a view have met so far.

    Of all its blocks at once a ray tells the first surface whose change of sign was observed, or, where there is none,
    the first that is inferred across a gap (`raycast.cast_ray`); so it does here. Where a ray starts, and so its steps,
    depend on the blocks that are there: depths may differ by a fraction of a voxel.
    """

    def __init__(
        self, pose: NDArray[np.float64], camera: Camera, features: bool, limits_m: NDArray[np.float64], past_m: float
    ) -> None:
        """pose: map_from_camera. limits_m: (H, W) depth at which rays end at the latest. past_m: how far beyond a
        surface its blocks lie."""
        self.pose, self.camera = pose, camera
        self._features, self._limits_m, self._past_m = features, limits_m, past_m
        self._observed_m = np.full(limits_m.shape, np.inf, np.float32)
        self._inferred_m = np.full(limits_m.shape, np.inf, np.float32)
        self._ended = np.zeros(limits_m.shape, np.bool_)
        self._view: View | None = None

    def limits_m(self) -> NDArray[np.float64]:
        """(H, W) depth up to which rays still look for surfaces, 0 for those that have ended."""
        return np.where(self._ended, 0.0, np.minimum(self._limits_m, self._observed_m + self._past_m))

    def look_at(self, pools: Pools, grid: Grid, begin_m: float, complete_m: float) -> None:
        """What the rays meet in these blocks: all of those between two depths, which with those of before are all up to
        the second one. A surface well between them has around it what its normal and colour are taken from."""
        some = cast.render(pools, grid, self.pose, self.camera, self._features)
        observed_m = cast.cast_depth(pools, grid, self.pose, self.camera, gap_voxels=0.0)
        between = (observed_m > begin_m) & (observed_m + self._past_m < complete_m)
        slack_m = np.where(between, 0.5 * grid.voxel, 0.0)
        observed = ~self._ended & (observed_m < self._observed_m + slack_m)  # never where there is none, which is NaN
        inferred = np.isinf(self._observed_m) & np.isnan(observed_m) & (some.depth_m < self._inferred_m)
        self._take(some, observed | inferred)
        self._observed_m[observed] = observed_m[observed]
        self._inferred_m[inferred] = some.depth_m[inferred]
        self._ended |= self._observed_m + self._past_m < complete_m

    def _take(self, some: View, chosen: NDArray[np.bool_]) -> None:
        if self._view is None:
            self._view = some
            return
        view = self._view
        for into, of in zip((view.depth_m, view.normal, view.rgb), (some.depth_m, some.normal, some.rgb), strict=True):
            into[chosen] = of[chosen]
        if view.feature is not None and some.feature is not None:
            view.feature[chosen] = some.feature[chosen]

    def view(self) -> View:
        """All of it."""
        assert self._view is not None
        return self._view
