"""The command, verb by verb: what it prints, what it returns, what it refuses."""

from __future__ import annotations

import shutil
import sqlite3

import cv2
import numpy as np
import pytest
from cli_helpers import KITCHENETTE, cut_recording, picture_size, run, run_json

from spatialmem import SpatialMemory
from spatialmem.cli import VERBS, main
from spatialmem.cli.query import stamp_of

FRAMES = tuple(range(0, 60, 6))
RED_CHAIR = (np.array((2.95, 1.25, 0.0)), np.array((3.38, 1.68, 0.95)))
YELLOW_CUP = (2.11, 1.45, 0.85)
LAST_NS = 1_767_261_600_000_000_000 + FRAMES[-1] * 200_000_000


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return cut_recording(tmp_path_factory.mktemp("recording") / "room", FRAMES)


@pytest.fixture(scope="module")
def memory(recording, tmp_path_factory):
    path = tmp_path_factory.mktemp("memory") / "room.mem"
    run("build", recording, "--out", path, "--encoder", "colours", "--quiet")
    return path


def test_help_names_every_verb(capsys):
    run("--help")
    out = capsys.readouterr().out
    assert all(f"  {verb} " in out for verb in VERBS)
    for verb in VERBS:
        run(verb, "--help")
        assert f"spatialmem {verb}" in capsys.readouterr().out


def test_version(capsys):
    run("--version")
    assert capsys.readouterr().out.startswith("spatialmem 0.")


@pytest.mark.parametrize(
    "arguments", [[], ["biuld"], ["build"], ["build", "x"], ["query", "x.mem", "red", "--tpo", "3"], ["info", "--at"]]
)
def test_wrong_usage_is_2(arguments, capsys):
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err if arguments else captured.out


def test_a_wrong_verb_is_corrected(capsys):
    run("quary", code=2)
    assert capsys.readouterr().err == "error: unknown verb 'quary'; did you mean 'query'?\n"


def test_a_wrong_encoder_is_corrected(recording, tmp_path, capsys):
    run("build", recording, "--out", tmp_path / "a.mem", "--encoder", "colors", code=1)
    assert "did you mean 'colours'?" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_build_reports(recording, tmp_path, capsys):
    out = run_json(capsys, "build", recording, "--out", tmp_path / "a.mem")
    assert out["frames"] == len(FRAMES) == out["stored"] + sum(out["skipped"].values())
    assert out["stored"] == out["frames_in_memory"] == sum(out["stored_by_reason"].values()) > 5
    assert out["bad_frames"] == {} and out["pose_suspect"] == 0 and out["format"] == "folder"
    assert out["file_bytes"] == (tmp_path / "a.mem").stat().st_size and out["frames_per_s"] > 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.mem"]
    with SpatialMemory.open(tmp_path / "a.mem") as built, SpatialMemory.create(None) as made:
        assert built.encoder.name == made.encoder.name == "tiny", "what is used where none is named"


def test_build_says_progress_on_standard_error(recording, tmp_path, capsys):
    run("build", recording, "--out", tmp_path / "a.mem", "--max-frames", "3")
    captured = capsys.readouterr()
    assert "frame 1 of 3: 1 stored" in captured.err and "frames/s" in captured.err and "B of memory" in captured.err
    assert "3 frames as folder" in captured.out and "frame 1 of" not in captured.out


def test_build_uses_its_options(recording, tmp_path):
    path = tmp_path / "a.mem"
    run("build", recording, "--out", path, "--voxel-size-m", "0.1", "--max-depth-m", "3", "--store-all", "--quiet")
    with SpatialMemory.open(path) as memory:
        assert (memory.config.voxel_size_m, memory.config.max_depth_m) == (0.1, 3.0)
        assert memory.config.gate.store_all and len(memory.trajectory()) == len(FRAMES)
        assert memory.up_in_map is not None and memory.up_in_map.tolist() == [0, 0, 1]


def test_an_existing_memory_is_not_touched(recording, memory, capsys):
    before = memory.read_bytes()
    run("build", recording, "--out", memory, code=1)
    assert "exists; add to it with --append, or replace it with --overwrite" in capsys.readouterr().err
    run("build", recording, "--out", memory, "--append", "--overwrite", code=1)
    assert memory.read_bytes() == before


def test_append_adds_what_is_missing(recording, tmp_path, capsys):
    path = tmp_path / "a.mem"
    first = run_json(capsys, "build", recording, "--out", path, "--max-frames", "4", "--store-all")
    second = run_json(capsys, "build", recording, "--out", path, "--append")
    assert first["stored"] == 4 and second["stored"] == len(FRAMES) - 4
    assert second["frames_in_memory"] == len(FRAMES) and second["frames"] == len(FRAMES)


