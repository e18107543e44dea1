"""A house in MuJoCo's renderer: the same meshes at the same places, from the same poses. Needs `mujoco`.

A thing is one geom with one colour, as geoms have no textures of our kind; light is one headlight without shadows. A
picture takes two passes, colour with depth and segmentation, through the functions that mujoco.Renderer itself calls;
that class would need three.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from typing import Any

import numpy as np

from sim.house import House, Thing
from sim.house.render.raster import NEAR_M
from spatialmem.types import Camera

INSTALL = "pip install mujoco==4.0.0 (and libegl1 with libgl1-mesa-dri, or libosmesa6, from the system's packages)"
_FAR_M = 60.0
_TURNED = np.diag([1.0, -1.0, -1.0])
"""OpenCV camera axes from OpenGL's"""


def working_gl() -> str | None:
    """The GL that MuJoCo can draw with here, "egl" or "osmesa", or None; tried in processes of their own."""
    probe = "import mujoco; mujoco.GLContext(16, 16).make_current()"
    for name in filter(None, (os.environ.get("MUJOCO_GL"), "egl", "osmesa")):
        environment = {**os.environ, "MUJOCO_GL": name, "PYOPENGL_PLATFORM": name}
        done = subprocess.run([sys.executable, "-c", probe], env=environment, capture_output=True, check=False)
        if done.returncode == 0:
            return name
    return None


class MujocoHouse:
    """Draws a house with the GL of the environment variable MUJOCO_GL, which must be set before this is made."""

    def __init__(self, house: House, gl: str) -> None:
        os.environ["MUJOCO_GL"] = os.environ["PYOPENGL_PLATFORM"] = gl
        import mujoco

        self._mujoco: Any = mujoco
        spec = mujoco.MjSpec()
        for thing in house.things:
            _add(mujoco, spec, thing)
        spec.worldbody.add_camera(name="eye")
        spec.visual.quality.offsamples = spec.visual.quality.shadowsize = 0
        spec.visual.global_.offwidth, spec.visual.global_.offheight = 640, 480
        spec.stat.extent = 1.0
        spec.visual.map.znear, spec.visual.map.zfar = NEAR_M, _FAR_M
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        mujoco.mj_forward(self._model, self._data)
        self._context = mujoco.GLContext(640, 480)
        self._context.make_current()
        self._scene = mujoco.MjvScene(self._model, len(house.things) + 10)
        self._drawn = mujoco.MjrContext(self._model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._drawn)
        self._options, self._camera = mujoco.MjvOption(), mujoco.MjvCamera()
        self._camera.type, self._camera.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, 0

    def render(
        self, world_from_camera: np.ndarray, camera: Camera
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
        """rgb (H, W, 3) uint8, depth along the optical axis (H, W) metres, thing ids (H, W), 0 where nothing is."""
        mujoco, scene = self._mujoco, self._scene
        self._model.cam_fovy[0] = math.degrees(2.0 * math.atan(camera.height / 2.0 / camera.fy))
        self._data.cam_xpos[0] = world_from_camera[:3, 3]
        self._data.cam_xmat[0] = (world_from_camera[:3, :3] @ _TURNED).ravel()
        mujoco.mjv_updateScene(
            self._model, self._data, self._options, None, self._camera, mujoco.mjtCatBit.mjCAT_ALL.value, scene
        )
        view = mujoco.MjrRect(0, 0, camera.width, camera.height)
        shape = (camera.height, camera.width)
        rgb, depth = np.empty((*shape, 3), dtype=np.uint8), np.empty(shape, dtype=np.float32)
        mujoco.mjr_render(view, scene, self._drawn)
        mujoco.mjr_readPixels(rgb, depth, view, self._drawn)
        flags = (mujoco.mjtRndFlag.mjRND_SEGMENT, mujoco.mjtRndFlag.mjRND_IDCOLOR)
        for flag in flags:
            scene.flags[flag] = True
        colours = np.empty_like(rgb)
        mujoco.mjr_render(view, scene, self._drawn)
        mujoco.mjr_readPixels(colours, None, view, self._drawn)
        for flag in flags:
            scene.flags[flag] = False
        metres = NEAR_M / (1.0 - depth[::-1] * np.float32(1.0 - NEAR_M / _FAR_M))
        ids = colours[::-1].astype(np.int32) @ np.array([1, 1 << 8, 1 << 16], dtype=np.int32)
        return rgb[::-1], metres, ids  # one geom a thing, in order: the colour of a geom is its index plus one

    def close(self) -> None:
        """Give the GL context back."""
        self._drawn.free()
        self._context.free()


def _add(mujoco: Any, spec: Any, thing: Thing) -> None:
    shape, name = thing.shape, f"thing {thing.thing_id}"
    spec.add_mesh(
        name=name, uservert=shape.vertices_m.ravel(), userface=shape.faces.ravel(), usernormal=shape.normals.ravel(),
        userfacenormal=shape.faces.ravel(), inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
    )  # fmt: skip
    share = np.bincount(shape.face_material, minlength=len(shape.materials)) / len(shape.faces)
    quat_wxyz = np.empty(4)
    mujoco.mju_mat2Quat(quat_wxyz, np.ascontiguousarray(thing.world_from_thing[:3, :3]).ravel())
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, pos=thing.world_from_thing[:3, 3], quat=quat_wxyz,
        contype=0, conaffinity=0, rgba=[*(share @ np.array([m.rgb for m in shape.materials])), 1.0],
    )  # fmt: skip
