"""The agent that remembers, in the world of two rooms: it finds things, and its memory is worth something."""

from __future__ import annotations

from pathlib import Path

import pytest
from agent_cases import made, played
from grid_world import GridWorld

from policies.agents.explorer import Explorer
from policies.planner.embedding import EmbeddingPlanner
from policies.planner.errors import PlannerDown
from policies.planner.planner import Decision, Planner
from sim.errors import InvalidSetting, UnknownName
from sim.tasks.registry import task
from spatialmem.retrieval.context import Context

TRUE = {"segmenter": "ids", "encoder": "colours"}


class Down(Planner):
    """Never answers."""

    def decide(self, context: Context, *, choices: tuple[str, ...] = (), asks: bool) -> Decision:
        raise PlannerDown("nobody is there")

    def reset(self) -> None:
        pass

    def identity(self) -> dict[str, str]:
        return {}


class Seeing(Planner):
    """Decides by scores, and looks whether it was shown pictures."""

    shown: list[Context] = []

    def __init__(self) -> None:
        self._scores = EmbeddingPlanner()

    @property
    def sees(self) -> bool:
        return True

    def decide(self, context: Context, *, choices: tuple[str, ...] = (), asks: bool) -> Decision:
        Seeing.shown.append(context)
        return self._scores.decide(context, asks=asks)

    def reset(self) -> None:
        Seeing.shown.clear()

    def identity(self) -> dict[str, str]:
        return self._scores.identity()


def episodes(kind: str, count: int, **settings):
    world, chosen = GridWorld(), task(kind, width=64, height=64, hfov_deg=90.0, **settings)
    return chosen, world, chosen.episodes(world, "train", 3, count)


def test_it_finds_things_of_a_category():
    chosen, world, all_of_them = episodes("objectnav-v1", 4, max_steps=250)
    agent = made("explorer", **TRUE)
    found = [played(agent, chosen, world, e)[1].result().metrics["success"] for e in all_of_them]
    agent.close()
    assert sum(found) >= 3


def test_what_it_has_seen_on_the_way_to_one_goal_helps_with_the_next():
    chosen, world, all_of_them = episodes("goat-v1", 2, max_steps=200)
    steps = {}
    for forgets in (False, True):
        agent = made("explorer", forgets=forgets, **TRUE)
        trials = [played(agent, chosen, world, e)[1] for e in all_of_them]
        steps[forgets] = sum(t.result().metrics["num_steps"] for t in trials)
        agent.close()
    assert steps[False] < 0.9 * steps[True]


def test_it_goes_on_when_its_planner_is_down():
    chosen, world, (episode,) = episodes("objectnav-v1", 1, max_steps=60)
    agent = Explorer(planner="test_explorer:Down", **TRUE)
    actions, trial = played(agent, chosen, world, episode)
    agent.close()
    assert trial.over and len(set(actions)) > 1


def test_a_planner_that_sees_is_shown_pictures_and_no_file_is_left():
    chosen, world, (episode,) = episodes("objectnav-v1", 1, max_steps=120)
    agent = Explorer(planner="test_explorer:Seeing", **TRUE)
    played(agent, chosen, world, episode)
    path = agent._mind.memory.path
    assert path is not None and path.exists()
    views = [view for context in Seeing.shown for view in context.snapshots]
    assert views and all(view.rgb.shape == (64, 64, 3) for view in views)
    assert all(context.view_rgb is not None and context.map_rgb is not None for context in Seeing.shown[1:])
    agent.close()
    assert not Path(path).parent.exists()


@pytest.mark.parametrize("settings", [{"near_m": 0.0}, {"planner": "nobody"}, {"planner_settings": {"enough": 7}}])
def test_settings_that_are_none_are_refused(settings):
    with pytest.raises((InvalidSetting, UnknownName)):
        Explorer(**settings)


def test_masks_of_the_simulator_need_the_scene():
    chosen, world, (episode,) = episodes("objectnav-v1", 1, max_steps=20)
    agent = Explorer(**TRUE)
    assert agent.privileged and not Explorer(encoder="colours").privileged
    agent.privileged = False
    with pytest.raises(InvalidSetting, match="allow"):
        played(agent, chosen, world, episode)
    agent.close()
