"""Files of earlier format versions: always into a new file, the old one stays as it was.

A migration from version v is registered in `MIGRATIONS[v]`; it reads the file of version v at its first path
and writes one of version v + 1 at its second, which does not exist yet.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from spatialmem.errors import MemoryFileError
from spatialmem.store.schema import APPLICATION_ID, FORMAT_VERSION

MIGRATIONS: dict[int, Callable[[Path, Path], None]] = {}


def check_version(path: Path, application_id: int, user_version: int) -> None:
    """`MemoryFileError` unless the numbers are those of a memory that this release can open or migrate."""
    if application_id != APPLICATION_ID:
        raise MemoryFileError(
            f"{path} is an SQLite file of another program (application_id {application_id:#x}, a memory has "
            f"{APPLICATION_ID:#x}); give the path of a memory"
        )
    if user_version > FORMAT_VERSION:
        raise MemoryFileError(
            f"{path} has format version {user_version}, this release reads up to {FORMAT_VERSION}; "
            "update with: pip install -U spatialmem"
        )
    if user_version < FORMAT_VERSION and user_version not in MIGRATIONS:
        raise MemoryFileError(f"{path} has format version {user_version}, which no release wrote; restore a copy")


def migrated(path: Path, version: int, target: Path) -> Path:
    """Write the content of `path` (format `version`, no log beside it) as a file of today's format at `target`."""
    source = path
    for step in range(version, FORMAT_VERSION):
        last = step + 1 == FORMAT_VERSION
        result = target if last else target.with_name(f"{target.name}.v{step + 1}")
        result.unlink(missing_ok=True)
        MIGRATIONS[step](source, result)
        if source != path:
            source.unlink()
        source = result
    return source


def migrate_in_place(path: Path, version: int) -> Path:
    """Give `path` today's format; returns where the old file was kept. The caller holds the write lock."""
    kept = path.with_name(f"{path.name}.v{version}")
    if os.path.lexists(kept) and not os.path.samefile(kept, path):
        raise MemoryFileError(f"{path} must be migrated, but {kept} is in the way; move it elsewhere")
    new = migrated(path, version, path.with_name(path.name + "-new"))
    try:
        if not kept.exists():  # it does, as the same file, when a migration was cut off at this point
            os.link(path, kept)
        os.replace(new, path)
    except OSError as error:
        raise MemoryFileError(
            f"migrating {path} failed ({error}); the old file is unharmed: copy it to a local disk and open it there"
        ) from error
    return kept
