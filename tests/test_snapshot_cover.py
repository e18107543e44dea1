"""Snapshots: properties of any cover, incremental against batch, and the smallest covers by trying all."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialmem.errors import InvalidValue
from spatialmem.snapshots.bisecting import bisected
from spatialmem.snapshots.cover import QUALITY_ONE, Cover, Shown, Snapshot, cover, renewed, touched

OBJECTS = range(12)
quality = st.dictionaries(st.sampled_from(OBJECTS), st.integers(0, QUALITY_ONE), max_size=6)
some_views = st.lists(quality, max_size=10).map(lambda seen: [Shown(n + 1, q) for n, q in enumerate(seen)])
some_objects = st.frozensets(st.sampled_from(OBJECTS))


def assert_sound(found: Cover, objects, views) -> None:
    """Every object once: in a snapshot whose keyframe saw it, or named as unseen or left out."""
    by_lsn = {view.lsn: view for view in views}
    represented = [n for snapshot in found.snapshots for n in snapshot.object_ids]
    assert sorted([*represented, *found.unseen, *found.left_out]) == sorted(objects)
    for snapshot in found.snapshots:
        assert snapshot.object_ids and all(n in by_lsn[snapshot.lsn].quality for n in snapshot.object_ids)
        assert list(snapshot.object_ids) == sorted(snapshot.object_ids)
    assert [s.lsn for s in found.snapshots] == sorted(found.chosen)
    seen = {n for view in views for n in view.quality}
    assert not seen & set(found.unseen) and seen >= set(found.left_out)


@given(some_objects, some_views, st.none() | st.integers(0, 4), st.frozensets(st.integers(1, 10)))
def test_every_object_is_represented_once_by_what_saw_it(objects, views, most, current):
    found = cover(objects, views, most=most, current=current)
    assert_sound(found, objects, views)
    assert most is None or len(found.snapshots) <= most
    if found.left_out:
        assert most is not None and len(found.snapshots) == most  # there was no room
    assert cover(sorted(objects, reverse=True), views[::-1], most=most, current=current) == found


@given(some_objects, some_views)
def test_objects_are_with_the_snapshot_that_shows_them_best_and_none_is_spare(objects, views):
    found, by_lsn = cover(objects, views), {view.lsn: view for view in views}
    for snapshot in found.snapshots:
        others = [by_lsn[lsn].quality for lsn in found.chosen - {snapshot.lsn}]
        for n in snapshot.object_ids:
            assert all(q.get(n, -1) <= by_lsn[snapshot.lsn].quality[n] for q in others)
        assert any(all(n not in q for q in others) for n in objects & by_lsn[snapshot.lsn].quality.keys())


def smallest(objects, views) -> int:
    """Keyframes of the smallest cover, by trying all."""
    shown = objects & {n for view in views for n in view.quality}
    return next(
        size for size in range(len(views) + 1)
        for chosen in itertools.combinations(views, size) if shown <= {n for v in chosen for n in v.quality}
    )  # fmt: skip


def test_it_is_hardly_larger_than_the_smallest():
    rng, excess = np.random.default_rng(7), []
    for _ in range(60):
        objects = frozenset(range(12))
        views = [
            Shown(
                n, {int(o): int(rng.integers(QUALITY_ONE)) for o in rng.choice(12, rng.integers(1, 6), replace=False)}
            )
            for n in range(11)
        ]
        excess.append(len(cover(objects, views).snapshots) - smallest(objects, views))
    assert min(excess) == 0 and np.mean(excess) < 0.35 and max(excess) <= 2


def test_room_of_a_spare_snapshot_is_used():
    views = [Shown(1, dict.fromkeys((1, 2, 3, 4), 500)), Shown(2, dict.fromkeys((1, 2, 5, 6), 500)),
             Shown(3, dict.fromkeys((3, 4, 7, 8), 500)), Shown(4, {9: 500})]  # fmt: skip
    found = cover(range(1, 10), views, most=3)
    assert found.chosen == {2, 3, 4} and found.left_out == ()


def test_a_snapshot_whose_keyframe_was_erased_is_replaced():
    before = cover([1, 2, 3], [Shown(1, {1: 900, 2: 900}), Shown(2, {3: 900})])
    assert before.chosen == {1, 2}
    after = renewed(before, (), [1, 2, 3], [Shown(2, {3: 900}), Shown(3, {1: 100}), Shown(4, {2: 100})])
    assert after.snapshots == (Snapshot(2, (3,)), Snapshot(3, (1,)), Snapshot(4, (2,)))


def test_what_was_left_out_is_not_tried_for_ever():
    views = [Shown(1, {1: 900, 2: 900}), Shown(2, {3: 100})]
    before = cover([1, 2, 3], views, most=1)
    assert before.chosen == {1} and before.left_out == (3,)
    views.append(Shown(3, {1: 950}))
    after = renewed(before, {3}, [1, 2, 3], views, most=1)
    assert after.snapshots == before.snapshots and after.left_out == (3,)


@given(some_objects, some_views, some_objects, some_views, st.data())
def test_incremental_is_batch_on_what_is_touched_and_leaves_the_rest(first, views, second, more, data):
    before = cover(first, views)
    views = [*views, *(Shown(view.lsn + 100, view.quality) for view in more)]
    changed = (second - first) | data.draw(st.frozensets(st.sampled_from(sorted(first))) if first else st.just(first))
    objects = (first | second) - data.draw(st.frozensets(st.sampled_from(sorted(changed)))
                                           if changed else st.just(changed))  # fmt: skip
    after = renewed(before, changed, objects, views)
    assert_sound(after, objects, views)
    anew = (touched(before, changed) | set(before.unseen)) & objects
    assert cover(anew, views, current=before.chosen).unseen == after.unseen
    batch = {n: s.lsn for s in cover(anew, views, current=before.chosen).snapshots for n in s.object_ids}
    old = {n: s.lsn for s in before.snapshots for n in s.object_ids}
    for snapshot in after.snapshots:
        for n in snapshot.object_ids:
            assert snapshot.lsn == (batch[n] if n in anew else old[n])


@given(some_objects, some_views, some_objects, st.integers(0, 3))
def test_the_bound_holds_when_objects_come(first, views, second, most):
    before = cover(first, views, most=most)
    after = renewed(before, second - first, first | second, views, most=most)
    assert_sound(after, first | second, views)
    assert len(after.snapshots) <= most


def test_fewest_best_and_newest():
    two, one = Shown(1, {1: 500, 2: 500}), Shown(2, {1: 900})
    assert cover([1, 2], [two, one]).snapshots == (Snapshot(1, (1, 2)),)
    other = Shown(3, {2: 500, 3: 100})
    assert cover([1, 2, 3], [two, one, other]).snapshots == (Snapshot(1, (1,)), Snapshot(3, (2, 3)))
    same = [Shown(n, {1: 700}) for n in (4, 5, 6)]
    assert cover([1], same).snapshots == (Snapshot(6, (1,)),)
    assert cover([1], same, current={4}).snapshots == (Snapshot(4, (1,)),)


def test_with_little_room_the_most_valuable_images_are_kept():
    views = [Shown(1, {1: 900, 2: 900, 3: 900}), Shown(2, {4: 1000}), Shown(3, {5: 100})]
    found = cover([1, 2, 3, 4, 5], views, most=2)
    assert found.chosen == {1, 2} and found.left_out == (5,)


def test_what_cannot_be_is_refused():
    with pytest.raises(InvalidValue, match="quality must lie"):
        Shown(1, {1: QUALITY_ONE + 1})
    with pytest.raises(InvalidValue, match="most"):
        cover([1], [], most=-1)
    with pytest.raises(InvalidValue, match="each keyframe may be given once"):
        cover([1], [Shown(1, {1: 5}), Shown(1, {1: 6})])


# --- the way of 3D-Mem


@given(some_objects, some_views, st.integers(0, 2**16), st.booleans())
def test_splitting_represents_every_object_once_too(objects, views, seed, at_one_spot):
    rng = np.random.default_rng(seed)
    positions = {n: (0.0, 0.0, 0.0) if at_one_spot else rng.uniform(0, 5, 3) for n in objects}
    found = bisected(positions, views)
    assert_sound(found, objects, views)
    assert found == bisected(dict(reversed(positions.items())), views[::-1])


def test_what_stands_together_is_represented_together():
    positions = {1: (0, 0, 0), 2: (0.2, 0, 0), 3: (5, 0, 0), 4: (5.2, 0, 9)}
    views = [Shown(1, {1: 1, 2: 1}), Shown(2, {3: 1, 4: 1}), Shown(3, {1: 1, 3: 1})]
    assert bisected(positions, views).snapshots == (Snapshot(1, (1, 2)), Snapshot(2, (3, 4)))
    whole = Shown(4, dict.fromkeys(positions, 1))
    assert bisected(positions, [*views, whole]).snapshots == (Snapshot(4, (1, 2, 3, 4)),)
