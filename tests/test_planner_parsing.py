"""Answers of models, as they come: everything that can be read is, and nothing else happens."""

from __future__ import annotations

import dataclasses
import json
import time

import planner_cases as cases
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from policies.planner.errors import NotInContext, ParseFailure
from policies.planner.lenient_json import objects
from policies.planner.parsing import Reading, read
from policies.planner.planner import Decision, checked
from policies.planner.settling import settled

MARKS = st.none() | st.integers(1, 10**9 - 1)
WORDS = st.text(max_size=60)
READINGS = st.builds(
    Reading, kind=st.sampled_from(("object", "answer", "frontier", "unknown")), object_id=MARKS, snapshot=MARKS,
    frontier=MARKS, choice=MARKS, answer=WORDS.filter(bool), confidence=st.floats(0.0, 1.0), reason=WORDS,
)  # fmt: skip
FRONTIER = Reading("frontier", frontier=3, confidence=0.5)


@given(READINGS)
@example(Reading("answer", answer="0", reason="</think>"))
def test_what_is_written_is_read_back(reading):
    assert read(json.dumps(dataclasses.asdict(reading))) == reading


@given(READINGS)
@example(Reading("answer", answer="0", reason="</think>"))
def test_it_is_read_back_out_of_fences_and_prose(reading):
    text = json.dumps(dataclasses.asdict(reading), indent=1, ensure_ascii=False)
    assert read(f"Let me see. Frontier 1 looks {{bad}}.\n```json\n{text}\n```\nThat is all.") == reading


@given(READINGS)
def test_it_is_read_back_as_python_writes_it(reading):
    written = repr(dataclasses.asdict(reading))
    if "\\x" not in written and "\\U" not in written:  # no escapes of JSON
        assert read(written[:-1] + ",}") == reading


MEMBERS = st.sampled_from(("kind", "object_id", "snapshot", "frontier", "answer", "confidence", "choice", "decision"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | MEMBERS, inner, max_size=5),
    max_leaves=12,
)  # fmt: skip
PIECES = st.lists(
    st.sampled_from(
        ("{", "}", "[", "]", '"', "'", ":", ",", "\\", "\\u12", "\\ud800", "kind", "frontier", "Snapshot 2", "Object 5",
         "```", "-", "1e999", "NaN", "9" * 40, "null", "//", "\n", " ", "\x00", "</think>")
    ),
    max_size=40,
).map("".join)  # fmt: skip


@given(st.text() | PIECES | JSON.map(json.dumps))
def test_anything_at_all_is_read_or_is_a_parse_failure(text):
    context = cases.context()
    for asks, choices in ((True, ()), (True, ("on the desk", "in a box")), (False, ())):
        try:
            decision = settled(read(text), context, choices, asks=asks)
        except ParseFailure:
            continue
        assert checked(decision, context) is decision
        assert decision.kind in ("frontier", "unknown", "answer" if asks else "object")
        assert not choices or decision.answer in (*choices, "")


@pytest.mark.parametrize(
    ("text", "reading"),
    [
        ('{"kind": "frontier", "frontier": 3, "confidence": 0.5}', FRONTIER),
        ("{'kind': 'frontier', 'frontier': 3, 'confidence': 0.5,}", FRONTIER),
        ("{kind: 'Frontier', frontier: '3', confidence: '50 %'} // sure", FRONTIER),
        ('{"action": "frontier", "frontier": "Frontier 3", "confidence": 50}', FRONTIER),
        ('{"decision": {"kind": "frontier", "frontier": [3], "confidence": 0.5}}', FRONTIER),
        ('[{"kind": "frontier", "frontier": 3.0, "confidence": 0.5}]', FRONTIER),
        ('<think>{"answer": "no"}</think>{"kind": "frontier", "frontier": "F3", "confidence": 0.5}', FRONTIER),
        ('{"kind": "unknown"} or rather {"kind": "frontier", "frontier": 3, "confidence": 0.5}', FRONTIER),
        ("<think>Frontier 1, or Frontier 3?</think>\nFrontier 3", Reading("frontier", frontier=3)),
        ("Frontier 3", Reading("frontier", frontier=3)),
        ("Frontier: **3**", Reading("frontier", frontier=3)),
        ("**Frontier 3**\nReason: a hallway.", Reading("frontier", frontier=3)),
        ("Snapshot 2, Object 5", Reading(None, 5, 2)),
        ("snapshot #2, object: 5.", Reading(None, 5, 2)),
        ("Snapshot 2\nIt is on the desk.", Reading(None, None, 2, answer="It is on the desk")),
        ("Snapshot 2\nAnswer: on the desk", Reading("answer", None, 2, answer="on the desk")),
        ("Answer: on the desk", Reading("answer", answer="on the desk")),
        ("Choice 2", Reading("answer", choice=2)),
        ("I don't know.", Reading("unknown")),
        ('{"answer": true}', Reading(answer="yes")),
        ('{"object": "Object 5 (red lamp)", "answer": null}', Reading(object_id=5)),
        (r'{"answer": "caf\u00e9 \ud83d\ude00", }', Reading(answer="café \U0001f600")),
    ],
)
def test_forms_that_models_use(text, reading):
    assert read(text) == reading


