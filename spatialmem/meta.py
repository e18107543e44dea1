"""What the rows of the table `meta` say of a memory, checked: they are text, and anybody can write it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import spatialmem
from spatialmem.config import MemoryConfig
from spatialmem.errors import MemoryFileError
from spatialmem.perception import Encoder

MAP_FRAME = "map"
Meta = Mapping[str, str | None]
_NEEDED = ("encoder_name", "encoder_fingerprint")
_WIDEST = 65535
"""of a feature, as blocks on file count it"""


def meta_of(config: MemoryConfig, encoder: Encoder) -> dict[str, str | None]:
    """The rows of a new memory."""
    return {
        "config": config.to_json(),
        **encoder_rows(encoder),
        "up_in_map": None,
        "map_frame": MAP_FRAME,
        "created_with": f"spatialmem {spatialmem.__version__}",
    }


def encoder_rows(encoder: Encoder) -> dict[str, str | None]:
    """Those of them that say which encoder it has."""
    return {
        "encoder_name": encoder.name, "encoder_fingerprint": encoder.fingerprint, "encoder_dim": str(encoder.dim),
    }  # fmt: skip


def config_of(meta: Meta, path: str | Path) -> MemoryConfig:
    """The numbers the memory was made with. Looks whether the rows are there that will be asked for later, too."""
    for key in _NEEDED:
        _required(meta, key, path)
    return MemoryConfig.from_json(_required(meta, "config", path))


def feature_width_of(meta: Meta, path: str | Path) -> int:
    """Width of a voxel's feature."""
    text = _required(meta, "encoder_dim", path)
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= _WIDEST:
        raise _damaged("encoder_dim", text, path)
    return int(text)


def up_of(meta: Meta, path: str | Path) -> NDArray[np.float64] | None:
    """(3,) unit vector against gravity in the map frame, None while unknown."""
    text = meta.get("up_in_map")
    if text is None:
        return None
    try:
        up = np.array(json.loads(text)["up"], np.float64)
    except (ValueError, TypeError, KeyError) as error:
        raise _damaged("up_in_map", text, path) from error
    if up.shape != (3,) or not abs(np.linalg.norm(up) - 1.0) < 1e-3:
        raise _damaged("up_in_map", text, path)
    return up


def _required(meta: Meta, key: str, path: str | Path) -> str:
    value = meta.get(key)
    if value is None:
        raise MemoryFileError(
            f"{path}: row {key!r} is missing from its table meta; the file is damaged or was not made here"
        )
    return value


def _damaged(key: str, text: str, path: str | Path) -> MemoryFileError:
    return MemoryFileError(f"{path}: row {key!r} of its table meta is damaged ({text:.60}); restore it from a copy")
