"""Finding where a frame was taken: in the synthetic room, in others, and in real recordings."""

from __future__ import annotations

import dataclasses
import itertools

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from voxel_scenes import threads

from spatialmem import geometry as g
from spatialmem.errors import InvalidFrame
from spatialmem.io import read
from spatialmem.localise.likeness import likeness
from spatialmem.localise.localise import Localisation, _surest
from spatialmem.localise.places import Places
from spatialmem.localise.starts import Start, _spread, turns
from spatialmem.memory import SpatialMemory
from spatialmem.types import Frame

LAP, VOXEL_M = 16, 0.03
OTHER_ROOM = (
    room.Box("east", (1.5, -2.0, 0.0), (2.5, 2.0, 2.5), (150, 120, 90)),
    room.Box("north", (-2.5, 1.4, 0.0), (2.5, 2.0, 2.5), (170, 170, 160)),
    room.Box("west", (-2.5, -2.0, 0.0), (-1.9, 2.0, 2.5), (185, 185, 185)),
    room.Box("south", (-2.5, -2.0, 0.0), (2.5, -1.2, 2.5), (200, 190, 180)),
    room.Box("pillar", (0.8, 0.7, 0.0), (1.2, 1.1, 2.5), (200, 60, 40)),
    room.Box("desk", (-1.9, -1.2, 0.0), (-0.6, -0.6, 0.75), (60, 70, 160)),
    room.Box("shelf", (-1.9, 0.4, 0.0), (-1.5, 1.4, 1.9), (230, 200, 60)),
)
"""nearer walls, other colours and other things: another room"""


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    """One lap around the room, on file: with image vectors."""
    frames = [room.room_frame(i, LAP, noise=True, seed=1) for i in range(LAP)]
    with mh.create(tmp_path_factory.mktemp("localise") / "room.mem", frames, voxel_size_m=VOXEL_M) as memory:
        yield memory


def seen_from(position_m, forward, roll_deg: float = 0.0, boxes=room.BOXES) -> Frame:
    """A frame of the room without a pose, and not numbered."""
    camera, pose = room.room_camera(160, 120), room.look(position_m, forward)
    pose[:3, :3] = pose[:3, :3] @ g.exp_so3((0.0, 0.0, np.deg2rad(roll_deg)))
    rgb, depth = room.render_room(pose, camera, boxes)
    return Frame(rgb, depth, camera, pose, 1)


def assert_found(memory: SpatialMemory, frame: Frame, distance_m: float = 0.05, angle_deg: float = 5.0) -> None:
    """The frame is localised although it says that it was taken elsewhere."""
    found = memory.localize(frame.with_pose(np.eye(4)))
    assert found is not None
    distance, angle = g.pose_difference(found.map_from_camera, frame.pose)
    assert distance < distance_m and np.rad2deg(angle) < angle_deg
    assert found.agreement > 0.8 and found.likeness > 0.5 and found.residual_m < VOXEL_M
    assert found.pose_sigma[0] < 0.02 and 1 <= found.lsn <= LAP


# --- found


@pytest.mark.parametrize("i", range(1, 4 * LAP, 9))
def test_frames_between_those_of_the_memory_are_found(memory, i):
    assert_found(memory, room.room_frame(i, 4 * LAP, noise=True, seed=2))


@pytest.mark.parametrize(
    ("position_m", "forward", "roll_deg"),
    [
        ((-0.5, 0.2, 1.4), (1.0, -0.1, -0.3), 0.0),
        ((-0.4, -0.2, 1.7), (1.0, 0.3, -0.5), 12.0),
        ((0.3, -0.6, 1.3), (-0.2, 1.0, -0.4), -15.0),
        ((0.5, 0.3, 1.5), (-1.0, -0.2, -0.35), 8.0),
    ],
)
def test_frames_from_other_places_are_found(memory, position_m, forward, roll_deg):
    assert_found(memory, seen_from(position_m, forward, roll_deg))


def test_a_thing_that_left_does_not_hide_the_place(memory):
    frame = seen_from((-0.5, 0.1, 1.5), (1.0, 0.45, -0.35), boxes=mh.without("green"))
    assert_found(memory, frame)


def test_a_memory_without_a_file_finds_frames_too():
    with mh.create(None, [room.room_frame(i, LAP) for i in range(LAP)], voxel_size_m=VOXEL_M) as memory:
        assert_found(memory, room.room_frame(3, 2 * LAP))


def test_frames_are_found_after_opening_again(memory, tmp_path):
    path = mh.as_a_crash_leaves_it(memory.path, tmp_path / "copy.mem")
    frame = room.room_frame(5, 2 * LAP, noise=True, seed=4)
    here = memory.localize(frame)
    with SpatialMemory.open(path) as again:
        there = again.localize(frame)
    np.testing.assert_array_equal(here.map_from_camera, there.map_from_camera)
    assert (here.likeness, here.agreement, here.lsn) == (there.likeness, there.agreement, there.lsn)


