"""A floor plan for planners: map.yaml + map.pgm, as ROS' map_server and nav2 load them.

Format: https://wiki.ros.org/map_server#Map_format. `origin` is the outer corner of the cell at the lower left,
the last row of the image. Unknown is grey 205: 50/255 occupied, which stays above `free_thresh` only when that is
0.196 or less.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spatialmem.errors import InvalidValue
from spatialmem.geometry import rotation_to_z_up
from spatialmem.io.export_file import write_file

UNKNOWN, FREE, OCCUPIED = 0, 1, 2
"""states of a free-space voxel"""
GREY = {UNKNOWN: 205, FREE: 254, OCCUPIED: 0}
_UPRIGHT = 0.9  # cosine from which a surface is level
_FLOOR_SHARE = 0.25  # the floor is the lowest level with this share of the largest level
_LEVEL_M = 0.05


@dataclass(frozen=True, eq=False)
class Costmap:
    """A floor plan. Its frame is the map turned so that up is z, by the smallest turn (none when up is z already)."""

    state: NDArray[np.uint8]
    """(Y, X) 0 unknown, 1 free, 2 occupied; row 0 at the smallest y"""
    origin_m: tuple[float, float]
    """x, y of the outer corner of cell (0, 0), metres"""
    cell_m: float
    """edge of a cell, metres"""
    z_up_from_map: NDArray[np.float64]
    """(3, 3) rotation"""


def floor_height_m(position_m: NDArray[np.floating], normal: NDArray[np.floating], up: ArrayLike) -> float:
    """Height of the floor along `up`: the lowest level that holds much upward surface.

    Args:
        position_m: (N, 3) surface points, metres, map frame.
        normal: (N, 3) unit normals.
        up: (3,) direction against gravity, map frame.

    Raises `InvalidValue` when no surface faces up.
    """
    direction = _unit(up)
    heights = (position_m @ direction)[normal @ direction > _UPRIGHT]
    if heights.size == 0:
        raise InvalidValue("no level surface faces up, so there is no floor to find; give low_m and high_m")
    level = np.round(heights / _LEVEL_M).astype(np.int64)
    levels, counts = np.unique(level, return_counts=True)
    lowest = levels[counts >= _FLOOR_SHARE * counts.max()][0]
    return float(np.median(heights[level == lowest]))


def project_costmap(
    state: NDArray[np.uint8], origin_m: ArrayLike, voxel_size_m: float, up: ArrayLike, low_m: float, high_m: float
) -> Costmap:
    """Look down on a free-space grid between two heights.

    A cell is occupied when any voxel of its column is, free when none is and at least one is free, else unknown.

    Args:
        state: (X, Y, Z) uint8: 0 unknown, 1 free, 2 occupied.
        origin_m: (3,) outer corner of voxel (0, 0, 0), metres, map frame.
        voxel_size_m: edge of a voxel, metres; the cell of the plan has the same.
        up: (3,) direction against gravity, map frame.
        low_m: lower height along up, metres, in the map frame.
        high_m: upper height.
    """
    if not (math.isfinite(low_m) and math.isfinite(high_m) and low_m < high_m):
        raise InvalidValue(f"a plan needs finite heights with low < high; given {low_m} and {high_m} m")
    if state.ndim != 3 or state.size == 0:
        raise InvalidValue(f"a plan needs free space of shape (X, Y, Z) with voxels in it; given {state.shape}")
    rotation = rotation_to_z_up(_unit(up))
    origin, size = np.asarray(origin_m, dtype=np.float64), float(voxel_size_m)
    corners = origin + np.array(list(np.ndindex(2, 2, 2))) * np.array(state.shape) * size
    turned = corners @ rotation.T
    low_xy, high_xy = turned.min(axis=0)[:2], turned.max(axis=0)[:2]
    cells = np.maximum(np.ceil((high_xy - low_xy) / size - 1e-6).astype(int), 1)
    x = low_xy[0] + (np.arange(cells[0]) + 0.5) * size
    y = low_xy[1] + (np.arange(cells[1]) + 0.5) * size
    plan = np.zeros((cells[1], cells[0]), dtype=np.uint8)
    layers = _heights(float(turned[:, 2].min()), float(turned[:, 2].max()), size, low_m, high_m)
    if layers.size == 0:
        raise InvalidValue(
            f"no layer of free space lies between {low_m:g} and {high_m:g} m; it reaches from "
            f"{turned[:, 2].min():g} to {turned[:, 2].max():g} m along up"
        )
    for z in layers:
        centres = np.stack([*np.meshgrid(x, y), np.full((cells[1], cells[0]), z)], axis=-1)
        plan = np.maximum(plan, _look_up(state, (centres @ rotation - origin) / size))
    return Costmap(plan, (float(low_xy[0]), float(low_xy[1])), size, rotation)


def write_costmap(folder_or_yaml: str | Path, costmap: Costmap) -> tuple[Path, Path]:
    """Write map.yaml and map.pgm; returns both paths.

    Args:
        folder_or_yaml: a folder, or the name of the .yaml file (the .pgm then has the same stem).
        costmap: the plan.
    """
    given = Path(folder_or_yaml).expanduser()
    yaml = given if given.suffix in (".yaml", ".yml") else given / "map.yaml"
    if yaml.parent == given and not given.exists() and given.parent.is_dir():
        given.mkdir()
    pgm = yaml.with_suffix(".pgm")
    grey = np.array([GREY[UNKNOWN], GREY[FREE], GREY[OCCUPIED]], dtype=np.uint8)[costmap.state][::-1]
    write_file(pgm, f"P5\n{grey.shape[1]} {grey.shape[0]}\n255\n".encode("ascii") + grey.tobytes())
    write_file(yaml, _yaml(pgm.name, costmap).encode("utf-8"))
    return yaml, pgm


def _yaml(image: str, costmap: Costmap) -> str:
    turn = ", ".join(f"{value:.9g}" for value in costmap.z_up_from_map.ravel())
    x, y = costmap.origin_m
    return (
        f"image: {image}\nmode: trinary\nresolution: {costmap.cell_m:.9g}\norigin: [{x:.9g}, {y:.9g}, 0.0]\n"
        "negate: 0\noccupied_thresh: 0.65\nfree_thresh: 0.196\n"
        f"# frame: the map turned so that up is z; rotation z_up_from_map, row-major: [{turn}]\n"
    )


def _heights(bottom: float, top: float, size: float, low_m: float, high_m: float) -> NDArray[np.float64]:
    """Heights of voxel layers whose centre lies between low and high, from `bottom` up."""
    count = max(1, math.ceil((top - bottom) / size - 1e-6))
    layers = np.array([bottom + (k + 0.5) * size for k in range(count)])
    return layers[(layers >= low_m) & (layers <= high_m)]


def _look_up(state: NDArray[np.uint8], position: NDArray[np.float64]) -> NDArray[np.uint8]:
    """States at positions (..., 3) in voxels from the corner; unknown outside."""
    index = np.floor(position).astype(np.int64)
    inside = ((index >= 0) & (index < state.shape)).all(axis=-1)
    index[~inside] = 0
    return np.where(inside, state[index[..., 0], index[..., 1], index[..., 2]], UNKNOWN).astype(np.uint8)


def _unit(up: ArrayLike) -> NDArray[np.float64]:
    direction = np.asarray(up, dtype=np.float64)
    length = float(np.linalg.norm(direction)) if direction.shape == (3,) else 0.0
    if not (math.isfinite(length) and length > 1e-9):
        raise InvalidValue(f"up must be three numbers that make a direction; given {direction.tolist()}")
    return direction / length
