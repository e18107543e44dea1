"""Tables: which runs go together, what is paired with what, and intervals against a case made by hand."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from cli_helpers import run, run_json
from hypothesis import given
from hypothesis import strategies as st
from runner_cases import plan

from sim.errors import UnknownName
from sim.runner import BadRun, evaluate, tabulate
from sim.runner.folder import MANIFEST, ROWS, line_of
from sim.runner.stats import clustered_interval
from sim.runner.table import had_by_all, value


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Three agents in the same nine episodes of three rooms; not to be changed."""
    root = tmp_path_factory.mktemp("runs")
    evaluate(plan(count=9), root / "wanderer")
    evaluate(plan("Homing", count=9), root / "homing", workers=2)
    evaluate(plan(count=9, kwargs={"trouble": "raise", "every": 1}, label="cursed"), root / "cursed")
    return root


def copied(runs, tmp_path, name, *, rows=None, **changes):
    """A folder with some rows of another, and a manifest that differs by some keys."""
    out = tmp_path / f"copy-{len(list(tmp_path.iterdir()))}"
    out.mkdir()
    manifest = json.loads((runs / name / MANIFEST).read_text())
    (out / MANIFEST).write_text(json.dumps({**manifest, **changes}))
    lines = [json.loads(line) for line in (runs / name / ROWS).read_text().splitlines()]
    (out / ROWS).write_bytes(b"".join(line_of(row) for row in (lines if rows is None else rows(lines))))
    return out


def test_agents_side_by_side(runs):
    table = tabulate([runs], "wanderer")
    lines = {line.agent: line for line in table.agents}
    assert (table.episodes, table.houses, table.left_out, table.unfinished) == (9, 3, {}, {})
    assert lines["homing"].metrics["success"].mean == 1.0 and lines["homing"].privileged
    assert not lines["wanderer"].privileged and lines["wanderer"].means["steps"] > 1.0
    assert lines["cursed"].statuses == {"crash": 9}
    assert lines["cursed"].metrics["success"].mean == lines["cursed"].metrics["spl"].mean == 0.0
    assert lines["cursed"].metrics["distance_to_goal"].mean > 0.3  # where it was when it crashed
    assert sorted(d.agent for d in table.differences) == ["cursed", "homing"]
    for difference in table.differences:
        mine, base = lines[difference.agent].metrics["spl"].mean, lines["wanderer"].metrics["spl"].mean
        assert difference.metrics["spl"].mean == pytest.approx(mine - base)


def test_shards_are_merged_and_episodes_paired(runs, tmp_path):
    first = copied(runs, tmp_path, "homing", rows=lambda rows: rows[:4], count=4)
    second = copied(runs, tmp_path, "homing", rows=lambda rows: rows[4:7], first=4, count=5)
    table = tabulate([second, first, runs / "wanderer"], "homing")
    assert table.episodes == 7 and table.left_out == {"wanderer": 2}
    assert table.unfinished == {str(second): "3 of 5"}
    whole = tabulate([runs / "wanderer", runs / "homing"], "homing")
    rows = [json.loads(line) for line in (runs / "wanderer" / ROWS).read_text().splitlines()][:7]
    assert table.agents[-1].means["steps"] == sum(row["steps"] for row in rows) / 7
    assert whole.episodes == 9


REFUSED = {
    "task": "objectnav-v1", "world": "habitat", "split": "test", "act_timeout_s": 1.0, "format": 2,
}  # fmt: skip


@pytest.mark.parametrize("key", REFUSED)
def test_runs_that_differ_are_refused_by_name(runs, tmp_path, key):
    other = copied(runs, tmp_path, "homing", **{key: REFUSED[key]})
    with pytest.raises(BadRun, match=rf"do not go together: {key}: "):
        tabulate([runs / "wanderer", other])


def test_other_code_checkpoints_and_encoders_are_refused(runs, tmp_path):
    manifest = json.loads((runs / "homing" / MANIFEST).read_text())
    other = copied(runs, tmp_path, "homing", code={**manifest["code"], "sim": "0" * 64})
    with pytest.raises(BadRun, match=r"do not go together: code.sim: "):
        tabulate([runs / "wanderer", other])
    for key, other_value in (("checkpoint", "1" * 64), ("identity", {"encoder": "tiny"}), ("agent_code", "2" * 64)):
        half = copied(runs, tmp_path, "homing", rows=lambda rows: [], **{key: other_value})
        with pytest.raises(BadRun, match=rf"do not go together: {key}.*another --label"):
            tabulate([runs / "homing", half])
    tabulate([runs / "homing", copied(runs, tmp_path, "homing", rows=lambda rows: [], machine={})])


