"""Rows of the log in arrays: every one comes back as it was put in, and what is taken from them stays as it is."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialmem.log_rows import LogRows
from spatialmem.store.rows import KeyframeRow
from spatialmem.types import Camera

CAMERAS = (Camera(5.0, 5.0, 1.5, 1.0, 4, 3), Camera(6.0, 5.0, 1.5, 1.0, 4, 3))
NUMBERS = st.none() | st.floats(0, 1e6)
LSNS = st.integers(1, 4000)


@st.composite
def rows(draw, lsn=LSNS) -> KeyframeRow:
    text = st.sampled_from(("main", "camera", "left", "time", "novelty"))
    matrix = np.array(draw(st.lists(st.floats(-1e6, 1e6), min_size=16, max_size=16))).reshape(4, 4)
    if draw(st.booleans()):
        matrix[3] = (0.0, 0.0, 0.0, 1.0)
    return KeyframeRow(
        draw(lsn), draw(text), draw(text), draw(st.integers(0, 2**63 - 1)), draw(st.integers(0, 2**63 - 1)),
        Camera(**dataclasses.asdict(draw(st.sampled_from(CAMERAS)))), matrix, draw(text), draw(st.booleans()),
        draw(st.booleans()), draw(st.integers(0, 9)), *(draw(NUMBERS) for _ in range(7)),
    )  # fmt: skip


def told(row: KeyframeRow) -> tuple:
    values = {field.name: getattr(row, field.name) for field in dataclasses.fields(row)}
    return *values.pop("world_from_camera").ravel().tolist(), *values.items()


def held(kept: LogRows) -> dict[int, tuple]:
    return {lsn: told(row) for lsn, row in kept.items()}


@given(st.lists(rows(), max_size=12))
def test_every_row_comes_back_as_it_was_put_in_the_later_one_of_a_number_alone(given_rows):
    kept, expected = LogRows(), {}
    for row in given_rows:
        kept.add(row)
        expected[row.lsn] = told(row)
    assert held(kept) == expected and list(kept) == sorted(expected) and len(kept) == len(expected)
    assert all((lsn in kept) == (lsn in expected) for lsn in (0, -1, *range(1, 4001, 7), *expected))
    lsns, stamps = kept.stamps_ns()
    assert [kept[int(lsn)].stamp_ns for lsn in lsns] == stamps.tolist() and lsns.tolist() == sorted(expected)


@given(st.lists(rows(), max_size=10), LSNS, st.sets(LSNS), st.lists(rows(), max_size=10))
def test_what_was_taken_from_them_does_not_change_with_them(before, lsn, gone, later):
    kept = LogRows()
    for row in before:
        kept.add(row)
    gone |= {row.lsn for row in before[::3]}
    until, without, whole = kept.until(lsn), kept.without(gone), held(kept)
    for row in (*later, *before[:2]):
        kept.add(dataclasses.replace(row, pose_revision=77, world_from_camera=row.world_from_camera[::-1].copy()))
    assert held(until) == {n: row for n, row in whole.items() if n <= lsn}
    assert held(without) == {n: row for n, row in whole.items() if n not in gone}
    assert len(until) == len(held(until)) and len(without) == len(held(without))
    now = held(kept)
    for row in later:  # nor they with it
        without.add(dataclasses.replace(row, pose_revision=99, world_from_camera=row.world_from_camera[::-1].copy()))
    assert held(kept) == now


@given(st.lists(rows(), max_size=8))
def test_poses_are_those_of_the_rows_to_the_last_bit(given_rows):
    kept = LogRows()
    for row in given_rows:
        kept.add(row)
    for lsns, _, _, poses in kept.poses():
        assert all(
            kept[int(n)].world_from_camera.tobytes() == pose.tobytes() for n, pose in zip(lsns, poses, strict=True)
        )


def test_a_row_that_is_not_there_is_no_row():
    kept = LogRows()
    with pytest.raises(KeyError):
        kept[1]
    assert kept.get(1) is None and kept.until(9).get(1) is None and not list(kept.without([1]))
