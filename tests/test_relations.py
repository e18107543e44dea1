"""What is on, in, under and beside what, by boxes made by hand and drawn by chance."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from relation_cases import basket, box, table

from spatialmem.relations import gap_m, held_by, is_in, is_on, is_under, nearest, where_of

TABLE = table(1, "table", (0.0, 0.0), (1.2, 0.8), 0.75)
MUG = box(2, "mug", (0.2, 0.1, 0.75), (0.1, 0.1, 0.1))
BIN = box(3, "waste bin", (-0.3, 0.0, 0.0), (0.25, 0.25, 0.3))
BASKET = basket(4, "basket", (2.0, 0.0, 0.0), (0.4, 0.4, 0.4))
BALL = box(5, "ball", (2.0, 0.0, 0.05), (0.15, 0.15, 0.15))
LAMP = box(6, "lamp", (0.9, 0.0, 0.0), (0.2, 0.2, 1.6))
ALL = (TABLE, MUG, BIN, BASKET, BALL, LAMP)


def test_what_stands_on_a_table_is_on_it_and_what_stands_beneath_is_not():
    assert is_on(MUG, TABLE) and not is_on(TABLE, MUG)
    assert is_under(BIN, TABLE) and not is_on(BIN, TABLE) and not is_in(BIN, TABLE)
    found = where_of(MUG, ALL)
    assert found.on is TABLE and found.inside is None and found.under is None


def test_what_lies_in_a_basket_is_in_it():
    found = where_of(BALL, ALL)
    assert found.inside is BASKET and found.on is None


def test_a_seat_carries_although_the_back_is_higher():
    seat, back = box(7, "", (0.0, 0.0, 0.0), (0.5, 0.5, 0.45)), box(7, "", (-0.2, 0.0, 0.45), (0.1, 0.5, 0.5))
    chair = box(7, "chair", (0.0, 0.0, 0.0), (0.5, 0.5, 0.95), np.concatenate([seat.points_m, back.points_m]))
    book = box(8, "book", (0.08, 0.0, 0.45), (0.15, 0.2, 0.04))
    assert is_on(book, chair) and not is_in(book, chair)


def test_the_smaller_of_two_that_carry_is_named():
    tray = box(9, "tray", (0.2, 0.1, 0.75), (0.4, 0.3, 0.02))
    mug = box(2, "mug", (0.2, 0.1, 0.77), (0.1, 0.1, 0.1))
    assert where_of(mug, (TABLE, tray, mug)).on is tray
    assert where_of(tray, (TABLE, tray, mug)).on is TABLE


def test_beside_are_the_nearest_and_neither_what_carries_nor_what_is_carried():
    beside = where_of(TABLE, ALL).beside
    assert LAMP in beside and MUG not in beside
    assert [o.name for o in nearest(LAMP, ALL)][0] == "table"
    assert where_of(LAMP, [LAMP]).beside == ()


def test_what_is_held_is_told_by_relation():
    held = held_by(TABLE, ALL)
    assert held["on"] == (MUG,) and held["under"] == (BIN,) and held["in"] == ()
    assert held_by(BASKET, ALL)["in"] == (BALL,)


def test_what_floats_above_is_not_on():
    assert not is_on(box(2, "lamp", (0.2, 0.1, 1.2), (0.1, 0.1, 0.1)), TABLE)
    assert not is_on(box(2, "mug", (0.9, 0.1, 0.75), (0.1, 0.1, 0.1)), TABLE)


def test_the_gap_of_boxes_that_meet_is_none():
    assert gap_m(MUG, TABLE) == 0.0
    assert abs(gap_m(LAMP, BASKET) - 0.8) < 1e-9


_SIDE = st.floats(0.05, 1.5)
_AT = st.floats(-0.6, 0.6)
_BOX = st.tuples(_AT, _AT, st.floats(0.0, 1.0), _SIDE, _SIDE, _SIDE)


@settings(max_examples=40, deadline=None)
@given(st.lists(_BOX, min_size=1, max_size=6))
def test_nothing_is_on_itself_and_no_chain_comes_back(drawn):
    things = [box(i, "", (x, y, z), (w, d, h)) for i, (x, y, z, w, d, h) in enumerate(drawn, start=1)]
    where = {o.object_id: where_of(o, things) for o in things}
    for thing in things:
        assert not is_on(thing, thing) and not is_in(thing, thing) and not is_under(thing, thing)
        for relation in ("on", "inside", "under"):
            at, passed = getattr(where[thing.object_id], relation), {thing.object_id}
            while at is not None:
                assert at.object_id not in passed
                passed.add(at.object_id)
                at = getattr(where[at.object_id], relation)
        assert thing not in where[thing.object_id].beside
