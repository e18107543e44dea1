"""Readers of OpenEQA's question files, original ids kept.

- open-eqa-v0.json: questions over recorded walks (EM-EQA), no start; read_openeqa, with a list of ids to keep where
  only some are wanted (open-eqa-v0-184-questions.json).
- aeqa_questions-41.json and -184.json of 3D-Mem: questions for an agent that acts, with where it starts; read_aeqa.
  Positions are Habitat's, y up; rotations are w, x, y, z, unlike those of Habitat's own episode files.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sim.errors import BadEpisodes
from sim.tasks.episode import Episode, Goal
from sim.tasks.eqa.asking import CATEGORIES
from spatialmem.geometry import Z_UP_FROM_Y_UP, apply, matrix_from_quat_wxyz

_NOWHERE = (math.nan, math.nan, math.nan)
_UPRIGHT = 0.05
"""how far the camera's up may lean, as a sine"""


def read_openeqa(path: str | Path, subset: str | Path | None = None) -> tuple[Episode, ...]:
    """Questions of open-eqa-v0.json in its order, only those whose ids `subset` lists when it is given.

    An episode's scene is the recorded walk ("scannet-v0/002-scannet-scene0709_00"); its start is NaN, as the file has
    none.

    Raises:
        BadEpisodes: names the file, the place in it, and what was expected there.
    """
    source = Path(path)
    episodes = {}
    for where, entry in _entries(source):
        goal, question_id, walk = _question(source, where, entry)
        if question_id in episodes:
            raise _bad(source, f"{where}.question_id", "an id that no other question has", question_id)
        episodes[question_id] = Episode(question_id, walk, _NOWHERE, math.nan, (goal,), extra=_rest(entry))
    wanted = list(episodes) if subset is None else _ids(Path(subset), set(episodes))
    return tuple(episodes[i] for i in wanted)


def read_aeqa(path: str | Path) -> tuple[Episode, ...]:
    """Questions of 3D-Mem's aeqa_questions files, in their order, with the start turned into a z-up world.

    An episode's scene is the one of HM3D ("00824-Dd4bFSTQ8gi").

    Raises:
        BadEpisodes: names the file, the place in it, and what was expected there.
    """
    source, episodes, seen = Path(path), [], set()
    for where, entry in _entries(source):
        goal, question_id, scene = _question(source, where, entry)
        if question_id in seen:
            raise _bad(source, f"{where}.question_id", "an id that no other question has", question_id)
        seen.add(question_id)
        x, y, z = apply(Z_UP_FROM_Y_UP, np.array([_numbers(source, where, entry, "position", 3)]))[0]
        yaw = _yaw(source, where, entry)
        episodes.append(Episode(question_id, scene, (float(x), float(y), float(z)), yaw, (goal,), extra=_rest(entry)))
    return tuple(episodes)


def _entries(source: Path) -> list[tuple[str, Mapping[str, Any]]]:
    data = _json(source)
    form = "a list of questions, each an object with question, answer, category, question_id and episode_history"
    if not isinstance(data, list) or not data:
        raise _bad(source, "the whole file", form, data)
    for i, entry in enumerate(data):
        if not isinstance(entry, dict):
            raise _bad(source, f"[{i}]", "an object with question, answer, category, question_id, ...", entry)
    return [(f"[{i}]", entry) for i, entry in enumerate(data)]


def _json(source: Path) -> Any:
    try:
        return json.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadEpisodes(
            f"{source}: cannot be read ({error.strerror}); name a JSON file of OpenEQA questions"
        ) from error
    except ValueError as error:  # no UTF-8, or no JSON
        raise BadEpisodes(f"{source}: expected JSON in UTF-8; {error}; was the download cut short?") from error


def _question(source: Path, where: str, entry: Mapping[str, Any]) -> tuple[Goal, str, str]:
    texts = {}
    for key in ("question", "answer", "category", "question_id", "episode_history"):
        value = entry.get(key)
        if not isinstance(value, str) or not value.strip():
            raise _bad(source, f"{where}.{key}", "a text that is not empty", value)
        texts[key] = value
    if texts["category"] not in CATEGORIES:
        raise _bad(source, f"{where}.category", f"one of {', '.join(CATEGORIES)}", texts["category"])
    extra = entry.get("extra_answers")
    extra = [] if extra is None else extra
    if not isinstance(extra, list) or not all(isinstance(a, str) for a in extra):
        raise _bad(source, f"{where}.extra_answers", "a list of texts, or nothing", extra)
    answers = tuple(dict.fromkeys([texts["answer"], *extra]))
    goal = Goal(kind="question", text=texts["question"], category=texts["category"], answers=answers)
    return goal, texts["question_id"], texts["episode_history"]


def _numbers(source: Path, where: str, entry: Mapping[str, Any], key: str, count: int) -> list[float]:
    value = entry.get(key)
    plain = isinstance(value, list) and len(value) == count
    if not plain or not all(type(v) in (int, float) and math.isfinite(v) for v in value or ()):
        raise _bad(source, f"{where}.{key}", f"a list of {count} finite numbers", value)
    return [float(v) for v in value or ()]


def _yaw(source: Path, where: str, entry: Mapping[str, Any]) -> float:
    """Heading about +z of a Habitat rotation: its camera looks along its own -z, with +y up."""
    quat_wxyz = np.array(_numbers(source, where, entry, "rotation", 4))
    if abs(np.linalg.norm(quat_wxyz) - 1.0) > 1e-3:
        raise _bad(source, f"{where}.rotation", "a quaternion w, x, y, z of length 1", entry["rotation"])
    axes = Z_UP_FROM_Y_UP[:3, :3] @ matrix_from_quat_wxyz(quat_wxyz)
    if axes[2, 1] < 1.0 - _UPRIGHT:
        form = "a turn about the vertical, as w, x, y, z with x and z near 0 (are they x, y, z, w?)"
        raise _bad(source, f"{where}.rotation", form, entry["rotation"])
    ahead = -axes[:, 2]
    return float(math.atan2(ahead[1], ahead[0]))


def _ids(source: Path, known: set[str]) -> list[str]:
    data = _json(source)
    if not isinstance(data, list) or not all(isinstance(i, str) for i in data):
        raise _bad(source, "the whole file", "a list of question ids", data)
    for i, question_id in enumerate(data):
        if question_id not in known or question_id in data[:i]:
            raise _bad(source, f"[{i}]", "an id, once, of a question in the file that is read", question_id)
    return data


def _rest(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What else the file says, but for the question's own keys."""
    own = ("question", "answer", "extra_answers", "category", "question_id", "position", "rotation")
    return {key: value for key, value in entry.items() if key not in own}


def _bad(source: Path, where: str, form: str, given: object) -> BadEpisodes:
    if isinstance(given, dict):
        keys = ", ".join(map(str, list(given)[:6]))
        given = f"an object with the keys {keys}" if keys else "an empty object"
        return BadEpisodes(f"{source}: {where}: expected {form}; found {given}")
    shown = repr(given)
    return BadEpisodes(f"{source}: {where}: expected {form}; found {shown[:80]}{'...' if len(shown) > 80 else ''}")
