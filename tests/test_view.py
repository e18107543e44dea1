"""Pictures: positions land where they should, labels keep apart, odd answers still draw."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import BOXES, RED_BOX, room_frames

from spatialmem import Answer, MemoryConfig, Presence, SpatialMemory
from spatialmem.cli import checks
from spatialmem.view import query_picture, words
from spatialmem.view.canvas import apart, fitted, hit_colour, shortened, text_width, wrapped
from spatialmem.view.plan import choose_up, draw_plan

UP = np.array((0.0, 0.0, 1.0))


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    path = tmp_path_factory.mktemp("view") / "room.mem"
    with SpatialMemory.create(path, encoder="colours", config=MemoryConfig(voxel_size_m=0.04)) as memory:
        for frame in room_frames(12):
            memory.observe(frame)
        memory.declare_up(UP)
        yield memory


def floor(n=4000, seed=0):
    rng = np.random.default_rng(seed)
    points = np.concatenate([rng.uniform(-1.0, 1.0, (n, 2)), np.zeros((n, 1))], axis=1)
    return points, np.tile(UP, (n, 1)), np.full((n, 3), 90, np.uint8)


def test_a_place_is_drawn_where_it_is():
    points, normal, rgb = floor()
    spot = np.linalg.norm(points[:, :2] - (0.5, 0.25), axis=1) < 0.1
    rgb[spot] = (250, 10, 10)
    plan = draw_plan(points, normal, rgb, np.zeros((0, 3)), UP, 0.05, (600, 400))
    red = np.argwhere((plan.rgb[..., 0] > 200) & (plan.rgb[..., 1] < 60))
    x, y = plan.pixels((0.5, 0.25, 0.0))
    assert plan.rgb.shape == (400, 600, 3) and len(red) > 20
    np.testing.assert_allclose(red.mean(axis=0), (y, x), atol=0.05 * plan.pixels_per_m)
    left, below = plan.pixels((-0.5, 0.25, 0.0)), plan.pixels((0.5, -0.25, 0.0))
    assert left[0] < x and below[1] > y


def test_ceilings_do_not_hide_the_floor():
    points, normal, rgb = floor()
    ceiling = points + (0.0, 0.0, 2.5)
    both = np.concatenate([points, ceiling]), np.concatenate([normal, -normal])
    plan = draw_plan(*both, np.concatenate([rgb, rgb * 0 + 255]), np.zeros((0, 3)), UP, 0.05, (300, 300))
    assert plan.rgb[150, 150].tolist() == [90, 90, 90]


def test_the_upper_surface_wins():
    points, normal, rgb = floor()
    table = points[np.abs(points[:, :2]).max(axis=1) < 0.3] + (0.0, 0.0, 0.7)
    both = np.concatenate([table, points]), np.tile(UP, (len(table) + len(points), 1))
    colours = np.concatenate([np.full((len(table), 3), 200, np.uint8), rgb])
    plan = draw_plan(*both, colours, np.zeros((0, 3)), UP, 0.05, (300, 300))
    assert plan.rgb[150, 150].tolist() == [200, 200, 200]


def test_up_is_what_is_declared_else_what_the_room_says():
    poses = np.tile(np.eye(4), (5, 1, 1))
    poses[:, :3, :3] = np.array([(1, 0, 0), (0, 0, 1), (0, -1, 0)])  # the camera's y axis points down the map's z
    tilted = np.array((0.0, 0.3, 1.0)) / np.linalg.norm((0.0, 0.3, 1.0))
    normal = np.concatenate([np.tile(tilted, (300, 1)), np.tile((1.0, 0.0, 0.0), (900, 1))])
    up, how = choose_up(UP, normal, poses)
    assert up.tolist() == [0, 0, 1] and how == "seen from above"
    up, how = choose_up(None, normal, poses)
    np.testing.assert_allclose(up, tilted, atol=1e-6)
    assert "estimated from the largest level surface" in how
    up, how = choose_up(None, normal[300:], poses)
    np.testing.assert_allclose(up, UP, atol=1e-9)
    assert "how the camera was held" in how
    poses[::2, :3, :3] *= -1.0  # held in all directions: no common up
    poses[:, :3, 3] = np.arange(5)[:, None] * (1.0, 0.1, 1.0)
    assert "unknown: seen along the y axis" in choose_up(None, normal, poses[:4])[1]
    assert "unknown" in choose_up(None, normal, poses[:0])[1]


@given(st.lists(st.tuples(st.floats(0, 700), st.floats(0, 500)), max_size=8))
def test_labels_keep_apart(centres):
    placed = apart(centres, 20.0, steps=2000)
    between = np.linalg.norm(placed[:, None] - placed[None], axis=-1) + np.eye(len(placed)) * 1e9
    assert len(placed) == len(centres) and (between > 19.0).all()


def test_labels_that_fit_stay():
    centres = [(10.0, 10.0), (60.0, 10.0)]
    np.testing.assert_allclose(apart(centres, 32.0), centres, atol=0.2)


def test_text_is_cut_to_its_room():
    assert shortened("red chair", 1000, 18) == "red chair"
    short = shortened("the red chair beside the table", 120, 18)
    assert short.endswith("...") and text_width(short, 18) <= 120
    lines = wrapped("no surface answers this question at all", 150, 18)
    assert len(lines) > 1 and all(text_width(line, 18) <= 150 for line in lines)
    assert " ".join(lines) == "no surface answers this question at all"


def test_images_keep_their_proportions():
    image, factor = fitted(np.zeros((100, 400, 3), np.uint8), 200, 200)
    assert image.shape == (50, 200, 3) and factor == 0.5


def test_picture_shows_the_hit(memory):
    answer = memory.query("red")
    picture = query_picture(memory, answer, "red")
    empty = query_picture(memory, Answer(()), "red")
    assert picture.dtype == np.uint8 and picture.shape[1] == 1200 and picture.shape[0] > empty.shape[0] > 600
    plan = slice(76, 636), slice(24, 748)
    changed = np.argwhere((picture[: empty.shape[0]] != empty).any(axis=2)[plan])
    badge = (picture[plan] == hit_colour(1)).all(axis=2)
    assert badge.sum() > 200
    x = np.argwhere(badge)[:, 1].mean() / 724  # the red box stands at the right wall
    assert RED_BOX in BOXES and x > 0.7 and len(changed) < 0.1 * 724 * 560


def test_many_hits_unknown_words_and_gone_things_draw(memory):
    hit = memory.query("red")[0]
    gone = dataclasses.replace(hit, presence=Presence.GONE, evidence=())
    crowd = Answer((hit, gone) * 8, unknown_words=("chair",), not_searched="blocks that were evicted")
    assert query_picture(memory, crowd, "a question far too long for its line, " * 9).shape[1] == 1200
    assert query_picture(memory, Answer((gone,)), "red").shape == query_picture(memory, Answer(()), "red").shape


def test_an_empty_memory_draws(tmp_path):
    with SpatialMemory.create(tmp_path / "a.mem", encoder="colours") as memory:
        assert query_picture(memory, Answer(()), "red").shape[1] == 1200


def test_words():
    assert words.when(1_767_261_605_000_000_000) == "2026-01-01 10:00:05"
    assert words.clock(1_767_261_605_000_000_000) == "10:00:05"
    assert words.clock(12_340_000_000) == "12.34 s"
    assert [words.size(n) for n in (999, 1000, 4_200_000, 3e15)] == ["999 B", "1.0 kB", "4.2 MB", "3000.0 TB"]


def test_doctor_sees_two_wheels_of_one_module(monkeypatch):
    monkeypatch.setattr(checks, "version", lambda wheel: "5.0" if "opencv-python" in wheel else None)
    found = {check.name: check for check in checks.all_checks() if check.status == checks.FAIL}
    fix = found["opencv-python"].fix
    assert "uninstall -y opencv-python opencv-python-headless" in fix and fix.endswith("--no-deps opencv-python")


def test_doctor_names_the_package_of_a_missing_library(monkeypatch):
    def broken(module):
        raise OSError("libusb-1.0.so.0: cannot open shared object file: No such file or directory")

    monkeypatch.setattr(checks.importlib, "import_module", broken)
    found = {check.name: check for check in checks.all_checks()}
    assert found["cv2"].status == checks.FAIL and found["cv2"].fix.endswith("--no-install-recommends libusb-1.0-0")
    assert "libegl1" in found["open3d"].fix and "libusb-1.0-0" in found["open3d"].fix


def test_doctor_sees_what_is_absent(monkeypatch, tmp_path):
    def absent(module):
        raise ModuleNotFoundError(module)

    monkeypatch.setattr(checks.importlib, "import_module", absent)
    monkeypatch.setattr(checks.importlib.util, "find_spec", lambda module: None)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "absent"))
    found = {check.name: check for check in checks.all_checks()}
    assert found["numpy"].detail == "not installed" and found["numpy"].fix.endswith("pip install --upgrade numpy")
    assert found["extra [ros]"].status == checks.EXTRA and "spatialmem[ros]" in found["extra [ros]"].fix
    assert found["numba cache"].status == checks.WARN and "NUMBA_CACHE_DIR" in found["numba cache"].fix
