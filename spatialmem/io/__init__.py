"""Recordings in, results out. `read(path)` finds the reader by looking at the path."""

from __future__ import annotations

import difflib
import importlib
import inspect
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from spatialmem.errors import InvalidValue, ReadError, unknown_name
from spatialmem.io.reader import BadFrame, BadReason, FramesReader, Reader, ReadReport, StreamReader
from spatialmem.types import Frame

__all__ = [
    "BadFrame", "BadReason", "FramesReader", "READERS", "ReadReport", "Reader", "StreamReader", "find_reader", "read",
]  # fmt: skip

_log = logging.getLogger(__name__)
_ENTRY_POINTS = "spatialmem.readers"
_SHOWN = 12

READERS: dict[str, str] = {
    "tum": "spatialmem.io.tum:TumReader",
    "7scenes": "spatialmem.io.seven_scenes:SevenScenesReader",
    "redwood": "spatialmem.io.redwood:RedwoodReader",
    "replica": "spatialmem.io.replica:ReplicaReader",
    "scannet": "spatialmem.io.scannet:ScanNetReader",
    "sens": "spatialmem.io.sens:SensReader",
    "stray": "spatialmem.io.stray:StrayReader",
    "record3d": "spatialmem.io.record3d:Record3dReader",
    "lerobot": "spatialmem.io.lerobot:LeRobotReader",
    "folder": "spatialmem.io.folder:FolderReader",
    "rosbag": "spatialmem.io.rosbag:RosbagReader",
}
"""built-in formats, in the order they are tried: name -> "module:Class", imported on first need"""


def read(source: str | Path | Reader | Iterable[Frame], *, strict: bool = False, format: str | None = None,
         **options: Any) -> Reader:  # fmt: skip
    """Open a recording, whatever its format.

    Args:
        source: path of the recording; a `Reader` passes through as it is, an iterable of frames gets one.
        strict: raise `BadFrame` at a bad frame instead of skipping and counting it.
        format: name of the format ("tum", "7scenes", ...) or "module:Class" of a reader; None: look at the path.
        options: passed to the reader; see its class.

    Raises:
        ReadError: nothing there, or no reader recognises it.
        InvalidValue: an option this reader does not have, or options without a path.
        UnknownName: a format that does not exist.
    """
    if not isinstance(source, (str, Path)) and (format or options):
        given = ", ".join([*options, *(["format"] if format else [])])
        raise InvalidValue(f"{given}: options of a reader go with a path; given {type(source).__name__}")
    if isinstance(source, Reader):
        return source
    if not isinstance(source, (str, Path)):
        return FramesReader(source, strict=strict)
    path = Path(source).expanduser()
    if not path.exists():
        raise ReadError(f"there is no {path}; expected the file or folder of a recording")
    kind = _load_format(format) if format else find_reader(path)
    _check_options(kind, options)
    return kind(path, strict=strict, **options)


def find_reader(path: Path) -> type[Reader]:
    """The reader that recognises `path`, installed plug-ins first; `ReadError` that lists what was found if none."""
    known: list[type[Reader]] = []
    for kind in _all_readers():
        if kind.recognises(path):
            return kind
        known.append(kind)
    layouts = "\n".join(f"  {kind.format_name}: {kind.layout}" for kind in known)
    raise ReadError(
        f"no reader recognises {path}\nfound there: {_found(path)}\nknown layouts:\n{layouts}\n"
        "rename the files to one of these, pass format=..., or write a reader (docs/readers.md)"
    )


def _all_readers() -> Iterator[type[Reader]]:
    for entry in _plug_ins():
        kind = _load_plug_in(entry)
        if kind is not None:
            yield kind
    for target in READERS.values():
        yield _load(target)


def _plug_ins() -> list[Any]:
    from importlib.metadata import entry_points

    return sorted(entry_points(group=_ENTRY_POINTS), key=lambda entry: entry.name)


def _load_plug_in(entry: Any) -> type[Reader] | None:
    """The class behind an entry point; None, logged, when the plug-in is broken: it must not stop other readers."""
    try:
        kind = entry.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        _log.warning("reader plug-in %r (%s) does not load and is left out: %s", entry.name, entry.value, error)
        return None
    if not (isinstance(kind, type) and issubclass(kind, Reader)):
        _log.warning("reader plug-in %r (%s) is no subclass of Reader and is left out", entry.name, entry.value)
        return None
    return kind


def _load_format(name: str) -> type[Reader]:
    if name in READERS:
        return _load(READERS[name])
    for entry in _plug_ins():
        kind = _load_plug_in(entry) if entry.name == name else None
        if kind is not None:
            return kind
    if ":" not in name:
        raise unknown_name("format", name, [*READERS, *(entry.name for entry in _plug_ins())])
    return _load(name)


def _load(target: str) -> type[Reader]:
    module, _, name = target.partition(":")
    try:
        kind = getattr(importlib.import_module(module), name)
    except (ModuleNotFoundError, AttributeError) as error:
        raise ReadError(f"reader {target!r} cannot be imported: {error}; expected module:Class") from error
    if not (isinstance(kind, type) and issubclass(kind, Reader)):
        raise ReadError(f"{target} is no subclass of spatialmem.io.Reader; see docs/readers.md")
    return kind


def _check_options(kind: type[Reader], options: dict[str, Any]) -> None:
    known: list[str] = []
    for base in kind.__mro__:  # a constructor that passes **options on has those of its base as well
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters.values()
        known += [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY and p.name != "strict"]
        if all(p.kind is not inspect.Parameter.VAR_KEYWORD for p in parameters):
            break
    for given in options:
        if given not in known:
            near = difflib.get_close_matches(given, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it has: {', '.join(known)}"
            raise InvalidValue(f"the reader for {kind.format_name} has no option {given!r}; {hint}")


def _found(path: Path) -> str:
    if path.is_file():
        return f"a file of {path.stat().st_size} bytes"
    names = sorted(p.name + ("/" if p.is_dir() else "") for p in path.iterdir())
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "an empty folder") + more
