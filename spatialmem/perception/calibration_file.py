"""Calibrations as files: JSON that a text tool can read, vectors in it as base64 of little-endian float32."""

from __future__ import annotations

import base64
import binascii
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.perception.calibration import Calibration, FittedOn

FILE_NAME = "calibration.json"
"""beside the weights, where projection.safetensors is looked for too"""
VERSION = 1
_NUMBERS = ("sharpness", "bias", "cosine_weight", "near_weight", "margin_weight", "hit_score", "min_similarity")


def calibration_text(calibration: Calibration) -> str:
    """The content of the file."""
    return json.dumps({"version": VERSION, **_values(calibration)}, indent=1) + "\n"


def _values(calibration: Calibration) -> dict[str, Any]:
    vectors = np.ascontiguousarray(calibration.bank, "<f4").tobytes()
    values = {
        "fitted_for": calibration.fitted_for, "dim": calibration.dim,
        **{name: getattr(calibration, name) for name in _NUMBERS},
        "fitted_on": dataclasses.asdict(calibration.fitted_on), "phrases": list(calibration.phrases),
        "bank": base64.b64encode(vectors).decode("ascii"),
    }  # fmt: skip
    return values if calibration.images is None else {**values, "images": _values(calibration.images)}


def read_calibration(path: Path, fitted_for: str | None = None, dim: int | None = None) -> Calibration:
    """The calibration in a file.

    Args:
        path: the file.
        fitted_for, dim: what it must have been fitted for; None: anything.

    Raises:
        InvalidValue: the file is damaged, of a newer version, or was fitted for another encoder.
    """
    try:
        found = _parsed(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, binascii.Error) as error:
        raise InvalidValue(
            f"cannot read the calibration {path}: {_reason(error)}; remove the file, or fit it again with: "
            "spatialmem calibrate"
        ) from error
    if (fitted_for is not None and found.fitted_for != fitted_for) or (dim is not None and found.dim != dim):
        raise InvalidValue(
            f"the calibration {path} was fitted for an encoder of fingerprint {found.fitted_for[:12]} and width "
            f"{found.dim}; this one has {str(fitted_for)[:12]} and {dim}. Remove the file, or fit it again with: "
            "spatialmem calibrate"
        )
    return found


def _reason(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else " ".join(str(error).split())


def _parsed(given: Any) -> Calibration:
    if not isinstance(given, dict) or given.get("version") != VERSION:
        version = given.get("version") if isinstance(given, dict) else None
        raise ValueError(f"it has version {version!r}, expected {VERSION}")
    return _calibration(given)


def _calibration(given: dict[str, Any]) -> Calibration:
    fields = {field.name for field in dataclasses.fields(FittedOn)}
    on = {name: given["fitted_on"][name] for name in fields}
    numbers = {name: float(given[name]) for name in _NUMBERS}
    phrases = tuple(str(phrase) for phrase in given["phrases"])
    return Calibration(
        fitted_for=str(given["fitted_for"]), phrases=phrases, bank=_bank(given, len(phrases)), **numbers,
        fitted_on=FittedOn(**{**on, "scenes": tuple(on["scenes"])}),
        images=None if given.get("images") is None else _calibration(given["images"]),
    )  # fmt: skip


def _bank(given: dict[str, Any], count: int) -> NDArray[np.float32]:
    values = np.frombuffer(base64.b64decode(given["bank"], validate=True), "<f4").astype(np.float32)
    dim = int(given["dim"])
    if dim < 1 or len(values) != count * dim:
        raise ValueError(f"its bank has {len(values)} numbers, expected {count} phrases of {dim}")
    return values.reshape(count, dim)
