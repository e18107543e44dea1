"""Labelled questions about real recordings, asked of memories made with the encoder `colours`.

Questions, boxes and judge are those of tests/labelled.py and tests/data. A hit is the top hit: it is right when it
projects into a labelled box of the right thing, is not hidden there, and lies within 15 cm of its surface. A question
about something absent is right when the answer is empty. One label is one box of a question; the questions are
counted as well, since several labels share one. One run: nothing here depends on chance or on the machine.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common import Bench, Wanted
from recordings import available, label, reader

from spatialmem import SpatialMemory
from spatialmem.config import GateConfig, MemoryConfig
from tests.labelled import AbsentQuery, PresentQuery, judge, load

GATES = {"default gate": GateConfig(), "every frame": GateConfig(store_all=True)}


class Found(NamedTuple):
    """What a memory answered to one label."""

    query: PresentQuery
    answered: bool
    inside: bool
    distance_m: float
    score: float


def ask(memory: SpatialMemory, present: Sequence[PresentQuery], source: Any) -> list[Found]:
    """Every label, judged by its top hit."""
    answers = {text: memory.query(text) for text in {q.text for q in present}}
    frames = {i: source[i] for i in {i for q in present for i in q.frames_needed}}
    found = []
    for query in present:
        answer = answers[query.text]
        if len(answer) == 0:
            found.append(Found(query, False, False, math.inf, 0.0))
            continue
        verdict = judge(query, answer[0].position_m, frames)
        found.append(Found(query, True, verdict.inside, verdict.distance_m, answer[0].score))
    return found


def quiet(memory: SpatialMemory, absent: Sequence[AbsentQuery]) -> list[tuple[AbsentQuery, int]]:
    """Number of hits for each thing that is not there."""
    return [(query, len(memory.query(query.text))) for query in absent]


def share(values: Sequence[bool]) -> float:
    """Percentage of true values."""
    return 100.0 * sum(values) / len(values) if values else math.nan


def report(bench: Bench, where: str, found: list[Found], none: list[tuple[AbsentQuery, int]]) -> None:
    """The three claims for one memory, or for all together."""
    n, questions = len(found), {f.query.text for f in found}
    inside = share([f.inside for f in found])
    most = Wanted(must=80.0, sense="at least")
    bench.claim(f"top hit inside the box: {where}", inside, "%", most, f"{n} labels, {len(questions)} questions")
    near = share([f.distance_m <= 0.15 for f in found])
    bench.claim(f"top hit within 15 cm: {where}", near, "%", most, f"{n} labels")
    silent = share([count == 0 for _, count in none])
    bench.claim(
        f"absent answered with nothing: {where}",
        silent,
        "%",
        Wanted(must=90.0, sense="at least"),
        f"{len(none)} things",
    )


def rows_of(where: str, found: list[Found], none: list[tuple[AbsentQuery, int]]) -> list[list[Any]]:
    """One row for each text."""
    rows = []
    for text in dict.fromkeys(f.query.text for f in found):
        mine = [f for f in found if f.query.text == text]
        distances = [100 * f.distance_m for f in mine]
        rows.append([where, text, len(mine), f"{sum(f.inside for f in mine)} inside",
                     f"{statistics.median(distances):.1f}", f"{mine[0].score:.2f}"])  # fmt: skip
    absent = [[where, f"absent: {query.text} ({query.reason})", 1, f"{count} hits", "", ""] for query, count in none]
    return rows + absent


def build(path: Path, name: str, gate: GateConfig) -> SpatialMemory:
    """A memory of a whole recording."""
    memory = SpatialMemory.create(path, encoder="colours", config=MemoryConfig(gate=gate))
    for frame in reader(name):
        memory.observe(frame)
    return memory


def main() -> None:
    bench = Bench(__file__, "Labelled questions on real recordings, encoder `colours`", __doc__)
    labels = load()
    names = available(bench, sorted(labels.files))
    for gate in GATES if not bench.quick else ("default gate",):
        every, none, rows = [], [], []
        for name in names:
            bench.progress(f"{label(name)}, {gate}")
            with tempfile.TemporaryDirectory() as folder, build(Path(folder) / "m.mem", name, GATES[gate]) as memory:
                found = ask(memory, [q for q in labels.present if q.recording == name], reader(name))
                silent = quiet(memory, [q for q in labels.absent if q.recording == name])
            report(bench, f"{label(name)}, {gate}", found, silent)
            rows += rows_of(label(name), found, silent)
            every, none = every + found, none + silent
        report(bench, f"all, {gate}", every, none)
        columns = ["recording", "question", "labels", "top hit", "distance to the thing, cm", "score"]
        bench.table(f"by question, {gate}", columns, rows)
    bench.finish()


if __name__ == "__main__":
    main()
