"""The readers on real recordings: conventions show in whether overlapping frames agree."""

from __future__ import annotations

import itertools
import time

import cv2
import numpy as np
import pytest

from spatialmem.io import BadFrame, BadReason, read
from spatialmem.io.agreement import depth_agreement
from spatialmem.io.check_reader import check_reader
from spatialmem.io.images import read_rgb
from spatialmem.types import Frame

KITCHEN, DESK, LIVING = "7scenes_redkitchen_a", "tum_fr1_rpy_a", "redwood_livingroom1_clean_rendered"
FRAMES = {KITCHEN: ("7scenes", 120), DESK: ("tum", 14), LIVING: ("redwood", 71)}
EDGE_STEP = 0.1  # a step in depth by this share of it, within three pixels


@pytest.fixture(scope="module")
def recording(shared_data):
    def find(name: str):
        if not (shared_data / name).is_dir():
            pytest.skip(f"no {name} in {shared_data}")
        return shared_data / name

    return find


@pytest.mark.parametrize("name", FRAMES)
def test_every_frame_is_read(recording, name):
    reader = read(recording(name))
    kind, count = FRAMES[name]
    assert reader.format_name == kind
    assert len(reader) == count
    stamps = [frame.stamp_ns for frame in reader]
    assert reader.report.delivered == count
    assert reader.report.skipped_total == 0
    assert stamps == sorted(set(stamps))


@pytest.mark.parametrize("name", FRAMES)
def test_overlapping_frames_agree_and_inverted_poses_do_not(recording, name):
    frames = list(itertools.islice(read(recording(name)), 0, 120, 4 if name != DESK else 1))
    given = _agreement(frames)
    assert len(given) >= 15
    assert np.median(given[:, 0]) < 0.02
    assert given[:, 1].mean() > 0.7
    inverted = [frame.with_pose(np.linalg.inv(_pose(frame))) for frame in frames]
    assert not len(found := _agreement(inverted)) or np.median(found[:, 0]) > 0.1


@pytest.mark.parametrize("name", FRAMES)
def test_the_checker_finds_nothing(recording, name):
    assert check_reader(read(recording(name)), max_frames=6) == []


def test_kitchen_colour_edges_lie_on_depth_edges(recording):
    reader = read(recording(KITCHEN))
    registered, raw = [], []
    for shot, frame in itertools.islice(zip(reader.shots, reader, strict=True), 0, 120, 10):  # pyright: ignore
        registered.append(_edge_contrast(frame.rgb, frame.depth_m))
        raw.append(_edge_contrast(read_rgb(shot.rgb), frame.depth_m))
    assert np.mean(registered) > 1.7 * np.mean(raw)
    assert all(a > b for a, b in zip(registered, raw, strict=True))


def test_kitchen_masks_few_pixels_and_only_readings(recording):
    path = recording(KITCHEN)
    shares = []
    for i in range(0, 120, 15):
        frame = read(path)[i]
        shares.append(1.0 - frame.valid.mean())
        assert np.isfinite(frame.depth_m[~frame.valid]).all()
    assert 0.001 < np.mean(shares) < 0.03
    assert read(path, mask_uncoloured=False)[0].valid is None


def test_the_relation_of_the_kinect_cameras_is_the_measured_one(recording):
    """The formula in the read-me of the recording, applied to single pixels."""
    reader = read(recording(KITCHEN))
    frame, raw = reader[40], read_rgb(reader.shots[40].rgb)  # pyright: ignore
    z = frame.depth_m
    v, u = np.nonzero(frame.valid & np.isfinite(z))
    pick = np.random.default_rng(1).choice(len(u), 3000, replace=False)
    u, v = u[pick], v[pick]
    x = (u - 320) / 585 * 525 + 320 - 525 * 0.025 / z[v, u]
    y = (v - 240) / 585 * 525 + 240
    nearest = raw[np.rint(y).astype(int), np.rint(x).astype(int)].astype(int)
    assert np.median(np.abs(nearest - frame.rgb[v, u]).max(axis=1)) <= 4


