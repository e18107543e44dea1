"""A tour: step actions that take a body past everything in a scene, the same ones whenever they are planned."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sim.body import Action, Stand
from sim.errors import SimError
from sim.scene import Scene

APART_M = 1.8
"""no ground is further than this from a place where the tour looks around"""
_CLOSER_M = 0.02
"""a step must bring the body at least this much nearer"""
_MOST_STEPS = 2_000
"""between two places"""


def tour(scene: Scene, apart_m: float = APART_M) -> list[Action]:
    """Actions that take the body from where it is past every room of every floor, with a look around at each place.

    Places are chosen one by one, each the ground furthest from those chosen (farthest-point sampling), until none is
    further than `apart_m`; the nearest unvisited one over the ground comes next. A place that the step lattice cannot
    come near is left out. `SimError` when the body can go nowhere.
    """
    left = list(stops(scene.standing_places_m(), apart_m))
    stand, actions = scene.stand, []
    while left:
        measure = scene.distances_to(stand.ground_m[None])
        nearest = int(np.argmin([measure(place) for place in left]))
        way, stand = way_to(scene, stand, left.pop(nearest))
        around, stand = look_around(scene, stand)
        actions += [*way, *around]
    return actions


def stops(places_m: NDArray[np.floating], apart_m: float) -> NDArray[np.float64]:
    """Some of (N, 3) ground points: every point has one within `apart_m`, floors counted apart."""
    if len(places_m) == 0:
        raise SimError("this scene has no ground to stand on")
    if not apart_m > 0.0:
        raise SimError(f"places must be some way apart; given {apart_m} m")
    stretched = places_m * (1.0, 1.0, 4.0)  # two floors are never near each other
    chosen = [0]
    far = np.linalg.norm(stretched - stretched[0], axis=1)
    while far.max() > apart_m:
        chosen.append(int(np.argmax(far)))
        far = np.minimum(far, np.linalg.norm(stretched - stretched[chosen[-1]], axis=1))
    return np.asarray(places_m[chosen], np.float64)


def way_to(scene: Scene, stand: Stand, target_m: NDArray[np.floating]) -> tuple[list[Action], Stand]:
    """Step actions towards a ground point (3,), down the true distance to it, until no step comes nearer."""
    measure = scene.distances_to(target_m[None])
    actions: list[Action] = []
    while len(actions) < _MOST_STEPS and measure(stand.ground_m) > scene.motion.forward_m / 2:
        step = _best_step(scene, stand, measure)
        if step is None:
            break
        actions += step[0]
        stand = step[1]
    return actions, stand


def _best_step(
    scene: Scene, stand: Stand, measure: Callable[[NDArray[np.floating]], float]
) -> tuple[list[Action], Stand] | None:
    """The turns and the step ahead that bring the body nearest; of equal ones that with the fewest turns."""
    before, best, found = measure(stand.ground_m), math.inf, None
    half = round(180.0 / scene.motion.turn_deg)
    for turn in (Action.LEFT, Action.RIGHT):
        turned = stand
        for count in range(half + 1):
            ahead = scene.after(turned, Action.FORWARD).stand
            left = measure(ahead.ground_m)
            if left < before - _CLOSER_M and left + 0.01 * count < best:
                best, found = left + 0.01 * count, ([turn] * count + [Action.FORWARD], ahead)
            turned = scene.after(turned, turn).stand
    return found


def look_around(scene: Scene, stand: Stand) -> tuple[list[Action], Stand]:
    """A full turn, looking down on the way round and level again at its end."""
    whole = round(360.0 / scene.motion.turn_deg)
    actions = [Action.LOOK_DOWN, *[Action.LEFT] * whole, Action.LOOK_UP]
    for action in actions:
        stand = scene.after(stand, action).stand
    return actions, stand
