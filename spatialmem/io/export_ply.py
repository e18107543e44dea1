"""Points and meshes as PLY files (binary, little endian), which every mesh tool opens.

Format: Greg Turk, "The PLY Polygon File Format" (1994). Units are metres, the frame is the map's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue
from spatialmem.io.export_file import write_file

_VERTEX = np.dtype([("position", "<f4", 3), ("normal", "<f4", 3), ("rgb", "u1", 3)])
_FACE = np.dtype([("corners", "u1"), ("indices", "<i4", 3)])
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
    vertices = _vertices(position_m, normal, rgb)
    write_file(path, _header(len(vertices), None) + vertices.tobytes())


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
    vertices = _vertices(vertices_m, normals, rgb)
    indices = np.asarray(triangles)
    if indices.ndim != 2 or indices.shape[1] != 3:
        raise InvalidValue(f"triangles must have shape (T, 3); given {indices.shape}")
    if indices.size and not 0 <= indices.min() <= indices.max() < len(vertices):
        raise InvalidValue(
            f"triangles must index the {len(vertices)} vertices; given indices {indices.min()} to {indices.max()}"
        )
    faces = np.empty(len(indices), dtype=_FACE)
    faces["corners"], faces["indices"] = 3, indices
    write_file(path, _header(len(vertices), len(faces)) + vertices.tobytes() + faces.tobytes())


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
    lines = ["ply", "format binary_little_endian 1.0", "comment metres, map frame", f"element vertex {vertices}"]
    lines += _VERTEX_LINES
    if faces is not None:
        lines += [f"element face {faces}", "property list uchar int vertex_indices"]
    return ("\n".join([*lines, "end_header"]) + "\n").encode("ascii")