def test_episodes_twice_or_others_are_refused(runs, tmp_path):
    with pytest.raises(BadRun, match=r"episode 0 of seed 0 is in .* and in another folder"):
        tabulate([runs / "homing", copied(runs, tmp_path, "homing")])
    swapped = copied(
        runs, tmp_path, "homing", rows=lambda rows: [{**row, "episode_sha": "0" * 16} for row in rows]
    )  # fmt: skip
    with pytest.raises(BadRun, match=r"split: episode 0 of seed 0 is another one for 'homing' than for 'wanderer'"):
        tabulate([runs / "wanderer", swapped])
    later = copied(runs, tmp_path, "homing", rows=lambda rows: [{**row, "seed": 5} for row in rows], seed=5)
    with pytest.raises(BadRun, match="no episode in common"):
        tabulate([runs / "wanderer", later])
    with pytest.raises(UnknownName, match=r"unknown agent 'hming'; did you mean 'homing'"):
        tabulate([runs], "hming")
    with pytest.raises(BadRun, match=r"is no run: there is no manifest.json"):
        tabulate([tmp_path / "nowhere"])


def test_the_command(runs, tmp_path, capsys):
    values = run_json(capsys, "table", runs, "--baseline", "wanderer")
    assert {line["agent"] for line in values["agents"]} == {"wanderer", "homing", "cursed"}
    run("table", runs, "--baseline", "wanderer")
    shown = capsys.readouterr().out
    assert "reach-v1 in runner_cases:RoomWorld/val: 9 episodes in 3 houses" in shown and "homing *" in shown
    run("table", runs / "wanderer", copied(runs, tmp_path, "homing", split="test"), code=1)
    assert "do not go together: split: 'val' and 'test'" in capsys.readouterr().err


# intervals


def test_what_only_some_episodes_have_counts_in_those_alone():
    def row(status, **metrics):
        return {"status": status, "metrics": metrics}

    rows = [row("success", correct=1.0, cat_a=1.0), row("failure", correct=0.0, cat_b=0.0)]
    died, crashed = row("crash"), row("crash", correct=0.0, cat_b=0.0)
    had = had_by_all([*rows, died])
    assert had == {"correct"}
    assert [value(r, "cat_a", had) for r in (*rows, died, crashed)] == [1.0, None, None, None]
    assert [value(r, "correct", had) for r in (*rows, died, crashed)] == [1.0, 0.0, 0.0, 0.0]
    assert value(died, "cat_b", {"cat_b"}) == 0.0  # where another agent's row tells that the episode has it


def test_the_bootstrap_of_two_houses_is_that_of_their_pairs():
    """Houses with means 0 (2 episodes) and 1 (1): the draws are (a,a), (a,b), (b,a), (b,b), of means 0, 1/3, 1/3, 1."""
    found = clustered_interval([0.0, 0.0, 1.0], ["a", "a", "b"])
    assert found.mean == pytest.approx(1 / 3) and (found.low, found.high) == (0.0, 1.0)
    assert (found.episodes, found.clusters) == (3, 2)


def test_the_bootstrap_is_that_of_all_draws():
    """Five houses: percentiles of the 5^5 draws that there are, computed one by one."""
    values = {"a": [0.0, 1.0], "b": [1.0, 1.0, 1.0], "c": [0.0], "d": [0.5, 0.25], "e": [0.0, 0.0, 1.0, 0.0]}
    draws = [np.mean(np.concatenate([values[h] for h in draw])) for draw in itertools.product(values, repeat=5)]
    flat = [(v, house) for house, several in values.items() for v in several]
    found = clustered_interval([v for v, _ in flat], [h for _, h in flat], resamples=100_000)
    assert found.low == pytest.approx(np.percentile(draws, 2.5), abs=0.02)
    assert found.high == pytest.approx(np.percentile(draws, 97.5), abs=0.02)
    alike = clustered_interval([v for v, _ in flat], range(len(flat)), resamples=100_000)
    assert alike.high - alike.low < found.high - found.low  # taken for independent, episodes seem to say more


@given(st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(0, 3)), min_size=1, max_size=20))
def test_intervals_hold_the_mean_and_can_be_repeated(episodes):
    values, houses = [v for v, _ in episodes], [h for _, h in episodes]
    found = clustered_interval(values, houses, resamples=200)
    assert found == clustered_interval(values, houses, resamples=200)
    assert math.isclose(found.mean, float(np.mean(values)))
    if len(set(houses)) == 1:
        assert found.low is None and found.high is None
    else:
        assert found.low is not None and found.high is not None
        assert min(values) - 1e-9 <= found.low <= found.high <= max(values) + 1e-9
