"""The colours of a picture against the same thing written with numpy."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from house_cases import box_room, camera, pose_at
from reference import house_shading

from sim.house import RasterRenderer, Thing, look_at
from sim.house.category import make
from sim.house.materials import Material, Pattern
from sim.house.render.texture import COLUMNS, material_table, noise_table
from sim.house.shape import placed
from sim.house.shapes.furniture_table import KINDS

WEIGHTED = [p for p in Pattern if p not in (Pattern.SKY, Pattern.PRINT)]


def painted(pattern: Pattern, axis: int, scale_m: float) -> RasterRenderer:
    """The box room with one material everywhere, lit by a lamp, a window, and vertex light of some values."""
    house = box_room()
    finish = Material(pattern, (0.7, 0.4, 0.2), (0.2, 0.3, 0.6), scale_m, 0.4, axis, 321, 0.05)
    things = tuple(
        dataclasses.replace(t, shape=dataclasses.replace(t.shape, materials=(finish,) * len(t.shape.materials)))
        for t in house.things
    )
    renderer = RasterRenderer(dataclasses.replace(house, things=things), threads=1, light=False)
    s = renderer.scene.surfaces
    s.lamps[0] = (2.2, 1.7, 2.1, 1.3)
    s.windows[0, 0] = (0.2, 2.0, 1.5, 1.0, 0.0, 0.0, 1.6)
    s.light[:] = np.random.default_rng(5).uniform(0.3, 1.0, s.light.shape)
    return renderer


@pytest.mark.parametrize("pattern", WEIGHTED, ids=lambda p: p.name.lower())
def test_colours_are_those_of_the_reference(pattern):
    axis = int(pattern) % 3
    renderer = painted(pattern, axis, 0.11)
    lens = camera(96, 72)
    pose = pose_at(np.array([1.3, 1.1, 1.2]), 0.6, -0.25)
    picture = renderer.render(pose, lens, normals=True)
    hits = renderer.hits(pose, lens)
    s = renderer.scene.surfaces
    faces = s.faces[hits.faces].reshape(-1, 3)
    weights = np.stack([1.0 - hits.u - hits.v, hits.u, hits.v], axis=-1).reshape(-1, 3).astype(np.float64)
    y, x = np.mgrid[0 : lens.height, 0 : lens.width]
    slopes = np.stack([(x - lens.cx) / lens.fx, (y - lens.cy) / lens.fy, np.ones(x.shape)], axis=-1)
    rays = (slopes @ pose[:3, :3].T).reshape(-1, 3)
    depth = hits.depth_m.reshape(-1).astype(np.float64)
    points = pose[:3, 3] + depth[:, None] * rays
    normals = (s.normals[faces] * weights[..., None]).sum(axis=1)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    rows = s.materials[s.face_material[hits.faces.reshape(-1)]].astype(np.float64)
    colour = house_shading.albedo(pattern.name.lower(), s.noise, rows, points, normals, depth / lens.fx)
    light, spark = house_shading.light(
        s.lamps[0], s.windows[0], points, normals, rays, (s.light[faces] * weights[..., None]).sum(axis=1)
    )
    wanted = house_shading.display(colour * (light + rows[:, 11:12]) + (rows[:, 8] * spark)[:, None])
    off = np.abs(picture.rgb.reshape(-1, 3) - wanted)
    assert np.percentile(off, 99.0) <= 3.0  # the tone table has steps of 1/512, which dark colours show
    assert np.median(off) <= 1.0
    np.testing.assert_allclose(picture.normals.reshape(-1, 3), normals, atol=1e-5)
    assert picture.rgb.reshape(-1, 3).std(axis=0).min() > 2.0  # there is something to see


def test_textures_are_fixed_to_their_thing():
    house = box_room()
    chest = make(next(c for c in KINDS if c.name == "chest of drawers"), np.random.default_rng(4))
    thing = Thing(len(house.things) + 1, "chest of drawers", chest.look, chest.shape, placed((2.0, 2.0, 0.0)), 0)
    subject = RasterRenderer(dataclasses.replace(house, things=(*house.things, thing)), light=False)
    subject.scene.surfaces.lamps[:, 3] = 0.0  # even light, so that the texture alone makes the difference
    for other in house.things:
        subject.take_away(other.thing_id)
    view = look_at(np.array([3.0, 3.2, 1.4]), np.array([2.0, 2.0, 0.4]))
    before = subject.render(view, camera())
    turn = placed((0.7, -0.4, 0.1), yaw_deg=35.0)
    subject.place(thing.thing_id, turn @ thing.world_from_thing)
    after = subject.render(turn @ view, camera())
    both = (before.thing_ids > 0) & (after.thing_ids > 0)
    assert both.mean() > 0.1
    assert ((before.thing_ids > 0) != (after.thing_ids > 0)).mean() < 1e-3
    assert (np.abs(before.rgb.astype(int) - after.rgb)[both].max(axis=1) > 2).mean() < 0.03
    assert before.rgb[both].std(axis=0).min() > 3.0


def test_a_row_of_the_table_is_linear_light():
    table = material_table([Material(Pattern.WOOD, (0.5, 0.4, 0.3), (0.2, 0.1, 0.1), 0.05)])
    assert table.shape == (1, len(COLUMNS))
    assert table[0, 1] == pytest.approx(0.25)
    assert table[0, 12] == pytest.approx(20.0)


def test_noise_is_periodic_balanced_and_smooth():
    noise = noise_table()
    assert noise.shape == (256, 256)
    assert noise.mean() == pytest.approx(0.5, abs=0.02)
    assert noise.std() > 0.15
    wrapped = np.concatenate([noise, noise[:1]])
    assert np.abs(np.diff(wrapped, axis=0)).max() < 0.5
