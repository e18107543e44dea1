"""Reading the surface out: triangles and points.

The mesh is by naive surface nets (Gibson, MICCAI 1998): one vertex in every cell of eight voxel centres with a
change of sign, at the mean of the crossings of its edges; one quad for every edge that crosses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatialmem.voxels.allocate import row_at
from spatialmem.voxels.change import distinct_blocks
from spatialmem.voxels.compiled import kernel, leaf
from spatialmem.voxels.integrate import DIST_ONE
from spatialmem.voxels.keys import BLOCK, KEY_MASK, KEY_OFFSET, NO_BLOCK, VOXELS, find, pack_key
from spatialmem.voxels.pools import Pools
from spatialmem.voxels.raycast import field_of
from spatialmem.voxels.region_times import seen_between
from spatialmem.voxels.shading import gradient, nearest_row, rows_of
from spatialmem.voxels.versions import live_blocks

MIN_WEIGHT = 1


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles of the surface, map frame, metres."""

    vertices_m: NDArray[np.float32]
    """(V, 3)"""
    normals: NDArray[np.float32]
    """(V, 3) unit, towards the observed side; zero where it is not known"""
    rgb: NDArray[np.uint8]
    """(V, 3)"""
    triangles: NDArray[np.int32]
    """(T, 3) counter-clockwise seen from the observed side"""


@dataclass(frozen=True, eq=False)
class Points:
    """Points of the surface, map frame, metres."""

    position_m: NDArray[np.float32]
    """(N, 3)"""
    normal: NDArray[np.float32]
    """(N, 3) unit, towards the observed side; zero where it is not known"""
    rgb: NDArray[np.uint8]
    """(N, 3)"""
    first_seen_ns: NDArray[np.int64]
    """(N,) when its voxel was seen first, by the clocks of the sessions that saw it"""
    last_seen_ns: NDArray[np.int64]
    """(N,)"""
    first_lsn: NDArray[np.int64]
    """(N,) the stored frame that saw its voxel first"""


@leaf
def _corner(pools, min_weight, x, y, z):
    """Distance of a voxel (of the truncation) and whether it was observed."""
    block = find(pools.table_keys, pools.table_blocks, pack_key(x >> 3, y >> 3, z >> 3))
    if block == NO_BLOCK:
        return 0.0, False
    i = ((z & 7) * BLOCK + (y & 7)) * BLOCK + (x & 7)
    return pools.dist[block, i] / DIST_ONE, pools.weight[block, i] >= min_weight


@leaf
def _cell_vertex(d, out):
    """Mean of the edge crossings of a cell with corner distances d (8,), bit a of the index = step along axis a."""
    out[0], out[1], out[2] = 0.0, 0.0, 0.0
    crossings = 0
    for a in range(8):
        for axis in range(3):
            if a >> axis & 1:
                continue
            b = a | (1 << axis)
            if (d[a] > 0) != (d[b] > 0):
                t = d[a] / (d[a] - d[b])
                for k in range(3):
                    out[k] += (a >> k & 1) + (t if k == axis else 0.0)
                crossings += 1
    for k in range(3):
        out[k] = out[k] / crossings if crossings else 0.0
    return crossings


@kernel
def vertices_in(pools, order, min_weight, place, cell_vertex, position):
    """Vertices of all cells, in block and voxel order; cell_vertex (N, 512) becomes the vertex number or -1.

    place: (B,) where each block stands in `order` (N,) and in `cell_vertex`, -1 for the others.
    """
    count = 0
    d, p = np.empty(8), np.empty(3)
    for block in order:
        key, at = pools.keys[block], place[block]
        bx = ((key >> 42) - KEY_OFFSET) * BLOCK
        by = (((key >> 21) & KEY_MASK) - KEY_OFFSET) * BLOCK
        bz = ((key & KEY_MASK) - KEY_OFFSET) * BLOCK
        for i in range(VOXELS):
            cell_vertex[at, i] = -1
            if pools.weight[block, i] < min_weight:
                continue
            x, y, z = bx + i % BLOCK, by + i // BLOCK % BLOCK, bz + i // (BLOCK * BLOCK)
            known = True
            for c in range(8):
                d[c], seen = _corner(pools, min_weight, x + (c & 1), y + (c >> 1 & 1), z + (c >> 2))
                known = known and seen
            if not known or _cell_vertex(d, p) == 0:
                continue
            if count < position.shape[0]:
                position[count, 0], position[count, 1], position[count, 2] = (
                    x + 0.5 + p[0],
                    y + 0.5 + p[1],
                    z + 0.5 + p[2],
                )
            cell_vertex[at, i] = count
            count += 1
    return count


