"""A mesh as binary glTF (.glb), which browsers, Blender and game engines open. glTF is y-up, in metres.

Format: The Khronos Group, "glTF 2.0 Specification" (ISO/IEC 12113:2022), sections 3 and 4.4, with the extension
KHR_materials_unlit: the colours of a map are those of lit surfaces.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatialmem.errors import InvalidValue
from spatialmem.geometry import rotation_to_z_up
from spatialmem.io.export_file import write_file

Y_UP_FROM_Z_UP = np.array([(1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0)])
"""x stays, z becomes y, y becomes -z"""
_MAGIC, _VERSION, _JSON, _BIN = 0x46546C67, 2, 0x4E4F534A, 0x004E4942
_UNSIGNED_SHORT, _UNSIGNED_INT, _FLOAT = 5123, 5125, 5126
_VERTICES, _INDICES = 34962, 34963
_MOST_BYTES = 2**32 - 1
_SHORTEST_NORMAL = 1e-6


def write_mesh_glb(
    path: str | Path, vertices_m: NDArray[np.floating], normals: NDArray[np.floating], rgb: NDArray[np.uint8],
    triangles: NDArray[np.integer], up: ArrayLike,
) -> None:  # fmt: skip
    """Write a coloured triangle mesh, turned so that up is y.

    The rotation from the given frame stands in `asset.extras.y_up_from_map` of the file, row-major. Faces are
    one-sided: a room can be looked into from outside.

    Args:
        path: file to write; replaced when it exists.
        vertices_m: (V, 3) metres, z-up or any other frame in which `up` is known.
        normals: (V, 3) unit normals; where they are zero, that of the triangles is taken.
        rgb: (V, 3) uint8, sRGB.
        triangles: (T, 3) indices into the vertices, counter-clockwise seen from outside.
        up: (3,) direction against gravity in the frame of the vertices.

    Raises:
        InvalidValue: the arrays do not belong together, there are no triangles, or more than a .glb can hold.
        ExportError: the file cannot be written.
    """
    shape, indices = np.shape(vertices_m), np.asarray(triangles)
    _check(shape, np.shape(normals), np.shape(rgb), indices)
    rotation = Y_UP_FROM_Z_UP @ rotation_to_z_up(up)
    position = np.asarray(vertices_m, np.float64) @ rotation.T
    normal = _whole_normals(position, np.asarray(normals, np.float64) @ rotation.T, indices)
    arrays = [
        (position.astype("<f4"), _FLOAT, "VEC3", _VERTICES), (normal.astype("<f4"), _FLOAT, "VEC3", _VERTICES),
        (_linear(rgb), _UNSIGNED_SHORT, "VEC4", _VERTICES),
        (indices.astype("<u4").reshape(-1, 1), _UNSIGNED_INT, "SCALAR", _INDICES),
    ]  # fmt: skip
    write_file(path, _container(_document(arrays, rotation), b"".join(array.tobytes() for array, *_ in arrays)))


def _check(shape: tuple[int, ...], normals: tuple[int, ...], rgb: tuple[int, ...], indices: NDArray) -> None:
    if len(shape) != 2 or shape[1] != 3 or normals != shape or rgb != shape:
        raise InvalidValue(
            f"positions, normals and colours must all have shape (N, 3); given {shape}, {normals} and {rgb}"
        )
    if indices.ndim != 2 or indices.shape[1] != 3:
        raise InvalidValue(f"triangles must have shape (T, 3); given {indices.shape}")
    if indices.size == 0:
        raise InvalidValue("a .glb file cannot be without triangles, and this mesh has none; observe something first")
    if not 0 <= indices.min() <= indices.max() < shape[0]:
        raise InvalidValue(
            f"triangles must index the {shape[0]} vertices; given indices {indices.min()} to {indices.max()}"
        )


def _whole_normals(position: NDArray, normal: NDArray, indices: NDArray) -> NDArray[np.float64]:
    """Unit normals everywhere, as glTF demands: where none is known, the mean of the triangles around."""
    length = np.linalg.norm(normal, axis=1)
    if (length > _SHORTEST_NORMAL).all():
        return normal / length[:, None]
    a, b, c = (position[indices[:, k]] for k in range(3))
    faces = np.cross(b - a, c - a)
    around = np.zeros_like(position)
    for k in range(3):
        np.add.at(around, indices[:, k], faces)
    normal = np.where((length > _SHORTEST_NORMAL)[:, None], normal, around)
    length = np.linalg.norm(normal, axis=1)
    normal[length == 0.0] = (0.0, 1.0, 0.0)
    return normal / np.where(length == 0.0, 1.0, length)[:, None]


def _linear(rgb: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """(V, 4) colour and alpha: glTF wants linear light (IEC 61966-2-1 undone), of which 16 bits keep the darks."""
    value = np.arange(256) / 255.0
    table = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    out = np.full((len(rgb), 4), 65535, "<u2")
    out[:, :3] = np.rint(table * 65535.0).astype("<u2")[np.asarray(rgb)]
    return out


def _document(arrays: list[tuple[NDArray, int, str, int]], rotation: NDArray[np.float64]) -> dict[str, Any]:
    views, accessors, offset = [], [], 0
    for array, component, kind, target in arrays:
        views.append({"buffer": 0, "byteOffset": offset, "byteLength": array.nbytes, "target": target})
        accessors.append({
            "bufferView": len(accessors), "componentType": component, "count": len(array), "type": kind,
            **({"normalized": True} if component == _UNSIGNED_SHORT else {}),
        })  # fmt: skip
        offset += array.nbytes  # every array is a multiple of four bytes long
    accessors[0] |= {"min": arrays[0][0].min(0).tolist(), "max": arrays[0][0].max(0).tolist()}
    material = {
        "pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 1.0},
        "extensions": {"KHR_materials_unlit": {}},
    }
    attributes = {"POSITION": 0, "NORMAL": 1, "COLOR_0": 2}
    return {
        "asset": {
            "version": "2.0", "generator": "spatialmem", "extras": {"y_up_from_map": rotation.ravel().tolist()},
        },
        "extensionsUsed": ["KHR_materials_unlit"], "scene": 0, "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0, "name": "map"}],
        "meshes": [{"primitives": [{"attributes": attributes, "indices": 3, "material": 0}]}],
        "materials": [material], "accessors": accessors, "bufferViews": views, "buffers": [{"byteLength": offset}],
    }  # fmt: skip


def _container(document: dict[str, Any], data: bytes) -> bytes:
    text = json.dumps(document, separators=(",", ":")).encode("utf-8")
    text += b" " * (-len(text) % 4)
    total = 12 + 8 + len(text) + 8 + len(data)
    if total > _MOST_BYTES:
        raise InvalidValue(f"a .glb file holds at most {_MOST_BYTES} bytes, and this mesh needs {total}; use --mesh")
    return b"".join((
        struct.pack("<3I", _MAGIC, _VERSION, total), struct.pack("<2I", len(text), _JSON), text,
        struct.pack("<2I", len(data), _BIN), data,
    ))  # fmt: skip
