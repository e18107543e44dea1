"""What can be said of things beside their names: colour, by the memory's encoder, and where they are by others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from spatialmem.perception import Encoder
from spatialmem.relations import Where, where_of
from spatialmem.things import MapObject
from spatialmem.types import Presence

COLOURS = ("red", "orange", "yellow", "green", "turquoise", "blue", "purple", "pink", "brown", "beige", "white", "grey",
           "black")  # fmt: skip
"""words that things are asked about"""
_LEAST, _AHEAD = 0.2, 1.3
"""score from which a colour is one at all, and by how many times it must be above the next to be the colour"""


@dataclass(frozen=True, eq=False)
class Told:
    """Of one thing."""

    colours: Mapping[str, float] = field(default_factory=dict)
    """score by colour word, 0 to 1, the best first; empty where the encoder cannot tell"""
    where: Where = field(default_factory=Where)

    @property
    def colour(self) -> str:
        """The colour, where one is clearly ahead; else empty."""
        best = list(self.colours.items())[:2]
        if not best or best[0][1] < _LEAST or (len(best) > 1 and best[0][1] < _AHEAD * best[1][1]):
            return ""
        return best[0][0]


def told_of(encoder: Encoder, things: Sequence[MapObject], upright: bool) -> dict[int, Told]:
    """By object_id. `upright`: whether the map's z axis points up; else nothing is on or under anything."""
    colours = colours_of(encoder, things)
    there = [thing for thing in things if thing.presence is not Presence.GONE]
    where = {thing.object_id: where_of(thing, there) for thing in there} if upright else {}
    return {o.object_id: Told(colours.get(o.object_id, {}), where.get(o.object_id, Where())) for o in things}


def colours_of(encoder: Encoder, things: Sequence[MapObject]) -> dict[int, dict[str, float]]:
    """Scores of colour words by object_id, for things with a feature; the best first."""
    features = {o.object_id: o.feature for o in things if o.feature is not None}
    queries = [(word, encoder.encode_text(word)) for word in COLOURS]
    known = [(word, query.vector) for word, query in queries if query.vector is not None and not query.unknown_words]
    if not features or not known:
        return {}
    rows = np.array(list(features.values()), np.float32)
    table = np.stack([np.asarray(encoder.score(rows, vector), np.float64) for _, vector in known], axis=1)
    words = [word for word, _ in known]
    return {
        n: {words[i]: float(row[i]) for i in np.argsort(-row, kind="stable")}
        for n, row in zip(features, table, strict=True)
    }
