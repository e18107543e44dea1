"""Where the files of scenes are that episodes name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from sim.errors import MissingScene

_PREFIX = ("data", "scene_datasets")
"""Habitat takes it off the scene ids of episode files"""


def is_safe(scene_id: str) -> bool:
    """Whether a scene id names something below a folder: relative, and nowhere upwards."""
    parts = PurePosixPath(scene_id).parts
    odd = "\\" in scene_id or "\0" in scene_id or ":" in scene_id
    return bool(parts) and not odd and not PurePosixPath(scene_id).is_absolute() and ".." not in parts


def scene_file(scene_id: str, roots: Sequence[str | Path]) -> Path:
    """The file of a scene such as "hm3d/val/00843-DYehNKdT76V/DYehNKdT76V.basis.glb" in the first root that has it.

    Raises:
        MissingScene: no root has it, or the id leads out of them; says what was looked for and where.
    """
    if not is_safe(scene_id):
        raise MissingScene(
            f"the scene id {scene_id!r} leads out of the folders of scenes; expected a relative path without '..'"
        )
    parts = [p for p in PurePosixPath(scene_id).parts if p != "."]
    if tuple(parts[:2]) == _PREFIX:
        parts = parts[2:]
    tried = [Path(root).joinpath(*parts) for root in roots]
    for path in tried:
        if path.is_file():
            return path
    where = ", ".join(map(str, tried)) or "nowhere, as no folder of scenes was given"
    raise MissingScene(
        f"the file {parts[-1] if parts else scene_id!r} of the scene {scene_id!r} is not there; looked for at {where}; "
        "download the scenes of its data set, and give the folder that holds them"
    )
