"""docs/sql.md: every query on the page is run, by the library and by SQLite alone, and answers what it says."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import memory_helpers as mh
import numpy as np
import pytest
from test_equality import walk

from spatialmem.memory import SpatialMemory

PAGE = (Path(__file__).parents[1] / "docs" / "sql.md").read_text()
QUERIES = dict(re.findall(r"```sql\n-- (.*?)\n(.*?)```", PAGE, flags=re.S))
NOTHING_YET = ("what was dropped to keep the budget",)


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """Two sessions, things that left, revised poses, an erased frame."""
    path = tmp_path_factory.mktemp("sql") / "a.mem"
    frames = walk()
    with mh.create(path, frames[:17], checkpoint_frames=7) as memory:
        memory.add_session("evening", np.eye(4))
        mh.observe_all(memory, [mh.at(frame, 0, session_id="evening") for frame in frames[17:18]])
        pose = memory.trajectory()[1].map_from_camera.copy()
        pose[0, 3] += 0.2
        memory.correct_poses({2: pose}, reason="loop")
        memory.forget(frames=[3])
    return path


def of(path: Path, start: str) -> list[dict]:
    """Rows of the query whose comment starts so, by column."""
    (query,) = (query for comment, query in QUERIES.items() if comment.startswith(start))
    connection = sqlite3.connect(path)
    cursor = connection.execute(query)
    rows = [dict(zip((column[0] for column in cursor.description), row, strict=True)) for row in cursor]
    connection.close()
    return rows


def test_there_are_a_dozen():
    assert len(QUERIES) == PAGE.count("```sql\n") >= 12


@pytest.mark.parametrize("comment", QUERIES)
def test_a_query_runs_and_says_something(path, comment):
    with SpatialMemory.open(path) as memory:
        rows = memory.sql(QUERIES[comment])
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro&immutable=1", uri=True)
    assert connection.execute(QUERIES[comment]).fetchall() == rows
    connection.close()
    assert rows or comment in NOTHING_YET


def test_answers_are_those_of_the_memory(path):
    with SpatialMemory.open(path) as memory:
        info, points = memory.info(), memory.points().position_m
        departed = memory._keeper.on_file().departed()
    assert sum(row["frames"] for row in of(path, "sessions and cameras")) == info["frames"] == 17
    assert {row["session_id"] for row in of(path, "sessions and cameras")} == {"room", "evening"} or info[
        "sessions"
    ] == 2
    assert [row["lsn"] for row in of(path, "frames without depth")] == [4]
    assert sorted(row["voxels"] for row in of(path, "things that were there")) == sorted(row.voxels for row in departed)
    assert [(row["lsn"], row["revisions"], row["reason"]) for row in of(path, "poses that were")] == [(2, 1, "loop")]
    assert [(row["first_lsn"], row["last_lsn"]) for row in of(path, "what was erased")] == [(3, 3)]
    assert of(path, "base and tail")[0]["to_replay"] == 0
    low, high = np.array(list(of(path, "the box")[0].values())).reshape(2, 3)
    assert (low <= points.min(0)).all() and (points.max(0) <= high).all() and (high - low < 8).all()
    tops = [row["top_m"] for row in of(path, "a map from above")]
    assert max(tops) == pytest.approx(high[2])


def test_the_blobs_are_decoded_as_the_page_says(path):
    code = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    with SpatialMemory.open(path) as memory:
        exec(code[0], {"memory": memory, "since_ns": 0})
        space = {"memory": memory}
        exec(code[1], space)
        frame = memory.keyframe(1)
    assert np.array_equal(space["world_from_camera"][1], frame.world_from_camera)
    assert np.array_equal(space["bgr"][..., ::-1], frame.rgb)
