"""`spatialmem demo` in a house."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from urllib import request

import numpy as np
import pytest
from cli_helpers import ENVIRONMENT, run, run_json
from house_cases import SMALL

from policies.navigation.frontier_walk import FrontierWalk
from sim.body import Action
from sim.house.world import HouseWorld
from sim.scene import SceneConfig
from spatialmem import SpatialMemory
from spatialmem.cli import view
from spatialmem.cli.demo import Demo
from spatialmem.cli.demo_house import HouseDemo, chosen_questions, matching, off_m, verdict
from spatialmem.config import MemoryConfig
from spatialmem.types import Frame
from spatialmem.view.page import MemoryPage


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


def test_the_house_of_the_demo_gives_three_questions():
    demo = HouseDemo(Path("unused"), Demo().house, None, False, True)
    scene = demo._scene()
    questions = chosen_questions(scene, np.full(len(scene.house.things) + 1, 2000))
    assert len(questions) == 3 and questions[2].startswith("something ")
    scene.close()


def test_the_page_of_the_demo_shows_its_memory(tmp_path, monkeypatch):
    read: list[str] = []

    class Reader:
        def wait(self) -> None:
            read.append(request.urlopen(pages[0].url, timeout=30).read().decode())

    pages: list[MemoryPage] = []
    monkeypatch.setattr(view, "_asked_to_stop", lambda: nullcontext(Reader()))
    monkeypatch.setattr(view.View, "_announce", lambda self, page: pages.append(page))
    monkeypatch.setattr(view, "View", partial(view.View, port=0))
    run("demo", "--out", tmp_path / "demo", "--max-frames", "4", "--quiet", "--page")
    assert len(read) == 1 and "<html" in read[0] and pages[0].scene.points > 0
    run("demo", "--page", "--json", code=2)


def test_the_verdict_is_that_of_the_truth(scene):
    thing = next(o for o in scene.objects() if o.group == "furniture")
    assert verdict("red bed", [thing], True, 0.2).startswith("truth: right")
    assert verdict("red bed", [thing], True, 0.6).startswith("truth: WRONG, the best hit is 0.60 m")
    assert verdict("red bed", [thing], False, None).startswith("truth: missed")
    assert "false answer" in verdict("something red", [], True, None)
    assert verdict("something red", [], False, None).endswith("called red: right")
    with SpatialMemory.create(None, encoder="colours") as memory:
        assert off_m(memory.query("red"), [thing]) is None


def test_the_explorer_sees_most_ground_and_stops_by_itself():
    scene = HouseWorld(SMALL, light=False).open("6", SceneConfig(64, 48))
    walk, collided = FrontierWalk(scene.motion), False
    with SpatialMemory.create(None, encoder="colours", config=MemoryConfig(voxel_size_m=0.05)) as memory:
        memory.declare_up((0.0, 0.0, 1.0))
        for seq in range(400):
            sight = scene.look()
            memory.observe(Frame(sight.rgb, sight.depth_m, sight.camera, sight.world_from_camera, seq * 10**9,
                                 depth_unit="m", session_id="a", camera_id="head", seq=seq))  # fmt: skip
            action = walk.next(memory, scene.stand, collided)
            if action is Action.STOP:
                break
            collided = scene.act(action).collided
        else:
            pytest.fail("it never stopped")
        known = memory.occupancy(scene.standing_places_m() + (0.0, 0.0, 0.4)) != 0
    assert seq > 20 and known.mean() > 0.95, known.mean()
    scene.close()


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


def test_the_demo_needs_no_extra(tmp_path):
    """In a process of its own: what is imported already hides what is asked for."""
    extras = ("trimesh", "gymnasium", "av", "rerun", "viser", "open_clip", "rosbags", "lzfse", "pyarrow")
    script = (
        f"import sys; sys.modules.update(dict.fromkeys({extras!r}))\n"
        "from spatialmem.cli import main\n"
        "sys.exit(main(['demo', '--max-frames', '4', '--quiet', '--json', '--out', sys.argv[1]]))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "demo")]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["frames"] == 4 and len(told["answers"]) >= 1
    assert {p.name for p in (tmp_path / "demo").iterdir()} >= {"house-23.mem", "overview.png"}
