"""Frames moved onto the map before they are stored: the observed pose is kept, the layers go by the refined one."""

from __future__ import annotations

import json
import shutil
from functools import cache

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from cli_helpers import cut_recording, run, run_json
from test_correction import assert_equals_its_rebuild, corrections
from test_refine import apart, drift

from spatialmem.errors import AnotherRecording, InvalidValue
from spatialmem.geometry import exp_so3, make_transform
from spatialmem.layers import Layers
from spatialmem.localise.refine import LIMIT_DEG, LIMIT_M
from spatialmem.memory import SpatialMemory
from spatialmem.types import Camera, Frame, Skipped, Stored

LAP = 20
OPTIONS = {"voxel_size_m": 0.03, "refine_poses": True, "ram_bytes": 96 << 20}


@cache
def drifted(count: int = LAP, right: int = 10, seed: int = 1) -> tuple[list[Frame], list[np.ndarray]]:
    """A lap whose first frames are where they say, the others up to 4 cm and 1.5 degrees elsewhere; and true poses."""
    rng, frames = np.random.default_rng(seed), [room.room_frame(i, LAP, noise=True, seed=1) for i in range(count)]
    shifts = [drift(rng.normal(size=3), rng.uniform(0.2, 1.5), rng.normal(size=3), rng.uniform(0.01, 0.04))
              for _ in frames]  # fmt: skip
    given = [f if i < right else f.with_pose(f.pose @ shifts[i]) for i, f in enumerate(frames)]
    return given, [f.pose for f in frames]


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """Path and hash of a memory of the lap."""
    path = tmp_path_factory.mktemp("built") / "a.mem"
    with mh.create(path, drifted()[0], checkpoint_frames=7, **OPTIONS) as memory:
        return path, memory.canonical_hash()


@pytest.fixture(scope="module")
def built(live):
    return live[0]


@pytest.fixture
def path(built, tmp_path):
    target = tmp_path / "a.mem"
    target.write_bytes(built.read_bytes())
    return target


def revised(memory: SpatialMemory) -> list[int]:
    return [lsn for (lsn,) in memory.sql("SELECT lsn FROM keyframes WHERE pose_revision > 0 ORDER BY lsn")]


THERE = make_transform(exp_so3((0.1, -0.05, 0.8)), (0.7, -0.4, 0.1))
"""a session that lies at an angle in the map, where there and back again is not the identity"""


@pytest.fixture(scope="module")
def placed(tmp_path_factory):
    """A memory whose second half is such a session: its path, the poses that frames were fused by, and its hash."""
    path, fused, prepare = tmp_path_factory.mktemp("placed") / "a.mem", {}, Layers.prepare
    given, away = drifted()[0], np.linalg.inv(THERE)

    def noted(layers, frame):
        fused[frame.lsn] = frame.map_from_camera
        return prepare(layers, frame)

    with pytest.MonkeyPatch.context() as patch, mh.create(path, **OPTIONS) as memory:
        patch.setattr(Layers, "prepare", noted)
        mh.observe_all(memory, given[:10])
        memory.add_session("evening", THERE)
        for f in given[10:]:
            mh.observe_all(memory, [mh.at(f, f.seq, session_id="evening", world_from_camera=away @ f.pose)])
        return path, fused, memory.canonical_hash()


def test_a_frame_is_fused_by_the_pose_that_the_log_has_bit_for_bit(placed, tmp_path):
    path, fused, live = placed
    with SpatialMemory.open(shutil.copyfile(path, tmp_path / "a.mem"), "a") as memory:
        assert len([lsn for lsn in revised(memory) if lsn > 10]) > 5
        for keyframe in memory.trajectory():
            np.testing.assert_array_equal(fused[keyframe.lsn], keyframe.map_from_camera)
        assert memory.canonical_hash() == live
        memory.rebuild()
        assert memory.canonical_hash() == live


# --- what is kept


def test_poses_are_as_observed_unless_asked_for(tmp_path):
    given, _ = drifted(10)
    with mh.create(tmp_path / "a.mem", given, **{**OPTIONS, "refine_poses": False}) as memory:
        assert revised(memory) == [] and memory.sql("SELECT * FROM pose_revisions") == []
        for keyframe, frame in zip(memory.trajectory(), given, strict=True):
            np.testing.assert_array_equal(keyframe.map_from_camera, frame.pose)


