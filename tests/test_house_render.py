"""One contract for all renderers: exact depth, right ids, things that move; and the same picture from each."""

from __future__ import annotations

import numpy as np
import pytest
from house_cases import RENDERERS, box_room, camera, pose_at, poses, renderer, small_house, tall_house

from sim.house import CATEGORIES, InvalidHouse, RasterRenderer, RaycastRenderer, Renderer, look_at
from sim.house.layout.plan import CEILING_M
from sim.house.truth import visible
from spatialmem.types import Camera, InvalidFrame

LENSES = [camera(), camera(64, 48, 120.0), Camera(90.0, 70.0, 20.0, 60.0, 101, 83)]


@pytest.fixture(params=RENDERERS, ids=lambda k: k.__name__)
def kind(request: pytest.FixtureRequest) -> type[Renderer]:
    return request.param


def box_depth(pose: np.ndarray, lens: Camera) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) z-depth of the box room and (H, W, 3) the normals of its sides, by the slab method."""
    low, high = np.array([0.06, 0.06, 0.0]), np.array([4.94, 3.94, CEILING_M])
    y, x = np.mgrid[0 : lens.height, 0 : lens.width]
    rays = np.stack([(x - lens.cx) / lens.fx, (y - lens.cy) / lens.fy, np.ones(x.shape)], axis=-1) @ pose[:3, :3].T
    with np.errstate(divide="ignore"):
        t = np.where(rays > 0, (high - pose[:3, 3]) / rays, (low - pose[:3, 3]) / rays)
    axis = t.argmin(axis=-1)
    normals = np.zeros((*axis.shape, 3))
    np.put_along_axis(normals, axis[..., None], -np.sign(np.take_along_axis(rays, axis[..., None], -1)), -1)
    return t.min(axis=-1), normals


@pytest.mark.parametrize("lens", LENSES, ids=["usual", "wide", "odd"])
def test_depth_ids_and_normals_of_a_box_room_are_exact(kind, lens):
    rng = np.random.default_rng(2)
    subject = renderer(kind, "box")
    for _ in range(4):
        eye = rng.uniform((0.3, 0.3, 0.3), (4.7, 3.7, 2.3))
        pose = pose_at(eye, float(rng.uniform(-3, 3)), float(rng.uniform(-1.2, 1.2)))
        picture = subject.render(pose, lens, normals=True)
        depth, normals = box_depth(pose, lens)
        np.testing.assert_allclose(picture.depth_m, depth, rtol=2e-6, atol=2e-6)
        assert picture.depth_m.dtype == np.float32
        up = normals[..., 2]
        names = np.select([up > 0.5, up < -0.5], ["floor", "ceiling"], "wall")
        agree = np.array(CATEGORIES)[picture.category_ids] == names
        assert agree.mean() > 0.999  # rays along an edge of the room may meet either side
        np.testing.assert_allclose(picture.normals[agree], normals[agree], atol=1e-6)


def test_nothing_is_nan_black_and_zero(kind):
    subject = renderer(kind, "box")
    picture = subject.render(pose_at(np.array([-5.0, 2.0, 1.0]), np.pi), camera(), normals=True)
    assert np.isnan(picture.depth_m).all()
    assert not picture.thing_ids.any()
    assert not picture.category_ids.any()
    assert not picture.rgb.any()
    assert not picture.normals.any()


@pytest.mark.parametrize("which", ["small", "tall"])
def test_all_renderers_see_the_same(which):
    house = {"small": small_house, "tall": tall_house}[which]()
    a, b = (renderer(k, which) for k in RENDERERS)
    for pose in poses(house, 12, seed=4):
        p, q = a.render(pose, camera(), normals=True), b.render(pose, camera(), normals=True)
        same = p.thing_ids == q.thing_ids
        assert same.mean() > 0.9995
        assert np.array_equal(p.category_ids[same], q.category_ids[same])
        assert (np.abs(p.depth_m - q.depth_m)[same] > 1e-3).mean() < 5e-4
        assert (np.abs(p.rgb.astype(int) - q.rgb)[same].max(axis=1) > 3).mean() < 5e-3
        assert not np.isnan(p.depth_m).any()  # windows are opaque: inside, something is seen everywhere


def test_pixels_of_a_thing_lie_in_its_box(kind):
    house = small_house()
    lens = camera()
    subject = renderer(kind, "small")
    y, x = np.mgrid[0 : lens.height, 0 : lens.width]
    slopes = np.stack([(x - lens.cx) / lens.fx, (y - lens.cy) / lens.fy, np.ones(x.shape)], axis=-1)
    seen = 0
    for pose in poses(house, 10, seed=9):
        picture = subject.render(pose, lens, colour=False)
        points = pose[:3, 3] + (slopes * picture.depth_m[..., None]) @ pose[:3, :3].T
        for thing_id in visible(picture):
            thing = house.thing(thing_id)
            mine = points[picture.thing_ids == thing_id]
            local = (mine - thing.world_from_thing[:3, 3]) @ thing.world_from_thing[:3, :3]
            low, high = thing.shape.box_m
            assert np.all(local > low - 2e-3), thing.category
            assert np.all(local < high + 2e-3), thing.category
            assert set(picture.category_ids[picture.thing_ids == thing_id]) == {thing.category_id}
            seen += 1
    assert seen > 60


def test_a_thing_is_seen_from_its_standpoint(kind):
    house = small_house()
    subject = renderer(kind, "small")
    for t in [t for t in house.things if t.group == "object"][:12]:
        eye = house.viewpoints[t.thing_id] + (0.0, 0.0, house.config.body.eye_m)
        picture = subject.render(look_at(eye, t.corners_m().mean(axis=0)), camera(320, 240), colour=False)
        assert t.thing_id in visible(picture), t.category


def test_a_thing_moves_goes_and_comes_back_without_a_trace(kind):
    house = small_house()
    subject = renderer(kind, "small")
    thing = next(t for t in house.things if t.category == "mug" or t.group == "object")
    eye = house.viewpoints[thing.thing_id] + (0.0, 0.0, house.config.body.eye_m)
    view = look_at(eye, thing.corners_m().mean(axis=0))
    before = subject.render(view, camera(320, 240))
    assert thing.thing_id in visible(before)
    moved = thing.world_from_thing.copy()
    moved[:3, 3] = eye + 0.6 * view[:3, 2] - (0.0, 0.0, 0.05)
    try:
        subject.take_away(thing.thing_id)
        assert subject.pose_of(thing.thing_id) is None
        gone = subject.render(view, camera(320, 240))
        assert thing.thing_id not in visible(gone)
        behind = before.thing_ids == thing.thing_id
        assert np.all(gone.depth_m[behind] >= before.depth_m[behind] - 1e-5)
        assert np.array_equal(gone.rgb[~behind], before.rgb[~behind])
        subject.place(thing.thing_id, moved)
        closer = subject.render(view, camera(320, 240))
        mine = closer.thing_ids == thing.thing_id
        assert mine.sum() > behind.sum()
        assert closer.depth_m[mine].max() < 0.9
        assert np.array_equal(closer.rgb[~mine & ~behind], before.rgb[~mine & ~behind])
    finally:
        subject.place(thing.thing_id, thing.world_from_thing)
    after = subject.render(view, camera(320, 240))
    assert (after.thing_ids != before.thing_ids).mean() < 1e-4
    assert np.nanmax(np.abs(after.depth_m - before.depth_m)[after.thing_ids == before.thing_ids]) < 1e-4


def test_renderers_agree_after_things_have_moved():
    house = small_house()
    pair = [renderer(k, "small") for k in RENDERERS]
    movable = [t for t in house.things if t.group != "structure" and not t.support_id][::3]
    try:
        for i, t in enumerate(movable):
            turned = t.world_from_thing @ pose_about(0.7 * i)
            turned[:2, 3] += (0.05 * i % 0.3, -0.1)
            for subject in pair:
                subject.place(t.thing_id, turned) if i % 4 else subject.take_away(t.thing_id)
        for pose in poses(house, 8, seed=11):
            p, q = (subject.render(pose, camera(), colour=False) for subject in pair)
            same = p.thing_ids == q.thing_ids
            assert same.mean() > 0.999
            assert (np.abs(p.depth_m - q.depth_m)[same] > 2e-3).mean() < 1e-3
    finally:
        for t in movable:
            for subject in pair:
                subject.place(t.thing_id, t.world_from_thing)


def pose_about(angle: float) -> np.ndarray:
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return turn


def test_a_picture_does_not_depend_on_the_number_of_threads():
    house = small_house()
    one, three = RasterRenderer(house, threads=1, light=False), RasterRenderer(house, threads=3, light=False)
    for pose in poses(house, 3, seed=1):
        p, q = one.render(pose, camera(), normals=True), three.render(pose, camera(), normals=True)
        assert np.array_equal(p.rgb, q.rgb)
        assert np.array_equal(p.depth_m, q.depth_m, equal_nan=True)
        assert np.array_equal(p.thing_ids, q.thing_ids)


def test_a_thing_alone_covers_what_is_seen_of_it_and_what_is_hidden():
    house = small_house()
    subject = renderer(RasterRenderer, "small")
    hidden = 0
    for pose in poses(house, 6, seed=2):
        picture = subject.render(pose, camera(), colour=False)
        for thing_id, pixels in visible(picture).items():
            mask = subject.alone(thing_id, pose, camera())
            assert np.all(mask[picture.thing_ids == thing_id])
            hidden += mask.sum() > pixels
    assert hidden > 10


def test_light_makes_corners_darker_and_leaves_the_rest_alone():
    plain, lit = RaycastRenderer(box_room(), light=False), RaycastRenderer(box_room())
    s = lit.scene.surfaces
    assert np.all(plain.scene.surfaces.light == 1.0)
    floor = np.arange(lit.scene.first_vertex[0], lit.scene.first_vertex[1])
    x, y = s.vertices[floor, 0], s.vertices[floor, 1]
    edge = np.minimum(np.minimum(x - 0.06, 4.94 - x), np.minimum(y - 0.06, 3.94 - y))
    assert s.light[floor[edge < 0.15], 0].mean() < 0.8
    assert np.all(s.light[floor[edge > 0.8], 0] == 1.0)
    assert np.all(s.light[floor[edge > 0.3], 1] == 1.0)  # nothing shades the lamp of an empty room


def test_a_picture_becomes_a_frame_of_a_memory():
    house = small_house()
    picture = renderer(RasterRenderer, "small").render(poses(house, 1)[0], camera())
    frame = picture.frame(17, session_id="monday", seq=3)
    assert frame.key == ("monday", "camera", 3)
    assert frame.stamp_ns == 17
    assert frame.depth_m is not None
    np.testing.assert_array_equal(frame.depth_m, picture.depth_m)
    np.testing.assert_array_equal(frame.pose, picture.world_from_camera)


def test_oversampling_softens_colour_and_nothing_else():
    house = small_house()
    subject = renderer(RasterRenderer, "small")
    pose = poses(house, 1, seed=6)[0]
    plain, soft = subject.render(pose, camera()), subject.render(pose, camera(), oversample=3)
    np.testing.assert_array_equal(plain.depth_m, soft.depth_m)
    np.testing.assert_array_equal(plain.thing_ids, soft.thing_ids)
    fine = subject.render(pose, camera().scaled_to(480, 360)).rgb.astype(float) ** 2
    wanted = np.sqrt(fine[30:33, 60:63].mean(axis=(0, 1)))
    np.testing.assert_allclose(soft.rgb[10, 20], wanted, atol=0.51)
    same = np.abs(plain.rgb.astype(int) - soft.rgb).max(axis=2) <= 6
    assert 0.5 < same.mean() < 1.0  # flat surfaces stay, edges and fine textures change


def test_bad_input_is_refused(kind):
    subject = renderer(kind, "box")
    with pytest.raises(InvalidFrame, match="4x4"):
        subject.render(np.eye(3), camera())
    with pytest.raises(InvalidHouse, match="oversample must be at least 1"):
        subject.render(np.eye(4), camera(), oversample=0)
    with pytest.raises(InvalidHouse, match="no thing has id 99"):
        subject.place(99, np.eye(4))
    with pytest.raises(InvalidHouse, match="two different points"):
        look_at(np.zeros(3), np.zeros(3))
    with pytest.raises(InvalidHouse, match="threads must be at least 1"):
        kind(box_room(), threads=0, light=False)
