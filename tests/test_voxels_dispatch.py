"""The one door to many threads: shares, exceptions, many callers, fork."""

from __future__ import annotations

import os
import select
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from synthetic import room_frame
from voxel_scenes import assert_same_map, contents, fuse, patch_features, small_config, threads, view_of

from spatialmem.errors import InvalidValue
from spatialmem.voxels.dispatch import DISPATCHER, Dispatcher
from spatialmem.voxels.surface import SurfaceGrid
from spatialmem.voxels.weights import packed_readings


def mark(start, stop, out):
    out[start:stop] += 1


@pytest.mark.parametrize("count", [1, 2, 7, 64, 1001])
@pytest.mark.parametrize("used", [1, 2, 5])
@pytest.mark.parametrize("grain", [1, 8, 5000])
def test_every_item_is_done_once(count, used, grain):
    out = np.zeros(count, int)
    Dispatcher(used).run(mark, count, out, grain=grain)
    assert (out == 1).all()


@pytest.mark.parametrize("count", [0, -3])
def test_nothing_to_do_runs_nothing(count):
    calls = []
    Dispatcher(2).run(lambda *a: calls.append(a), count)
    assert calls == []


def test_chunks_are_not_smaller_than_the_grain():
    sizes = []
    Dispatcher(4).run(lambda a, b: sizes.append(b - a), 100, grain=30)
    assert sum(sizes) == 100 and min(sizes) >= 30


@pytest.mark.parametrize("bad", [0, 39, 99])
def test_an_exception_reaches_the_caller_when_all_have_stopped(bad):
    running, lock = [0], threading.Lock()

    def kernel(start, stop):
        with lock:
            running[0] += 1
        try:
            if start <= bad < stop:
                raise ZeroDivisionError(bad)
            np.sort(np.arange(300_000)[::-1] % 977)  # still at work when the exception is raised
        finally:
            with lock:
                running[0] -= 1

    dispatcher = Dispatcher(4)
    with pytest.raises(ZeroDivisionError):
        dispatcher.run(kernel, 100)
    assert running[0] == 0
    out = np.zeros(10, int)
    dispatcher.run(mark, 10, out)  # still usable
    assert (out == 1).all()


@pytest.mark.parametrize("bad", [0, -2])
def test_threads_must_be_positive(bad):
    with pytest.raises(InvalidValue, match="at least 1"):
        Dispatcher(2).set_threads(bad)


def test_many_callers_at_once_while_the_number_of_threads_changes():
    frames = [room_frame(i, 8, 64, 48) for i in range(8)]
    expected = [packed_readings(f.depth_m, None, f.camera, 0.1, 5.0) for f in frames]
    with threads(3), ThreadPoolExecutor(8) as callers:

        def call(i):
            if i % 10 == 0:
                DISPATCHER.set_threads(1 + i // 10 % 4)
            f = frames[i % 8]
            return np.array_equal(packed_readings(f.depth_m, None, f.camera, 0.1, 5.0), expected[i % 8])

        assert all(callers.map(call, range(160)))


def fused(used):
    with threads(used):
        grid = SurfaceGrid(small_config(), 4)
        views = []
        for lsn in range(1, 5):
            frame = room_frame(lsn, 16, 80, 60, noise=True)
            fuse(grid, frame.depth_m, frame.world_from_camera, frame.camera, lsn, frame.rgb, patch_features(lsn))
        frame = room_frame(2, 16, 80, 60)
        looked = grid.look(view_of(grid, frame.depth_m + 0.3, frame.world_from_camera, frame.camera))
        rendered = grid.reading().render(frame.world_from_camera, frame.camera, features=True)
        views += [rendered.depth_m, rendered.normal, rendered.rgb, rendered.feature, looked.examined, looked.outcome]
    return contents(grid), views


def test_one_two_and_five_threads_agree_bit_for_bit():
    held, views = fused(1)
    for used in (2, 5):
        other, other_views = fused(used)
        assert_same_map(held, other)
        for a, b in zip(views, other_views, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # from Python 3.12 on, wherever threads exist
def test_a_forked_child_runs_kernels_on_threads_of_its_own():
    frame = room_frame(0, 8, 64, 256)
    with threads(2):
        expected = packed_readings(frame.depth_m, None, frame.camera, 0.1, 5.0)
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                packed = packed_readings(frame.depth_m, None, frame.camera, 0.1, 5.0)
                DISPATCHER.set_threads(3)
                again = packed_readings(frame.depth_m, None, frame.camera, 0.1, 5.0)
                equal = np.array_equal(packed, expected) and np.array_equal(again, expected)
                os.write(writing, b"y" if equal else b"n")
            finally:
                os._exit(0)  # never back into the test runner
        os.close(writing)
        ready, _, _ = select.select([reading], [], [], 60.0)
        answer = os.read(reading, 1) if ready else b"stuck"
        os.close(reading)
        if answer == b"stuck":
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        assert answer == b"y"
        np.testing.assert_array_equal(packed_readings(frame.depth_m, None, frame.camera, 0.1, 5.0), expected)