@pytest.mark.parametrize(
    "text",
    [
        "", "   ", "yes", "42", "null", "[]", "{}", '{"reason": "hm"}', "{" * 5000, "[" * 100_000, "{'a': " * 5000,
        '{"kind": "fro', "Frontier 1 or Frontier 2?", "Not Frontier 1 but Object 5",
        "Snapshot 1 and Snapshot 2, Object 5",
    ],
)  # fmt: skip
def test_what_says_nothing_or_two_things_is_a_parse_failure(text):
    with pytest.raises(ParseFailure):
        read(text)


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 20_000, ".\n" * 10_000, ("snapshot" + " " * 500) * 39, "answer" + " " * 19_000, "{'" * 10_000,
        "{a:[1," * 3000,
        ("{a:[" + "1," * 20) * 400, "{'" + "\\" * 19_000, "{//" * 6000, "{a:" + "1" * 19_000,
    ],
    ids=lambda text: repr(text[:8]),
)  # fmt: skip
def test_long_and_odd_answers_take_no_time(text):
    begun_s = time.process_time()
    with pytest.raises(ParseFailure):
        read(text)
    assert time.process_time() - begun_s < 1.5  # all ways to share a run of spaces take minutes


def test_objects_in_a_text_are_found_in_order():
    assert list(objects("a {'b': {c: [1, -2.5e1, True, None,]}} {bad} {\"d\": '}'}")) == [
        {"b": {"c": [1, -25.0, True, None]}}, {"d": "}"},
    ]  # fmt: skip


def settle(asks=False, choices=(), **members):
    return settled(read(cases.reply(**members)), cases.context(), choices, asks=asks)


def test_things_are_gone_to_and_questions_answered():
    assert settle(kind="object", object_id=7, snapshot=1, frontier=1).object_id == 7
    assert settle(kind="object", object_id=9).snapshot is None
    assert settle(kind="object", snapshot=2) == Decision("object", 5, 2, confidence=0.9, reason="seen there")
    assert settle(kind="answer", object_id=7, snapshot=1).kind == "object", "the thing is meant"
    assert settle(True, kind="object", object_id=7, snapshot=1, answer="oak").kind == "answer"
    assert settle(True, kind="answer", answer=" on\nthe\tdesk ", snapshot=1, object_id=5) == Decision(
        "answer", None, 1, answer="on the desk", confidence=0.9, reason="seen there"
    )
    assert settle(kind="frontier", frontier=3, object_id=4, snapshot=1).object_id is None
    assert settle(kind="unknown", frontier=77).kind == "unknown"


@pytest.mark.parametrize(
    "members",
    [
        {"kind": "frontier", "frontier": 4}, {"kind": "frontier", "frontier": 0}, {"kind": "object", "object_id": 3},
        {"kind": "object", "object_id": 5, "snapshot": 1}, {"kind": "object", "object_id": 5, "snapshot": 9},
        {"kind": "object", "object_id": 123456789},
    ],
)  # fmt: skip
def test_what_was_not_shown_is_refused(members):
    with pytest.raises(NotInContext):
        settle(**members)


@pytest.mark.parametrize(
    ("asks", "members"),
    [
        (False, {"kind": "frontier"}), (False, {"kind": "object"}), (False, {"kind": "object", "snapshot": 1}),
        (True, {"kind": "answer"}), (True, {"kind": "object", "object_id": 4}), (False, {"kind": "dance"}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_a_parse_failure_without_words_of_the_model(asks, members):
    with pytest.raises(ParseFailure) as caught:
        settle(asks, **members)
    assert "dance" not in str(caught.value)


def test_choices_are_meant_by_number_or_words():
    choices = ("on the desk", "in a box", "under a bed")
    for members in ({"choice": 2}, {"answer": "In a box."}, {"answer": "It is in a box"}, {"choice": "in a box"}):
        assert settle(True, choices, kind="answer", **members).answer == "in a box"
    assert settle(True, choices, kind="unknown", choice=1).answer == "on the desk"
    assert settle(True, choices, kind="unknown", answer="who knows").answer == ""
    for members in ({"choice": 4}, {"answer": "nowhere"}, {"answer": "on the desk or in a box"}):
        with pytest.raises(ParseFailure, match="numbers 1 to 3"):
            settle(True, choices, kind="answer", **members)