def test_threads_and_pose_change_nothing(memory):
    frame = room.room_frame(7, 2 * LAP, noise=True, seed=4)
    found = []
    for count, pose in itertools.product((1, 2), (None, frame.pose)):
        with threads(count):
            found.append(memory.localize(dataclasses.replace(frame, world_from_camera=pose, session_id="new")))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].map_from_camera, other.map_from_camera)
        assert found[0].likeness == other.likeness and found[0].agreement == other.agreement


def test_new_frames_of_the_memory_are_looked_at(tmp_path):
    lap = [room.room_frame(i, LAP) for i in range(LAP)]
    frame = room.room_frame(2 * 9 + 1, 2 * LAP)
    with mh.create(tmp_path / "grows.mem", lap[:4], voxel_size_m=VOXEL_M) as memory:
        assert memory.localize(frame) is None
        mh.observe_all(memory, lap[4:])
        assert_found(memory, frame)


# --- not found


@pytest.mark.parametrize("i", range(0, LAP, 2))
def test_frames_of_another_room_are_not_found(memory, i):
    camera, pose = room.room_camera(160, 120), room.room_pose(i, LAP)
    pose[:3, 3] = (0.0, 0.0, 1.4)
    rgb, depth = room.render_room(pose, camera, OTHER_ROOM)
    assert memory.localize(Frame(rgb, depth, camera, None, 1)) is None


@pytest.mark.parametrize("laps", [(8, 24), (12, 12)])
def test_two_rooms_alike_are_answered_with_nothing(laps):
    """However often each has been looked at, and from wherever: who cannot tell must not answer."""
    other = np.eye(4)
    other[0, 3] = 12.0
    frames = []
    for place, lap in zip((np.eye(4), other), laps, strict=True):
        for i in range(lap):
            frame, number = room.room_frame(i, lap, noise=True, seed=len(frames)), len(frames)
            frames.append(mh.at(frame, number, world_from_camera=place @ frame.pose))
    with mh.create(None, frames, voxel_size_m=VOXEL_M, ram_bytes=256 << 20) as memory:
        for i in range(0, 32, 5):
            assert memory.localize(room.room_frame(i, 32, noise=True, seed=77)) is None


@pytest.mark.parametrize("factor", [0.75, 1.3])
def test_the_same_room_in_another_size_is_another_room(memory, factor):
    frame = room.room_frame(4, LAP)
    assert memory.localize(dataclasses.replace(frame, depth_m=frame.depth_m * np.float32(factor))) is None


