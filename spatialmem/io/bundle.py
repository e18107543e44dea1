"""A recording that comes as a folder or packed into a ZIP file: the same names either way."""

from __future__ import annotations

import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import Any

from spatialmem.errors import ReadError
from spatialmem.io.reader import BadFrame, BadReason

_LARGEST_BYTES = 1 << 28
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, OverflowError)


class Bundle:
    """Files by their names below a folder, or in a ZIP file; nothing is unpacked to disk."""

    def __init__(self, path: Path) -> None:
        """List the files; `ReadError` when `path` is neither a folder nor a ZIP file."""
        self.path = path
        self._names = set() if path.is_dir() else set(self._zip.NameToInfo)

    def __contains__(self, name: str) -> bool:
        return (self.path / name).is_file() if self.path.is_dir() else name in self._names

    def names_in(self, folder: str) -> list[str]:
        """Names of the files right in a folder of the bundle, without the folder."""
        if self.path.is_dir():
            return [p.name for p in (self.path / folder).iterdir()] if (self.path / folder).is_dir() else []
        inside = [name.removeprefix(f"{folder}/") for name in self._names if name.startswith(f"{folder}/")]
        return [name for name in inside if name and "/" not in name]

    def read(self, name: str) -> bytes:
        """A whole file; `BadFrame(UNREADABLE)` when it is missing, damaged or larger than 256 MB."""
        if name not in self:
            raise BadFrame(BadReason.UNREADABLE, f"{self.path} has no {name}")
        try:
            size = (self.path / name).stat().st_size if self.path.is_dir() else self._zip.getinfo(name).file_size
            if size > _LARGEST_BYTES:
                raise BadFrame(BadReason.UNREADABLE, f"{name} has {size} bytes, more than {_LARGEST_BYTES >> 20} MB")
            return (self.path / name).read_bytes() if self.path.is_dir() else self._zip.read(name)
        except (*_BROKEN, OSError) as error:
            raise BadFrame(BadReason.UNREADABLE, f"{self.path}: {name} cannot be read: {error}") from error

    @cached_property
    def _zip(self) -> Any:
        try:
            return zipfile.ZipFile(self.path)
        except (*_BROKEN, OSError) as error:
            raise ReadError(f"{self.path} is no whole ZIP file: {error}") from error
