"""Questions about real recordings, asked of a memory made from them; tests/data/README.md says how they are judged."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import labelled
import pytest

from spatialmem import SpatialMemory
from spatialmem.io import read

RIGHT_SHARE = 0.80
EMPTY_SHARE = 0.90


@pytest.fixture(scope="module")
def outcomes(shared_data: Path, tmp_path_factory: pytest.TempPathFactory):
    """Per question whether its top hit was right, and per absent thing whether the answer was empty."""
    labels = labelled.load()
    right, empty = {}, {}
    for recording in sorted({entry.recording for entry in labels.present}):
        reader = read(shared_data / recording)
        path = tmp_path_factory.mktemp("labelled") / f"{recording}.mem"
        with SpatialMemory.create(path, encoder="colours") as memory:
            for frame in reader:
                memory.observe(frame)
            right |= _judge_present(memory, reader, [e for e in labels.present if e.recording == recording])
            for entry in labels.absent:
                if entry.recording == recording:
                    empty[recording, entry.text] = len(memory.query(entry.text)) == 0
    return right, empty


def _judge_present(memory, reader, entries):
    frames = {i: reader[i] for i in sorted({i for e in entries for i in e.frames_needed})}
    by_text = defaultdict(list)
    for entry in entries:
        by_text[entry.text].append(entry)
    right = {}
    for text, asked in by_text.items():
        hits = memory.query(text, top=1).hits
        for n, entry in enumerate(asked):
            judged = labelled.judge(entry, hits[0].position_m, frames) if hits else None
            right[entry.recording, text, n] = judged is not None and judged.right
    return right


def test_the_top_hit_lies_on_the_labelled_thing(outcomes):
    right, _ = outcomes
    wrong = [key for key, good in right.items() if not good]
    assert len(right) >= 20
    assert len(wrong) <= (1 - RIGHT_SHARE) * len(right), wrong


def test_absent_things_are_answered_with_nothing(outcomes):
    _, empty = outcomes
    answered = [key for key, nothing in empty.items() if not nothing]
    assert len(empty) >= 10
    assert len(answered) <= (1 - EMPTY_SHARE) * len(empty), answered
