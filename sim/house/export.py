"""A house as files: the truth as JSON, the meshes as GLB."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.house.errors import InvalidHouse, require
from sim.house.house import House
from sim.house.layout.plan import Opening
from sim.house.materials import Material, mixed
from sim.house.thing import CATEGORIES
from sim.house.truth import ThingState, Truth

TRUTH_VERSION = 1
_Y_UP = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, -1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
"""from z-up to glTF's y-up"""


def truth_as_json(truth: Truth) -> dict[str, Any]:
    """The truth as plain values. World frame z-up, metres; poses are 4x4 row by row; stamps in nanoseconds."""
    house = truth.house
    return {
        "version": TRUTH_VERSION,
        "seed": house.seed,
        "attempt": house.attempt,
        "digest": house.digest,
        "config": dataclasses.asdict(house.config),
        "stamp_ns": truth.stamp_ns,
        "frame": {"up": "z", "unit": "m", "box": "axis-aligned, world"},
        "categories": list(CATEGORIES),
        "floors": [{"floor": f, "base_m": truth.floor_plan(f).base_m} for f in range(house.plan.floors)],
        "rooms": rooms_as_json(house),
        "openings": [_opening(o) for o in house.plan.openings],
        "stairs": dataclasses.asdict(house.plan.stairs) if house.plan.stairs is not None else None,
        "things": [_thing(truth, truth.state(t.thing_id)) for t in house.things],
    }  # fmt: skip


def rooms_as_json(house: House) -> list[dict[str, Any]]:
    """Rooms as plain values; `rect_m`: x0, y0, x1, y1 between the walls, metres."""
    return [
        {"room_id": r.room_id, "kind": r.kind, "floor": r.floor, "rect_m": list(dataclasses.astuple(r.inside))}
        for r in house.rooms
    ]


def write_truth(truth: Truth, path: str | Path) -> Path:
    """Write the truth as JSON (.json)."""
    target = _named(path, ".json")
    target.write_text(json.dumps(truth_as_json(truth), indent=1), encoding="utf-8")
    return target


def write_glb(house: House, path: str | Path) -> Path:
    """Write the meshes as binary glTF (.glb), y-up, a node for each thing, named "0012 mug".

    Textures are functions, not images: a vertex bears the mean colour of its material.
    """
    trimesh = require("trimesh")
    target = _named(path, ".glb")
    scene = trimesh.Scene()
    for t in house.things:
        shape = t.shape
        vertex_material = np.zeros(len(shape.vertices_m), dtype=np.int64)
        vertex_material[shape.faces.ravel()] = np.repeat(shape.face_material, 3)
        colours = np.array([_mean_rgba(m) for m in shape.materials], dtype=np.uint8)
        mesh = trimesh.Trimesh(
            shape.vertices_m, shape.faces, vertex_normals=shape.normals, vertex_colors=colours[vertex_material],
            process=False,
        )  # fmt: skip
        name = f"{t.thing_id:04d} {t.category}"
        scene.add_geometry(mesh, node_name=name, geom_name=name, transform=_Y_UP @ t.world_from_thing)
    target.write_bytes(scene.export(file_type="glb", include_normals=True))  # type: ignore[arg-type]
    return target


def _named(path: str | Path, suffix: str) -> Path:
    target = Path(path)
    if target.suffix.lower() != suffix:
        raise InvalidHouse(f"the file must end in {suffix}; given {target.name!r}")
    if not target.parent.is_dir():
        raise InvalidHouse(f"the folder {str(target.parent)!r} does not exist; make it first")
    return target


def _mean_rgba(material: Material) -> tuple[int, int, int, int]:
    """Linear light, as glTF has it."""
    r, g, b = (round(255.0 * c * c) for c in mixed(material.rgb, material.rgb2, 0.35))
    return r, g, b, 255


def _opening(o: Opening) -> dict[str, Any]:
    return {
        "passage": o.passage.value,
        "floor": o.floor,
        "rooms": list(o.rooms),
        "middle_m": list(o.middle),
        "along": "xy"[o.axis],
        "width_m": o.width_m,
        "low_m": o.low_m,
        "high_m": o.high_m,
    }


def _thing(truth: Truth, s: ThingState) -> dict[str, Any]:
    t = s.thing
    moved = not s.present or not np.allclose(s.world_from_thing, t.world_from_thing, atol=1e-6)
    stand = None if moved else truth.house.viewpoints.get(t.thing_id)
    return {
        "thing_id": t.thing_id,
        "category": t.category,
        "category_id": t.category_id,
        "group": t.group,
        **dataclasses.asdict(t.look),
        "phrase": t.look.phrase(t.category),
        "present": s.present,
        "world_from_thing": _list(s.world_from_thing),
        "box_min_m": _list(s.box_min_m),
        "box_max_m": _list(s.box_max_m),
        "room_id": s.room_id,
        "support_id": s.support_id,
        "relation": s.relation,
        "since_ns": s.since_ns,
        "viewpoint_m": None if stand is None else _list(stand),
    }


def _list(values: NDArray[np.floating]) -> list[Any]:
    return np.round(values, 6).tolist()