def test_desk_ground_truth_is_interpolated_between_its_stamps(recording):
    path = recording(DESK)
    reader = read(path)
    truth = np.loadtxt(path / "groundtruth.txt")
    for frame in reader:
        at = frame.stamp_ns / 1e9
        after = int(np.searchsorted(truth[:, 0], at))
        share = (at - truth[after - 1, 0]) / (truth[after, 0] - truth[after - 1, 0])
        straight = (1 - share) * truth[after - 1, 1:4] + share * truth[after, 1:4]
        np.testing.assert_allclose(_pose(frame)[:3, 3], straight, atol=1e-5)
        quat = (1 - share) * truth[after - 1, 4:] + share * truth[after, 4:]  # next to slerp at 10 ms
        x, y, z, w = quat / np.linalg.norm(quat)
        forward = [2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)]
        np.testing.assert_allclose(_pose(frame)[:3, 2], forward, atol=2e-4)


def test_desk_frames_beyond_the_trajectory_are_refused(recording, tmp_path):
    source = recording(DESK)
    path = tmp_path / "freiburg1"
    path.mkdir()
    for name in ("rgb", "depth", "rgb.txt", "depth.txt"):
        (path / name).symlink_to(source / name)
    lines = (source / "groundtruth.txt").read_text().splitlines()
    (path / "groundtruth.txt").write_text("\n".join(lines[:100]))
    reader = read(path)
    delivered = list(reader)
    assert 0 < len(delivered) < 14
    assert reader.report.skipped == {BadReason.LOST_POSE: 14 - len(delivered)}
    with pytest.raises(BadFrame, match="leave the trajectory"):
        reader[13]


def test_desk_rectification_draws_the_frames_together(recording):
    path = recording(DESK)
    as_taken = _agreement(list(read(path, rectify=False)))
    rectified = _agreement(list(read(path)))
    assert rectified[:, 1].mean() > as_taken[:, 1].mean()
    assert read(path).up_in_world == (0.0, 0.0, 1.0)
    assert read(path, camera="default")[0].camera.fx == 525.0


def test_a_frame_of_the_desk_takes_little_time(recording):
    """Aim 15 ms on a quiet machine; the bound leaves room for a busy one."""
    reader = read(recording(DESK))
    assert reader[0].rgb.shape == (480, 640, 3)
    took = []
    for i in range(len(reader)):
        start = time.perf_counter()
        assert reader[i].depth_m is not None
        took.append(time.perf_counter() - start)
    assert np.min(took) < 0.04


def _pose(frame: Frame) -> np.ndarray:
    assert frame.world_from_camera is not None
    return frame.world_from_camera


def _agreement(frames: list[Frame]) -> np.ndarray:
    """(pairs, 2) median difference and share within 5 cm, of pairs that overlap by 40 % or more."""
    pairs = list(itertools.combinations(frames, 2))
    chosen = np.random.default_rng(0).permutation(len(pairs))[:120]
    found = [depth_agreement(*pairs[i], step=8) for i in chosen]
    return np.array([(f.median_m, f.within_5cm) for f in found if f.overlap > 0.4])


def _edge_contrast(rgb: np.ndarray, depth_m: np.ndarray | None) -> float:
    """Mean colour gradient at steps in depth over the mean colour gradient wherever there is depth."""
    assert depth_m is not None
    known = np.isfinite(depth_m)
    window = np.ones((3, 3), np.uint8)
    far = cv2.dilate(np.where(known, depth_m, 0).astype(np.float32), window)
    near = cv2.erode(np.where(known, depth_m, 1e9).astype(np.float32), window)
    edge = (cv2.erode(known.astype(np.uint8), window) > 0) & (far - near > EDGE_STEP * near)
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    gradient = cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    return float(gradient[edge].mean() / gradient[known].mean())
