"""What a page shows of a memory: in the map's frame, in the order it was seen, within its bytes."""

from __future__ import annotations

import dataclasses

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room
from hypothesis import given, settings
from hypothesis import strategies as st

from spatialmem import Answer, Evidence, Presence, SpatialMemory
from spatialmem.errors import InvalidValue
from spatialmem.view import markup
from spatialmem.view.evidence import boxed_frame
from spatialmem.view.flight import viewpoint
from spatialmem.view.scene import FRONTIER_RGB, LEAST_BYTES, page_scene
from spatialmem.view.thin import Cloud, thinned

UP = np.array((0.0, 0.0, 1.0))
FRAMES = 16


@pytest.fixture(scope="module")
def memory():
    frames = list(room.room_frames(FRAMES))
    with mh.create(None, frames) as memory:
        memory.declare_up(UP)
        yield memory


def nearest_m(points, others):
    """(N,) distance of each point to the nearest of others."""
    from scipy.spatial import cKDTree

    return cKDTree(others).query(points)[0]


def surface(scene, steps=None):
    """All points of the map up to a step, the ceiling included."""
    clouds = [cloud for step in scene.steps[:steps] for cloud in (step.surface, step.ceiling)]
    return np.concatenate([cloud.position_m for cloud in clouds])


def test_all_is_shown_where_it_is(memory):
    scene, points = page_scene(memory, 16_000_000), memory.points()
    shown = surface(scene)
    assert len(shown) == len(points.position_m) == scene.points and scene.cell_m == 0.04
    order, given_order = np.lexsort(shown.T), np.lexsort(points.position_m.T)
    np.testing.assert_array_equal(shown[order], points.position_m[given_order])
    assert scene.steps[-1].frames == FRAMES and scene.up.tolist() == [0, 0, 1]
    poses = {k.lsn: k.map_from_camera for k in memory.trajectory()}
    shots = [k for step in scene.steps for k in step.cameras]
    assert [k.lsn for k in shots] == sorted(poses)
    path = np.concatenate([step.path_m for step in scene.steps])
    np.testing.assert_allclose(path[:, 0], np.array([poses[k.lsn][:3, 3] for k in shots[:-1]]), atol=1e-6)
    np.testing.assert_allclose(path[:, 1], np.array([poses[k.lsn][:3, 3] for k in shots[1:]]), atol=1e-6)


def test_the_slider_shows_what_had_been_seen_by_then(memory):
    scene = page_scene(memory, 16_000_000, steps=4)
    for number in (1, 2, 3):
        frames = scene.steps[number - 1].frames
        with mh.create(None, list(room.room_frames(FRAMES))[:frames]) as earlier:
            then = earlier.points().position_m
        shown = surface(scene, number)
        voxel_m = memory.config.voxel_size_m
        assert np.mean(nearest_m(shown, then) < 1.5 * voxel_m) > 0.98
        assert np.mean(nearest_m(then, shown) < 1.5 * voxel_m) > 0.95
        assert len(shown) < 0.95 * scene.points


def test_the_ceiling_can_be_taken_away():
    aims = [(np.cos(a), np.sin(a), slope) for slope in (-0.4, 0.7) for a in np.arange(8) * np.pi / 4]
    with mh.create(None, [mh.frame_at((0.0, 0.0, 1.3), aim, n) for n, aim in enumerate(aims)]) as memory:
        memory.declare_up(UP)
        scene = page_scene(memory, 16_000_000)
    ceiling = np.concatenate([step.ceiling.position_m for step in scene.steps])
    below = np.concatenate([step.surface.position_m for step in scene.steps])
    top = room.ROOM_MAX_M[2]
    assert len(ceiling) > 1000 and np.mean(abs(ceiling[:, 2] - top) < 0.06) > 0.95
    assert np.mean(below[:, 2] > top - 0.03) < 0.05


def test_free_space_is_free(memory):
    scene = page_scene(memory, 64_000_000)
    assert len(scene.free) > 1000
    assert (memory.occupancy(scene.free.position_m.astype(np.float64)) == 1).all()
    size = scene.free.cell_m
    around = [memory.occupancy(scene.free.position_m + shift * size) == 0
              for shift in np.concatenate([np.eye(3), -np.eye(3)])]  # fmt: skip
    np.testing.assert_array_equal(scene.free.kind == 1, np.any(around, axis=0))
    assert (scene.free.rgb[scene.free.kind == 1] == FRONTIER_RGB).all()


@settings(max_examples=12)
@given(st.integers(LEAST_BYTES, 4_000_000))
def test_a_scene_keeps_within_its_bytes(memory, max_bytes):
    scene = page_scene(memory, max_bytes)
    points = sum(len(step.surface) + len(step.ceiling) for step in scene.steps) + len(scene.free)
    assert 15 * points < scene.bytes_sent <= max_bytes
    shown = surface(scene)
    assert nearest_m(memory.points().position_m, shown).max() < 2.0 * scene.cell_m  # fewer, and nothing is missing


def test_too_few_bytes_are_refused(memory):
    with pytest.raises(InvalidValue, match="at least 1 MB.*given 0.5"):
        page_scene(memory, 500_000)


