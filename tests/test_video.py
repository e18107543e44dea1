"""Frames of a video in any order are those of playing it from the start, whatever the codec and the edit list."""

from __future__ import annotations

import random
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from phones import write_video

from spatialmem.errors import MissingDependency, ReadError, SpatialMemError
from spatialmem.io import BadFrame, BadReason
from spatialmem.io.video import Video

COUNT = 23
CODECS = {
    "hevc, open groups": ("libx265", {"x265-params": "log-level=none:keyint=6:min-keyint=6:bframes=3:open-gop=1"}),
    "hevc, one group": ("libx265", {"x265-params": "log-level=none:keyint=-1:scenecut=0"}),
    "h264, groups of 5": ("libx264", {"g": "5", "bf": "2"}),
    "h264, groups of 2": ("libx264", {"g": "2"}),
}


def moving_pictures(count: int) -> list[np.ndarray]:
    """Blocks of noise that move sideways, 96 x 64 pixels."""
    noise = np.random.default_rng(5).integers(0, 255, (8, 12 + count, 3), dtype=np.uint8)
    wide = noise.repeat(8, axis=0).repeat(8, axis=1)
    return [wide[:, 5 * i : 5 * i + 96] for i in range(count)]


def played(path: Path, **options: str) -> list[np.ndarray]:
    with av.open(str(path), options=options) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> dict[tuple[str, int], Path]:
    """By codec and tick of the first frame; one before 0 is hidden by the edit list."""
    root = tmp_path_factory.mktemp("videos")
    made = {}
    for number, (name, (codec, options)) in enumerate(CODECS.items()):
        for first in (0, -1):
            ticks = [first + i for i in range(COUNT)]
            path = root / f"{number}{first}.mp4"
            made[name, first] = write_video(path, moving_pictures(COUNT), ticks, 30, codec, options=options)
    return made


@pytest.mark.parametrize("edited", [True, False])
@pytest.mark.parametrize("first", [0, -1])
@pytest.mark.parametrize("name", CODECS)
def test_any_order_gives_the_frames_of_playing(videos, name, first, edited):
    path = videos[name, first]
    expected = played(path) if edited else played(path, ignore_editlist="1")
    assert len(expected) == COUNT - (first < 0 and edited)
    video = Video(path, "phone", edited=edited)
    order = [*range(len(video)), *range(len(video)), *reversed(range(len(video)))]
    random.Random(1).shuffle(order)
    assert video.size == (96, 64)
    for i in [*range(len(video)), *order]:
        np.testing.assert_array_equal(video.rgb(i), expected[i])


def test_what_a_caller_does_to_a_frame_stays_with_it(videos):
    video = Video(videos["h264, groups of 5", 0], "phone")
    before = video.rgb(3).copy()
    video.rgb(3)[:] = 0
    np.testing.assert_array_equal(video.rgb(3), before)


def test_a_time_finds_the_nearest_frame(videos):
    video = Video(videos["hevc, one group", 0], "phone")
    assert [video.nearest(i / 30, 1e-4) for i in range(COUNT)] == list(range(COUNT))
    assert video.nearest(4.4 / 30, 0.5 / 30) == 4
    for seconds in (-1.0, 4.4 / 30, 100.0):
        with pytest.raises(BadFrame, match="no frame at"):
            video.nearest(seconds, 1e-3)


@pytest.mark.parametrize("pix_fmt", ["gray12le", "yuv420p12le"])
def test_codes_of_12_bits_come_back_as_they_were(tmp_path, pix_fmt):
    codes = np.random.default_rng(2).integers(0, 4096, (5, 64, 90), dtype=np.uint16)
    lossless = {"x265-params": "log-level=none:lossless=1"}
    video = Video(write_video(tmp_path / "a.mp4", list(codes), range(5), 30, "libx265", pix_fmt, lossless), "lerobot")
    for i in (4, 0, 2, 1, 3):
        np.testing.assert_array_equal(video.codes(i), codes[i])


def test_eight_bits_are_no_codes(videos):
    with pytest.raises(BadFrame, match="holds yuv420p; expected 12-bit grey"):
        Video(videos["h264, groups of 5", 0], "lerobot").codes(0)


def test_numbers_beyond_the_end_are_bad_frames(videos):
    video = Video(videos["h264, groups of 5", 0], "phone")
    for number in (-1, COUNT):
        with pytest.raises(BadFrame, match=f"has {COUNT} frames") as caught:
            video.rgb(number)
        assert caught.value.reason is BadReason.UNREADABLE


def test_what_is_no_video_is_an_error(tmp_path):
    (tmp_path / "text.mp4").write_text("no video\n" * 100)
    for path in (tmp_path / "text.mp4", tmp_path / "missing.mp4", tmp_path):
        with pytest.raises(ReadError, match="is no video that can be read"):
            len(Video(path, "phone"))


def test_without_pyav_the_command_that_installs_it_is_given(videos, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingDependency, match=r"pip install 'spatialmem\[lerobot\]'"):
        len(Video(videos["h264, groups of 5", 0], "lerobot"))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_an_error_or_a_frame(videos, tmp_path, data):
    content = bytearray(videos["hevc, open groups", 0].read_bytes())
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        content[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "damaged.mp4"
    path.write_bytes(bytes(content[: data.draw(st.integers(len(content) // 4, len(content)))]))
    video = Video(path, "phone")
    try:
        count = len(video)
    except SpatialMemError:
        return
    for i in [*range(count), 0]:
        try:
            assert video.rgb(i).shape == (64, 96, 3)
        except SpatialMemError as error:
            assert str(error)