def test_the_shape_of_a_place_in_other_colours_is_not_sure(memory):
    frame = room.room_frame(4, LAP)
    rng = np.random.default_rng(0)
    painted = np.kron(rng.integers(0, 255, (15, 20, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    assert memory.localize(frame) is not None
    assert memory.localize(dataclasses.replace(frame, rgb=painted)) is None


def test_a_wall_alone_is_not_sure(memory):
    camera = room.room_camera(160, 120)
    pose = room.look((-1.2, 1.0, 1.6), (0.0, 1.0, 0.02))
    rgb, depth = room.render_room(pose, camera, boxes=())
    near_wall = np.where(np.abs(depth - 1.0) < 0.05, depth, np.float32(np.nan))
    assert np.isfinite(near_wall).mean() > 0.3
    assert memory.localize(Frame(rgb, near_wall, camera, None, 1)) is None


def test_without_depth_or_map_nothing_is_sure(memory):
    frame = room.room_frame(4, LAP)
    assert memory.localize(dataclasses.replace(frame, depth_m=None)) is None
    assert memory.localize(dataclasses.replace(frame, depth_m=np.full_like(frame.depth_m, np.nan))) is None
    with mh.create(None) as empty:
        assert empty.localize(frame) is None
    with pytest.raises(InvalidFrame, match=r"localize\(\) takes a Frame"):
        memory.localize(frame.rgb)


def test_localising_changes_nothing_in_the_memory(memory):
    before = memory.canonical_hash(), len(memory.trajectory())
    memory.localize(room.room_frame(3, LAP))
    assert (memory.canonical_hash(), len(memory.trajectory())) == before


# --- parts


def judged(x_m, likeness, agreement=0.98, sigma=(0.005, 0.005)):
    return Localisation(g.make_transform(np.eye(3), (x_m, 0.0, 0.0)), 0.01, agreement, 1.0, 0.0, likeness, sigma, 1)


@pytest.mark.parametrize(("rival", "answered"), [
    (judged(12.0, 0.55), False),  # sure as well, with far less evidence
    (judged(12.0, 0.42), False),  # fits in depth, and shows more than chance makes
    (judged(12.0, 0.95, sigma=(np.inf, np.inf)), False),  # not held, with as much evidence
    (judged(12.0, 0.2), True), (judged(12.0, np.nan), True), (judged(12.0, 0.6, agreement=0.5), True),
    (judged(0.1, 0.9), True),  # the same place
])  # fmt: skip
def test_a_pose_elsewhere_that_could_be_it_leaves_no_answer(rival, answered):
    """Of two rooms alike one is often aligned or mapped less well, and may be the right one all the same."""
    best = judged(0.0, 0.93)
    for order in ([best, rival], [rival, best]):
        assert (_surest(order) is best) is answered and (answered or _surest(order) is None)


def test_starts_are_not_all_from_one_place():
    def start(score, x_m):
        return Start(score, 1, g.make_transform(np.eye(3), (x_m, 0.0, 0.0)), None)

    here, there = [start(1.9 - 0.01 * n, 0.1 * n) for n in range(12)], [start(1.0 - 0.01 * n, 9.0) for n in range(2)]
    chosen = _spread([*here, *there], 12)
    assert [s.score for s in chosen] == [s.score for s in (*here[:6], *there)]


def test_candidates_are_alike_and_apart():
    poses = [room.room_pose(i, 32) for i in range(32)]
    rng = np.random.default_rng(3)
    vectors = {i + 1: v / np.linalg.norm(v) for i, v in enumerate(rng.normal(size=(32, 8)).astype(np.float32))}
    places = Places.of(enumerate([*poses, poses[5]], 1), vectors)
    assert places.candidates(vectors[6], 4)[0] == 5
    chosen = places.candidates(vectors[6], 40)
    assert 32 not in chosen, "the same pose as one that is more alike"
    for a, b in itertools.combinations(chosen, 2):
        distance, angle = g.pose_difference(places.map_from_camera[a], places.map_from_camera[b])
        assert distance >= 0.25 or np.rad2deg(angle) >= 10.0 - 1e-6
    assert len(chosen) > 8
    assert places.candidates(None, 1) == [32], "the latest, when nothing is known of the images"


def test_turns_are_distinct_rotations_and_hold_none():
    tried = turns()
    np.testing.assert_allclose(tried @ tried.transpose(0, 2, 1), np.broadcast_to(np.eye(3), tried.shape), atol=1e-12)
    assert (np.abs(tried - np.eye(3)).max(axis=(1, 2)) < 1e-12).sum() == 1


def test_likeness_is_that_of_details():
    rng = np.random.default_rng(5)
    v, u = np.indices((60, 80))
    slow = np.stack([u / 2.0 + v / 4.0] * 3, axis=-1)
    detail, other = (np.kron(rng.normal(0, 25, (15, 20, 3)), np.ones((4, 4, 1))) for _ in range(2))
    grey = np.mean(detail, axis=-1, keepdims=True)
    everywhere = np.ones((60, 80), bool)

    def image(values):
        return np.clip(100 + values, 0, 255).astype(np.uint8)

    assert likeness(image(slow + detail), image(0.6 * detail + 20), everywhere) > 0.95
    assert abs(likeness(image(slow + detail), image(slow + other), everywhere)) < 0.2
    colours_alone = likeness(image(3 * grey + detail - grey), image(3 * grey - (detail - grey)), everywhere)
    assert colours_alone < 0.3, "the same brightness in opposite colours"
    assert np.isnan(likeness(image(detail), image(0 * detail), everywhere)), "a plain picture says nothing"
    assert np.isnan(likeness(image(detail), image(detail), np.zeros((60, 80), bool)))


# --- real recordings


@pytest.mark.parametrize("name", ["7scenes_redkitchen_a", "redwood_livingroom1_clean_rendered"])
def test_real_frames_are_found_where_they_were_taken_and_nowhere_else(shared_data, tmp_path, name):
    folder = shared_data / name
    stranger = shared_data / "tum_fr1_rpy_a"
    if not folder.is_dir() or not stranger.is_dir():
        pytest.skip(f"{name} or {stranger.name} is not in {shared_data}")
    frames = list(itertools.islice(read(folder), 24))
    with SpatialMemory.create(tmp_path / "real.mem", encoder="colours") as memory:
        for frame in frames[::2]:
            memory.observe(frame)
        for frame in frames[5:24:6]:
            found = memory.localize(frame.with_pose(np.eye(4)))
            assert found is not None
            distance, angle = g.pose_difference(found.map_from_camera, frame.pose)
            assert distance < 0.05 and np.rad2deg(angle) < 5.0
        for frame in itertools.islice(read(stranger), 0, 14, 7):
            assert memory.localize(frame) is None