@leaf
def _vertex_of(pools, place, cell_vertex, x, y, z):
    block = find(pools.table_keys, pools.table_blocks, pack_key(x >> 3, y >> 3, z >> 3))
    at = place[block] if block != NO_BLOCK else np.int32(NO_BLOCK)
    return np.int32(-1) if at == NO_BLOCK else cell_vertex[at, ((z & 7) * BLOCK + (y & 7)) * BLOCK + (x & 7)]


@leaf
def triangles_in(pools, order, min_weight, place, cell_vertex, triangles):
    """Two triangles for every voxel edge that crosses the surface and has a vertex in each of its four cells."""
    count = 0
    for block in order:
        key = pools.keys[block]
        bx = ((key >> 42) - KEY_OFFSET) * BLOCK
        by = (((key >> 21) & KEY_MASK) - KEY_OFFSET) * BLOCK
        bz = ((key & KEY_MASK) - KEY_OFFSET) * BLOCK
        for i in range(VOXELS):
            if pools.weight[block, i] < min_weight:
                continue
            x, y, z = bx + i % BLOCK, by + i // BLOCK % BLOCK, bz + i // (BLOCK * BLOCK)
            here = pools.dist[block, i] > 0
            for axis in range(3):
                d, seen = _corner(pools, min_weight, x + (axis == 0), y + (axis == 1), z + (axis == 2))
                if not seen or (d > 0) == here:
                    continue
                ux, uy, uz = int(axis == 1), int(axis == 2), int(axis == 0)  # the two other axes, in cyclic order
                wx, wy, wz = int(axis == 2), int(axis == 0), int(axis == 1)
                a = _vertex_of(pools, place, cell_vertex, x - ux - wx, y - uy - wy, z - uz - wz)
                b = _vertex_of(pools, place, cell_vertex, x - wx, y - wy, z - wz)
                c = _vertex_of(pools, place, cell_vertex, x, y, z)
                e = _vertex_of(pools, place, cell_vertex, x - ux, y - uy, z - uz)
                if a < 0 or b < 0 or c < 0 or e < 0:
                    continue
                if here:
                    b, e = e, b
                if count + 1 < triangles.shape[0]:
                    triangles[count, 0], triangles[count, 1], triangles[count, 2] = a, e, c
                    triangles[count + 1, 0], triangles[count + 1, 1], triangles[count + 1, 2] = a, c, b
                count += 2
    return count


@leaf
def _dress(pools, min_weight, position, normal, rgb):
    """Normal and colour at points in voxels."""
    field, rows = field_of(pools), rows_of(pools)
    for p in range(position.shape[0]):
        x, y, z = np.float64(position[p, 0]), np.float64(position[p, 1]), np.float64(position[p, 2])
        nx, ny, nz = gradient(field, min_weight, x, y, z)
        if not math.isnan(nx):
            normal[p, 0], normal[p, 1], normal[p, 2] = nx, ny, nz
        row = nearest_row(rows, x, y, z)
        if row >= 0:
            for k in range(3):
                rgb[p, k] = np.uint8(min(255, (pools.colour[row, k] + 128) >> 8))


