"""Runs: rows that do not depend on kills, on workers or on what agents do to themselves."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from runner_cases import Wanderer, plan, timeless

from sim.errors import InvalidSetting, MissingScene, SimError, UnknownName
from sim.runner import AgentSpec, BadRun, agent_spec, crew, evaluate
from sim.runner.crew import RunFailed
from sim.runner.folder import ROWS, RunFolder, read_manifest, read_rows
from sim.runner.frozen import episode_of, episode_values
from sim.runner.names import make_task

TESTS = Path(__file__).resolve().parent
EVAL = [sys.executable, "-m", "spatialmem.cli", "eval", "runner_cases:Reach", "--world", "runner_cases:RoomWorld"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"}
SLOW = {"slow_s": 0.02}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory) -> Path:
    """Eight episodes that nothing happened to; not to be changed."""
    folder = tmp_path_factory.mktemp("run") / "unbroken"
    evaluate(plan(count=8, kwargs=SLOW), folder)
    return folder


def started(out: Path, *options: str) -> subprocess.Popen[str]:
    command = [*EVAL, "--agent", "runner_cases:Wanderer", "--agent-args", json.dumps(SLOW), "--label", "wanderer",
               "--episodes", "8", "--act-timeout", "30", "--out", str(out), *options]  # fmt: skip
    return subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_rows(process: subprocess.Popen[str], out: Path, count: int) -> None:
    while process.poll() is None and len(read_rows(out)) < count:
        time.sleep(0.01)
    assert process.poll() is None, process.communicate()[1]


def lines_of(folder: Path) -> bytes:
    """rows.jsonl without its times."""
    return b"\n".join(json.dumps(row).encode() for row in timeless(read_rows(folder)))


def test_a_row_says_what_came_of_an_episode(unbroken):
    rows = read_rows(unbroken)
    assert [row["index"] for row in rows] == list(range(8))
    wanted = {
        "status",
        "seed",
        "house",
        "steps",
        "metrics",
        "ms",
        "bytes",
        "images",
        "tokens",
        "agent",
        "task",
        "world",
    }
    assert wanted <= set(rows[0]) and rows[0]["task"] == "reach-v1" and rows[0]["house"] == "room-val-0"
    assert {row["status"] for row in rows} <= {"success", "failure", "timeout"}
    assert all(row["images"] == row["steps"] and row["bytes"] == 10 * row["steps"] for row in rows)


def test_a_killed_run_goes_on_to_the_same_rows(unbroken, tmp_path):
    out = tmp_path / "killed"
    process = started(out)
    wait_for_rows(process, out, 2)
    process.kill()
    process.communicate()
    done = len(read_rows(out))
    assert 2 <= done < 8
    evaluate(plan(count=8, kwargs=SLOW), out, workers=2)
    assert lines_of(out) == lines_of(unbroken)
    assert read_manifest(out)["split_sha256"] == read_manifest(unbroken)["split_sha256"]


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(unbroken, tmp_path):
    out = tmp_path / "stopped"
    process = started(out, "--workers", "2")
    wait_for_rows(process, out, 1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "of 8 episodes are in" in said and "the same command goes on" in said and "Traceback" not in said
    rows = read_rows(out)
    assert 1 <= len(rows) < 8 and not [row for row in rows if row["status"] == "crash"]
    evaluate(plan(count=8, kwargs=SLOW), out)
    assert lines_of(out) == lines_of(unbroken)


def test_only_missing_episodes_are_played_again(unbroken, tmp_path):
    """A torn last line, a lost episode file and a longer run: each episode is played once."""
    out, log = tmp_path / "torn", tmp_path / "log"
    evaluate(plan(count=3, kwargs={"log": str(log)}), out)
    whole = (out / ROWS).read_bytes()
    (out / ROWS).write_bytes(whole[:-20])
    (out / "episodes.json").unlink()
    log.unlink()
    run = evaluate(plan(count=5, kwargs={"log": str(log)}), out)
    assert len(log.read_text().splitlines()) == 3 and len(run.rows) == 5
    assert timeless(run.rows[:3]) == timeless([json.loads(line) for line in whole.splitlines()])
    fewer = evaluate(plan(count=2, kwargs={"log": str(log)}), out)
    assert len(log.read_text().splitlines()) == 3 and len(fewer.rows) == fewer.total == 2
    assert read_manifest(out)["count"] == 5


@pytest.mark.parametrize("tail", [b'{"index": 3', b"\0\0\0\0\n", b"\n"])
def test_what_a_kill_tore_off_is_dropped(tmp_path, tail):
    with RunFolder(tmp_path / "run") as folder:
        folder.append({"index": 0})
        folder.append({"index": 1})
        with (folder.path / ROWS).open("ab") as file:
            file.write(tail)
        assert folder.rows() == [{"index": 0}, {"index": 1}]
        folder.append({"index": 2})
        assert [row["index"] for row in folder.rows()] == [0, 1, 2]


def test_damage_in_the_middle_is_named(tmp_path):
    with RunFolder(tmp_path / "run") as folder:
        folder.append({"index": 0})
        folder.append({"index": 1})
        (folder.path / ROWS).write_bytes(b"nonsense\n" + (folder.path / ROWS).read_bytes())
        with pytest.raises(BadRun, match=r"rows.jsonl, line 1 is damaged"):
            folder.rows()


def test_one_process_at_a_time_writes(tmp_path):
    with RunFolder(tmp_path / "run"), pytest.raises(BadRun, match="another run writes"), RunFolder(tmp_path / "run"):
        pass
    assert not (tmp_path / "run").exists()  # nothing came of it


def test_a_folder_of_something_else_is_refused(unbroken, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BadRun, match=r"holds no manifest.json but 'notes.txt'"):
        evaluate(plan(), tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine" and len(list(tmp_path.glob("[!.]*"))) == 1
    before = (unbroken / ROWS).read_bytes()
    others = (
        ({"seed": 4}, r"seed: 0 and 4"),
        ({"task_settings": {"turn_deg": 10.0}}, r"task_settings.given"),
        ({"kwargs": {}}, r"agent.kwargs.slow_s: 0.02 and None"),
    )
    for given, named in others:
        with pytest.raises(BadRun, match=named):
            evaluate(plan(**{"count": 8, "kwargs": SLOW, **given}), unbroken)
    assert (unbroken / ROWS).read_bytes() == before


# agents that do not do as they should


TROUBLES = {
    "raise": ("crash", "ValueError: the plan did not work out"),
    "quit": ("crash", "SystemExit: 4"),
    "exit": ("crash", "ended in step 1: exit code 3"),
    "nan": ("invalid_action", "float nan"),
    "text": ("invalid_action", "str 'forward'"),
    "far": ("invalid_action", "int 17; actions are 0 to 5"),
    "none": ("invalid_action", "NoneType None"),
    "dict": ("invalid_action", "dict {'answer': 3}"),
    "mute": ("invalid_action", "Mute that cannot be read"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_an_agent_does_costs_its_episode_alone(unbroken, tmp_path, trouble):
    status, reason = TROUBLES[trouble]
    run = evaluate(plan(count=8, kwargs={"trouble": trouble}), tmp_path / "run")
    lost = [row for row in run.rows if row["status"] == status]
    assert 2 <= len(lost) < 8 and all(reason in row["reason"] and row["steps"] == 1 for row in lost)
    kept = {"index", "status", "steps", "metrics", "bytes", "images"}
    sound = {row["index"]: {key: row[key] for key in kept} for row in read_rows(unbroken)}
    for row in run.rows:
        assert row in lost or {key: row[key] for key in kept} == sound[row["index"]]


def test_an_agent_that_stalls_is_stopped(tmp_path):
    run = evaluate(plan(count=3, kwargs={"trouble": "stall"}, act_timeout_s=0.5), tmp_path / "run", workers=2)
    lost = [row for row in run.rows if row["status"] == "crash"]
    assert [row["reason"] for row in lost] == ["stalled: the agent did not answer within 0.5 s in step 1"] * len(lost)
    assert lost and len(run.rows) == 3


def test_what_is_not_an_episodes_fault_ends_the_run(tmp_path):
    with pytest.raises(MissingScene, match=r"lacks its file room-val-1.glb; looked for in /nowhere"):
        evaluate(plan(world_settings={"missing": 1}), tmp_path / "run")
    assert len(read_rows(tmp_path / "run")) == 1  # of the scene before it; what was done is kept
    with pytest.raises(RunFailed, match="its weights are not there"):
        evaluate(plan("Refuser"), tmp_path / "new")
    with pytest.raises(InvalidSetting, match=r"'runner_cases:Wanderer' cannot be made .* 'speed'"):
        evaluate(plan(kwargs={"speed": 3}), tmp_path / "new")
    with pytest.raises(InvalidSetting, match="no episode from 9 on"):
        evaluate(plan(first=9, task_settings={"most": 9}), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("trouble", "status"), [("", None), ("stall", "crash"), ("exit", "crash")])
def test_what_an_agent_starts_ends_with_its_worker(tmp_path, trouble, status):
    os.mkfifo(tmp_path / "held")
    reader = os.open(tmp_path / "held", os.O_RDONLY | os.O_NONBLOCK)
    kwargs = {"held": str(tmp_path / "held"), "trouble": trouble}
    run = evaluate(plan("Haunted", count=1, kwargs=kwargs, act_timeout_s=1.0), tmp_path / "run")
    assert [row["status"] for row in run.rows] == [status or run.rows[0]["status"]]
    assert os.read(reader, 100) == b"here\n"
    assert select.select([reader], [], [], 10.0)[0] and os.read(reader, 100) == b"", "it still holds the file"
    os.close(reader)


def test_an_agent_that_cannot_be_made_again_costs_episodes_and_not_the_run(tmp_path):
    run = evaluate(plan("Once", count=3, kwargs={"made": str(tmp_path / "made")}), tmp_path / "run")
    assert [row["status"] for row in run.rows] == ["crash"] * 3 and len(run.rows) == 3
    assert "exit code 3" in run.rows[0]["reason"] and "the port is still held" in run.rows[1]["reason"]


def test_an_agent_that_takes_for_ever_to_be_made_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(crew, "_MAKING_S", 0.5)
    with pytest.raises(RunFailed, match=r"the agent was not made within 0.5 s; nothing can be played with it"):
        evaluate(plan("Stuck", kwargs={"made": ""}, act_timeout_s=0.5), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    run = evaluate(plan("Stuck", count=3, kwargs={"made": str(tmp_path / "made")}, act_timeout_s=0.4), tmp_path / "run")
    assert [row["status"] for row in run.rows] == ["crash"] * 3
    assert "exit code 3" in run.rows[0]["reason"] and "was not made within 0.5 s" in run.rows[1]["reason"]


# names


def test_wrappers_and_privileges_and_prints_and_processes_of_agents(tmp_path):
    wrappers = ("runner_cases:Noisy", "runner_cases:Helped")
    spec = AgentSpec("runner_cases:Homing", wrappers=wrappers)
    run = evaluate(replace(plan("Homing", count=2), agent=spec), tmp_path / "run")
    assert [row["status"] for row in run.rows] == ["success", "success"] and run.rows[0]["privileged"]
    assert run.manifest["agent"]["wrappers"] == list(wrappers) and run.manifest["agent_code"]


def test_whoever_marks_answers_is_named_as_agents_are():
    task = make_task("eqa-v1", {"scorer": "eqa_cases:Generous"})
    assert task.identity()["scorer"] == "Generous" and task.identity()["scorer.model"] == "none"
    assert len(task.identity()["scorer_code"]) == 64 and "scorer" not in make_task("eqa-v1", {}).identity()
    with pytest.raises(UnknownName, match="there is no such file"):
        make_task("eqa-v1", {"scorer": "missing.py:Mine"})
    with pytest.raises(InvalidSetting, match="given 5"):
        make_task("eqa-v1", {"scorer": 5})
    with pytest.raises(UnknownName, match=r"'Generos'; did you mean 'Generous'\?"):
        make_task("eqa-v1", {"scorer": "eqa_cases:Generos"})
    with pytest.raises(InvalidSetting, match="is a HandWorld; expected an AnswerScorer"):
        make_task("eqa-v1", {"scorer": "eqa_cases:HandWorld"})


def test_names_that_are_not_known_suggest_the_nearest(tmp_path, monkeypatch):
    with pytest.raises(UnknownName, match=r"unknown agent 'no such'; .*others by module:Class"):
        agent_spec("no such")
    with pytest.raises(UnknownName, match=r"'Wonderer'; did you mean 'Wanderer'\?"):
        evaluate(plan("Wonderer"), tmp_path / "run")
    with pytest.raises(UnknownName, match=r"there is no module 'nowhere'"):
        evaluate(plan(task="nowhere:Task"), tmp_path / "run")
    with pytest.raises(InvalidSetting, match="is a Reach; expected a World"):
        evaluate(plan(world="runner_cases:Reach"), tmp_path / "run")
    with pytest.raises(UnknownName, match="there is no such file"):
        agent_spec("missing.py:Mine")
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("class Mine: pass\n")
    with pytest.raises(UnknownName, match="name the class in it too"):
        agent_spec("mine.py")
    assert agent_spec("mine.py:Mine").entry == f"{tmp_path / 'mine.py'}:Mine"


def test_agents_of_other_packages_are_known_by_their_names(tmp_path, monkeypatch):
    package = tmp_path / "their_robots-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: their-robots\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[spatialmem.agents]\nwanders = runner_cases:Wanderer\n")
    with pytest.raises(UnknownName, match="unknown agent 'wanders'"):
        agent_spec("wanders")
    monkeypatch.syspath_prepend(tmp_path)
    assert isinstance(agent_spec("wanders", {"every": 7}).make(), Wanderer)
    with pytest.raises(UnknownName, match=r"'wander'; did you mean 'wanders'\?"):
        agent_spec("wander")
    for name in ("random", "oracle", "frontier", "blind", "majority", "eqa_oracle"):
        agent_spec(name).make().close()


def test_an_agent_from_a_folder_is_a_checkpoint(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "agent.json").write_text('{"entry": "runner_cases:Wanderer", "kwargs": {"every": 4}}')
    spec = agent_spec(str(folder), {"every": 5})
    assert spec == AgentSpec("runner_cases:Wanderer", {"every": 5}, (), str(folder))
    (folder / "mine.py").write_text("class Mine: pass\n")
    (folder / "agent.json").write_text('{"entry": "mine.py:Mine"}')
    assert agent_spec(str(folder)).entry == f"{folder / 'mine.py'}:Mine"  # beside the file that names it
    (folder / "agent.json").write_text('{"entry": "gone.py:Mine"}')
    with pytest.raises(UnknownName, match="there is no such file"):
        agent_spec(str(folder))
    (folder / "agent.json").write_text('{"kwargs": {}}')
    with pytest.raises(InvalidSetting, match=r"agent.json holds no agent .*'entry'"):
        agent_spec(str(folder))


def test_settings_are_plain_values():
    with pytest.raises(InvalidSetting, match="kwargs of the agent must be plain values"):
        plan(kwargs={"what": {1, 2}})
    with pytest.raises(InvalidSetting, match="recordings are png, mp4, rrd"):
        plan(record="gif")
    with pytest.raises(InvalidSetting, match="at least 1"):
        plan(count=0)
    with pytest.raises(InvalidSetting, match="a seed must be a whole number from 0; given -1"):
        plan(seed=-1)
    with pytest.raises(SimError, match="workers must be at least 1"):
        evaluate(plan(), Path("never"), workers=0)


def test_episodes_come_back_as_they_were():
    from sim.tasks.episode import Episode, Goal, ImageView

    goal = Goal("image", "", "mug", ("3", "4"), ImageView((1.0,) * 16, 64, 48, 79.0), ("a", "b"), ("a",),
                ((0.1, 0.2, 0.30000000000000004),), {"since": [1, 2]})  # fmt: skip
    episode = Episode("e-7", "7", (1.0, 2.0, 0.0), 0.1, (goal, Goal("question", "where?")), 5, 6, {"file": "x"})
    assert episode_of(json.loads(json.dumps(episode_values(episode)))) == episode
