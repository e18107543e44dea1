"""Readers of OpenEQA's files: on the real ones, on small ones made to the letter, on broken and foreign ones."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sim.errors import BadEpisodes
from sim.tasks.eqa.openeqa import read_aeqa, read_openeqa


@pytest.fixture
def real(shared_data: Path) -> Path:
    """The files as they were published."""
    if not (shared_data / "openeqa_questions").is_dir():
        pytest.skip(f"no openeqa_questions in {shared_data}")
    return shared_data / "openeqa_questions"


def entry(**changes: Any) -> dict[str, Any]:
    """One question to the letter of aeqa_questions-41.json: it looks along Habitat's -x."""
    half = math.sqrt(0.5)
    values = {
        "question": "What colour is the rug?", "answer": "Red", "category": "attribute recognition",
        "question_id": "00000000-0000-4000-8000-000000000001", "episode_history": "00824-Dd4bFSTQ8gi",
        "position": [6.9, 0.1, 1.5], "rotation": [half, 0.0, half, 0.0], "object_id": None, "class": None,
    }  # fmt: skip
    return {**values, **changes}


def written(path: Path, data: Any) -> Path:
    file = path / "questions.json"
    file.write_text(data if isinstance(data, str) else json.dumps(data))
    return file


# to the letter


def test_a_start_is_turned_into_a_world_with_z_up(tmp_path):
    (episode,) = read_aeqa(written(tmp_path, [entry()]))
    assert episode.start_m == pytest.approx((6.9, -1.5, 0.1))
    assert abs(episode.start_yaw_rad) == pytest.approx(math.pi)  # Habitat's camera, a quarter turn to its left
    assert episode.episode_id == entry()["question_id"] and episode.scene_id == "00824-Dd4bFSTQ8gi"
    (goal,) = episode.goals
    assert (goal.kind, goal.text, goal.category) == ("question", "What colour is the rug?", "attribute recognition")
    assert goal.answers == ("Red",) and episode.extra["episode_history"] == "00824-Dd4bFSTQ8gi"


@pytest.mark.parametrize("degrees", range(-170, 181, 35))
def test_headings_are_those_of_habitat(tmp_path, degrees):
    half = math.radians(degrees) / 2
    rotation = [math.cos(half), 0.0, math.sin(half), 0.0]
    (episode,) = read_aeqa(written(tmp_path, [entry(rotation=rotation)]))
    angle = math.radians(degrees)
    ahead_y_up = np.array([-math.sin(angle), 0.0, -math.cos(angle)])  # -z turned about +y
    ahead = [math.cos(episode.start_yaw_rad), math.sin(episode.start_yaw_rad)]
    np.testing.assert_allclose(ahead, [ahead_y_up[0], -ahead_y_up[2]], atol=1e-9)


def test_extra_answers_are_right_too_and_starts_may_be_missing(tmp_path):
    plain = {k: v for k, v in entry(extra_answers=["crimson", "Red"]).items() if k not in ("position", "rotation")}
    (episode,) = read_openeqa(written(tmp_path, [plain]))
    assert episode.goals[0].answers == ("Red", "crimson") and np.isnan(episode.start_m).all()


def test_a_subset_keeps_its_order(tmp_path):
    file = written(tmp_path, [entry(question_id=i) for i in "abc"])
    (tmp_path / "ids.json").write_text('["c", "a"]')
    assert [e.episode_id for e in read_openeqa(file, tmp_path / "ids.json")] == ["c", "a"]


# broken and foreign