def test_observed_and_refined_poses_are_both_kept(path):
    given, truth = drifted()
    with SpatialMemory.open(path) as memory:
        moved, errors = revised(memory), []
        assert len(moved) >= 8
        for keyframe, frame, true in zip(memory.trajectory(), given, truth, strict=True):
            np.testing.assert_array_equal(memory.keyframe(keyframe.lsn).pose, frame.pose)
            shift_m, turn_deg = apart(keyframe.map_from_camera, frame.pose)
            assert shift_m <= LIMIT_M and turn_deg <= LIMIT_DEG
            assert (shift_m > 0) == (keyframe.lsn in moved)
            errors.append((*apart(frame.pose, true), *apart(keyframe.map_from_camera, true)))
        before_m, before_deg, after_m, after_deg = np.array([errors[lsn - 1] for lsn in moved]).T
        assert np.median(after_m) < 0.4 * np.median(before_m) and np.median(after_deg) < 0.4 * np.median(before_deg)
        rows = memory.sql("SELECT lsn, revision, valid_from, valid_to, reason FROM pose_revisions ORDER BY lsn")
        assert rows == [(lsn, 1, lsn, None, "refined") for lsn in moved]
        assert memory.info()["revised_poses"] == len(moved)


def test_the_map_is_that_of_a_memory_shown_the_refined_poses(path, tmp_path):
    given, _ = drifted()
    with SpatialMemory.open(path) as memory:
        refined, wanted = [k.map_from_camera for k in memory.trajectory()], memory.canonical_hash()
    shown = [frame.with_pose(pose) for frame, pose in zip(given, refined, strict=True)]
    with mh.create(tmp_path / "b.mem", shown, **{**OPTIONS, "refine_poses": False}) as memory:
        assert memory.canonical_hash() == wanted


def test_a_memory_without_a_file_refines_alike(built):
    with SpatialMemory.open(built) as filed, mh.create(None, drifted()[0], **OPTIONS) as memory:
        moved = [k.lsn for k in memory.trajectory() if not np.array_equal(
            k.map_from_camera, drifted()[0][k.lsn - 1].pose)]  # fmt: skip
        assert len(set(moved) ^ set(revised(filed))) <= 2, "its depth is not rounded to what a file holds"
        memory.reset()
        assert memory.trajectory() == []


# --- live, reopened, rebuilt, corrected


def test_a_refined_memory_equals_its_rebuild(path, live):
    memory = SpatialMemory.open(path, "a")
    assert memory.canonical_hash() == live[1]
    assert_equals_its_rebuild(path, memory)


def test_a_crash_at_any_frame_leaves_what_was_live(tmp_path):
    path = tmp_path / "live" / "a.mem"
    path.parent.mkdir()
    with mh.create(path, checkpoint_frames=3, **OPTIONS) as memory:
        for n, frame in enumerate(drifted(14)[0]):
            mh.observe_all(memory, [frame])
            if n < 7:  # before a frame is refined: as in test_equality.py
                assert revised(memory) == []
                continue
            copy = mh.as_a_crash_leaves_it(path, tmp_path / f"{n}" / "a.mem")
            with SpatialMemory.open(copy) as recovered:
                assert recovered.canonical_hash() == memory.canonical_hash()
                assert revised(recovered) == revised(memory)
        assert len(revised(memory)) >= 3


def test_replay_never_refines(path, monkeypatch):
    def never(*given):
        raise AssertionError("a stored frame was refined again")

    monkeypatch.setattr("spatialmem.arrival.settled", never)
    with SpatialMemory.open(path, "a") as memory:
        before = memory.canonical_hash()
        memory.rebuild()
        assert memory.canonical_hash() == before
    SpatialMemory.repair(path)
    with SpatialMemory.open(path) as memory:
        assert memory.canonical_hash() == before


