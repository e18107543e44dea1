"""`spatialmem record`: what is written is true, and whole or not there at all."""

from __future__ import annotations

import errno
import functools
import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from cli_helpers import run
from house_cases import SMALL

import sim.recording
from sim.body import Action
from sim.house import HouseConfig
from sim.house.layout.plan import STOREY_M
from sim.house.world import HouseWorld
from sim.recording import rearrange
from sim.scene import SceneConfig
from sim.touring import tour
from spatialmem.cli import main
from spatialmem.io import read

DAY_NS = 86_400_000_000_000
RECORD = ("record", "--house", "3", "--floors", "1", "--frames", "6", "--size", "64x48")
TWO = HouseConfig(floors=2, rooms_per_floor=(3, 4), density=0.0)
WORLDS = {floors: HouseWorld(config, light=False) for floors, config in ((1, SMALL), (2, TWO))}


@pytest.fixture(scope="module", autouse=True)
def houses_of_the_tests():
    """Smaller houses than those of a record, which are kept from one test to the next."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sim.house.world.HouseWorld", lambda config: WORLDS[config.floors])
        yield


@pytest.fixture
def short(monkeypatch):
    """Walks are a turn on the spot."""
    monkeypatch.setattr("sim.touring.tour", lambda scene: [Action.LEFT] * 8)


def told(capsys, *arguments, code: int) -> str:
    """What `spatialmem ARGUMENTS` says on standard error."""
    capsys.readouterr()
    assert main([str(a) for a in arguments]) == code
    return capsys.readouterr().err


def things_of(folder: Path) -> dict[str, dict]:
    truth = json.loads((folder / "truth.json").read_text())
    return {thing["object_id"]: thing for thing in truth["things"]}


@pytest.fixture(scope="module")
def walks(tmp_path_factory) -> Path:
    """Two visits of one house."""
    out = tmp_path_factory.mktemp("record") / "walk"
    run(*RECORD, "--quiet", "--visits", "2", "--moves", "4", "--out", out)
    return out


def test_a_recording_of_a_house_is_written_and_nothing_overwritten(walks, capsys):
    assert sorted(p.name for p in walks.iterdir()) == ["changes.json", "visit-1", "visit-2"]
    for visit in ("visit-1", "visit-2"):
        assert len(list(read(walks / visit))) == 6
    kept = {p: p.read_bytes() for p in walks.rglob("*") if p.is_file()}
    assert "is not an empty folder" in told(capsys, *RECORD, "--quiet", "--out", walks, code=2)
    assert kept == {p: p.read_bytes() for p in walks.rglob("*") if p.is_file()}
    assert [p.name for p in walks.parent.iterdir()] == ["walk"]


def test_the_truth_beside_a_recording_is_that_of_the_house(walks):
    scene = WORLDS[1].open("3", SceneConfig(64, 48))
    for number in (1, 2):
        written = json.loads((walks / f"visit-{number}" / "truth.json").read_text())
        if number == 2:
            scene.advance(scene.stamp_ns + DAY_NS)
            rearrange(scene, 4, number)
        scene.advance(written["stamp_ns"])
        assert written["scene_id"] == "3"
        for room, true in zip(written["rooms"], scene.house.rooms, strict=True):
            assert (room["room_id"], room["kind"], room["floor"]) == (true.room_id, true.kind, true.floor)
            assert room["rect_m"] == [true.inside.x0, true.inside.y0, true.inside.x1, true.inside.y1]
        assert [t["object_id"] for t in written["things"]] == [o.object_id for o in scene.objects()]
        for thing in written["things"]:
            state = scene.truth.state(int(thing["object_id"]))
            np.testing.assert_array_equal(thing["world_from_thing"], state.world_from_thing)
            np.testing.assert_array_equal(thing["box_min_m"], state.box_min_m)
            np.testing.assert_array_equal(thing["box_max_m"], state.box_max_m)
            assert (thing["category"], thing["phrase"]) == (
                state.thing.category, state.thing.look.phrase(state.thing.category)
            )  # fmt: skip
            assert (thing["room_id"], thing["relation"], thing["since_ns"]) == (
                state.room_id, state.relation, state.since_ns
            )  # fmt: skip
            assert thing["room"] == (scene.house.rooms[state.room_id].kind if state.room_id >= 0 else "")
            assert thing["support"] == (str(state.support_id) if state.support_id else "")
    scene.close()


def test_changes_are_those_between_the_truths(walks):
    first, second = things_of(walks / "visit-1"), things_of(walks / "visit-2")
    (visit,) = json.loads((walks / "changes.json").read_text())["visits"]
    since_ns = json.loads((walks / "visit-1" / "truth.json").read_text())["stamp_ns"] + DAY_NS
    assert visit["visit"] == 2 and visit["stamp_ns"] == since_ns
    told_of = {change["object_id"]: change for change in visit["changes"]}
    assert len(told_of) == 8
    for object_id, thing in first.items():
        change, now = told_of.get(object_id), second.get(object_id)
        if change is None:
            assert now == thing and thing["since_ns"] == 0
            continue
        np.testing.assert_allclose(change["from_m"], middle(thing))
        if change["change"] == "departed":
            assert now is None and change["to_m"] is None
        else:
            assert now is not None and change["change"] == "moved" and now["since_ns"] == since_ns
            np.testing.assert_allclose(change["to_m"], middle(now))
            assert now["world_from_thing"] != thing["world_from_thing"] and now["support"]
    assert set(second) <= set(first)


def middle(thing: dict) -> np.ndarray:
    return (np.array(thing["box_min_m"]) + thing["box_max_m"]) / 2


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_leaves_nothing_and_says_so(tmp_path, capsys, monkeypatch, short, times):
    made, handler = sim.recording._frame, signal.getsignal(signal.SIGINT)
    seen = []

    def frame(scene, noise, rng, seq, session_id):
        seen.append(seq)
        if seq == 2:
            (aside,) = tmp_path.iterdir()  # hidden, and not under the name that was asked for
            assert aside.name.startswith(".walk-") and len(list((aside / "recording" / "rgb").iterdir())) == 2
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)
        return made(scene, noise, rng, seq, session_id)

    monkeypatch.setattr(sim.recording, "_frame", frame)
    said = told(capsys, *RECORD, "--quiet", "--out", tmp_path / "walk", code=130)
    assert "of a walk that is not whole nothing is kept" in said
    assert ("stopped by Ctrl-C" in said) == (times == 2)
    assert seen == [0, 1, 2] and not list(tmp_path.iterdir())
    assert signal.getsignal(signal.SIGINT) is handler


def _full_at(name: str, write):
    """A way to write files for which there is no room when a file of this name comes."""

    def to(self, *rest, **named):
        if self.name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self))
        return write(self, *rest, **named)

    return to


@pytest.mark.parametrize("name", ["000002.png", "poses.txt", "truth.json"])
def test_a_disk_that_is_full_leaves_nothing_and_says_so(tmp_path, capsys, monkeypatch, short, name):
    for way in ("write_bytes", "write_text"):
        monkeypatch.setattr(Path, way, _full_at(name, getattr(Path, way)))
    out = tmp_path / "in" / "new" / "walk"
    said = told(capsys, *RECORD, "--quiet", "--out", out, code=1)
    assert f"{out} cannot be written: No space left on device" in said and "nothing of the walk" in said
    assert not list(tmp_path.iterdir()), "nor the folders made for it"


def test_what_cannot_be_read_is_not_said_to_be_a_full_disk(tmp_path, capsys, monkeypatch, short):
    def missing(*given):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "/nowhere/wood.png")

    monkeypatch.setattr(sim.recording, "_frame", missing)
    said = told(capsys, *RECORD, "--quiet", "--out", tmp_path / "walk", code=1)
    assert "/nowhere/wood.png" in said and "cannot be written" not in said and not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_told_before_a_house_is_made(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    said = told(capsys, *RECORD, "--out", tmp_path / "file" / "walk", code=2)
    assert f"{tmp_path / 'file'} is a file" in said and "making house" not in said

    def refused(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "mkdir", refused)
    said = told(capsys, *RECORD, "--out", tmp_path / "walk", code=1)
    assert f"{tmp_path / 'walk'} cannot be written: Read-only file system" in said and "making house" not in said
    assert [p.name for p in tmp_path.iterdir()] == ["file"] and (tmp_path / "file").read_bytes() == b""


def test_a_walk_through_two_floors(tmp_path, monkeypatch):
    monkeypatch.setattr("sim.touring.tour", functools.partial(tour, apart_m=4.0))  # fewer stops
    run("record", "--house", "5", "--floors", "2", "--frames", "40", "--size", "32x24", "--quiet", "--out",
        tmp_path / "walk")  # fmt: skip
    truth = json.loads((tmp_path / "walk" / "truth.json").read_text())
    assert {room["floor"] for room in truth["rooms"]} == {0, 1}
    floor_of = {room["room_id"]: room["floor"] for room in truth["rooms"]}
    for thing in truth["things"]:
        if thing["room_id"] >= 0:
            assert floor_of[thing["room_id"]] == int(thing["box_min_m"][2] > STOREY_M - 0.3)
    eyes = np.array(
        [read_pose[:3, 3] for frame in read(tmp_path / "walk") if (read_pose := frame.world_from_camera) is not None]
    )
    storeys = np.abs(eyes[:, 2, None] - 1.25 - np.array([0.0, STOREY_M])) < 1e-6
    assert storeys.sum(axis=0).min() >= 8 and eyes[:, 2].min() > 1.24 and eyes[:, 2].max() < STOREY_M + 1.26
