"""Small free spaces, and what is true of them, computed in the plainest way."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from spatialmem.ground.standing import Body
from spatialmem.voxels.free_reading import FREE, OCCUPIED, UNKNOWN, FreeSpace

VOXEL_M = 0.1
BODY = Body(radius_m=0.2, height_m=0.9, step_m=0.2)
"""nine voxels high; steps of two"""
HEAD, STEP = 9, 2


def space(state: np.ndarray) -> FreeSpace:
    """A free space whose corner lies at (1, 2, 3)."""
    return FreeSpace(np.array([1.0, 2.0, 3.0]), VOXEL_M, np.ascontiguousarray(state, np.uint8))


def room(width: int = 12, depth: int = 10, tall: int = 16) -> np.ndarray:
    """A floor with nothing but air above it, all of it seen."""
    state = np.full((width, depth, tall), FREE, np.uint8)
    state[:, :, 0] = OCCUPIED
    return state


def two_storeys(first: int = 10, end: int = 14) -> np.ndarray:
    """A lower floor, a flight between walls of six treads of two columns and two voxels, an upper floor at voxel 12."""
    state = np.full((44, 24, 24), FREE, np.uint8)
    state[:20, :, 0] = OCCUPIED
    for tread in range(6):
        state[20 + 2 * tread : 22 + 2 * tread, first:end, 2 * (tread + 1)] = OCCUPIED
    state[32:, :, 12] = OCCUPIED
    state[20:32, [first - 1, end]] = OCCUPIED
    state[20:32, : first - 1], state[20:32, end + 1 :] = UNKNOWN, UNKNOWN
    return state


@st.composite
def spaces(draw) -> FreeSpace:
    """Any states, mostly free."""
    shape = draw(st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 20)))
    seed, occupied, unknown = draw(st.integers(0, 2**16)), draw(st.floats(0, 0.4)), draw(st.floats(0, 0.4))
    states = np.random.default_rng(seed).choice(
        np.array([FREE, OCCUPIED, UNKNOWN], np.uint8), shape, p=[1 - occupied - unknown, occupied, unknown]
    )
    return space(states)


def places(state: np.ndarray, enough: int = 5) -> list[tuple[int, int, int]]:
    """Voxels above something occupied with clear room above, at least `enough` of it seen free."""
    found = []
    for x, y, z in np.argwhere(state == OCCUPIED):
        above = state[x, y, z + 1 : z + 1 + HEAD]
        if len(above) and not (above == OCCUPIED).any() and (above == FREE).sum() >= enough:
            found.append((int(x), int(y), int(z) + 1))
    return sorted(found)


def blocked(state: np.ndarray, x: int, y: int, z: int) -> bool:
    """Whether a column has something in it above a step and below the head."""
    return bool((state[x, y, z + STEP : z + HEAD] == OCCUPIED).any())


def clearance(state: np.ndarray, place: tuple[int, int, int]) -> float:
    """Distance to the nearest such column, at most 0.6 m."""
    x, y, z = place
    far = [
        np.hypot(i - x, j - y) * VOXEL_M
        for i in range(state.shape[0]) for j in range(state.shape[1]) if blocked(state, i, j, z)
    ]  # fmt: skip
    return min([*[f for f in far if f <= 0.6 + 1e-9], 0.6])


def beside(all_places: list, n: int, di: int, dj: int, step: int) -> int:
    """The place nearest in height in the column beside, the lowest of equal ones; -1 without one within a step."""
    x, y, z = all_places[n]
    gaps = [(abs(p[2] - z), m) for m, p in enumerate(all_places) if p[:2] == (x + di, y + dj) and abs(p[2] - z) <= step]
    return min(gaps)[1] if gaps else -1


def next_to(state: np.ndarray, all_places: list, n: int, di: int, dj: int, step: int) -> int:
    """`beside`, or beyond at most three columns in which nothing is at the heights of either."""
    x, y, z = all_places[n]
    for far in (1, 2, 3, 4):
        other = beside(all_places, n, far * di, far * dj, step + min(far - 1, 2))
        if other >= 0:
            low, high = max(min(z, all_places[other][2]) - step - 1, 0), max(z, all_places[other][2]) + HEAD
            between = [state[x + k * di, y + k * dj, low:high] for k in range(1, far)]
            return -1 if any((column == OCCUPIED).any() for column in between) else other
    return -1


SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1))