@pytest.mark.parametrize("lsns", [[3, 12], range(1, LAP + 1)])
def test_refined_frames_can_be_corrected(path, lsns):
    """One that was refined and one that was not, and all."""
    memory = SpatialMemory.open(path, "a")
    assert 12 in revised(memory) and 3 not in revised(memory)
    wanted = corrections(memory, lsns, seed=1)
    assert memory.correct_poses(wanted).applied == len(lsns)
    for lsn, pose in wanted.items():
        np.testing.assert_array_equal(memory.trajectory()[lsn - 1].map_from_camera, pose)
        np.testing.assert_array_equal(memory.keyframe(lsn).pose, drifted()[0][lsn - 1].pose)
    held = memory.sql("SELECT lsn FROM pose_revisions WHERE valid_to IS NULL GROUP BY lsn HAVING count(*) > 1")
    assert held == [], "one pose of a frame holds at a time"
    mh.observe_all(memory, [mh.at(f, f.seq + LAP) for f in drifted(4, right=0, seed=3)[0]])
    assert_equals_its_rebuild(path, memory)


def test_a_refined_frame_is_forgotten_with_its_poses(path):
    memory = SpatialMemory.open(path, "a")
    gone = revised(memory)[2]
    memory.forget(frames=[gone])
    assert memory.sql("SELECT count(*) FROM pose_revisions WHERE lsn = ?", (gone,)) == [(0,)]
    assert_equals_its_rebuild(path, memory)


def test_what_was_seen_through_lies_where_the_refined_frame_saw_it(tmp_path):
    """Blocks that a frame examined were found by its refined pose, so a correction must move them from there."""
    frames = [mh.frame_at((-0.6 + 0.05 * (i % 4), 0.1 * (i % 3), 1.4), (1.0, 0.02 * (i % 5), -0.25), i,
                          room.BOXES if i < 8 else mh.without("red")) for i in range(16)]  # fmt: skip
    off = np.random.default_rng(4)
    shown = [f if i < 3 else f.with_pose(f.pose @ drift(off.normal(size=3), 1.0, off.normal(size=3), 0.025))
             for i, f in enumerate(frames)]  # fmt: skip
    memory = mh.create(tmp_path / "a.mem", shown, checkpoint_frames=6, **OPTIONS)
    examined = "SELECT k.lsn FROM keyframes k JOIN frames USING (lsn) WHERE pose_revision > 0 AND examined NOT NULL"
    seen = memory.sql(examined)
    assert len(seen) >= 3 and memory.info()["departed_regions"] > 0
    memory.correct_poses(corrections(memory, [lsn for (lsn,) in seen][:3], seed=6, metres=0.05, degrees=1.0))
    assert_equals_its_rebuild(tmp_path / "a.mem", memory)


# --- sessions, the gate, what cannot be known


def test_a_placed_session_is_refined_in_its_own_world(placed, tmp_path):
    given, truth = drifted()
    memory = SpatialMemory.open(shutil.copyfile(placed[0], tmp_path / "a.mem"), "a")
    moved = [lsn for lsn in revised(memory) if lsn > 10]
    assert len(moved) >= 6
    off = [apart(memory.trajectory()[lsn - 1].map_from_camera, truth[lsn - 1]) for lsn in moved]
    assert np.median([metres for metres, _ in off]) < 0.012
    memory.correct_poses(anchor=("evening", make_transform(np.eye(3), (0.1, 0.0, 0.0)) @ THERE))
    mh.observe_all(memory, [mh.at(given[0], 100)])
    assert_equals_its_rebuild(tmp_path / "a.mem", memory)


def test_drift_alone_is_no_reason_to_keep_a_frame(tmp_path):
    gate = {"store_all": False, "max_gap_s": 100.0, "novelty": 0.1, "disagreement": 0.05}
    lap = [room.room_frame(i, LAP) for i in range(LAP)]
    shift = drift(np.array([0.0, 1.0, 0.3]), 1.6, np.array([0.3, 1.0, 1.0]), 0.045)
    outcomes = {}
    for refine in (False, True):
        with mh.create(None, **{**OPTIONS, "refine_poses": refine, "gate": gate}) as memory:
            for frame in lap:
                memory.observe(frame)
            outcomes[refine] = [memory.observe(mh.at(f.with_pose(f.pose @ shift), LAP + i)) for i, f in enumerate(lap)]
    kept = {refine: sum(isinstance(o, Stored) for o in found) for refine, found in outcomes.items()}
    assert kept[True] < kept[False] / 2 and set(outcomes[True]) >= {Skipped("redundant")}


