"""What had departed is forgotten with the frames that saw it, also where images were given up and poses corrected."""

from __future__ import annotations

import shutil

import budget_helpers as bh
import memory_helpers as mh
import numpy as np
import pytest
from test_correction import assert_equals_its_rebuild
from test_equality import walk
from test_forgetting import assert_nowhere

from spatialmem.geometry import make_transform
from spatialmem.memory import SpatialMemory

SAW, EVERY = range(1, 6), range(1, 15)
"""frames that saw the red box; all frames, the seventh of which found it gone"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    path = tmp_path_factory.mktemp("departed") / "a.mem"
    mh.create(path, walk(14), **{**bh.OPTIONS, "file_bytes": bh.LARGE}).close()
    with SpatialMemory.open(path) as memory:
        assert [(row.valid_from, row.first_lsn, row.last_lsn) for row in memory._layers.departed] == [(7, 2, 5)]
    return path


@pytest.fixture
def thinned(built, tmp_path):
    """A memory of these frames, of which some have lost their images and then moved."""

    def of(evicted, moved):
        memory = SpatialMemory.open(shutil.copyfile(built, tmp_path / "a.mem"), "a")
        memory._keeper.complete_round(memory._layers)
        memory._keeper.thinning._evict(list(evicted))
        there = make_transform(np.eye(3), (0.0, 0.5, 0.4))
        poses = {k.lsn: there @ k.map_from_camera for k in memory.trajectory() if k.lsn in moved}
        if poses:
            memory.correct_poses(poses)
        return tmp_path / "a.mem", memory

    return of


@pytest.mark.parametrize(("evicted", "moved"), [
    (EVERY, ()), (EVERY, {7}), (EVERY, {*SAW}), (EVERY, {*EVERY}), (range(1, 7), {*SAW}), ((*SAW, 7), {7}), ({7}, {7}),
])  # fmt: skip
@pytest.mark.parametrize("forgotten", [SAW, [7]])
def test_no_region_outlasts_the_frames_it_came_of(thinned, evicted, moved, forgotten):
    path, memory = thinned(evicted, moved)
    told = [row.feature for row in memory._layers.departed if row.feature is not None]
    memory.forget(frames=forgotten)
    assert [*memory._layers.departed] == [] and memory.info()["departed_regions"] == 0
    assert memory.sql("SELECT count(*) FROM departed") == [(0,)]
    assert_nowhere(path, told)
    assert_equals_its_rebuild(path, memory)


@pytest.mark.parametrize("moved", [(), {7}, {*EVERY}])
def test_a_region_stays_when_others_are_forgotten(thinned, moved):
    path, memory = thinned(EVERY, moved)
    before = [(row.valid_from, row.position_m) for row in memory._layers.departed]
    memory.forget(frames=[1])
    assert [(row.valid_from, row.position_m) for row in memory._layers.departed] == before != []
    assert_equals_its_rebuild(path, memory)
