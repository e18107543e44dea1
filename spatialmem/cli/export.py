"""`spatialmem export`: a memory as files that other tools read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from spatialmem.cli.codes import OK
from spatialmem.cli.output import pairs_table, write_json
from spatialmem.errors import InvalidValue, UpUnknown

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from spatialmem.memory import SpatialMemory

_ABOVE_FLOOR_M = (0.15, 1.5)


@dataclass(frozen=True)
class Export:
    """Write files for other tools. Give at least one of --ply, --mesh, --glb, --trajectory, --map, --rrd."""

    memory: tyro.conf.Positional[Path]
    """the memory file; it is not changed"""
    ply: Path | None = None
    """surface points with normals and colours, PLY"""
    mesh: Path | None = None
    """surface as triangles with normals and colours, PLY"""
    glb: Path | None = None
    """surface as triangles with normals and colours, binary glTF, y-up"""
    trajectory: Path | None = None
    """poses of the stored frames, TUM text"""
    map: Path | None = None
    """floor plan for ROS' map_server: a folder (gets map.yaml, map.pgm) or the name of the .yaml file"""
    rrd: Path | None = None
    """the memory as a recording for the Rerun viewer; needs the extra [rerun]"""
    up: tuple[float, float, float] | None = None
    """direction against gravity in the map frame; --map and --glb need it where the memory does not know it"""
    low_m: float | None = None
    """--map: lower height along up in the map frame, metres (default 0.15 above the floor)"""
    high_m: float | None = None
    """--map: upper height, metres (default 1.5 above the floor)"""
    json: bool = False
    """one JSON object on standard output"""

    def run(self) -> int:
        """Export; returns the exit code."""
        if not any((self.ply, self.mesh, self.glb, self.trajectory, self.map, self.rrd)):
            raise InvalidValue(
                "nothing to export; give at least one of --ply, --mesh, --glb, --trajectory, --map, --rrd"
            )
        from spatialmem.memory import SpatialMemory

        values: dict[str, Any] = {"memory": self.memory}
        with SpatialMemory.open(self.memory, "r") as memory:
            if self.map is not None:  # first what may be refused
                values["map"] = self._write_map(memory, self.map)
            if self.glb is not None:
                values["glb"] = _write_glb(memory, self.glb, self._up(memory, "a .glb file is y-up and"))
            if self.rrd is not None:
                values["rrd"] = _write_rrd(memory, self.rrd)
            if self.ply is not None:
                values["ply"] = _write_points(memory, self.ply)
            if self.mesh is not None:
                values["mesh"] = _write_mesh(memory, self.mesh)
            if self.trajectory is not None:
                values["trajectory"] = _write_trajectory(memory, self.trajectory)
        if self.json:
            write_json(values)
        else:
            written = {name: given for name, given in values.items() if isinstance(given, dict)}
            rows = [
                (name, ", ".join(f"{key} {value}" for key, value in given.items())) for name, given in written.items()
            ]
            pairs_table("", rows)
        return OK

    def _write_map(self, memory: SpatialMemory, path: Path) -> dict[str, Any]:
        from spatialmem.io.export_costmap import FREE, OCCUPIED, project_costmap, write_costmap

        up = self._up(memory, "a floor plan")
        low_m, high_m = self._heights(memory, up)
        free = memory.free_space()
        costmap = project_costmap(free.state, free.origin_m, free.voxel_size_m, up, low_m, high_m)
        yaml, pgm = write_costmap(path, costmap)
        return {
            "yaml": yaml, "pgm": pgm, "cells": costmap.state.size, "cell_m": costmap.cell_m, "low_m": round(low_m, 3),
            "high_m": round(high_m, 3), "free": int((costmap.state == FREE).sum()),
            "occupied": int((costmap.state == OCCUPIED).sum()),
        }  # fmt: skip

    def _up(self, memory: SpatialMemory, what: str) -> ArrayLike:
        up = memory.up_in_map if self.up is None else self.up
        if up is None:
            raise UpUnknown(
                f"{what} needs to know which way is up, and this memory does not; declare it with --up X Y Z, "
                "the direction against gravity in the map frame (0 0 1 where the map's z points up)"
            )
        return up

    def _heights(self, memory: SpatialMemory, up: ArrayLike) -> tuple[float, float]:
        if self.low_m is not None and self.high_m is not None:
            return self.low_m, self.high_m
        from spatialmem.io.export_costmap import floor_height_m

        points = memory.points()
        floor = floor_height_m(points.position_m, points.normal, up)
        low_m, high_m = (floor + above for above in _ABOVE_FLOOR_M)
        return low_m if self.low_m is None else self.low_m, high_m if self.high_m is None else self.high_m


def _write_points(memory: SpatialMemory, path: Path) -> dict[str, Any]:
    from spatialmem.io.export_ply import write_point_pieces_ply

    pieces = ((p.position_m, p.normal, p.rgb) for p in memory.point_pieces())
    return {"file": path, "points": write_point_pieces_ply(path, pieces)}


def _write_mesh(memory: SpatialMemory, path: Path) -> dict[str, Any]:
    from spatialmem.io.export_ply import write_mesh_pieces_ply

    pieces = ((p.vertices_m, p.normals, p.rgb, p.triangles) for p in memory.mesh_pieces())
    vertices, triangles = write_mesh_pieces_ply(path, pieces)
    return {"file": path, "vertices": vertices, "triangles": triangles}


def _write_glb(memory: SpatialMemory, path: Path, up: ArrayLike) -> dict[str, Any]:
    from spatialmem.io.export_glb import write_mesh_glb

    mesh = memory.mesh()
    write_mesh_glb(path, mesh.vertices_m, mesh.normals, mesh.rgb, mesh.triangles, up)
    return {"file": path, "vertices": len(mesh.vertices_m), "triangles": len(mesh.triangles)}


def _write_rrd(memory: SpatialMemory, path: Path) -> dict[str, Any]:
    from spatialmem.io.export_file import replacing
    from spatialmem.view.rerun_file import write_rerun

    with replacing(path) as part:
        written = write_rerun(memory, part)
    return {"file": path, **written}


def _write_trajectory(memory: SpatialMemory, path: Path) -> dict[str, Any]:
    from spatialmem.io.export_trajectory import write_trajectory_tum

    keyframes = memory.trajectory()
    write_trajectory_tum(path, [k.stamp_ns for k in keyframes], [k.map_from_camera for k in keyframes])
    return {"file": path, "poses": len(keyframes)}
