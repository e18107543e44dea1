"""How kernels are compiled, and when a compiled one is thrown away.

`kernel` is numba's ordinary compilation, without the GIL. `leaf` is for functions that allocate nothing: it also
leaves out the counting of references to arrays, which otherwise is paid on every call and every access to a member
of a tuple of arrays, atomically and shared between threads (a ray-cast is 5 to 10 times slower with it).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit


@functools.cache
def _digest_of_sources(folder: Path) -> str:
    """Of all files of this folder and of another one."""
    digest = hashlib.blake2b(digest_size=16)
    for place in sorted({Path(__file__).parent, folder}):
        for path in sorted(place.glob("*.py")):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    """A function that numba compiles at its first call and keeps on disk until any file of its folder or of this one
    changes.

    numba itself only watches the file a function stands in. A constant or a helper that changes in another file would
    leave kernels in use that were compiled with the old one, and they would write a wrong map.
    """
    dispatcher: Any = njit(cache=True, nogil=True, **options)(function)
    dispatcher._cache._cache_file._source_stamp = _digest_of_sources(Path(function.__code__.co_filename).parent)
    return dispatcher


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a function that may make arrays."""
    return _compiled(function, error_model="numpy")


def leaf(function: Callable[..., Any]) -> Any:
    """Compile a function in which no array is made."""
    return _compiled(function, error_model="numpy", _nrt=False)


def fast_leaf(function: Callable[..., Any]) -> Any:
    """Like `leaf`, but sums may be reordered: never for what ends up in the map."""
    return _compiled(function, fastmath=True, _nrt=False)
