"""Walks through houses as recordings: what was written is read back, and the truth belongs to it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
from house_cases import SMALL

from sim.house import look_at
from sim.house.agent import first_place
from sim.house.truth import ThingState
from sim.house.world import HouseScene, HouseWorld
from sim.recording import STEP_NS, rearrange, recorded
from sim.scene import SceneConfig
from sim.touring import stops, tour
from spatialmem import SpatialMemory
from spatialmem.config import MemoryConfig
from spatialmem.io import read
from spatialmem.io.export_folder import write_plain_folder
from spatialmem.retrieval.changes import NewlySeen
from spatialmem.types import Frame

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


def test_a_thing_that_was_moved_between_two_recordings_is_told_as_a_change(tmp_path):
    scene = WORLD.open("3", SceneConfig(160, 120))
    thing = next(
        s for s in scene.truth.states() if s.thing.category == "armchair" and not scene.truth.held_by(s.thing.thing_id)
    )
    old, new = thing.world_from_thing, thing.world_from_thing.copy()
    new[:3, 3] = first_place(scene.truth.navigation)
    places, boxes, stamps = [], [], []
    for pose in (new, old):  # at its old place again before the first visit
        scene.move(thing.thing.thing_id, pose, scene.stamp_ns)
        state = scene.truth.state(thing.thing.thing_id)
        boxes.insert(0, (state.box_min_m, state.box_max_m))
        places += _views_of(scene, state)
    with SpatialMemory.create(tmp_path / "a.mem", encoder="colours", config=MemoryConfig(voxel_size_m=0.03)) as memory:
        for visit in ("monday", "tuesday"):
            folder = write_plain_folder(tmp_path / visit, _looks(scene, places))
            for frame in read(folder):
                memory.observe(frame)
            stamps.append(scene.stamp_ns)
            if visit == "monday":
                memory.add_session("tuesday", np.eye(4))
                scene.move(thing.thing.thing_id, new, scene.stamp_ns + 10**12)
        found = [c for c in memory.changes(stamps[0]) if not isinstance(c, NewlySeen)]
    assert sorted(c.kind for c in found) == ["appeared", "departed"]
    for change, (low, high) in zip(sorted(found, key=lambda c: c.kind), boxes[::-1], strict=True):
        assert (change.box_min_m > low - 0.08).all() and (change.box_max_m < high + 0.08).all()
        assert (change.extent_m > 0.5 * (high - low)).all()
    scene.close()


def _views_of(scene: HouseScene, state: ThingState) -> list[np.ndarray]:
    """Poses around a thing that look at its middle."""
    views = scene.viewpoints_m(str(state.thing.thing_id))
    middle = (state.box_min_m + state.box_max_m) / 2
    angles = np.arctan2(views[:, 1] - middle[1], views[:, 0] - middle[0])
    chosen = views[np.argsort(angles)[np.linspace(0, len(views) - 1, 8).astype(int)]]
    return [look_at(view + (0.0, 0.0, scene.house.config.body.eye_m), middle) for view in chosen]


def _looks(scene: HouseScene, poses: list[np.ndarray]) -> Iterator[Frame]:
    for seq, pose in enumerate(poses):
        scene.advance(scene.stamp_ns + STEP_NS)
        sight = scene.sight_from(pose, scene.camera)
        yield Frame(sight.rgb, sight.depth_m, sight.camera, pose, scene.stamp_ns, seq=seq, depth_unit="m")
