"""Departed rows in one array of bytes: every one comes back as it was put in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spatialmem.departed_log import DepartedLog
from spatialmem.store.rows import DepartedRow

WIDTH = 3
NUMBERS = st.integers(0, 2**63 - 1)
METRES = st.tuples(*[st.floats(allow_nan=False)] * 3)
FEATURES = st.none() | st.binary(min_size=2 * WIDTH, max_size=2 * WIDTH) | st.binary(max_size=9)
ROWS = st.builds(
    DepartedRow, NUMBERS, NUMBERS, NUMBERS, METRES, METRES, METRES, NUMBERS, st.tuples(*[st.integers(0, 255)] * 3),
    FEATURES, st.none() | NUMBERS, st.none() | NUMBERS,
)  # fmt: skip


@given(st.lists(ROWS, max_size=8), st.lists(ROWS, max_size=8), st.slices(8))
def test_rows_come_back_as_they_were_put_in(first, later, some):
    log = DepartedLog(WIDTH, first)
    known = log[:]
    log.extend(later)
    every = [*first, *later]
    assert list(log) == every == log[:] and known == first and len(log) == len(every)
    assert log[some] == every[some] and [log[-1 - n] for n in range(len(every))] == every[::-1]


def test_there_is_no_row_beyond_the_last():
    with pytest.raises(IndexError):
        DepartedLog(WIDTH)[0]
