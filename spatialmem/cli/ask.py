"""`spatialmem ask`: a question in words, answered from the things of a memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from spatialmem.cli.codes import OK, WrongUsage
from spatialmem.cli.output import answer_table, answer_values, evidence_values, pairs_table, write_json
from spatialmem.cli.query import check_picture_name
from spatialmem.cli.worlds import settings, sim_errors

if TYPE_CHECKING:
    from policies.planner.planner import Decision, Planner
    from spatialmem.asking import Asking
    from spatialmem.retrieval.context import Context
    from spatialmem.things import MapObject
    from spatialmem.types import Answer

NO_OBJECTS = (
    "this memory has no objects, so questions are answered by `query` alone; to have some, create it with a segmenter, "
    'SpatialMemory.create(path, segmenter="regions"), or give detections to observe (docs/segmenters.md)'
)
_SIZE = (960, 720)
_BOX = (230, 60, 40)
_SOUGHT = ("where", "exists", "room", "support", "other")
"""kinds of questions that a search for places answers too"""


@dataclass(frozen=True)
class Ask:
    """Ask a memory a question: where things are, whether there are any, how many, of which colour, what is on what."""

    memory: tyro.conf.Positional[Path]
    """the memory file; it is not changed"""
    question: tyro.conf.Positional[str]
    """such as "where is the red mug?" or "what is on the table?" """
    choices: tuple[str, ...] = ()
    """answers to choose from"""
    picture: Path | None = None
    """draw the frame that shows it, with its box, into this file (.png or .jpg)"""
    vlm: str | None = None
    """let a vision-language model answer: its settings as a JSON object, such as '{"model": "qwen2.5vl:7b"}'"""
    json: bool = False
    """one JSON object on standard output"""

    def run(self) -> int:
        """Ask; returns the exit code."""
        if not self.question.strip():
            raise WrongUsage('the question is empty; ask such as "where is the red mug?"')
        if any(not choice.strip() for choice in self.choices):
            raise WrongUsage("a choice is empty; leave it out")
        if self.picture is not None:
            check_picture_name(self.picture)
        wanted = settings("--vlm", self.vlm)
        from spatialmem.memory import SpatialMemory

        with sim_errors(), SpatialMemory.open(self.memory, "r") as memory, self._planner(wanted) as planner:
            things = {thing.object_id: thing for thing in memory.objects()}
            if not things:
                self._tell_hits(memory)
                return OK
            context = memory.context(self.question, pictures=self.vlm is not None)
            decision = planner.decide(context, choices=self.choices, asks=True)
            thing = None if decision.object_id is None else things.get(decision.object_id)
            drawn = self._drawn(memory, thing)
        self._tell(decision, context, thing, drawn)
        return OK

    def _planner(self, wanted: Mapping[str, Any]) -> Planner:
        from policies.planner.making import planner_of

        return planner_of("embedding" if self.vlm is None else "vlm", wanted)

    def _drawn(self, memory: Asking, thing: MapObject | None) -> Path | None:
        """The picture, where one is wanted and something shows the thing."""
        if self.picture is None or thing is None or not thing.evidence:
            return None
        draw_evidence(memory, thing, self.picture)
        return self.picture

    def _tell(self, decision: Decision, context: Context, thing: MapObject | None, drawn: Path | None) -> None:
        known = decision.kind == "answer"
        told = None if thing is None else _thing_values(context, thing)
        if self.json:
            write_json({
                "memory": self.memory, "question": self.question, "known": known,
                "answer": decision.answer or None, "confidence": decision.confidence, "reason": decision.reason,
                "thing": told, "left_out": context.left_out, "picture": drawn,
            })  # fmt: skip
            return
        rows = [("answer", decision.answer if known else f"not known ({decision.reason})")]
        if not known and decision.answer:
            rows.append(("a guess", decision.answer))
        if known:
            rows += [("confidence", f"{decision.confidence:.2f}, not calibrated"), ("because", decision.reason)]
        rows += [] if told is None else _thing_rows(told)
        rows += [("picture", str(drawn))] if drawn else []
        pairs_table(self.question, rows)
        if self.picture is not None and drawn is None:
            print("no picture: the answer is not about one thing that a frame shows")

    def _tell_hits(self, memory: Asking) -> None:
        """What `query` finds, for a memory without things."""
        answer = self._hits(memory)
        drawn = self.picture if self.picture is not None and answer is not None else None
        if drawn is not None and answer is not None:
            from spatialmem.cli.query import draw_answer

            draw_answer(memory, answer, self.question, drawn)
        if self.json:
            found = {} if answer is None else answer_values(answer)
            write_json({
                "memory": self.memory, "question": self.question, "known": bool(answer), "answer": None,
                "confidence": answer[0].score if answer else 0.0, "reason": NO_OBJECTS, "thing": None, **found,
                "picture": drawn,
            })  # fmt: skip
            return
        if answer is None:
            print("not known: this question needs things")
        else:
            answer_table(self.question, answer)
        print(NO_OBJECTS)
        if drawn is not None:
            print(f"picture: {drawn}")

    def _hits(self, memory: Asking) -> Answer | None:
        """Places of what the question names; None where it asks for more than where something is."""
        from policies.planner.answering.reading import read_question
        from policies.planner.answering.words import without_article

        asked = read_question(self.question)
        return memory.query(without_article(asked.thing)) if asked.kind in _SOUGHT else None


def draw_evidence(memory: Asking, thing: MapObject, path: Path) -> None:
    """The best frame that shows a thing, with its box, as an image file."""
    import cv2

    from spatialmem.io.export_file import write_file
    from spatialmem.view.evidence import boxed_frame, image_of

    best = thing.evidence[0]
    image, _ = image_of(memory, best.lsn)
    _, data = cv2.imencode(path.suffix.lower(), boxed_frame(image, best.box_xyxy, _BOX, _SIZE)[:, :, ::-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, data.tobytes())


def _thing_values(context: Context, thing: MapObject) -> dict[str, Any]:
    """A thing and where it is, for JSON."""
    shown = {o.object_id: o for o in context.objects}
    told = shown.get(thing.object_id)
    near = {} if told is None else {"on": told.on, "inside": told.inside, "under": told.under}
    names = {word: None if n is None else _name(shown[n].name, n) for word, n in near.items()}
    beside = [] if told is None else [_name(shown[n].name, n) for n in told.beside]
    return {
        "object_id": thing.object_id, "name": thing.name, "colour": "" if told is None else told.colour,
        "position_m": thing.position_m, "extent_m": thing.extent_m, **names, "beside": beside,
        "presence": thing.presence, "first_seen_ns": thing.first_seen_ns, "last_seen_ns": thing.last_seen_ns,
        "evidence": evidence_values(thing.evidence[0]) if thing.evidence else None,
    }  # fmt: skip


def _name(name: str, object_id: int) -> str:
    return name or f"thing {object_id}"


def _thing_rows(told: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The same for people."""
    from spatialmem.view.words import when

    at, size = (" ".join(f"{v:.2f}" for v in told[key]) for key in ("position_m", "extent_m"))
    words = [f"{word} {told[key]}" for key, word in (("on", "on"), ("inside", "in"), ("under", "under")) if told[key]]
    words += [f"beside {', '.join(told['beside'])}"] if told["beside"] else []
    frame = told["evidence"]
    return [
        ("thing", f"{_name(told['name'], told['object_id'])}" + (f", {told['colour']}" if told["colour"] else "")),
        ("at x, y, z (m)", f"{at}; {size} large"), ("place", "; ".join(words) or "not told"),
        ("last seen", f"{when(told['last_seen_ns'])}, {told['presence'].value}"),
        ("best frame", f"{frame['camera']} {frame['seq']} of {frame['session']}" if frame else "none"),
    ]  # fmt: skip
