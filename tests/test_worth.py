"""Which frames are given up first: plain figures from the log alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import store_helpers as sh
from hypothesis import given
from hypothesis import strategies as st

from spatialmem.store import codec
from spatialmem.worth import Worth


def row(lsn, encoded=True):
    return dataclasses.replace(sh.frame_row(lsn), encoded=encoded)


def sightings(*cells):
    cell = np.array([(c, 0, 0) for c in cells]).reshape(-1, 3)
    return codec.encode_cells(codec.Cells(cell, np.full(len(cells), 3), np.zeros(len(cells), int)))


def least(rows, cells, count=1, spare=None, departed=()):
    spare = [r.lsn for r in rows] if spare is None else spare
    return Worth().least(rows, spare, count, {lsn: sightings(*seen) for lsn, seen in cells.items()}, departed)


def test_a_frame_that_others_repeat_goes_before_one_that_shows_something_alone():
    rows = [row(1), row(2), row(3), row(4)]
    assert least(rows, {1: [1, 2, 3], 2: [7, 8, 9], 3: [1, 2, 3], 4: [1, 2, 3]}) == [1]


def test_the_older_of_equals_goes_first():
    assert least([row(1), row(2), row(3)], {1: [1], 2: [1], 3: [1]}, count=2) == [1, 2]


def test_an_encoded_frame_is_worth_more():
    assert least([row(1), row(2, False), row(3)], {1: [1], 2: [2], 3: [3]}) == [2]


def test_evidence_of_a_thing_that_left_is_kept():
    rows, cells = [row(1), row(2), row(9)], {1: [1], 2: [1], 9: [1]}
    departed = [dataclasses.replace(sh.departed(9), first_lsn=1, last_lsn=1)]
    assert least(rows, cells) == [1] and least(rows, cells, departed=departed) == [2]


def test_frames_without_depth_count_for_their_number_alone():
    assert least([row(1), row(2), row(3)], {1: [1, 2], 3: [1, 2]}) == [2]


def test_two_frames_that_show_a_thing_do_not_both_go_at_once():
    rows = [row(n) for n in range(1, 41)]
    cells = {n: [n % 20, 50 + n % 20] for n in range(1, 41)}
    gone = least(rows, cells, count=20)
    left = {n % 20 for n in range(1, 41) if n not in gone}
    assert len(gone) == 20 and len(left) > 17


@given(
    st.dictionaries(st.integers(1, 30), st.lists(st.integers(0, 12), unique=True, max_size=6), min_size=1, max_size=30),
    st.integers(1, 10),
)
def test_the_choice_is_a_function_of_the_log(seen, count):
    rows = [row(lsn, lsn % 3 > 0) for lsn in sorted(seen)]
    spare = [r.lsn for r in rows if r.lsn % 2 == 0]
    worth = Worth()
    blobs = {lsn: sightings(*cells) for lsn, cells in seen.items()}
    chosen = worth.least(rows, spare, count, blobs, ())
    assert (
        chosen == worth.least(rows, reversed(spare), count, blobs, ()) == Worth().least(rows, spare, count, blobs, ())
    )
    assert len(chosen) == min(count, len(spare)) == len(set(chosen)) and set(chosen) <= set(spare)
