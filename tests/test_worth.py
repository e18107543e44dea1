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


def plainly(rows, spare, count, seen):
    """The same by the formula, in plain words and with nothing kept."""
    left, chosen = [row.lsn for row in rows], []
    encoded = {row.lsn: row.encoded for row in rows}
    while len(chosen) < min(count, len(spare)):
        saw = {cell: [lsn for lsn in left if cell in seen[lsn]] for cells in seen.values() for cell in cells}

        def worth(lsn, saw=saw, last=left[-1]):
            figure = 1 + sum(1 / len(saw[cell]) + (saw[cell][-1] == lsn) for cell in seen[lsn])
            return figure * (1.5 if encoded[lsn] else 1.0) * (0.5 + 0.5 * lsn / last)

        order = sorted((round(worth(lsn), 9), lsn) for lsn in left if lsn in spare)
        turn = [lsn for _, lsn in order[: min(-(-count // 8), count - len(chosen))]]
        chosen, left = chosen + turn, [lsn for lsn in left if lsn not in turn]
    return chosen


@given(
    st.lists(st.lists(st.integers(0, 7), unique=True, max_size=5), min_size=3, max_size=24),
    st.lists(st.tuples(st.integers(1, 9), st.integers(1, 6)), min_size=1, max_size=4),
)
def test_what_is_kept_from_call_to_call_changes_nothing(seen, calls):
    """Frames come, and those that were chosen go."""
    seen = dict(enumerate(seen, start=1))
    worth, blobs, gone, last = Worth(), {lsn: sightings(*cells) for lsn, cells in seen.items()}, set(), 2
    for count, more in calls:
        last = min(len(seen), last + more)
        rows = [row(lsn, lsn % 3 > 0) for lsn in range(1, last + 1) if lsn not in gone]
        spare = {r.lsn for r in rows if r.lsn % 4 > 0}
        chosen = worth.least(rows, spare, count, blobs, ())
        ranked = plainly(rows, spare, count, {r.lsn: seen[r.lsn] for r in rows})
        assert chosen == ranked
        gone |= set(chosen)


def test_only_cells_of_new_frames_are_sorted(monkeypatch):
    """A memory of a day asks hundreds of times, and a frame waits meanwhile."""
    sizes, unique = [], np.unique
    monkeypatch.setattr("spatialmem.worth.np.unique", lambda a, **k: sizes.append(len(a)) or unique(a, **k))
    worth, blobs = Worth(), {lsn: sightings(lsn, lsn + 1, lsn + 2) for lsn in range(1, 41)}
    worth.least([row(lsn) for lsn in range(1, 31)], range(1, 31), 16, blobs, ())
    worth.least([row(lsn) for lsn in range(10, 41)], range(10, 41), 16, blobs, ())
    assert sum(sizes) == 3 * 40
