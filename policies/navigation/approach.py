"""From where a thing can be come near to: places within reach of a point, those first that see it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from policies.navigation.graph import Graph
from spatialmem.voxels.compiled import leaf
from spatialmem.voxels.free_reading import OCCUPIED

EYE_M = 1.25
"""height of the camera above the ground"""
_HIDES_M = 0.3
"""so near to a point what is occupied is the thing itself"""
_HIGHEST_M = 2.2
"""above the ground a thing may be"""
_BELOW_M = 0.3


def places_near(
    graph: Graph, point_m: NDArray[np.floating], radius_m: float, eye_m: float = EYE_M
) -> NDArray[np.int64]:
    """Places (K,), rising, from which a body is near a point (3,) of the map frame.

    They lie within `radius_m` of it in the plane, on the ground that it belongs to, where the body fits. Where some
    of them have a line of sight from the height of the eye to the point over nothing occupied, those alone are given.
    Which of them is the nearest is for a field or a route to say.
    """
    point, standing = np.asarray(point_m, np.float64), graph.standing
    off = point - standing.ground_m
    below = (off[:, 2] >= -_BELOW_M) & (off[:, 2] <= _HIGHEST_M)
    near = below & (np.hypot(off[:, 0], off[:, 1]) <= radius_m) & np.isfinite(graph.price)
    places = np.flatnonzero(near & _on_its_floor(graph, float(point[2])))
    seen = sees(graph, places, point, eye_m)
    return places[seen] if seen.any() else places


def _on_its_floor(graph: Graph, height_m: float) -> NDArray[np.bool_]:
    """(N,) places of the floor that a thing at a height belongs to, and of none: stairs, and ground not yet reached."""
    floor = graph.floors.floor_at(height_m)
    return (graph.floors.floor_of == floor) | (graph.floors.floor_of < 0)


def sees(graph: Graph, places: NDArray[np.int64], point_m: NDArray[np.floating], eye_m: float) -> NDArray[np.bool_]:
    """(K,) whether nothing occupied lies between an eye above each place and a point (3,), but for right before it."""
    free = graph.standing.free
    eyes = (graph.standing.ground_m[places] + (0.0, 0.0, eye_m) - free.origin_m) / graph.voxel_m
    to = (np.asarray(point_m, np.float64) - free.origin_m) / graph.voxel_m
    seen = np.zeros(len(places), np.bool_)
    _see(free.state, eyes, to, _HIDES_M / graph.voxel_m, seen)
    return seen


@leaf
def _see(state, eyes, to, spare, seen):
    """Look along lines in pieces of half a voxel; all in voxels."""
    for n in range(len(eyes)):
        dx, dy, dz = to[0] - eyes[n, 0], to[1] - eyes[n, 1], to[2] - eyes[n, 2]
        far = math.sqrt(dx * dx + dy * dy + dz * dz)
        pieces, seen[n] = int(math.ceil(2.0 * far)), True
        for k in range(pieces):
            share = k / pieces
            if far * (1.0 - share) < spare:
                break
            i, j = int(math.floor(eyes[n, 0] + dx * share)), int(math.floor(eyes[n, 1] + dy * share))
            h = int(math.floor(eyes[n, 2] + dz * share))
            inside = 0 <= i < state.shape[0] and 0 <= j < state.shape[1] and 0 <= h < state.shape[2]
            if inside and state[i, j, h] == OCCUPIED:
                seen[n] = False
                break
