"""`spatialmem ask`: questions to a memory with things, to one without, and what is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import memory_helpers as mh
import object_cases as cases
import pytest
import synthetic as room
from cli_helpers import picture_size, run, run_json

from spatialmem.memory import SpatialMemory
from spatialmem.telling import told_of
from spatialmem.types import Presence

BOXES = [
    room.RED_BOX._replace(name="table"),
    room.GREEN_BOX._replace(name="chair"),
    room.BLUE_BOX._replace(name="chair"),
    room.Box("mug", (1.8, -0.12, 0.9), (2.05, 0.13, 1.15), (235, 210, 30)),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """A memory of a table with a mug on it and two chairs."""
    path = tmp_path_factory.mktemp("ask") / "a.mem"
    with mh.create(path) as memory:
        memory.declare_up((0.0, 0.0, 1.0))
        for number in range(2):
            for frame in cases.lap(number, BOXES):
                memory.observe(frame, found_in(frame))
    return path


def found_in(frame):
    """Detections of all boxes; the two chairs are masked one by one, as they share a name."""
    alone = [box._replace(name=str(i)) for i, box in enumerate(BOXES)]
    masks = cases.masks(frame, alone)
    return [cases.Detection(masks[str(i)], box.name) for i, box in enumerate(BOXES) if masks[str(i)].sum() >= 20]


def test_where_a_thing_is(path, tmp_path, capsys):
    before = path.read_bytes()
    out = run_json(capsys, "ask", path, "Where is the mug?", "--picture", tmp_path / "deep" / "mug.png")
    assert out["known"] and out["answer"].startswith("on the table") and out["confidence"] > 0.6
    thing = out["thing"]
    assert thing["name"] == "mug" and thing["on"] == "table" and thing["colour"] == "yellow"
    assert abs(thing["position_m"][0] - 1.92) < 0.1 and thing["presence"] == "present"
    assert thing["last_seen_ns"] > thing["first_seen_ns"] and thing["evidence"]["lsn"] >= 1
    assert picture_size(tmp_path / "deep" / "mug.png")[0] > 100
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What colour is the table?", "red"),
        ("How many chairs are there?", "2"),
        ("What is on the table?", "mug"),
        ("Is there a mug?", "yes"),
        ("Which is taller: the mug or the table?", "the table"),
        ("Are the mug and the table the same colour?", "no"),
    ],
)
def test_other_questions(path, capsys, question, answer):
    assert run_json(capsys, "ask", path, question)["answer"] == answer


def test_choices(path, capsys):
    out = run_json(capsys, "ask", path, "What colour is the table?", "--choices", "dark red", "green")
    assert out["answer"] == "dark red"


def test_what_was_not_seen_is_said_and_is_no_failure(path, tmp_path, capsys):
    out = run_json(capsys, "ask", path, "Where is the piano?", "--picture", tmp_path / "a.png")
    assert not out["known"] and out["answer"] is None and out["reason"].startswith("never seen")
    assert out["picture"] is None and not (tmp_path / "a.png").exists()
    run("ask", path, "Where is the piano?")
    assert "not known (never seen: piano)" in " ".join(capsys.readouterr().out.split())


def test_for_people(path, capsys):
    run("ask", path, "Where is the mug?")
    out = " ".join(capsys.readouterr().out.split())
    assert "on the table" in out and "last seen" in out and "not calibrated" in out and "best frame" in out


def test_a_memory_without_things_is_searched_and_says_how_to_have_some(walked, tmp_path, capsys):
    out = run_json(capsys, "ask", walked, "Where is the red box?", "--picture", tmp_path / "a.png")
    assert out["known"] and out["hits"] and out["answer"] is None and "no objects" in out["reason"]
    assert (tmp_path / "a.png").exists()
    assert not run_json(capsys, "ask", walked, "How many boxes are there?")["known"]
    run("ask", walked, "Where is the purple thing?")
    out = " ".join(capsys.readouterr().out.split())
    assert "nothing found" in out and "segmenter" in out


@pytest.mark.parametrize("question", ["", "   "])
def test_an_empty_question_is_wrong_usage(path, capsys, question):
    run("ask", path, question, code=2)
    assert "the question is empty" in capsys.readouterr().err


def test_what_cannot_be_asked(path, tmp_path, capsys):
    assert "error" in run_json(capsys, "ask", tmp_path / "none.mem", "Where is the mug?", code=1)
    (tmp_path / "text.mem").write_text("no memory")
    run("ask", tmp_path / "text.mem", "Where is the mug?", code=1)
    sqlite3.connect(tmp_path / "other.mem").execute("CREATE TABLE a (b)").connection.commit()
    run("ask", tmp_path / "other.mem", "Where is the mug?", code=1)
    run("ask", path, "Where is the mug?", "--picture", tmp_path / "a.gif", code=1)
    run("ask", path, "Where is the mug?", "--vlm", "{", code=2)
    run("ask", path, "Where is the mug?", "--vlm", '{"no_such": 1}', code=1)
    run("ask", path, "Where is the mug?", "--choices", " ", code=2)
    assert "Traceback" not in capsys.readouterr().err


def test_what_a_context_tells_of_things(path):
    with SpatialMemory.open(path, "r") as memory:
        things = {thing.object_id: thing for thing in memory.objects()}
        shown = {o.name: o for o in memory.context("mug", pictures=False).objects if o.name != "chair"}
        assert memory.context("mug", pictures=False).placed
        bare = memory.context("mug", pictures=False, details=False)
        told = told_of(memory.encoder, list(things.values()), upright=False)
    assert shown["mug"].on == shown["table"].object_id and shown["table"].on is None
    assert shown["mug"].colour == "yellow" and shown["mug"].colours["yellow"] > shown["mug"].colours["red"]
    assert not bare.placed and all(o.on is None and o.colour == "" and not o.colours for o in bare.objects)
    assert all(t.where.on is None and t.where.beside == () for t in told.values())


def test_what_is_gone_is_said_so(tmp_path, capsys):
    path = tmp_path / "b.mem"
    with cases.remembered(path) as memory:
        left = mh.without("red")
        cases.observe(memory, cases.lap(1, left), left)
        (gone,) = [thing for thing in memory.objects() if thing.presence is Presence.GONE]
        assert gone.name == "red"
    assert run_json(capsys, "ask", path, "Where is the red?")["reason"].startswith("gone")