def test_a_bare_wall_moves_a_frame_along_its_normal_alone():
    camera = Camera.from_hfov(60.0, 160, 120)
    rgb, depth = np.full((120, 160, 3), 120, np.uint8), np.full((120, 160), 1.5, np.float32)
    with mh.create(None, **{**OPTIONS, "voxel_size_m": 0.02}) as memory:
        memory.observe(Frame(rgb, depth, camera, np.eye(4), 1))
        memory.observe(Frame(rgb, depth, camera, make_transform(np.eye(3), (0.03, 0.01, 0.025)), 2))
        found = memory.trajectory()[1].map_from_camera
    np.testing.assert_allclose(found[:3, 3], (0.03, 0.01, 0.0), atol=2e-3)
    np.testing.assert_allclose(found[:3, :3], np.eye(3), atol=2e-3)


def test_what_is_too_far_off_or_new_stays_as_observed(tmp_path):
    far = drift(np.ones(3), 0.0, np.array([0.0, 0.0, 1.0]), 0.09)
    with mh.create(tmp_path / "a.mem", [room.room_frame(i, LAP) for i in range(3)], **OPTIONS) as memory:
        frames = [mh.at(room.room_frame(1, LAP), 50), mh.at(room.room_frame(10, LAP), 51)]
        blind = mh.at(frames[1], 52, depth_m=None)
        mh.observe_all(memory, [frames[0].with_pose(frames[0].pose @ far), frames[1], blind])
        assert revised(memory) == []


def test_a_refined_frame_that_comes_again_is_known_by_its_observed_pose(path):
    given, _ = drifted()
    with SpatialMemory.open(path, "a") as memory:
        lsn = revised(memory)[0]
        frame = given[lsn - 1]
        assert memory.observe(frame) == Skipped("duplicate")
        with pytest.raises(AnotherRecording, match="has another pose"):
            memory.observe(frame.with_pose(memory.trajectory()[lsn - 1].map_from_camera))
        memory.correct_poses({lsn: corrections(memory, [lsn], seed=0)[lsn]})
        assert memory.observe(frame.with_pose(memory.trajectory()[lsn - 1].map_from_camera)) == Skipped("duplicate")


def test_a_reader_that_opens_meanwhile_does_not_start_over(path):
    """Only what changes the past makes a reader read again; a pose that comes with its frame is no such thing."""
    with SpatialMemory.open(path, "a") as memory:
        before = memory._keeper.on_file().revisions()
        mh.observe_all(memory, [mh.at(f, f.seq + LAP) for f in drifted(5, right=0, seed=3)[0]])
        assert memory._keeper.on_file().revisions() == before
        memory.correct_poses(corrections(memory, [2], seed=0))
        assert memory._keeper.on_file().revisions() > before


# --- settings


def test_the_option_is_kept_in_the_file_and_checked(path):
    with SpatialMemory.open(path) as memory:
        assert memory.config.refine_poses is True
        settings = json.loads(memory.config.to_json())
        del settings["refine_poses"]  # as a file of an earlier release has it
        assert type(memory.config).from_json(json.dumps(settings)).refine_poses is False
    with pytest.raises(InvalidValue, match="refine_poses must be True or False"):
        mh.config(refine_poses="yes")


def test_the_command_refines_when_told_to(tmp_path, capsys):
    recording = cut_recording(tmp_path / "room", tuple(range(0, 30, 3)))
    run("build", recording, "--out", tmp_path / "a.mem", "--refine", "--quiet")
    with SpatialMemory.open(tmp_path / "a.mem") as memory:
        assert memory.config.refine_poses
    out = run_json(capsys, "build", recording, "--out", tmp_path / "a.mem", "--append", "--refine", code=1)
    assert "--refine is fixed" in out["error"]
