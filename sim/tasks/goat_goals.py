"""Goals of a GOAT episode, drawn one after another."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.scene import SceneObject
from sim.tasks.episode import Goal
from sim.tasks.places import NEAREST_M, Stock, start
from sim.tasks.views import image_view
from sim.tasks.walking import STAMP_KEY

_TRIES = 40
"""draws for one goal"""
_MOVED_SHARE, _AGAIN_SHARE, _SEVERAL_SHARE = 0.5, 0.25, 0.5
"""how often what has moved, what was a goal before, and one of several of its kind is asked for, where there is such"""
_MOVED_M = 0.3


@dataclass(eq=False)
class Draft:
    """An episode in the making."""

    number: int
    rng: np.random.Generator
    count: int
    """goals that it is to have"""
    goals: list[Goal] = field(default_factory=list)
    start_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    start_yaw_rad: float = 0.0
    at_m: NDArray[np.float64] | None = None
    """(3,) where the body may be when the next goal is named"""
    reach: Callable[[NDArray[np.floating]], float] | None = None
    """geodesic distance of ground points from where the body has been, as the scene is now"""
    failed: bool = False


def extend(draft: Draft, stock: Stock, until: int, size: int, moved: frozenset[str], marks: dict[str, Any]) -> None:
    """Draw goals until there are so many; `failed` is set when one cannot be found.

    `size`: pixels a side of pictures; `moved`: ids of what was elsewhere before; `marks`: for every goal's `extra`.
    """
    draft.reach = None
    while len(draft.goals) < until and not draft.failed:
        goal = _goal(draft, stock, size, moved, marks)
        draft.failed = goal is None
        if goal is not None:
            draft.goals.append(goal)
            views_m = stock.views_m(goal.object_ids)
            draft.at_m = views_m[int(draft.rng.integers(len(views_m)))]


def moved_between(before: Sequence[SceneObject], after: Sequence[SceneObject]) -> frozenset[str]:
    """Ids of what is somewhere else, or on something else, than before."""
    was = {t.object_id: t for t in before}
    return frozenset(
        t.object_id
        for t in after
        if t.object_id in was
        and (
            was[t.object_id].support != t.support
            or float(np.linalg.norm(was[t.object_id].middle_m - t.middle_m)) > _MOVED_M
        )
    )


def _goal(draft: Draft, stock: Stock, size: int, moved: frozenset[str], marks: dict[str, Any]) -> Goal | None:
    for _ in range(_TRIES):
        thing = _thing(draft, stock, moved)
        if thing is None or not len(stock.views_m([thing.object_id])):
            continue
        kind = ("category", "description", "image")[int(draft.rng.integers(3))]
        ids = stock.ids_of(thing.category) if kind == "category" else (thing.object_id,)
        if draft.goals and draft.goals[-1].object_ids == ids or not _far_enough(draft, stock, ids):
            continue
        goal = _asked(draft, stock, thing, kind, ids, size)
        if goal is not None:
            count = len(stock.describer.instances(thing.category))
            extra = {**marks, "instances": count, "moved": bool(moved & set(ids))}
            return Goal(goal.kind, goal.text, goal.category, ids, goal.image, extra=extra)
    return None


def _thing(draft: Draft, stock: Stock, moved: frozenset[str]) -> SceneObject | None:
    rng = draft.rng
    share_moved, share_again, share_several = (float(v) for v in rng.uniform(size=3))
    there = {t.object_id: t for t in stock.things}
    elsewhere = [t for t in stock.things if t.object_id in moved]
    if elsewhere and share_moved < _MOVED_SHARE:
        return elsewhere[int(rng.integers(len(elsewhere)))]
    earlier = sorted({i for goal in draft.goals for i in goal.object_ids if i in there})
    if earlier and share_again < _AGAIN_SHARE:
        return there[earlier[int(rng.integers(len(earlier)))]]
    several = [c for c in stock.categories if sum(t.category == c for t in stock.things) > 1]
    categories = several if several and share_several < _SEVERAL_SHARE else list(stock.categories)
    if not categories:
        return None
    category = categories[int(rng.integers(len(categories)))]
    alike = [t for t in stock.things if t.category == category]
    return alike[int(rng.integers(len(alike)))]


def _far_enough(draft: Draft, stock: Stock, ids: tuple[str, ...]) -> bool:
    """Whether there is a way to go, of 1 m at least; the first goal decides where the body starts."""
    if draft.at_m is not None:
        views_m = stock.views_m(ids)
        if float(np.linalg.norm(views_m - draft.at_m, axis=1).min()) < NEAREST_M:
            return False
        if draft.reach is None:
            draft.reach = stock.scene.distances_to(draft.at_m[None])
        return any(math.isfinite(draft.reach(v)) for v in views_m)
    drawn = start(stock, ids, draft.rng)
    if drawn is not None:
        draft.start_m, draft.start_yaw_rad, _ = drawn
    return drawn is not None


def _asked(draft: Draft, stock: Stock, thing: SceneObject, kind: str, ids: tuple[str, ...], size: int) -> Goal | None:
    if kind == "category":
        return Goal("category", thing.category, thing.category, ids)
    if kind == "description":
        text = stock.describer.describe(thing)
        return Goal("description", text, thing.category, ids) if text else None
    view = image_view(stock.scene, thing, stock.views_m(ids), draft.rng, size)
    return Goal("image", "", thing.category, ids, view) if view is not None else None


def stamped(stamp_ns: int) -> dict[str, Any]:
    """What the `extra` of a goal says that is named at a stamp."""
    return {STAMP_KEY: stamp_ns}
