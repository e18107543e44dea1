"""Writing a result: whole or not at all, with an error that says what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spatialmem.errors import SpatialMemError


class ExportError(SpatialMemError):
    """A result that cannot be written where it was asked for."""


def write_file(path: str | Path, data: bytes) -> None:
    """Write `data` to `path`, replacing what is there; a reader sees the old file or the new one, never half of it.

    Raises `ExportError` when the folder is missing or cannot be written to.
    """
    with replacing(path) as part:
        part.write_bytes(data)


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A name beside `path` to write to; when all went well, what is there takes the place of `path`, else it goes.

    Raises `ExportError` when the folder is missing or cannot be written to.
    """
    target = Path(path).expanduser()
    if target.is_dir():
        raise ExportError(f"{target} is a folder; give the name of the file to write")
    if not target.parent.is_dir():
        raise ExportError(f"there is no folder {target.parent}; make it first (mkdir -p {target.parent})")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        yield part
        part.replace(target)
    except OSError as error:
        raise ExportError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