def dressed(pools: Pools, position: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Normals (N, 3) and colours (N, 3) at points (N, 3) in voxels."""
    n = len(position)
    normal, rgb = np.zeros((n, 3), np.float32), np.zeros((n, 3), np.uint8)
    _dress(pools, MIN_WEIGHT, position, normal, rgb)
    return normal, rgb


def places_in(pools: Pools, order: NDArray[np.int64]) -> NDArray[np.int32]:
    """(B,) where each block of the pool stands in `order` (N,), -1 for the others."""
    place = np.full(pools.keys.shape[0], NO_BLOCK, np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    return place


def _by_key(pools: Pools, keys: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    if keys is not None:
        return distinct_blocks(pools, keys).astype(np.int64)
    blocks = live_blocks(pools.table_keys, pools.table_blocks)
    return blocks[np.argsort(pools.keys[blocks])]


def extract_mesh(pools: Pools, voxel_size_m: float, truncation_m: float) -> Mesh:
    """The surface as triangles; the same map gives the same mesh, in the same order."""
    order, nothing, none = _by_key(pools), np.empty((0, 3), np.float32), np.empty((0, 3), np.int32)
    cell_vertex = np.full((len(order), VOXELS), -1, np.int32)
    place = places_in(pools, order)
    position = np.empty((vertices_in(pools, order, MIN_WEIGHT, place, cell_vertex, nothing), 3), np.float32)
    vertices_in(pools, order, MIN_WEIGHT, place, cell_vertex, position)
    triangles = np.empty((triangles_in(pools, order, MIN_WEIGHT, place, cell_vertex, none), 3), np.int32)
    triangles_in(pools, order, MIN_WEIGHT, place, cell_vertex, triangles)
    normal, rgb = dressed(pools, position)
    return Mesh(position * np.float32(voxel_size_m), normal, rgb, triangles)


@leaf
def _surface_voxels(pools, order, near, position, distance, rows):
    """Centres in voxels, distances of the truncation, and rows of the voxels at the surface; returns how many."""
    count = 0
    for block in order:
        key = pools.keys[block]
        bx = ((key >> 42) - KEY_OFFSET) * BLOCK
        by = (((key >> 21) & KEY_MASK) - KEY_OFFSET) * BLOCK
        bz = ((key & KEY_MASK) - KEY_OFFSET) * BLOCK
        for i in range(VOXELS):
            slot = pools.slot[block, i]
            if slot == 0 or pools.weight[block, i] == 0 or abs(np.int32(pools.dist[block, i])) > near:
                continue
            row = row_at(pools.pages, block, slot)
            if pools.colour_weight[row] == 0:
                continue
            if count < position.shape[0]:
                position[count, 0] = bx + i % BLOCK + 0.5
                position[count, 1] = by + i // BLOCK % BLOCK + 0.5
                position[count, 2] = bz + i // (BLOCK * BLOCK) + 0.5
                distance[count] = pools.dist[block, i] / DIST_ONE
                rows[count] = row
            count += 1
    return count


def extract_points(
    pools: Pools, voxel_size_m: float, truncation_m: float, stamps_ns: NDArray[np.int64],
    keys: NDArray[np.int64] | None = None,
) -> Points:  # fmt: skip
    """One point for every voxel with a row within half a voxel's diagonal of the surface, moved onto it.

    keys: ascending ones of the blocks whose points are wanted; None: all.
    """
    order = _by_key(pools, keys)
    near = int(DIST_ONE * 0.87 * voxel_size_m / truncation_m)
    nothing = np.empty((0, 3), np.float32), np.empty(0, np.float32), np.empty(0, np.int64)
    count = _surface_voxels(pools, order, near, *nothing)
    position, distance = np.empty((count, 3), np.float32), np.empty(count, np.float32)
    rows = np.empty(count, np.int64)
    _surface_voxels(pools, order, near, position, distance, rows)
    normal, rgb = dressed(pools, position)
    position -= normal * (distance * np.float32(truncation_m / voxel_size_m))[:, None]
    position *= np.float32(voxel_size_m)
    first, last = pools.first[rows], pools.last[rows]
    return Points(position, normal, rgb, *seen_between(first, last, stamps_ns), first.astype(np.int64))


def joined_points(pieces: Sequence[Points]) -> Points:
    """The points of all pieces."""
    if len(pieces) == 1:
        return pieces[0]
    columns = [
        (p.position_m, p.normal, p.rgb, p.first_seen_ns, p.last_seen_ns, p.first_lsn) for p in pieces
    ] or [_no_points()]  # fmt: skip
    return Points(*(np.concatenate(column) for column in zip(*columns, strict=True)))


def _no_points() -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray, NDArray]:
    nowhere, never = np.empty((0, 3), np.float32), np.empty(0, np.int64)
    return nowhere, nowhere, np.empty((0, 3), np.uint8), never, never, never


def joined_meshes(pieces: Sequence[Mesh]) -> Mesh:
    """The triangles of all pieces, which count the vertices of all of them."""
    columns = [(p.vertices_m, p.normals, p.rgb, p.triangles) for p in pieces]
    return Mesh(*(np.concatenate(column) for column in zip(*columns, strict=True)))
