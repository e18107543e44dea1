"""Damage to bytes, as JSON can say it, so that any trial can be made again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Spec = dict[str, Any]
_SECTOR = 512


def damaged(content: bytes, spec: Spec) -> bytes:
    """The bytes after the damage that `spec` names."""
    kind = spec["kind"]
    if kind == "cut":
        return content[: spec["at"]]
    broken = bytearray(content)
    if kind == "flip":
        for at, bit in spec["bits"]:
            broken[at] ^= 1 << bit
    elif kind == "fill":
        broken[spec["at"] : spec["at"] + spec["count"]] = bytes([spec["value"]]) * min(
            spec["count"], len(content) - spec["at"]
        )
    elif kind == "swap":
        first, second, size = spec["first"], spec["second"], spec["size"]
        a, b = content[first : first + size], content[second : second + size]
        broken[first : first + size], broken[second : second + size] = b, a
    elif kind == "append":
        broken += bytes([spec["value"]]) * spec["count"]
    else:
        raise ValueError(f"unknown damage {kind!r}")
    return bytes(broken)


def cuts(size: int, count: int, rng: np.random.Generator, page: int = 0) -> Iterator[Spec]:
    """Truncations: at the ends, at the bounds of pages where there are any, and anywhere."""
    ends = [0, 1, 15, 16, 99, 100, size - 1, size - 2]
    bounds = list(range(page, size, page)) if page else []
    if len(bounds) > count // 2:
        bounds = [int(at) for at in rng.choice(bounds, count // 2, replace=False)]
    anywhere = rng.integers(0, size, max(0, count - len(ends) - len(bounds))).tolist()
    for at in [at for at in (*ends, *bounds, *anywhere) if 0 <= at < size][:count]:
        yield {"kind": "cut", "at": int(at)}


def flips(content: bytes, count: int, rng: np.random.Generator, bits: int = 1, header: int = 0) -> Iterator[Spec]:
    """Flipped bits, most of them where something is stored; the first ones within the first `header` bytes."""
    filled = np.flatnonzero(np.frombuffer(content, np.uint8))
    for number in range(count):
        if number < header:
            places = [number % max(1, header)]
        else:
            places = rng.choice(filled, bits).tolist() if number % 8 else rng.integers(0, len(content), bits).tolist()
        yield {"kind": "flip", "bits": [[int(at), int(rng.integers(8))] for at in places]}


def sectors(size: int, count: int, page: int, rng: np.random.Generator) -> Iterator[Spec]:
    """What disks do: sectors of zeros or ones, pages in each other's place, bytes appended."""
    for number in range(count):
        if number % 8 == 7:
            yield {"kind": "append", "value": int(rng.integers(256)), "count": int(rng.integers(1, 3 * page))}
        elif number % 4 == 3 and size >= 3 * page:
            first, second = rng.choice(size // page, 2, replace=False)
            yield {"kind": "swap", "first": int(first) * page, "second": int(second) * page, "size": page}
        else:
            span = _SECTOR if number % 2 else page
            at = int(rng.integers(0, max(1, size // span))) * span
            yield {"kind": "fill", "at": at, "count": span, "value": int(rng.choice([0, 255]))}