@pytest.mark.parametrize(
    ("changes", "place", "form"),
    [
        ({"question": ""}, r"\[1\].question:", "text that is not empty"),
        ({"answer": 3}, r"\[1\].answer:", "text that is not empty"),
        ({"category": "counting"}, r"\[1\].category:", "object recognition, attribute recognition"),
        ({"extra_answers": "red"}, r"\[1\].extra_answers:", "list of texts"),
        ({"question_id": "00000000-0000-4000-8000-000000000001"}, r"\[1\].question_id:", "no other question has"),
        ({"position": [1.0, 2.0]}, r"\[1\].position:", "3 finite numbers"),
        ({"position": [1.0, 2.0, True]}, r"\[1\].position:", "3 finite numbers"),
        ({"rotation": None}, r"\[1\].rotation:", "4 finite numbers"),
        ({"rotation": [1.0, 1.0, 0.0, 0.0]}, r"\[1\].rotation:", "of length 1"),
        ({"rotation": [0.0, 0.928467, 0.0, 0.371415]}, r"\[1\].rotation:", r"are they x, y, z, w\?"),
    ],
)
def test_a_broken_entry_is_named(tmp_path, changes, place, form):
    file = written(tmp_path, [entry(), {**entry(question_id="2"), **changes}])
    with pytest.raises(BadEpisodes, match=place) as caught:
        read_aeqa(file)
    assert str(file) in str(caught.value)
    with pytest.raises(BadEpisodes, match=form):
        read_aeqa(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "JSON in UTF-8"),
        ("{}", "expected a list of questions.*an empty object"),
        ('{"episodes": [], "goals": {}}', "found an object with the keys episodes, goals"),
        ("[]", "list of questions"),
        ("[7]", r"\[0\]: expected an object"),
        ('["a"]', r"\[0\]: expected an object"),
    ],
)
@pytest.mark.parametrize("reader", [read_aeqa, read_openeqa])
def test_foreign_files_are_refused(tmp_path, reader, text, message):
    with pytest.raises(BadEpisodes, match=message):
        reader(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadEpisodes, match=r"none\.json: cannot be read"):
        read_aeqa(tmp_path / "none.json")


@pytest.mark.parametrize("ids", ['["nobody"]', '["a", "a"]', '{"a": 1}', "[1]"])
def test_a_subset_that_does_not_fit_is_refused(tmp_path, ids):
    file = written(tmp_path, [entry(question_id=i) for i in "abc"])
    (tmp_path / "ids.json").write_text(ids)
    with pytest.raises(BadEpisodes, match=r"ids\.json"):
        read_openeqa(file, tmp_path / "ids.json")


# the real files


def test_the_real_questions(real):
    episodes = read_openeqa(real / "open-eqa-v0.json")
    assert len(episodes) == 1636 and len({e.episode_id for e in episodes}) == 1636
    assert sum(len(e.goals[0].answers) > 1 for e in episodes) > 200
    assert {e.scene_id.split("/")[0] for e in episodes} == {"hm3d-v0", "scannet-v0"}


def test_the_real_subset(real):
    ids = json.loads((real / "open-eqa-v0-184-questions.json").read_text())
    episodes = read_openeqa(real / "open-eqa-v0.json", real / "open-eqa-v0-184-questions.json")
    assert [e.episode_id for e in episodes] == ids and len(ids) == 184
    assert all(e.scene_id.startswith("hm3d-v0/") for e in episodes)


def test_the_real_starts(real):
    episodes = read_aeqa(real / "aeqa_questions-41.json")
    known = {e.episode_id: e.goals[0].text for e in read_openeqa(real / "open-eqa-v0.json")}
    assert len(episodes) == 41 and all(known[e.episode_id] == e.goals[0].text for e in episodes)
    first = episodes[0]
    assert first.start_m == pytest.approx((6.892691, -1.487214, 0.068824), abs=1e-6)
    angle = 2.0 * math.atan2(0.928467, 0.371415)
    turned = (first.start_yaw_rad - (angle + math.pi / 2)) % (2.0 * math.pi)
    assert min(turned, 2.0 * math.pi - turned) < 1e-5


def test_real_files_of_another_kind_are_refused(real):
    with pytest.raises(BadEpisodes, match=r"\[0\].position: expected a list of 3 finite numbers"):
        read_aeqa(real / "open-eqa-v0.json")
    with pytest.raises(BadEpisodes, match=r"\[0\]: expected an object"):
        read_openeqa(real / "open-eqa-v0-184-questions.json")