def test_many_frames_stay_within_the_bytes(memory, monkeypatch):
    many = [dataclasses.replace(k, lsn=n + 1) for n, k in enumerate(memory.trajectory() * 900)]
    monkeypatch.setattr(SpatialMemory, "trajectory", lambda self: many)
    scene = page_scene(memory, LEAST_BYTES)
    pieces = sum(len(step.path_m) for step in scene.steps)
    assert scene.bytes_sent <= LEAST_BYTES and sum(len(step.cameras) for step in scene.steps) <= 48
    assert 4000 < pieces <= 6000 and scene.steps[-1].frames == len(many)
    path = np.concatenate([step.path_m for step in scene.steps])
    np.testing.assert_array_equal(path[1:, 0], path[:-1, 1])  # no gaps


def test_many_cameras_stay_within_the_bytes(memory, monkeypatch):
    log = memory.trajectory()
    many = [dataclasses.replace(log[n % len(log)], lsn=n + 1, camera_id=f"camera{n % 12}") for n in range(40_000)]
    monkeypatch.setattr(SpatialMemory, "trajectory", lambda self: many)
    scene = page_scene(memory, LEAST_BYTES)
    assert scene.bytes_sent <= LEAST_BYTES and 4000 < sum(len(step.path_m) for step in scene.steps) <= 6000
    assert len(surface(scene)) > 1000


def test_an_empty_memory_has_a_scene():
    with SpatialMemory.create(None, encoder="colours", config=mh.config()) as empty:
        scene = page_scene(empty, LEAST_BYTES)
    assert scene.steps == () and scene.points == 0 and np.isfinite(scene.eye_m).all()
    assert "nothing is stored" in markup.until_html(scene, 1) and "0 stored frames" in markup.page_html(scene)


def test_thinning_ends_where_there_is_room_for_nothing():
    cloud = Cloud(np.eye(3, dtype=np.float32), np.zeros((3, 3), np.uint8), np.arange(3), np.zeros(3, np.int64), 0.05)
    assert len(thinned(cloud, -5)) == len(thinned(cloud, 0)) == 1


@given(st.integers(2, 60), st.integers(0, 200), st.integers(0, 9))
def test_thinning_keeps_within_and_covers(most, count, seed):
    rng = np.random.default_rng(seed)
    position = rng.uniform(-2.0, 2.0, (count, 3)).astype(np.float32)
    kind = rng.integers(0, 2, count)
    cloud = Cloud(position, rng.integers(0, 256, (count, 3), np.uint8), rng.integers(1, 99, count), kind, 0.05)
    thin = thinned(cloud, most)
    assert len(thin) <= most and thin.cell_m >= 0.05 and (count == 0 or len(thin) > 0)
    for value in (0, 1):
        here, there = cloud.of(kind == value), thin.of(thin.kind == value)
        assert (len(here) > 0) == (len(there) > 0)
        if len(here):
            assert nearest_m(here.position_m, there.position_m).max() <= thin.cell_m * np.sqrt(3.0) + 1e-6
            assert there.lsn.min() == here.lsn.min()


def test_one_looks_from_where_it_was_seen(memory):
    poses = {k.lsn: k.map_from_camera for k in memory.trajectory()}
    hit = memory.query("red")[0]
    eye, target = viewpoint(hit, poses, UP)
    seen_from = poses[hit.evidence[0].lsn][:3, 3]
    np.testing.assert_allclose(target, (hit.box_min_m + hit.box_max_m) / 2)
    level = [(v - target)[:2] / np.linalg.norm((v - target)[:2]) for v in (eye, seen_from)]
    np.testing.assert_allclose(*level, atol=1e-9)
    assert ((eye > room.ROOM_MIN_M) & (eye < room.ROOM_MAX_M)).all() and eye[2] > target[2]
    gone = dataclasses.replace(hit, evidence=())
    assert np.linalg.norm(viewpoint(gone, poses, UP)[0] - target) >= 0.9


def test_a_picture_is_small_whatever_it_shows():
    import cv2

    noise = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), np.uint8)
    picture = boxed_frame(noise, (5.0, 5.0, 9.0, 9.0), (255, 0, 0), (420, 315))
    assert picture.shape == (236, 420, 3)
    assert len(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 75])[1]) < 100_000
    square = boxed_frame(noise[:, :1080], None, (0, 0, 0), (420, 315))
    assert len(cv2.imencode(".jpg", square, [cv2.IMWRITE_JPEG_QUALITY, 75])[1]) < 100_000


@given(st.text(max_size=60))
def test_no_text_becomes_markup(memory, text):
    hostile = f"<img src=x onerror=alert(1)>{text}&{{1}}"
    evidence = Evidence(1, hostile, hostile, 1, 1, (0.0, 0.0, 1.0, 1.0), 1)
    hit = dataclasses.replace(memory.query("red")[0], evidence=(evidence,))
    answer = Answer((hit,), unknown_words=(hostile,), not_searched=hostile)
    for html in (markup.answer_html(hostile, answer), markup.error_html(hostile), markup.hit_html(1, hit)):
        assert "<img" not in html


def test_every_presence_is_put_into_words():
    assert set(markup.SINCE) == set(Presence)
