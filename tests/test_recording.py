"""Walks through houses as recordings: what was written is read back, and the truth belongs to it."""

from __future__ import annotations

import json

import numpy as np
from house_cases import SMALL

from sim.house.world import HouseWorld
from sim.recording import rearrange, recorded
from sim.scene import SceneConfig
from sim.touring import stops, tour
from spatialmem.io import read
from spatialmem.io.export_folder import write_plain_folder

WORLD = HouseWorld(SMALL, light=False)


def test_a_walk_is_read_back_as_it_was(tmp_path):
    scene = WORLD.open("3", SceneConfig(64, 48))
    actions = tour(scene)
    frames = list(recorded(scene, actions, frames=7))
    again = list(read(write_plain_folder(tmp_path / "walk", frames)))
    assert len(again) == 7
    for a, b in zip(frames, again, strict=True):
        assert a.depth_m is not None and b.depth_m is not None
        np.testing.assert_array_equal(a.rgb, b.rgb)
        np.testing.assert_allclose(a.depth_m, b.depth_m, atol=1.01e-4)
        np.testing.assert_allclose(a.world_from_camera, b.world_from_camera, atol=1e-12)
        assert a.stamp_ns == b.stamp_ns
    scene.close()


def test_a_tour_is_the_same_each_time_and_enters_every_room():
    scene = WORLD.open("3", SceneConfig(64, 48))
    actions, stand, rooms = tour(scene), scene.stand, set()
    assert actions == tour(scene)
    for action in actions:
        stand = scene.after(stand, action).stand
        rooms.add(scene.truth.room_at(stand.ground_m + (0.0, 0.0, 0.1)))
    assert set(range(len(scene.house.rooms))) <= rooms
    places = scene.standing_places_m()
    apart = np.linalg.norm(places[:, None] - stops(places, 1.8)[None], axis=-1).min(axis=1)
    assert apart.max() <= 1.8
    scene.close()


def test_what_is_rearranged_is_told():
    scene = WORLD.open("3", SceneConfig(64, 48))
    told = rearrange(scene, 3, seed=1)
    assert sorted(change["change"] for change in told) == ["departed"] * 3 + ["moved"] * 3
    there = {o.object_id: o.middle_m for o in scene.objects()}
    for change in told:
        if change["to_m"] is None:
            assert change["object_id"] not in there
        else:
            np.testing.assert_allclose(there[change["object_id"]], change["to_m"])
    json.dumps(told)
    scene.close()
