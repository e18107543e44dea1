"""A memory as nodes of a viser scene. The scene's frame is the map's; viser's cameras look along z as OpenCV's do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

import numpy as np

from spatialmem.geometry import quat_wxyz_from_matrix
from spatialmem.types import Hit
from spatialmem.view.canvas import PATH, hit_colour
from spatialmem.view.scene import PageScene, Step
from spatialmem.view.thin import Cloud

if TYPE_CHECKING:
    import viser

    from spatialmem.log_entry import Keyframe

Clicked = Callable[[Any], None]
"""called with viser's event"""
LAYERS = {"map": True, "ceiling": False, "path": True, "keyframes": True, "free space": False}
"""what can be shown, and whether it is at first"""
_CAMERA_RGB = (88, 100, 124)
_CAMERA_M = 0.07
_DIM, _BRIGHT = 0.08, 0.22
_LEAST_EDGE_M = 0.06
_CORNERS = np.array(list(np.ndindex(2, 2, 2)), dtype=np.float64)
_EDGES = [(a, b) for a in range(8) for b in range(a + 1, 8) if np.abs(_CORNERS[a] - _CORNERS[b]).sum() == 1]


@final
class Stage:
    """The nodes: layers that can be shown or hidden, in steps that the time slider goes through."""

    def __init__(self, server: viser.ViserServer, scene: PageScene, on_keyframe: Callable[[Keyframe, Any], None]):
        self._api, self._scene, self._on_keyframe = server.scene, scene, on_keyframe
        self._hits: list[tuple[Any, Any, Any]] = []
        self._api.set_up_direction(scene.up)
        server.initial_camera.position, server.initial_camera.look_at = scene.eye_m, scene.look_at_m
        server.initial_camera.up = scene.up
        self._layers = {name: self._api.add_frame(_path_of(name), show_axes=False, visible=on) for name, on in
                        LAYERS.items()}  # fmt: skip
        self._steps = [self._add_step(number, step) for number, step in enumerate(scene.steps)]
        self._free_sent = False

    def show(self, layer: str, visible: bool) -> None:
        """Show or hide one of `LAYERS`. Free space is sent when it is first shown."""
        if layer == "free space" and visible and not self._free_sent:
            self._add_cloud(f"{_path_of(layer)}/cells", self._scene.free, self._scene.free.cell_m * 0.12)
            self._free_sent = True
        self._layers[layer].visible = visible

    def show_until(self, number: int) -> None:
        """Show the first `number` steps."""
        for place, nodes in enumerate(self._steps):
            for node in nodes:
                node.visible = place < number

    def show_hits(self, hits: tuple[Hit, ...], on_hit: Callable[[int, Any], None]) -> None:
        """Put a box and a number at each hit, in place of those before; a click on one calls on_hit(number, event)."""
        for nodes in self._hits:
            for node in nodes:
                node.remove()
        self._hits = [self._add_hit(number, hit, on_hit) for number, hit in enumerate(hits, start=1)]

    def light(self, number: int | None) -> None:
        """Make the box of one hit brighter than the others."""
        for place, (box, _, _) in enumerate(self._hits, start=1):
            box.opacity = _BRIGHT if place == number else _DIM

    def _add_step(self, number: int, step: Step) -> list[Any]:
        at, cell_m = f"{number:03d}", self._scene.cell_m
        nodes = [
            self._add_cloud(f"{_path_of(name)}/{at}", cloud, cell_m)
            for name, cloud in (("map", step.surface), ("ceiling", step.ceiling))
            if len(cloud)
        ]
        if len(step.path_m):
            nodes.append(self._api.add_line_segments(
                f"{_path_of('path')}/{at}", step.path_m, PATH, thickness=2.5, thickness_units="screen"
            ))  # fmt: skip
        if step.cameras:
            name = f"{_path_of('keyframes')}/{at}"
            nodes.append(self._api.add_frame(name, show_axes=False))
            for keyframe in step.cameras:
                self._add_camera(f"{name}/{keyframe.lsn}", keyframe)
        return nodes

    def _add_cloud(self, name: str, cloud: Cloud, size_m: float) -> Any:
        return self._api.add_point_cloud(
            name, cloud.position_m, cloud.rgb, point_size=size_m, precision="float32", point_shading="flat"
        )

    def _add_camera(self, name: str, keyframe: Keyframe) -> None:
        camera, pose = keyframe.camera, keyframe.map_from_camera
        node = self._api.add_camera_frustum(
            name, 2.0 * math.atan(camera.height / 2.0 / camera.fy), camera.width / camera.height, scale=_CAMERA_M,
            thickness=1.5, thickness_units="screen", color=_CAMERA_RGB, wxyz=quat_wxyz_from_matrix(pose[:3, :3]),
            position=pose[:3, 3], cast_shadow=False, receive_shadow=False,
        )  # fmt: skip
        node.on_click(lambda event: self._on_keyframe(keyframe, event))

    def _add_hit(self, number: int, hit: Hit, on_hit: Callable[[int, Any], None]) -> tuple[Any, Any, Any]:
        colour, size = hit_colour(number), np.maximum(hit.extent_m, _LEAST_EDGE_M)
        middle = (hit.box_min_m + hit.box_max_m) / 2.0
        corners = middle + (_CORNERS - 0.5) * size
        box = self._api.add_box(
            f"/hits/{number}/box", colour, size, opacity=_DIM, position=middle, side="front", cast_shadow=False,
            receive_shadow=False,
        )  # fmt: skip
        box.on_click(lambda event: on_hit(number, event))
        edges = self._api.add_line_segments(
            f"/hits/{number}/edges", corners[np.array(_EDGES)], colour, thickness=3.0, thickness_units="screen"
        )
        top = middle + self._scene.up * float(np.abs(self._scene.up) @ size) / 2.0
        label = self._api.add_label(f"/hits/{number}/label", str(number), position=top, anchor="bottom-center")
        return box, edges, label


def _path_of(layer: str) -> str:
    return "/" + layer.replace(" ", "_")
