"""Floors and frontiers of a memory of a house with two storeys, against its truth."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.ground_walks import far_m, truth_of, walked
from sim.house.layout.plan import STOREY_M
from sim.house.world import HouseWorld
from sim.scene import SceneConfig
from spatialmem import MemoryConfig, SpatialMemError, SpatialMemory
from spatialmem.config import GateConfig
from spatialmem.errors import UpUnknown

HOUSE, PART = "7", 60
"""a seed with two floors; frames after which the memory is asked for the first time"""


@pytest.fixture(scope="module")
def toured():
    """The truth's navigation, the memory after a tour of everything, and (floors, frontiers) after a part of it."""
    scene = HouseWorld().open(HOUSE, SceneConfig(160, 120, 79.0))
    config = MemoryConfig(voxel_size_m=0.05, gate=GateConfig(store_all=True))
    with SpatialMemory.create(None, "colours", config) as memory:
        memory.declare_up((0.0, 0.0, 1.0))
        early = None
        for frames, _ in enumerate(walked(scene, memory), start=1):
            if frames == PART:
                early = memory.floors(), memory.frontiers()
        yield scene.house.navigation, memory, early
    scene.close()


def test_both_floors_are_found_where_they_are(toured):
    navigation, memory, _ = toured
    found = memory.floors()
    assert [floor.floor for floor in found.floors] == [0, 1]
    assert [floor.height_m for floor in found.floors] == pytest.approx([0.0, STOREY_M], abs=0.12)
    truth = truth_of(navigation)
    for floor in (0, 1):
        mine = (found.floor_of == floor) & (found.standing.clearance_m >= navigation.body.radius_m)
        ground = found.standing.ground_m[mine]
        there = truth[np.abs(truth[:, 2] - floor * STOREY_M) < 0.1]
        assert np.percentile(far_m(there, ground), 97) < 0.2  # nearly all of it is known
        assert np.percentile(far_m(ground, truth), 95) < 0.2  # and nearly nothing else
    (stairs,) = found.stairs
    assert (stairs.lower, stairs.upper) == (0, 1)
    ends = np.array([stairs.foot_m, stairs.head_m])
    flight = navigation.points_of(*np.argwhere(navigation.reachable[2:]).T + np.array([[2], [0], [0]]))
    assert far_m(ends, flight).max() < 1.0


def test_after_a_part_of_the_tour_frontiers_lead_to_the_rest(toured):
    navigation, memory, (floors, frontiers) = toured
    known = floors.standing.ground_m[floors.floor_of > -2]
    truth = truth_of(navigation)
    unknown = truth[far_m(truth, known) > 0.4]
    assert len(unknown) > 0.2 * len(truth) and frontiers  # much was left to be seen
    ahead = np.array([
        np.add(f.position_m, (0.6 * np.cos(f.yaw_rad), 0.6 * np.sin(f.yaw_rad), 0.0)) for f in frontiers
    ])  # fmt: skip
    leading = far_m(ahead, unknown) < 1.0
    widths = np.array([f.width_m for f in frontiers])
    assert widths[leading].sum() > 0.8 * widths.sum()
    assert widths.max() <= 1.6 and {f.floor for f in frontiers} == {0}
    later = memory.floors()
    left = truth[far_m(truth, later.standing.ground_m[later.floor_of > -2]) > 0.4]
    assert len(left) < 0.1 * len(unknown)  # the tour saw the rest, but for corners


def test_the_page_runs(toured, capsys):
    page = (Path(__file__).resolve().parents[1] / "docs" / "ground.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    exec(code, {"memory": toured[1]})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and lines[2].startswith("0 1 (")


def test_without_up_nothing_is_called_a_floor():
    with SpatialMemory.create(None, "colours") as memory:
        with pytest.raises(UpUnknown, match="declare_up"):
            memory.floors()
        memory.declare_up((0.0, 0.3, 1.0))
        with pytest.raises(UpUnknown, match="17 degrees off"):
            memory.frontiers()
        memory.declare_up((0.0, 0.0, 1.0))
        assert memory.floors().floors == () and memory.frontiers() == ()
    with pytest.raises(SpatialMemError, match="closed"):
        memory.floors()
