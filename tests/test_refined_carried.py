"""Drift is taken back frame after frame: what the last frame was moved by is where the next one is looked for."""

from __future__ import annotations

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from hypothesis import given, settings
from hypothesis import strategies as st
from test_correction import assert_equals_its_rebuild
from test_refine import apart, drift

from spatialmem.geometry import inverse
from spatialmem.localise.carried import FRAMES, JUMP_M, starts_of
from spatialmem.localise.refine import LIMIT_M
from spatialmem.memory import SpatialMemory
from spatialmem.types import Frame

LAP, SEEN = 24, 18
OPTIONS = {"voxel_size_m": 0.03, "refine_poses": True, "ram_bytes": 96 << 20}
AWAY = drift(np.array([0.2, 1.0, -0.4]), 3.0, np.array([1.0, 0.3, 0.6]), 0.14)
"""where odometry ends up: far beyond what one frame may be moved by"""


def share_of_drift(share: float) -> np.ndarray:
    return drift(np.array([0.2, 1.0, -0.4]), 3.0 * share, np.array([1.0, 0.3, 0.6]), 0.14 * share)


def drifting(count: int = SEEN) -> tuple[list[Frame], list[Frame]]:
    """Frames whose poses drift away steadily, and the same with true poses."""
    true = [room.room_frame(i, LAP, noise=True, seed=1) for i in range(count)]
    return [f.with_pose(share_of_drift(i / (count - 1)) @ f.pose) for i, f in enumerate(true)], true


def poses(memory: SpatialMemory) -> list[np.ndarray]:
    return [k.map_from_camera for k in memory.trajectory()]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("built") / "a.mem"
    mh.create(path, drifting()[0], checkpoint_frames=7, **OPTIONS).close()
    return path


@pytest.fixture
def path(built, tmp_path):
    target = tmp_path / "a.mem"
    target.write_bytes(built.read_bytes())
    return target


# --- where a frame is looked for

SMALL = st.tuples(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0), st.floats(-1.0, 1.0))


def moved(by: tuple[float, float, float], metres: float, degrees: float) -> np.ndarray:
    return drift(np.array(by) + 1e-3, degrees, np.array(by[::-1]) + 1e-3, metres)


def test_nothing_is_carried_without_frames_or_from_one_that_stayed():
    here = room.room_frame(0, LAP).pose
    for before in ([], [(here, here)] * FRAMES):
        starts = starts_of(here, before)
        assert starts.carried is starts.observed is here and not starts.agreed


@settings(max_examples=30)
@given(SMALL, st.floats(0.01, 0.3))
def test_a_frame_is_moved_as_the_frames_before_were(by, metres):
    seen = [room.room_frame(i, LAP).pose for i in range(FRAMES + 1)]
    shift = moved(by, metres, 1.0)
    starts = starts_of(seen[-1], [(pose, shift @ pose) for pose in reversed(seen[:-1])])
    np.testing.assert_allclose(starts.carried, shift @ seen[-1], atol=1e-9)
    assert starts.agreed and starts.likely is starts.carried


def test_frames_that_were_moved_to_and_fro_agree_on_nothing():
    rng = np.random.default_rng(3)
    seen = [room.room_frame(i, LAP).pose for i in range(FRAMES + 1)]
    sides = [drift(rng.normal(size=3), 0.5, sign * np.array([1.0, 0.2, 0.1]), 0.03) for sign in (1, -1, 1, -1)]
    starts = starts_of(seen[-1], [(pose, side @ pose) for pose, side in zip(seen[:-1], sides, strict=True)])
    assert not starts.agreed and starts.likely is starts.observed


def test_nothing_is_carried_over_a_jump_of_the_tracking():
    seen = room.room_frame(0, LAP).pose
    before = [(seen, AWAY @ seen)] * FRAMES
    far = drift(np.ones(3), 0.0, np.array([1.0, 0.0, 0.0]), 1.01 * JUMP_M) @ seen
    assert starts_of(far, before).carried is far and not starts_of(far, before).agreed


# --- what becomes of the map


def test_drift_beyond_the_limit_is_taken_back(path):
    given, true = drifting()
    with SpatialMemory.open(path) as memory:
        left_m, left_deg = apart(poses(memory)[-1], true[-1].pose)
        assert apart(poses(memory)[-1], given[-1].pose)[0] > 2.0 * LIMIT_M
    drift_m, drift_deg = apart(given[-1].pose, true[-1].pose)
    assert drift_m > 4.0 * LIMIT_M and left_m < 0.35 * drift_m and left_deg < 0.5 * drift_deg


def test_a_memory_that_was_closed_in_between_goes_on_alike(path, tmp_path):
    given, _ = drifting()
    with mh.create(tmp_path / "b.mem", given[: SEEN // 2], checkpoint_frames=7, **OPTIONS):
        pass
    with SpatialMemory.open(tmp_path / "b.mem", "a") as memory:
        mh.observe_all(memory, given[SEEN // 2 :])
        with SpatialMemory.open(path) as whole:
            assert memory.canonical_hash() == whole.canonical_hash()
            np.testing.assert_array_equal(poses(memory), poses(whole))


def test_a_frame_that_sees_nothing_is_moved_as_the_last_ones_were(path):
    blind = mh.at(drifting()[0][-1], 50, depth_m=None)
    with SpatialMemory.open(path, "a") as memory:
        last, *_ = memory._keeper.stood(blind, 1)
        mh.observe_all(memory, [blind])
        np.testing.assert_allclose(poses(memory)[-1], last[1] @ inverse(last[0]) @ blind.pose, atol=1e-9)
        np.testing.assert_array_equal(memory.keyframe(SEEN + 1).pose, blind.pose)
        assert_equals_its_rebuild(path, memory)


def test_nothing_is_carried_into_another_session_or_past_a_correction(path):
    given, _ = drifting()
    with SpatialMemory.open(path, "a") as memory:
        assert len(memory._keeper.stood(given[-1], FRAMES)) == FRAMES
        assert memory._keeper.stood(mh.at(given[-1], 50, session_id="evening"), FRAMES) == []
        memory.correct_poses({SEEN - 1: AWAY @ poses(memory)[-2]})
        assert len(memory._keeper.stood(given[-1], FRAMES)) == 1
        memory.correct_poses({SEEN: AWAY @ poses(memory)[-1]})
        assert memory._keeper.stood(given[-1], FRAMES) == []
    with SpatialMemory.open(path) as memory:
        assert memory._keeper.stood(given[-1], FRAMES) == []
