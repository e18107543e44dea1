"""Errors. Every message says what was given, what was expected and what to do next."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType


class SpatialMemError(Exception):
    """Base of every error this library raises on purpose."""


class InvalidValue(SpatialMemError, ValueError):
    """A value (frame, camera, pose, option) that cannot be used as it was given."""


class InvalidFrame(InvalidValue):
    """A frame that must not enter a memory: wrong shape, improper rotation, depth in the wrong unit."""


class UnknownName(SpatialMemError, KeyError):
    """A name that no registry knows; the message suggests the nearest ones."""

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0]) if self.args else ""


class ReadError(SpatialMemError):
    """A recording that cannot be read: missing file, broken image, foreign layout."""


class MemoryFileError(SpatialMemError):
    """A memory file that cannot be used: not a memory, damaged, or of a newer version."""


class MemoryLocked(MemoryFileError):
    """Another process holds the write lock of this memory file."""


class ReadOnlyMemory(SpatialMemError):
    """A change was asked of a memory that is open for reading only."""


class UnplacedSession(SpatialMemError):
    """A frame of a session whose place in the map is not known."""


class AnotherRecording(UnplacedSession):
    """A frame of another recording than the one that its session holds; so its place in the map is not known."""


class BeforeHorizon(SpatialMemError):
    """The map of a time so early that the log no longer holds all the frames it was made of."""


class EncoderMismatch(SpatialMemError):
    """A query or frame was encoded by another encoder than the memory's own."""


class OutOfRoom(SpatialMemError):
    """A reserved pool or the file budget is full; the message gives the figure and the option to raise."""


class TooMuchAtOnce(OutOfRoom):
    """What is needed at once is more than fits into RAM; parts of it may fit one after the other."""


class Evicted(SpatialMemError):
    """Images or depth of a frame were given up to keep the file within its budget; the message says when."""


class UpUnknown(SpatialMemError):
    """What was asked needs the direction of gravity, and the memory does not know it."""


class MissingDependency(SpatialMemError, ImportError):
    """An optional package is not installed; the message is the command that installs it."""


def require(module: str, extra: str) -> ModuleType:
    """Import `module`, or raise `MissingDependency` with the command that installs `extra`.

    Args:
        module: dotted module name, such as "rosbags.highlevel".
        extra: the extra of this package that brings it, such as "ros".
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and not module.startswith(error.name.split(".")[0]):
            raise
        raise MissingDependency(
            f"{module!r} is not installed; install it with: pip install 'spatialmem[{extra}]'"
        ) from error


def unknown_name(kind: str, given: str, known: Iterable[str]) -> UnknownName:
    """The error for a name that is not registered, with the nearest names suggested."""
    names = sorted(known)
    near = difflib.get_close_matches(given, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(repr(n) for n in near)}?" if near else f"known: {', '.join(names) or 'none'}"
    return UnknownName(f"unknown {kind} {given!r}; {hint}")
