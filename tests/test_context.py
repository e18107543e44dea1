"""What a planner is shown: snapshots and frontiers within bounds, pictures of what was seen, a plan with marks."""

from __future__ import annotations

import memory_helpers as mh
import numpy as np
import object_cases as cases
import pytest
import synthetic as room

from spatialmem import SpatialMemory
from spatialmem.context_making import goal_vector
from spatialmem.errors import InvalidValue
from spatialmem.perception import load_encoder
from spatialmem.types import Presence

UP = (0.0, 0.0, 1.0)


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    """Half a lap, so that some of the room is not seen."""
    with mh.create(tmp_path_factory.mktemp("context") / "a.mem") as memory:
        memory.declare_up(UP)
        cases.observe(memory, cases.lap(0, steps=range(7)))
        yield memory


def pose(memory: SpatialMemory) -> np.ndarray:
    return memory.trajectory()[-1].map_from_camera


def test_things_that_answer_best_come_first_and_snapshots_stand_for_them(memory):
    context = memory.context("red", map_from_camera=pose(memory))
    assert context.objects[0].name == "red" and context.objects[0].score > 0.5
    scores = [o.score for o in context.objects]
    assert scores == sorted(scores, reverse=True)
    assert "red" in {o.name for o in context.snapshots[0].objects}
    assert [view.mark for view in context.snapshots] == list(range(1, len(context.snapshots) + 1))
    for view in context.snapshots:
        assert np.array_equal(view.rgb, memory.keyframe(view.lsn).rgb)
        for thing in view.objects:
            assert thing.box_xyxy is not None and thing.presence is not Presence.GONE


def test_frontiers_have_pictures_of_frames_that_looked_that_way(memory):
    context = memory.context("red", map_from_camera=pose(memory))
    assert context.frontiers
    for edge in context.frontiers:
        assert edge.source in ("seen", "rendered", "none") and (edge.rgb is None) == (edge.source == "none")
        if edge.source == "seen":
            assert edge.lsn is not None and np.array_equal(edge.rgb, memory.keyframe(edge.lsn).rgb)
            ahead = memory.pose_of(edge.lsn).map_from_camera[:3, 2]
            assert ahead[0] * np.cos(edge.yaw_rad) + ahead[1] * np.sin(edge.yaw_rad) > 0.0
    assert all(edge.rgb is not None for edge in context.frontiers)


def test_a_frontier_ahead_is_shown_by_the_frame_that_looked_there(tmp_path):
    with mh.create(tmp_path / "a.mem") as memory:
        memory.declare_up(UP)
        for seq, x in enumerate((-2.2, -1.6, -1.0, -0.6)):
            frame = mh.frame_at((x, 0.9, 1.3), (1.0, -0.3, -0.6), seq, size=(320, 240))
            memory.observe(frame, cases.detections(frame))
        context = memory.context("red")
        seen = [edge for edge in context.frontiers if edge.source == "seen"]
        assert seen and any(abs(edge.yaw_rad) < 1.0 for edge in seen)


@pytest.mark.parametrize("most", [0, 1, 2, 3, 4, 20])
def test_there_are_never_more_images_than_asked_for_and_what_is_missing_is_said(memory, most):
    view = memory.keyframe(1).rgb
    context = memory.context("red", view_rgb=view, max_images=most, map_from_camera=pose(memory))
    pictures = len(context.snapshots) + sum(e.rgb is not None for e in context.frontiers)
    assert pictures + (context.map_rgb is not None) + 1 <= max(most, 1)  # the view was given
    whole = memory.context("red", pictures=False)
    if len(context.snapshots) < len(whole.snapshots):
        assert "snapshots" in context.left_out
    if len(context.frontiers) < len(whole.frontiers):
        assert "frontiers" in context.left_out
    assert len(context.objects) == len(whole.objects)


def test_a_bound_on_tokens_is_kept_by_leaving_out_the_worst(memory):
    whole = memory.context("red", max_images=20)
    small = memory.context("red", max_images=20, max_tokens=whole.tokens - 1)
    assert small.tokens < whole.tokens and small.left_out
    assert [v.lsn for v in small.snapshots] == [v.lsn for v in whole.snapshots][: len(small.snapshots)]
    none = memory.context("red", max_images=20, max_tokens=0)
    assert none.tokens == 0 and none.map_rgb is None and "the plan" in none.left_out


def test_without_pictures_there_are_scores_alone(memory):
    context = memory.context("blue", pictures=False)
    assert context.map_rgb is None and all(e.rgb is None for e in context.frontiers)
    assert all(v.rgb.size == 0 for v in context.snapshots) and context.objects[0].name in room.BOXES[2].name


def test_a_picture_of_a_goal_is_looked_for_by_its_middle(memory):
    frame = room.room_frame(0, cases.LAP)
    mask = cases.masks(frame)["red"]
    rows, columns = np.nonzero(mask)
    half = 40
    top, left = int(rows.mean()) - half, int(columns.mean()) - half
    picture = frame.rgb[max(top, 0) : top + 2 * half, max(left, 0) : left + 2 * half]
    context = memory.context(goal_rgb=picture)
    assert context.objects[0].name == "red"
    vector = goal_vector(load_encoder("colours"), picture)
    assert abs(float(np.linalg.norm(vector)) - 1.0) < 1e-5


def test_where_up_is_not_known_there_are_no_frontiers_and_that_is_said(tmp_path):
    with cases.remembered(tmp_path / "a.mem") as memory:
        context = memory.context("red")
        assert context.frontiers == () and context.map_rgb is None and "declare_up" in context.left_out
        assert context.snapshots


def test_a_memory_without_images_shows_what_the_map_shows():
    with cases.remembered(None) as memory:
        memory.declare_up(UP)
        context = memory.context("red")
        assert context.snapshots and all(v.rgb.shape == (120, 160, 3) and v.rgb.any() for v in context.snapshots)


def test_an_empty_memory_has_an_empty_context_and_bad_bounds_are_refused():
    with mh.create(None) as memory:
        memory.declare_up(UP)
        context = memory.context("anything")
        assert (context.snapshots, context.frontiers, context.objects) == ((), (), ())
        with pytest.raises(InvalidValue, match="at least 0"):
            memory.context("red", max_images=-1)


def test_an_earlier_time_has_a_context_of_its_own(memory):
    with memory.at(lsn=1) as past:
        assert past.context("red", pictures=False).objects == ()
