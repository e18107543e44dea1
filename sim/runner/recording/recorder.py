"""What is kept of an episode for people to look at."""

from __future__ import annotations

import abc
import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, final

from sim.errors import SimError
from sim.scene import Scene
from sim.tasks.episode import Episode


class MissingPackage(SimError, ImportError):
    """A package that only recordings need is not installed; the message is the command that installs it."""


class Recorder(abc.ABC):
    """Is shown every step of an episode, and writes a file when it is closed."""

    path: Path | None
    """of the file"""

    @abc.abstractmethod
    def step(self, observation: Mapping[str, Any]) -> None:
        """What the agent is shown next; the scene's body is where it is then."""

    @abc.abstractmethod
    def close(self, ended: str) -> None:
        """The episode is over; how it ended, in a word."""

    @staticmethod
    def of(kind: str, scene: Scene, episode: Episode, stem: Path) -> Recorder:
        """The recorder of a kind (png, mp4, rrd, or empty: none), for a file of that name without its ending."""
        if not kind:
            return Nothing()
        module = importlib.import_module(f"sim.runner.recording.{kind}")
        stem.parent.mkdir(parents=True, exist_ok=True)
        return module.Recording(scene, episode, stem.with_suffix(f".{kind}"))


@final
class Nothing(Recorder):
    """Keeps nothing."""

    path = None

    def step(self, observation: Mapping[str, Any]) -> None:
        return None

    def close(self, ended: str) -> None:
        return None


def require(module: str, extra: str) -> ModuleType:
    """Import a package of an extra, or raise `MissingPackage`."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise MissingPackage(
            f"{module!r} is not installed; install it with: pip install 'spatialmem[{extra}]'"
        ) from error
