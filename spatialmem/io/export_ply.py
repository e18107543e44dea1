"""Points and meshes as PLY files (binary, little endian), which every mesh tool opens.

Format: Greg Turk, "The PLY Polygon File Format" (1994). Units are metres, the frame is the map's.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.io.export_file import replacing

_VERTEX = np.dtype([("position", "<f4", 3), ("normal", "<f4", 3), ("rgb", "u1", 3)])
_FACE = np.dtype([("corners", "u1"), ("indices", "<i4", 3)])
_MOST_DIGITS = 20
_VERTEX_LINES = tuple(f"property float {name}" for name in ("x", "y", "z", "nx", "ny", "nz")) + tuple(
    f"property uchar {name}" for name in ("red", "green", "blue")
)


def write_points_ply(
    path: str | Path, position_m: NDArray[np.floating], normal: NDArray[np.floating], rgb: NDArray[np.uint8]
) -> None:
    """Write coloured points with normals.

    Args:
        path: file to write; replaced when it exists.
        position_m: (N, 3) metres.
        normal: (N, 3) unit normals.
        rgb: (N, 3) uint8.

    Raises:
        InvalidValue: the arrays do not belong together.
        ExportError: the file cannot be written.
    """
    write_point_pieces_ply(path, [(position_m, normal, rgb)])


def write_mesh_ply(
    path: str | Path, vertices_m: NDArray[np.floating], normals: NDArray[np.floating], rgb: NDArray[np.uint8],
    triangles: NDArray[np.integer],
) -> None:  # fmt: skip
    """Write a coloured triangle mesh.

    Args:
        path: file to write; replaced when it exists.
        vertices_m: (V, 3) metres.
        normals: (V, 3) unit normals.
        rgb: (V, 3) uint8.
        triangles: (T, 3) indices into the vertices, counter-clockwise seen from outside.

    Raises:
        InvalidValue: the arrays do not belong together.
        ExportError: the file cannot be written.
    """
    write_mesh_pieces_ply(path, [(vertices_m, normals, rgb, triangles)])


def write_point_pieces_ply(path: str | Path, pieces: Iterable[tuple[NDArray, NDArray, NDArray]]) -> int:
    """`write_points_ply` for points in pieces: positions, normals and colours of each. Returns their number."""
    with replacing(path) as part, open(part, "wb") as file:
        file.write(_header(0, None))
        count = 0
        for position_m, normal, rgb in pieces:
            count += len(position_m)
            file.write(_vertices(position_m, normal, rgb).tobytes())
        file.seek(0)
        file.write(_header(count, None))
    return count


def write_mesh_pieces_ply(
    path: str | Path, pieces: Iterable[tuple[NDArray, NDArray, NDArray, NDArray]]
) -> tuple[int, int]:
    """`write_mesh_ply` for a mesh in pieces: vertices, normals, colours and triangles of each.

    Triangles count the vertices of all pieces so far. Returns the numbers of vertices and of triangles.
    """
    vertices, triangles = 0, 0
    with replacing(path) as part, open(part, "wb") as file, tempfile.TemporaryFile(dir=part.parent) as faces:
        file.write(_header(0, 0))
        for vertices_m, normals, rgb, indices in pieces:
            file.write(_vertices(vertices_m, normals, rgb).tobytes())
            vertices, triangles = vertices + len(vertices_m), triangles + len(indices)
            faces.write(_faces(indices, vertices).tobytes())
        faces.seek(0)
        shutil.copyfileobj(faces, file)
        file.seek(0)
        file.write(_header(vertices, triangles))
    return vertices, triangles


def _faces(triangles: NDArray[np.integer], vertices: int) -> NDArray:
    indices = np.asarray(triangles)
    if indices.ndim != 2 or indices.shape[1] != 3:
        raise InvalidValue(f"triangles must have shape (T, 3); given {indices.shape}")
    if indices.size and not 0 <= indices.min() <= indices.max() < vertices:
        raise InvalidValue(
            f"triangles must index the {vertices} vertices; given indices {indices.min()} to {indices.max()}"
        )
    faces = np.empty(len(indices), dtype=_FACE)
    faces["corners"], faces["indices"] = 3, indices
    return faces


def _vertices(position_m: NDArray, normal: NDArray, rgb: NDArray) -> NDArray:
    shape = np.shape(position_m)
    if len(shape) != 2 or shape[1] != 3 or np.shape(normal) != shape or np.shape(rgb) != shape:
        raise InvalidValue(
            f"positions, normals and colours must all have shape (N, 3); given {shape}, {np.shape(normal)} and "
            f"{np.shape(rgb)}"
        )
    vertices = np.empty(shape[0], dtype=_VERTEX)
    vertices["position"], vertices["normal"], vertices["rgb"] = position_m, normal, rgb
    return vertices


def _header(vertices: int, faces: int | None) -> bytes:
    """As long for any numbers, so that it can be written again when they are known."""
    lines = ["ply", "format binary_little_endian 1.0", "comment metres, map frame", f"element vertex {vertices}"]
    lines += _VERTEX_LINES
    if faces is not None:
        lines += [f"element face {faces}", "property list uchar int vertex_indices"]
    missing = 2 * _MOST_DIGITS - len(str(vertices)) - len(str(faces or 0))
    return ("\n".join([*lines, "comment " + "." * missing, "end_header"]) + "\n").encode("ascii")
