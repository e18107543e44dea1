"""Scripted days: residents live in a house, things move, and a log says who did what, from where, to where and when."""

from __future__ import annotations

from sim.house.days.asking import Change, changes, truth_at
from sim.house.days.clock import said, stamp_of
from sim.house.days.deed import DaysConfig, Deed, Place, Script, Verb
from sim.house.days.faults import faults
from sim.house.days.files import read_script, write_script
from sim.house.days.making import make_script
from sim.house.days.play import Play
from sim.house.days.words import deed_in_words, place_in_words
from sim.house.doors import Door, doors_of, shut_now

__all__ = [
    "Change",
    "DaysConfig",
    "Deed",
    "Door",
    "Place",
    "Play",
    "Script",
    "Verb",
    "changes",
    "deed_in_words",
    "doors_of",
    "faults",
    "make_script",
    "place_in_words",
    "read_script",
    "said",
    "shut_now",
    "stamp_of",
    "truth_at",
    "write_script",
]
