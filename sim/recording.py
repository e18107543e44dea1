"""Walks through scenes as frames with exact poses, and the truth that belongs to them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.body import Action
from sim.errors import InvalidSetting
from sim.house.export import rooms_as_json
from sim.house.render.base import Picture
from sim.house.sensors import DepthNoise, sensed_depth
from sim.house.truth import ThingState
from sim.house.world import HouseScene
from sim.scene import Scene, SceneObject, Sight
from spatialmem.types import Frame

STEP_NS = 250_000_000
"""time that an action takes"""


def recorded(
    scene: Scene, actions: Sequence[Action], *, frames: int | None = None, noise: DepthNoise | None = None,
    seed: int = 0, session_id: str = "main",
) -> Iterator[Frame]:  # fmt: skip
    """Frames of a walk: what the body sees at its start and after each action; time in the scene goes on with it.

    Args:
        scene: where; the body stands where `actions` were planned from.
        actions: what it does.
        frames: so many of them, spread evenly over the walk; None: all.
        noise: what the depth camera does to exact depth; None: nothing.
        seed: of the noise.
        session_id: of the frames.
    """
    if frames is not None and frames < 1:
        raise InvalidSetting(f"frames must be at least 1; given {frames}")
    total = len(actions) + 1
    chosen = range(total) if frames is None else np.linspace(0, total - 1, min(frames, total)).round().astype(int)
    kept = {int(step) for step in chosen}
    rng = np.random.default_rng(seed)
    seq = 0
    for step in range(total):
        if step:
            scene.act(actions[step - 1])
            scene.advance(scene.stamp_ns + STEP_NS)
        if step in kept:
            yield _frame(scene, noise, rng, seq, session_id)
            seq += 1


def _frame(scene: Scene, noise: DepthNoise | None, rng: np.random.Generator, seq: int, session_id: str) -> Frame:
    sight = scene.look(normals=noise is not None)
    depth_m = sight.depth_m if noise is None else sensed_depth(_picture(sight), noise, rng)
    return Frame(
        sight.rgb, depth_m, sight.camera, sight.world_from_camera, scene.stamp_ns, session_id=session_id, seq=seq,
        depth_unit="m",
    )  # fmt: skip


def _picture(sight: Sight) -> Picture:
    """What models of sensors take; they look at no categories."""
    none = np.zeros_like(sight.instance_ids)
    return Picture(
        sight.rgb, sight.depth_m, sight.instance_ids, none, sight.normals, sight.camera, sight.world_from_camera
    )


def rearrange(scene: HouseScene, count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Take `count` small things away and put as many others, no larger, where those were; time stays. What was done.

    Things that hold others stay. Fewer are moved where a house has too few that fit.
    """
    if count < 0:
        raise InvalidSetting(f"the number of things to move must not be negative; given {count}")
    states = scene.truth.states(group="object")
    free = [s for s in states if s.relation == "on" and not scene.truth.held_by(s.thing.thing_id)]
    left = [free[i] for i in np.random.default_rng(seed).permutation(len(free))]
    before = {o.object_id: o for o in scene.objects()}
    done = 0
    while left and done < count:
        place = left.pop(0)
        fits = next((s for s in left if (_size_m(s) <= _size_m(place) + 0.01).all()), None)
        if fits is None:
            continue
        left.remove(fits)
        scene.take(place.thing.thing_id, scene.stamp_ns)
        scene.move(
            fits.thing.thing_id, place.world_from_thing, scene.stamp_ns, support_id=place.support_id,
            relation=place.relation,
        )  # fmt: skip
        done += 1
    return changed(before, {o.object_id: o for o in scene.objects()})


def _size_m(state: ThingState) -> NDArray[np.float64]:
    low, high = state.thing.shape.box_m
    return np.asarray(high, np.float64) - np.asarray(low, np.float64)


def changed(before: dict[str, SceneObject], after: dict[str, SceneObject]) -> list[dict[str, Any]]:
    """What differs between two states of a scene, things by object_id: departed, appeared, moved."""
    found = []
    for object_id in sorted({*before, *after}, key=lambda name: (len(name), name)):
        a, b = before.get(object_id), after.get(object_id)
        if a is not None and b is not None and np.allclose(a.middle_m, b.middle_m, atol=1e-3):
            continue
        some = a or b
        assert some is not None
        kind = "appeared" if a is None else "departed" if b is None else "moved"
        found.append({
            "object_id": object_id, "phrase": some.phrase, "change": kind,
            "from_m": None if a is None else a.middle_m.tolist(), "to_m": None if b is None else b.middle_m.tolist(),
        })  # fmt: skip
    return found


def truth_values(scene: HouseScene) -> dict[str, Any]:
    """What is where in a house now, for JSON: metres, world frame, z up; poses are 4x4 row by row."""
    return {
        "scene_id": scene.scene_id,
        "stamp_ns": scene.stamp_ns,
        "rooms": rooms_as_json(scene.house),
        "things": [thing_values(o, scene.truth.state(o.instance_id)) for o in scene.objects()],
    }


def thing_values(o: SceneObject, state: ThingState) -> dict[str, Any]:
    """One thing, for JSON: what it is, where, on, in or under what (`support`, an object_id), and since when."""
    return {
        "object_id": o.object_id, "category": o.category, "group": o.group, "phrase": o.phrase,
        "attributes": dict(o.attributes), "box_min_m": o.box_min_m.tolist(), "box_max_m": o.box_max_m.tolist(),
        "room_id": o.room_id, "room": o.room, "support": o.support, "relation": o.relation,
        "world_from_thing": state.world_from_thing.tolist(), "since_ns": state.since_ns,
    }  # fmt: skip
