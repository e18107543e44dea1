"""What the environments share: the world of a process, the spaces of what is sensed, rendering, closing."""

from __future__ import annotations

import functools
import string
from typing import Any, final

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import CustomSpaceError
from gymnasium.vector.utils import create_shared_memory
from numpy.typing import NDArray

from sim.errors import InvalidSetting, unknown_name
from sim.house.house import HouseConfig
from sim.house.world import HouseWorld
from sim.observation import COLLIDED, DEPTH, IDS, POSE, RGB, STAMP, STATE
from sim.scene import Scene, SceneConfig, World
from sim.sensing import Sensed, SensingConfig

FAR_M = 1000.0
"""no scene and no view reaches further"""


@final
class GoalText(spaces.Text):
    """Printable ASCII of up to `longest` characters.

    Not for shared memory: gymnasium 1.4.0 reads texts there only once, when an AsyncVectorEnv is made
    (vector/async_vector_env.py), so that every goal would be shown wrong.
    """

    def __init__(self, longest: int, *, shortest: int = 0) -> None:
        super().__init__(longest, min_length=shortest, charset=frozenset(string.printable))


@create_shared_memory.register(GoalText)
def _not_shared(space: GoalText, n: int = 1, ctx: Any = None) -> Any:
    """gymnasium answers this error with one that says to pass shared_memory=False."""
    raise CustomSpaceError(f"texts cannot be batched in shared memory; given {space}")


@functools.lru_cache(maxsize=4)
def house_world(config: HouseConfig) -> HouseWorld:
    """The world of a config, which the environments of a process share; houses left last are entered again quickly."""
    return HouseWorld(config, threads=1)


def sensed_space(config: SceneConfig, ids: bool) -> dict[str, spaces.Space[Any]]:
    """Keys of sim/observation.py that every environment has."""
    size = (config.height, config.width)
    found: dict[str, spaces.Space[Any]] = {
        RGB: spaces.Box(0, 255, (*size, 3), np.uint8),
        DEPTH: spaces.Box(0.0, FAR_M, size, np.float32),
        POSE: spaces.Box(-FAR_M, FAR_M, (4, 4), np.float64),
        STATE: spaces.Box(-FAR_M, FAR_M, (5,), np.float32),
        STAMP: spaces.Box(0, 1 << 62, (), np.int64),
        COLLIDED: spaces.Box(0, 1, (), np.int8),
    }
    return {**found, IDS: spaces.Box(0, (1 << 31) - 1, size, np.int32)} if ids else found


def checked_options(options: dict[str, Any] | None, known: tuple[str, ...]) -> dict[str, Any]:
    """Options of `reset`; `UnknownName` for one there is not."""
    for name in options or {}:
        if name not in known:
            raise unknown_name("option of reset", str(name), known)
    return dict(options or {})


class WorldEnv(gymnasium.Env[dict[str, Any], Any]):
    """An environment with one scene open at a time."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, world: World | None, house: HouseConfig | None, sensing: SensingConfig | None,
                 render_mode: str | None) -> None:  # fmt: skip
        if render_mode not in (None, "rgb_array"):
            raise InvalidSetting(f"render_mode must be None or 'rgb_array'; given {render_mode!r}")
        if world is not None and house is not None:
            raise InvalidSetting("give either a world or what its houses are like, not both")
        self.world = world or house_world(house or HouseConfig())
        self.render_mode, self._sensing = render_mode, sensing or SensingConfig()
        self._scene: Sensed | None = None
        self._shown: NDArray[np.uint8] | None = None

    @property
    def scene(self) -> Scene:
        """The scene that the body is in, with its truth."""
        return self._entered()

    def _entered(self) -> Sensed:
        if self._scene is None:
            raise InvalidSetting("no scene is open; call reset first")
        return self._scene

    def _enter(self, scene_id: str, config: SceneConfig) -> Sensed:
        self.close()
        self._scene = Sensed(self.world.open(scene_id, config), self._sensing, int(self.np_random.integers(1 << 31)))
        return self._scene

    def render(self) -> NDArray[np.uint8] | None:  # type: ignore[override]
        """(H, W, 3) what the body's camera showed last."""
        return None if self.render_mode is None or self._shown is None else self._shown.copy()

    def close(self) -> None:
        """Give back the scene; may be called again."""
        scene, self._scene = self._scene, None
        if scene is not None:
            scene.close()
