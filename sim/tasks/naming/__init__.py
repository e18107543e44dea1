"""Which phrases are true of which things of a house, and which name nothing in it: for fitting and judging what a
score says. The houses are held out of all training (`frozen`)."""

from __future__ import annotations

from sim.tasks.naming.frozen import SPLIT_SHA256, houses
from sim.tasks.naming.phrases import Named, named_things
from sim.tasks.naming.words import colours_of, unclear_colours_of

__all__ = ["SPLIT_SHA256", "Named", "colours_of", "houses", "named_things", "unclear_colours_of"]
