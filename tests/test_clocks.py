"""Sessions whose clocks disagree: the log is in the order of storing, and times are told by the stamps."""

from __future__ import annotations

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from test_changes import LAP, lap, things

from spatialmem.retrieval.changes import Departed
from spatialmem.types import Presence
from spatialmem.voxels.block_regions import candidate_regions
from spatialmem.voxels.search import Filter

EVERYWHERE = np.array([(-9.0, -9.0, -9.0), (9.0, 9.0, 9.0)])
FIRST = [room.FIRST_STAMP_NS + i * room.FRAME_STEP_NS for i in range(LAP)]
BEHIND = [room.FIRST_STAMP_NS - 800_000_000 + i * 10_000_000 for i in range(LAP)]
"""stamps of the first session, and of the one that is stored after it, with a clock that is behind"""


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    """Both sessions see the room, then the first one sees that the red box is gone."""
    with mh.create(tmp_path_factory.mktemp("clocks") / "a.mem", lap(room.BOXES), ram_bytes=128 << 20) as memory:
        memory.add_session("other", np.eye(4))
        mh.observe_all(
            memory,
            [mh.at(f, f.seq, ns, session_id="other") for f, ns in zip(lap(room.BOXES), BEHIND, strict=True)],
        )
        mh.observe_all(memory, [*lap(mh.without("red"), 1), *lap(mh.without("red"), 2)])
        yield memory


@pytest.fixture(scope="module")
def before(memory):
    """As it was before the box went."""
    with memory.at(lsn=2 * LAP) as past:
        yield past


def test_a_hit_tells_the_least_and_the_greatest_stamp(before):
    for question in ({"text": "red"}, {"text": "green"}, {"text": "blue"}, {"box_m": EVERYWHERE}):
        hits = before.query(**question).hits
        assert hits and all(hit.first_seen_ns <= hit.last_seen_ns for hit in hits)
    with before._reading() as epoch:
        found = epoch.surface.search(None, 0.0, Filter())
        first, last, _ = found.seen(found.rows(candidate_regions(found).members(0)))
        stamps = epoch.stamps_ns[np.concatenate([first, last])]
    assert stamps.min() == BEHIND[0] and stamps.max() == FIRST[-1]
    assert (hits[0].first_seen_ns, hits[0].last_seen_ns) == (stamps.min(), stamps.max())


def test_a_thing_is_found_by_when_it_was_seen_last(before):
    (seen,) = (hit.last_seen_ns for hit in before.query("red", top=1))
    assert FIRST[0] <= seen <= FIRST[-1]
    assert [hit.last_seen_ns for hit in before.query("red", since_ns=seen, top=1)] == [seen]
    for hit in before.query("red", until_ns=FIRST[0] - 1):
        assert hit.last_seen_ns < FIRST[0]


def test_points_are_seen_first_before_last(before):
    points = before.points()
    assert (points.first_seen_ns <= points.last_seen_ns).all()
    assert points.first_seen_ns.min() == BEHIND[0] and points.last_seen_ns.max() == FIRST[-1]


def gone(memory, **times):
    return [hit for hit in memory.query("red", **times) if hit.presence is Presence.GONE]


def test_what_has_gone_tells_so_too(memory):
    (change,) = (c for c in things(memory.changes(FIRST[-1])) if isinstance(c, Departed))
    assert BEHIND[0] <= change.first_seen_ns <= BEHIND[-1]
    assert FIRST[0] <= change.last_seen_ns <= FIRST[-1] < change.stamp_ns
    (hit,) = gone(memory)
    assert BEHIND[0] <= hit.first_seen_ns <= BEHIND[-1] and FIRST[0] <= hit.last_seen_ns <= FIRST[-1]
    assert [h.last_seen_ns for h in gone(memory, since_ns=FIRST[0])] == [hit.last_seen_ns]
    assert not gone(memory, since_ns=hit.last_seen_ns + 1) and not gone(memory, until_ns=hit.last_seen_ns - 1)
