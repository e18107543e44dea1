"""When an answer is right, and what it scores."""

from __future__ import annotations

import math

import pytest
from eqa_cases import Marks
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import InvalidSetting
from sim.tasks.eqa import llm_match, path_share
from sim.tasks.eqa.matching import matches, normalised
from sim.tasks.eqa.scoring import marked


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("Yes.", "yes"), ("  YES ", "yes"), ("three", "3"), ("3", "three"), ("It's a red mug", "red mug"),
        ("It is on the desk.", "on the desk"), ("the desk", "on a desk"), ("gray", "grey"), ("There are two", "2"),
        ("kids’ room", "kids' room"), ("TV-stand", "tv stand"), ("none", "0"), ("I think it is blue", "blue"),
    ],
)  # fmt: skip
def test_what_means_the_same_in_other_letters_is_right(given, right):
    assert matches(given, (right,))


@pytest.mark.parametrize(
    ("given", "right"),
    [
        ("", "yes"), ("the", "yes"), ("no", "yes"), ("red", "blue"), ("under the desk", "on the desk"),
        ("yes and no", "yes"), ("13", "3"), ("desk lamp", "desk"), ("not red", "red"), ("", ""),
    ],
)  # fmt: skip
def test_what_means_something_else_is_wrong(given, right):
    assert not matches(given, (right,))


@given(st.text(max_size=40))
def test_any_text_has_a_normal_form(text):
    assert normalised(text) == normalised(text.upper().lower()) or not text.isascii()
    assert not set(normalised(text)) & set(".,;:!?")


words = st.lists(st.sampled_from("red blue mug desk kitchen lamp two small old wood".split()), min_size=1, max_size=4)


@given(words, st.sampled_from(("{}", "The {}", "  {}.", "{}!", "It is {}", "it's the {}", "on the {}")))
def test_an_answer_is_right_however_it_is_dressed(chosen, dress):
    answer = " ".join(chosen)
    assert matches(dress.format(answer), (answer,)) and matches(answer.upper(), ("something", answer))


@given(words, words)
def test_answers_match_when_their_words_do(a, b):
    assert matches(" ".join(a), (" ".join(b),)) == (a == b)


# OpenEQA's scale


@pytest.mark.parametrize(("mark", "score"), [(1, 0.0), (2, 0.25), (3, 0.5), (5, 1.0), (0, 0.0), (9, 1.0)])
def test_marks_become_shares(mark, score):
    assert llm_match(mark) == score


@pytest.mark.parametrize("mark", [2.5, "5", True, None])
def test_what_is_no_mark_is_refused(mark):
    with pytest.raises(InvalidSetting, match="whole number from 1 to 5"):
        llm_match(mark)


def test_a_scorer_is_shown_the_answer_up_to_its_last_full_stop():
    scorer = Marks(4)
    assert marked(scorer, "What colour?", ("red", "crimson"), "It is red. And by the way") == 0.75
    assert marked(scorer, "What colour?", ("red",), "red") == 0.75
    assert scorer.asked == [("What colour?", "red", "It is red.", ("crimson",)), ("What colour?", "red", "red", ())]


def test_no_answer_is_never_marked():
    scorer = Marks(5)
    assert marked(scorer, "What colour?", ("red",), "") == 0.0 and not scorer.asked


# efficiency: l / max(l, p)


@pytest.mark.parametrize(
    ("gone", "shortest", "share"),
    [(4.0, 4.0, 1.0), (8.0, 4.0, 0.5), (2.0, 4.0, 1.0), (0.0, 0.0, 1.0), (3.0, 0.0, 0.0), (1.0, math.inf, 0.0)],
)
def test_ways_longer_than_the_shortest_cost(gone, shortest, share):
    assert path_share(gone, shortest) == share


@given(st.floats(0, 1e3), st.floats(0, 1e3))
def test_shares_lie_between_nothing_and_all(gone, shortest):
    assert 0.0 <= path_share(gone, shortest) <= 1.0
