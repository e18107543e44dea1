"""One hex string for everything that changes what an encoder answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Part = str | int | float | bool | None | bytes | NDArray | Mapping[str, "Part"] | Sequence["Part"]


def fingerprint(**parts: Part) -> str:
    """SHA-256 (64 hex digits) over named parts; the order in which they are given does not matter.

    Arrays count with dtype, shape and values, whatever their memory layout or byte order; mappings
    count by key. Two encoders with equal fingerprints must give equal answers, so name everything:
    weights, preprocessing, dense rule, projection, prompts, background, thresholds.
    """
    digest = hashlib.sha256()
    _add(digest, dict(parts))
    return digest.hexdigest()


def _add(digest: hashlib._Hash, part: Part) -> None:
    # Every part is preceded by its kind and length, so that no two different trees hash the same bytes.
    if isinstance(part, Mapping):
        digest.update(f"map {len(part)};".encode())
        for key in sorted(part):
            _add(digest, str(key))
            _add(digest, part[key])
    elif isinstance(part, np.ndarray):
        canonical = np.ascontiguousarray(part, dtype=part.dtype.newbyteorder("<"))
        digest.update(f"array {canonical.dtype.str} {part.shape};".encode())
        digest.update(canonical.tobytes())
    elif isinstance(part, bytes):
        digest.update(f"bytes {len(part)};".encode())
        digest.update(part)
    elif isinstance(part, str) or not isinstance(part, Sequence):
        text = json.dumps(part, allow_nan=False).encode()
        digest.update(f"json {len(text)};".encode())
        digest.update(text)
    else:
        digest.update(f"list {len(part)};".encode())
        for item in part:
            _add(digest, item)
