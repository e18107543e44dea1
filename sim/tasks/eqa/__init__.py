"""Embodied question answering in OpenEQA's seven categories: questions with programmatic truth, for every world."""

from __future__ import annotations

from sim.tasks.eqa.asking import CATEGORIES, KINDS, Asking, ask
from sim.tasks.eqa.scoring import AnswerScorer, llm_match, path_share
from sim.tasks.eqa.task import EqaChoiceTask, EqaTask
from sim.tasks.eqa.tour import History, history

__all__ = [
    "CATEGORIES",
    "KINDS",
    "AnswerScorer",
    "Asking",
    "EqaChoiceTask",
    "EqaTask",
    "History",
    "ask",
    "history",
    "llm_match",
    "path_share",
]
