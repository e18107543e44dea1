"""How kernels are compiled.

`kernel` is numba's ordinary compilation, without the GIL. `leaf` is for functions that allocate nothing: it also
leaves out the counting of references to arrays, which otherwise is paid on every call and every access to a member
of a tuple of arrays, atomically and shared between threads (a ray-cast is 5 to 10 times slower with it).
"""

from __future__ import annotations

from numba import njit

kernel = njit(cache=True, nogil=True, error_model="numpy")
leaf = njit(cache=True, nogil=True, error_model="numpy", _nrt=False)  # pyright: ignore[reportCallIssue]
"""no arrays may be made inside"""

fast_leaf = njit(cache=True, nogil=True, fastmath=True, _nrt=False)  # pyright: ignore[reportCallIssue]
"""sums may be reordered: never for what ends up in the map"""
