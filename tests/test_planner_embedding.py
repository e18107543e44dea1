"""The planner that goes by scores: what it goes to, and when it goes on looking."""

from __future__ import annotations

import numpy as np
import pytest

from policies.planner.embedding import EmbeddingPlanner, noun_of
from policies.planner.making import planner_of
from policies.planner.planner import checked
from sim.errors import InvalidSetting, UnknownName
from spatialmem.retrieval.context import Context, FrontierView, ShownObject
from spatialmem.types import Presence


def thing(number: int, name: str, score: float, presence: Presence = Presence.PRESENT, x: float = 0.0) -> ShownObject:
    return ShownObject(number, name, score, presence, np.array([x, 0.0, 0.5]), np.full(3, 0.3), None)


def edge(mark: int, score: float, width_m: float) -> FrontierView:
    return FrontierView(mark, np.zeros(3), 0.0, width_m, 0, None, "none", score)


def context(question: str, things=(), edges=(), picture: bool = False) -> Context:
    goal = np.zeros((8, 8, 3), np.uint8) if picture else None
    return Context(question, goal, (), tuple(edges), None, None, tuple(things), "", 0, np.eye(4))


@pytest.fixture
def planner():
    with EmbeddingPlanner() as planner:
        planner.reset()
        yield planner


@pytest.mark.parametrize(
    ("phrase", "noun"),
    [
        ("mug", "mug"), ("round rug", "round rug"), ("pink metal laptop", "laptop"), ("a TV stand", "tv stand"),
        ("white glass jar on the wall shelf in the office", "jar"), ("something red", ""), ("", ""),
    ],
)  # fmt: skip
def test_the_noun_of_a_phrase_is_what_is_asked_for_not_where_it_is(phrase, noun):
    assert noun_of(phrase, set()) == noun


def test_a_name_that_nobody_wrote_down_counts_when_something_there_has_it():
    assert noun_of("the blue gizmo", {"gizmo"}) == "gizmo"


def test_it_goes_to_a_thing_of_the_name_and_not_to_one_that_scores_better(planner):
    shown = context("round rug", [thing(1, "rug", 0.9), thing(2, "round rug", 0.1)], [edge(1, 0.0, 1.0)])
    decision = checked(planner.decide(shown, asks=False), shown)
    assert (decision.kind, decision.object_id) == ("object", 2)


def test_what_says_more_than_a_name_needs_a_thing_that_answers_more(planner):
    shown = context("white glass jar", [thing(1, "jar", 0.05)], [edge(1, 0.0, 1.0)])
    assert planner.decide(shown, asks=False).kind == "frontier"
    shown = context("white glass jar", [thing(1, "jar", 0.05), thing(2, "jar", 0.6)], [edge(1, 0.0, 1.0)])
    assert planner.decide(shown, asks=False).object_id == 2


def test_of_two_that_answer_as_well_it_takes_the_nearer_one(planner):
    shown = context("mug", [thing(1, "mug", 0.5, x=6.0), thing(2, "mug", 0.5, x=1.0)])
    assert planner.decide(shown, asks=False).object_id == 2


def test_what_is_gone_is_never_gone_to_and_what_is_doubted_less(planner):
    shown = context("mug", [thing(1, "mug", 0.9, Presence.GONE)], [edge(1, 0.0, 1.0)])
    assert planner.decide(shown, asks=False).kind == "frontier"
    shown = context("mug", [thing(1, "mug", 0.9, Presence.DOUBTED), thing(2, "mug", 0.8)])
    assert planner.decide(shown, asks=False).object_id == 2


def test_it_looks_where_a_picture_promises_most_then_where_the_edge_is_widest(planner):
    shown = context("mug", [], [edge(1, 0.1, 3.0), edge(2, 0.4, 0.5), edge(3, 0.4, 0.8)])
    assert checked(planner.decide(shown, asks=False), shown).frontier == 3


def test_when_all_was_looked_at_the_best_thing_has_to_do_and_without_one_it_does_not_know(planner):
    assert planner.decide(context("mug", [thing(4, "bowl", 0.1)]), asks=False).object_id == 4
    assert planner.decide(context("mug"), asks=False).kind == "unknown"


def test_a_picture_is_found_by_likeness_alone(planner):
    shown = context("", [thing(1, "mug", 0.8), thing(2, "bowl", 0.9)], [edge(1, 0.0, 1.0)], picture=True)
    assert planner.decide(shown, asks=False).object_id == 2
    shown = context("", [thing(1, "mug", 0.8)], [edge(1, 0.0, 1.0)], picture=True)
    assert planner.decide(shown, asks=False).kind == "frontier"


def test_planners_by_name():
    assert isinstance(planner_of("embedding", {"enough": 0.4}), EmbeddingPlanner)
    assert isinstance(planner_of("policies.planner.embedding:EmbeddingPlanner", {}), EmbeddingPlanner)
    with pytest.raises(UnknownName, match="embedding"):
        planner_of("embeding", {})
    with pytest.raises(InvalidSetting, match="enough"):
        planner_of("embedding", {"enough": 2.0})
    with pytest.raises(InvalidSetting, match="cannot be made"):
        planner_of("embedding", {"clever": True})
    with pytest.raises(InvalidSetting, match="Planner"):
        planner_of("pathlib:Path", {})


def test_a_thing_that_is_good_enough_is_taken_though_one_that_is_not_is_nearer(planner):
    shown = context("mug", [thing(1, "", 0.4), thing(2, "mug", 0.1, x=12.0)], [edge(1, 0.0, 1.0)])
    assert planner.decide(shown, asks=False).object_id == 2


def test_articles_say_nothing_more(planner):
    shown = context("a mug", [thing(1, "mug", 0.0)], [edge(1, 0.0, 1.0)])
    assert planner.decide(shown, asks=False).kind == "object"
