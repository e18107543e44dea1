"""Candidates whose score, each for itself, is too low are left out before regions are made."""

from __future__ import annotations

import memory_helpers as mh
import numpy as np
import pytest
import synthetic as room

from spatialmem.answering import _not_searched
from spatialmem.retrieval import sifting
from spatialmem.voxels.search import Filter

LAP = 8


@pytest.fixture(scope="module")
def found():
    """All surface voxels of a room that are at least a little red."""
    with mh.create(None, [room.room_frame(i, LAP) for i in range(LAP)]) as memory, memory._reading() as epoch:
        red = memory.encoder.encode_text("red").vector
        candidates = epoch.surface.search(red, 0.3, Filter())
        assert len(candidates) > 300
        yield candidates, lambda features: np.clip(features @ red, 0, 1) ** 2


def test_those_that_stay_are_those_that_score(found):
    candidates, score = found
    places = candidates.places()
    scores = score(candidates.features(candidates.rows(places)))
    for least in (0.2, 0.6, 0.9, 2.0):
        kept = sifting.sifted(candidates, score, least)
        np.testing.assert_array_equal(_voxels(kept), candidates.voxels(places[scores >= least]))
        assert kept.scanned == candidates.scanned and kept.voxel_bits.any(axis=1).all()
    assert len(kept) == len(sifting.sifted(kept, score, 0.0)) == 0  # of none, none is left


def test_of_too_many_the_most_similar_are_scored(found, monkeypatch):
    candidates, score = found
    monkeypatch.setattr(sifting, "MOST", 100)
    monkeypatch.setattr(sifting, "_AT_ONCE", 33)
    kept = sifting.sifted(candidates, lambda features: np.ones(len(features), np.float32), 0.5)
    places = candidates.places()
    best = np.sort(candidates.similarity(candidates.rows(places)))[-100:]
    assert len(kept) == 100 and kept.unscored == len(places) - 100
    assert f"{kept.unscored} surface voxels" in _not_searched(kept) and _not_searched(candidates) == ""
    np.testing.assert_array_equal(np.sort(kept.similarity(kept.rows(kept.places()))), best)


def _voxels(candidates) -> np.ndarray:
    return candidates.voxels(candidates.places())