def test_append_keeps_what_is_fixed(recording, memory, tmp_path, capsys):
    for option in (["--voxel-size-m", "0.05"], ["--store-all"]):
        run("build", recording, "--out", memory, "--append", *option, code=1)
        assert "is fixed once a memory exists" in capsys.readouterr().err
    run("build", recording, "--out", tmp_path / "none.mem", "--append", code=1)
    assert "there is no" in capsys.readouterr().err


def test_a_new_session_needs_a_place(recording, memory, tmp_path, capsys):
    path = shutil.copy(memory, tmp_path / "a.mem")
    run("build", recording, "--out", path, "--append", "--session", "second", "--quiet", code=1)
    assert "second" in capsys.readouterr().err
    arguments = ("build", recording, "--out", path, "--append", "--session", "second", "--same-world")
    assert run_json(capsys, *arguments)["frames"] == len(FRAMES)
    with SpatialMemory.open(path) as grown:
        assert {keyframe.session_id for keyframe in grown.trajectory()} == {"room", "second"}


def test_overwrite_replaces_memories_only(recording, tmp_path, capsys):
    path, photo = tmp_path / "a.mem", tmp_path / "photo.jpg"
    run("build", recording, "--out", path, "--max-frames", "2", "--quiet")
    run("build", recording, "--out", path, "--max-frames", "3", "--store-all", "--overwrite", "--quiet")
    with SpatialMemory.open(path) as memory:
        assert len(memory.trajectory()) == 3
    photo.write_bytes(b"a picture, say" * 100)
    run("build", recording, "--out", photo, "--overwrite", code=1)
    assert "not a memory" in capsys.readouterr().err and photo.stat().st_size == 1400


def test_query_finds_the_chair(memory, capsys):
    out = run_json(capsys, "query", memory, "red chair")
    hit = out["hits"][0]
    low, high = RED_CHAIR
    assert (np.array(hit["position_m"]) > low - 0.1).all() and (np.array(hit["position_m"]) < high + 0.1).all()
    np.testing.assert_allclose(np.subtract(hit["box_max_m"], hit["box_min_m"]), hit["extent_m"])
    assert 0 < hit["score"] <= 1 and hit["calibrated"] is True and hit["presence"] in ("present", "not seen since")
    assert out["unknown_words"] == ["chair"] and out["not_searched"] == ""
    assert hit["first_seen_ns"] <= hit["last_seen_ns"] <= LAST_NS
    evidence = hit["evidence"][0]
    assert evidence["session"] == "room" and evidence["camera"] == "camera" and evidence["seq"] in range(len(FRAMES))
    assert len(evidence["box_xyxy"]) == 4 and evidence["lsn"] >= 1 and evidence["stamp_ns"] <= LAST_NS


def test_an_empty_answer_is_an_answer(memory, capsys):
    assert run_json(capsys, "query", memory, "something purple")["hits"] == []
    run("query", memory, "something purple")
    assert "nothing found" in capsys.readouterr().out


def test_query_by_place_time_and_number(memory, capsys):
    near = run_json(capsys, "query", memory, "--at", "3.2", "1.5", "0.5", "--radius-m", "0.4")
    assert near["hits"]
    assert run_json(capsys, "query", memory, "red", "--at", "-1", "-1", "0", "--radius-m", "0.3")["hits"] == []
    assert run_json(capsys, "query", memory, "red", "--since", "2027-01-01")["hits"] == []
    assert run_json(capsys, "query", memory, "red", "--since", "1h", "--until", "2026-01-02")["hits"]
    assert len(run_json(capsys, "query", memory, "white", "--top", "1")["hits"]) == 1


def test_query_by_image(memory, tmp_path, capsys):
    cv2.imwrite(str(tmp_path / "crop.png"), np.full((40, 40, 3), (28, 22, 200), np.uint8))
    hit = run_json(capsys, "query", memory, "--image", tmp_path / "crop.png")["hits"][0]
    assert RED_CHAIR[0][0] - 0.1 < hit["position_m"][0] < RED_CHAIR[1][0] + 0.1


def test_query_draws(memory, tmp_path, capsys):
    run("query", memory, "red chair", "--picture", tmp_path / "a.png")
    assert "presence" in capsys.readouterr().out
    width, height = picture_size(tmp_path / "a.png")
    assert width == 1200 and height > 700
    run("query", memory, "red chair", "--picture", tmp_path / "a.gif", code=1)
    assert ".png or .jpg" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--at", "0", "0", "0"], "--radius-m"),
        (["red", "--since", "yesterday"], "--since 'yesterday' is no time"),
        (["red", "--top", "0"], "top"),
        (["--image", "absent.png"], "absent.png"),
    ],
)
def test_questions_that_cannot_be_asked(memory, arguments, message, capsys):
    run("query", memory, *arguments, code=1)
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and message in captured.err and captured.out == ""


@pytest.mark.parametrize(("arguments", "message"), [([], "nothing is asked"), ([""], "is empty"), ([" "], "is empty")])
def test_asking_nothing_is_wrong_usage(memory, arguments, message, capsys):
    run("query", memory, *arguments, code=2)
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and message in captured.err and captured.out == ""


