"""`spatialmem demo` in a house, and `spatialmem record`."""

from __future__ import annotations

import json

import numpy as np
import pytest
from cli_helpers import run, run_json
from house_cases import SMALL

from policies.agents.frontier_walk import FrontierWalk
from sim.body import Action
from sim.house.world import HouseWorld
from sim.scene import SceneConfig
from spatialmem import SpatialMemory
from spatialmem.cli.demo_house import chosen_questions, matching, off_m, verdict
from spatialmem.config import MemoryConfig
from spatialmem.io import read
from spatialmem.types import Frame


def test_demo_walks_asks_and_tells_the_truth(tmp_path, capsys):
    out = run_json(capsys, "demo", "--out", tmp_path / "demo", "--max-frames", "30", "--quiet")
    assert out["frames"] == 30 and out["stored"] > 10 and (tmp_path / "demo" / "overview.png").stat().st_size > 10_000
    with SpatialMemory.open(out["memory"]) as memory:
        assert len(memory.trajectory()) == out["stored"] and memory.up_in_map is not None
        for answer in out["answers"]:
            hits = memory.query(answer["text"], top=5)
            assert [list(hit.position_m) for hit in hits] == [hit["position_m"] for hit in answer["hits"]]
            assert (answer["off_m"] is None) == (not answer["true_things"] or not answer["hits"])
    assert 1 <= len(out["answers"]) <= 3


@pytest.fixture(scope="module")
def scene():
    scene = HouseWorld(SMALL, light=False).open("3", SceneConfig(64, 48))
    yield scene
    scene.close()


def test_questions_are_about_what_was_seen(scene):
    nothing = np.zeros(len(scene.house.things) + 1, np.int64)
    assert chosen_questions(scene, nothing) == ["something red"]
    all_of_it = nothing + 2000
    questions = chosen_questions(scene, all_of_it)
    assert len(questions) >= 2 and all(matching(scene.objects(), question) for question in questions[:2])
    absent = [question.split()[1] for question in questions[2:]]
    assert not any(colour in (t.look.colour, t.look.second_colour) for t in scene.house.things for colour in absent)


def test_the_verdict_is_that_of_the_truth(scene):
    thing = next(o for o in scene.objects() if o.group == "furniture")
    assert verdict("red bed", [thing], True, 0.2).startswith("truth: right")
    assert verdict("red bed", [thing], True, 0.6).startswith("truth: WRONG, the best hit is 0.60 m")
    assert verdict("red bed", [thing], False, None).startswith("truth: missed")
    assert "false answer" in verdict("something red", [], True, None)
    assert verdict("something red", [], False, None).endswith("called red: right")
    with SpatialMemory.create(None) as memory:
        assert off_m(memory.query("red"), [thing]) is None


def test_the_explorer_sees_most_ground_and_stops_by_itself(scene):
    walk, collided = FrontierWalk(scene.motion), False
    scene.place(scene.stand.ground_m, scene.stand.yaw_rad, -0.3)
    with SpatialMemory.create(None, config=MemoryConfig(voxel_size_m=0.05)) as memory:
        memory.declare_up((0.0, 0.0, 1.0))
        for seq in range(400):
            sight = scene.look()
            memory.observe(Frame(sight.rgb, sight.depth_m, sight.camera, sight.world_from_camera, seq * 10**9,
                                 depth_unit="m", session_id="a", camera_id="head", seq=seq))  # fmt: skip
            action = walk.next(memory.free_space(), scene.stand, collided)
            if action is Action.STOP:
                break
            collided = scene.act(action).collided
        else:
            pytest.fail("it never stopped")
        known = memory.occupancy(scene.standing_places_m() + (0.0, 0.0, 0.4)) != 0
    assert seq > 20 and known.mean() > 0.7, known.mean()  # two rooms lie behind gaps as narrow as it is


def test_a_recording_of_a_house_is_written_and_nothing_overwritten(tmp_path, capsys):
    arguments = ("record", "--house", "3", "--floors", "1", "--frames", "6", "--size", "64x48", "--quiet")
    run(*arguments, "--visits", "2", "--out", tmp_path / "walk")
    visits = sorted(p.name for p in (tmp_path / "walk").iterdir() if p.is_dir())
    assert len(visits) == 2
    for visit in visits:
        assert len(list(read(tmp_path / "walk" / visit))) == 6
        assert json.loads((tmp_path / "walk" / visit / "truth.json").read_text())
    assert json.loads((tmp_path / "walk" / "changes.json").read_text())
    kept = {p: p.read_bytes() for p in (tmp_path / "walk").rglob("*") if p.is_file()}
    code, _, err = run_all(capsys, *arguments, "--out", tmp_path / "walk")
    assert code != 0 and "walk" in err
    assert kept == {p: p.read_bytes() for p in (tmp_path / "walk").rglob("*") if p.is_file()}


def run_all(capsys, *arguments):
    from spatialmem.cli import main

    capsys.readouterr()
    code = main([str(a) for a in arguments])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_what_cannot_be_is_refused_before_anything_is_replaced(tmp_path, monkeypatch):
    kept = tmp_path / "demo" / "house-23.mem"
    kept.parent.mkdir()
    kept.write_bytes(b"an earlier one")
    run("demo", "--out", kept.parent, "--max-frames", "0", code=2)
    assert kept.read_bytes() == b"an earlier one"
    monkeypatch.chdir(tmp_path / "demo")
    kept.unlink()
    for wrong in (("--out", "."), ("--size", "9x9"), ("--size", "99999x99999"), ("--frames", "1")):
        run("record", "--out", "walk", *wrong, code=2)
    assert not list(kept.parent.iterdir())
