"""Rows checked many at a time: what one by one finds is found, and what is taken in that way is what the rows say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialmem.errors import MemoryFileError
from spatialmem.geometry import exp_so3, make_transform
from spatialmem.log_rows import LogRows
from spatialmem.places import Places
from spatialmem.store import checking
from spatialmem.store import records as rec
from spatialmem.store import schema as sch
from spatialmem.store.rows import AnchorRow
from spatialmem.types import Camera

OF_KIND = {
    "INTEGER": st.integers(0, 2**32 - 2), "REAL": st.floats(allow_nan=False, allow_infinity=False),
    "TEXT": st.text("abä ", max_size=4), "BLOB": st.binary(max_size=9),
}  # fmt: skip
ANYTHING = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=3), st.binary(max_size=3)
)


@st.composite
def tables(draw):
    """A table and some rows of it that are sound."""
    table, rows = draw(st.sampled_from((*sch.TABLES, *sch.LATER))), []
    for _ in range(draw(st.integers(9, 14))):
        kinds = [(name, OF_KIND[kind.split()[0]]) for name, kind in table.columns]
        rows.append(sch.with_crc([
            draw(st.none() | kind if name in sch.MAY_BE_NULL else kind) for name, kind in kinds
        ]))  # fmt: skip
    return table, rows


@settings(max_examples=60)
@given(tables())
def test_sound_rows_are_taken_at_once(given_rows):
    table, rows = given_rows
    assert checking._are_sound(table, rows)
    assert checking.checked(table, rows) == [table.checked(row) for row in rows]


@settings(max_examples=150)
@given(tables(), st.data())
def test_what_is_wrong_with_a_row_is_found_among_many(given_rows, data):
    table, rows = given_rows
    at, column = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.integers(0, len(table.columns)))
    row = list(rows[at])
    row[column] = data.draw(ANYTHING)
    rows[at] = sch.with_crc(row[:-1]) if data.draw(st.booleans()) else tuple(row)
    if table.wrong(rows[at]) is None:
        assert checking.checked(table, rows)[at] == rows[at][:-1]
        return
    with pytest.raises(MemoryFileError) as error:
        checking.checked(table, rows)
    with pytest.raises(MemoryFileError) as wanted:
        table.checked(rows[at])
    assert str(error.value) == str(wanted.value)


def logged(count, seed=0):
    """Rows of `keyframes` as they stand in the file, and the same as `records` reads them."""
    rng, camera, rows = np.random.default_rng(seed), Camera(70.0, 55.0, 33.0, 21.5, 85, 61), []
    for lsn in range(1, count + 1):
        pose = make_transform(exp_so3(rng.normal(size=3)), rng.normal(size=3)).tobytes()
        numbers = [None if rng.random() < 0.3 else float(x) for x in rng.random(7)]
        rows.append((
            lsn, f"s{lsn % 2}", f"c{lsn % 3}", 3 * lsn, 10**9 * lsn, 1, pose, lsn % 4, *numbers[:2], "novelty",
            lsn % 2, 1 - lsn % 2, *numbers[2:],
        ))  # fmt: skip
    return rows, camera, [rec.keyframe_row(values, camera) for values in rows]


def test_a_log_taken_in_as_it_stands_is_that_of_its_rows():
    values, camera, rows = logged(2100)
    one, two = LogRows(), LogRows()
    for row, given_values in zip(rows, values, strict=True):
        one.add(row)
        two.add_stored(given_values, camera)
    assert {n: bytes(c) for n, c in one._chunks.items()} == {n: bytes(c) for n, c in two._chunks.items()}
    assert len(one) == len(two) == 2100 and str(one[1500]) == str(two[1500]) == str(rows[1499])
    kept = two.until(2000)
    two.add_stored((*values[1999][:4], 7, *values[1999][5:]), camera)  # who reads goes on with the old
    assert (kept[2000].stamp_ns, two[2000].stamp_ns) == (rows[1999].stamp_ns, 7)


def test_where_frames_stand_is_the_same_for_all_at_once():
    _, _, rows = logged(1500)
    places, log, rng = Places(), LogRows(), np.random.default_rng(1)
    for row in rows:
        log.add(row)
    for number in range(2):
        pose = make_transform(exp_so3(rng.normal(size=3)), rng.normal(size=3))
        places.add(AnchorRow(f"s{number}", 0, pose, 1, ""))
    places._poses[7] = rows[9].world_from_camera
    found = list(places.stand(log))
    for n, row in enumerate(rows):
        lsns, stamps_ns, poses = found[row.lsn // 1024]
        at = int(np.searchsorted(lsns, row.lsn))
        assert (lsns[at], stamps_ns[at]) == (row.lsn, row.stamp_ns)
        assert poses[at].tobytes() == places.map_from_camera(row).tobytes(), n


@settings(max_examples=100)
@given(st.integers(0, 15), st.sampled_from([1e-4, 1.9e-3, 2.1e-3, -1.0, 1e300, np.nan, np.inf]), st.booleans())
def test_poses_that_are_none_are_found_among_many(entry, off, times):
    values, camera, _ = logged(12)
    pose = np.frombuffer(values[5][6]).copy()
    pose[entry] = pose[entry] * off if times else pose[entry] + off
    values[5] = (*values[5][:6], pose.tobytes(), *values[5][7:])
    try:
        rec.keyframe_row(values[5], camera)
    except MemoryFileError as error:
        with pytest.raises(MemoryFileError) as found:
            rec.require_poses(values)
        assert str(found.value) == str(error)
    else:
        rec.require_poses(values)