def test_a_time_alone_is_a_question(memory, capsys):
    assert run_json(capsys, "query", memory, "--since", "5s")["hits"]
    assert run_json(capsys, "query", memory, "--until", "2025-12-31")["hits"] == []


def test_times():
    assert stamp_of("12.5", 0, "--since") == 12_500_000_000
    assert stamp_of("10min", 700_000_000_000, "--since") == 100_000_000_000
    assert stamp_of("2026-01-01 10:00:00.25", 0, "--since") == 1_767_261_600_250_000_000
    assert stamp_of("2026-01-01T11:00:00+01:00", 0, "--since") == 1_767_261_600_000_000_000


def test_info(memory, capsys):
    before = sorted(path.name for path in memory.parent.iterdir())
    out = run_json(capsys, "info", memory, "--verify", "--hash")
    assert out["problems"] == [] and len(out["canonical_hash"]) == 64 and out["config"]["voxel_size_m"] == 0.02
    run("info", memory, "--verify")
    assert "no problem found" in capsys.readouterr().out
    assert sorted(path.name for path in memory.parent.iterdir()) == before


def test_info_finds_damage(memory, tmp_path, capsys):
    path = tmp_path / "a.mem"
    data = bytearray(memory.read_bytes())
    with SpatialMemory.open(memory) as sound:
        (colour,) = sound.sql("SELECT colour FROM frames WHERE lsn = 3")[0]
    at = data.find(colour[1000:1060])  # unlike the JPEG's head, these bytes are in no other row
    data[at] ^= 0x10
    path.write_bytes(data)
    run("info", path, "--verify", code=1)
    assert "problem: row 3 of frames" in capsys.readouterr().err


def test_rebuild_changes_nothing(memory, tmp_path, capsys):
    path = shutil.copy(memory, tmp_path / "a.mem")
    before = run_json(capsys, "info", path, "--hash")["canonical_hash"]
    out = run_json(capsys, "rebuild", path)
    assert out["canonical_hash"] == before and out["changed"] is False
    assert run_json(capsys, "info", path, "--hash", "--verify")["canonical_hash"] == before


def test_rebuild_repairs_damaged_layers(memory, tmp_path, capsys):
    path = shutil.copy(memory, tmp_path / "a.mem")
    before = run_json(capsys, "info", path, "--hash")["canonical_hash"]
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE surface_blocks SET data = x'00' WHERE key = (SELECT min(key) FROM surface_blocks)")
    connection.close()
    run("info", path, "--verify", code=1)
    assert "spatialmem rebuild" in capsys.readouterr().err
    run("rebuild", path)
    captured = capsys.readouterr()
    assert "cannot be loaded" in captured.err and "were damaged" in captured.out
    assert run_json(capsys, "info", path, "--hash", "--verify")["canonical_hash"] == before


@pytest.mark.parametrize(
    "verb", [["query", "red"], ["info"], ["rebuild"], ["export", "--ply", "x.ply"]], ids=lambda v: v[0]
)
def test_what_is_no_memory_is_named(verb, tmp_path, capsys):
    for name, content in (("absent.mem", None), ("text.mem", b"hello " * 1000), ("empty.mem", b"")):
        path = tmp_path / name
        if content is not None:
            path.write_bytes(content)
        out = run_json(capsys, verb[0], path, *verb[1:], code=1)
        assert name in out["error"] and out["kind"] == "MemoryFileError"
        run(verb[0], path, *verb[1:], code=1)
        captured = capsys.readouterr()
        assert captured.err.startswith("error: ") and captured.out == ""


def test_demo_answers(tmp_path, capsys):
    out = run_json(capsys, "demo", "--recording", "--out", tmp_path / "demo")
    cup, red, purple = out["answers"]
    assert len(cup["hits"]) >= 1 and len(red["hits"]) >= 1 and purple["hits"] == []
    low, high = RED_CHAIR
    assert (np.array(red["hits"][0]["position_m"]) > low - 0.05).all()
    assert (np.array(red["hits"][0]["position_m"]) < high + 0.05).all()
    np.testing.assert_allclose(cup["hits"][0]["position_m"], YELLOW_CUP, atol=0.1)
    assert all(picture_size(tmp_path / "demo" / name)[0] == 1200 for name in ("yellow_cup.png", "something_purple.png"))
    run("demo", "--recording", "--out", tmp_path / "demo", "--max-frames", "6")
    captured = capsys.readouterr()
    assert "spatialmem query" in captured.out and str(KITCHENETTE) in captured.err


def test_doctor(capsys):
    out = run_json(capsys, "doctor")
    names = {check["name"] for check in out["checks"]}
    assert out["sound"] and {"python", "numpy", "numba", "cv2", "torch", "open3d", "extra [clip]", "disk"} <= names
    run("doctor")
    assert "0 broken" in capsys.readouterr().out
