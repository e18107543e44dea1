"""What the rasteriser leaves out early must not change a picture: hidden things, backs of closed ones."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from house_cases import RENDERERS, box_room, camera, pose_at, poses, renderer, small_house, tall_house

from sim.house import RasterRenderer, Thing, look_at
from sim.house.category import make
from sim.house.materials import Material, Pattern
from sim.house.render import raster, texture
from sim.house.render.scene import Scene, closed_things
from sim.house.shape import Kit, placed
from sim.house.shapes.furniture_table import KINDS
from sim.house.shapes.structure import patch

PAINT = Material(Pattern.PLAIN, (0.7, 0.4, 0.2), (0.2, 0.3, 0.6), 0.1)


def scene_with(*built: Kit) -> Scene:
    """The box room with more things in it, last."""
    house = box_room()
    more = [Thing(len(house.things) + 1 + i, "crate", house.things[0].look, k.built(), placed((2.0, 2.0, 0.0)), 0)
            for i, k in enumerate(built)]  # fmt: skip
    return Scene(dataclasses.replace(house, things=(*house.things, *more)))


def test_closed_are_the_shapes_without_a_rim():
    kits = [Kit({"all": PAINT}, np.random.default_rng(0)) for _ in range(5)]
    kits[0].box((0.0, 0.0, 0.0), (0.3, 0.2, 0.1), "all")
    kits[1].cylinder((0.1, 0.0, 0.0), 0.05, 0.2, "all")
    kits[1].ball((0.1, 0.0, 0.3), (0.1, 0.1, 0.2), "all")
    kits[2].box((0.0, 0.0, 0.0), (0.3, 0.2, 0.1), "all")
    kits[2].add(patch((0.0, 0.0, 0.5), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.2, 0.2)), (0.0, 0.0, 0.0), "all")
    kits[3].lathe((0.0, 0.0, 0.0), [(0.05, 0.0), (0.1, 0.2)], "all")
    sheet = patch((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.3, 0.3))
    kits[4].add(sheet, (0.0, 0.0, 0.0), "all")
    kits[4].add(sheet._replace(faces=sheet.faces[:, ::-1]), (0.0, 0.0, 0.0), "all")  # two sides, nothing between
    assert closed_things(scene_with(*kits))[-5:].tolist() == [True, True, False, False, True]


def test_most_of_a_house_is_closed():
    scene = Scene(small_house())
    closed = closed_things(scene)
    names = {t.category for t, c in zip(small_house().things, closed, strict=True) if not c}
    assert {"wall", "floor", "ceiling"} <= names  # seen from one side
    assert np.diff(scene.first_face)[closed].sum() > 0.5 * len(scene.surfaces.faces)


@pytest.mark.parametrize("which", ["small", "tall"])
def test_leaving_out_what_is_hidden_changes_no_picture(which):
    house = {"small": small_house, "tall": tall_house}[which]()
    usual = renderer(RasterRenderer, which)
    everything = RasterRenderer(house, light=False)
    everything._closed[:] = False
    everything._wave[:] = 0  # nothing is drawn before anything else is set up
    for pose in poses(house, 10, seed=21):
        p, q = usual.render(pose, camera()), everything.render(pose, camera())
        same = p.thing_ids == q.thing_ids
        assert same.mean() > 0.9999  # where surfaces touch, either may be shown
        assert (p.depth_m != q.depth_m)[same].mean() < 1e-4  # likewise where a front and a back meet
        assert (p.rgb != q.rgb)[same].mean() < 1e-4


def test_what_no_doorway_and_no_stairwell_shows_is_left_out_and_nothing_else(monkeypatch):
    house, subject, rng = tall_house(), RasterRenderer(tall_house(), light=False), np.random.default_rng(8)
    stairs = house.plan.stairs
    assert stairs is not None
    n, floor_of = house.navigation, np.array([0, *(house.rooms[t.room_id].floor for t in house.things)])
    points = n.points_of(*np.nonzero(n.reachable))
    near = points[[stairs.ground.grown(0.4).holds(x, y) for x, y in points[:, :2]]]
    views = [pose_at(near[int(rng.integers(len(near)))] + (0.0, 0.0, 1.25), float(rng.uniform(-3.1, 3.1)), pitch)
             for pitch in np.linspace(-0.7, 0.7, 24)]  # fmt: skip
    usual = [subject.render(pose, camera(), colour=False).thing_ids for pose in views]
    rooms = [subject._portals.seen_from(pose, camera()) or set() for pose in views]
    monkeypatch.setattr(subject._portals, "seen_from", lambda *_: None)
    both = 0
    for ids, pose in zip(usual, views, strict=True):
        np.testing.assert_array_equal(ids, subject.render(pose, camera(), colour=False).thing_ids)
        both += len(set(floor_of[np.unique(ids)[1:]])) == 2
    assert both >= 5  # views through the stairwell
    assert np.mean([len(r) for r in rooms]) < 0.6 * len(house.rooms)


def test_hidden_things_are_not_set_up(monkeypatch):
    house = small_house()
    subject = RasterRenderer(house, light=False)
    left = []

    def counted(self, things, *rest):
        found = set_up(self, things, *rest)
        left.append((len(things), int((found[1] > 0).sum())))
        return found

    set_up = raster.RasterRenderer._set_up
    monkeypatch.setattr(raster.RasterRenderer, "_set_up", counted)
    for pose in poses(house, 6, seed=2):
        subject.render(pose, camera(), colour=False)
    last = np.array(left[raster.WAVES - 1 :: raster.WAVES]).sum(axis=0)
    assert last[1] < 0.6 * last[0]


def test_from_within_its_box_a_closed_thing_shows_its_inside():
    house = box_room()
    chest = make(next(c for c in KINDS if c.name == "wardrobe"), np.random.default_rng(4))
    thing = Thing(len(house.things) + 1, "wardrobe", chest.look, chest.shape, placed((2.0, 2.0, 0.01), yaw_deg=20.0), 0)
    full = dataclasses.replace(house, things=(*house.things, thing))
    pair = [kind(full, light=False) for kind in RENDERERS]
    low, high = chest.shape.box_m
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(12):
        eye = (thing.world_from_thing @ [*rng.uniform(low + 0.05, high - 0.05), 1.0])[:3]
        pose = look_at(eye, eye + rng.normal(size=3))
        p, q = (subject.render(pose, camera(), normals=True) for subject in pair)
        same = p.thing_ids == q.thing_ids
        assert same.mean() > 0.999
        assert (np.abs(p.depth_m - q.depth_m)[same] > 1e-3).mean() < 1e-3
        inside += (p.thing_ids == thing.thing_id).mean() > 0.5
    assert inside > 3


def test_sine_is_that_of_the_library():
    angles = np.concatenate([np.linspace(-10.0, 10.0, 2001), np.random.default_rng(0).uniform(-5e3, 5e3, 2000)])
    np.testing.assert_allclose([texture.sine(float(a)) for a in angles], np.sin(angles), atol=3e-9)
