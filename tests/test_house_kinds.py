"""Kinds of furniture and things: what they are made of, where they go, that they can be told apart."""

from __future__ import annotations

import numpy as np
import pytest

from sim.house import CATEGORIES
from sim.house.category import Category, Look, make
from sim.house.layout.populate import PER_REGION
from sim.house.layout.recipes import RECIPES
from sim.house.materials import COLOURS, DECORS, SUBSTANCES, WOODS
from sim.house.shapes.furniture_table import KINDS
from sim.house.shapes.object_table import THINGS

ALL = (*KINDS, *THINGS)


def names(category: Category) -> str:
    return category.name


def test_there_are_enough_kinds_with_names_of_their_own():
    assert len(KINDS) >= 40
    assert len(THINGS) >= 60
    assert len(set(CATEGORIES)) == len(CATEGORIES)
    assert CATEGORIES[0] == ""


@pytest.mark.parametrize("category", ALL, ids=names)
def test_a_kind_is_built_as_large_as_asked_standing_on_its_ground(category):
    made = make(category, np.random.default_rng(7))
    low, high = made.shape.box_m
    assert abs(low[2]) < 0.11  # radiators hang a little above it
    assert np.all(high - low > 0.3 * np.asarray(made.size_m) - 0.01)
    assert np.all(high - low < np.asarray(made.size_m) + (0.2, 0.2, 0.6))  # taps, boards and handles stand out
    assert made.look.colour in COLOURS or made.look.colour in WOODS


@pytest.mark.parametrize("category", ALL, ids=names)
def test_normals_follow_the_faces_and_indices_are_sound(category):
    shape = make(category, np.random.default_rng(3)).shape
    assert shape.faces.min() >= 0
    assert shape.faces.max() < len(shape.vertices_m)
    assert set(np.unique(shape.face_material)) == set(range(len(shape.materials)))
    corners = shape.vertices_m[shape.faces].astype(np.float64)
    flat = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(flat, axis=1)
    agree = (flat * shape.normals[shape.faces].mean(axis=1)).sum(axis=1) > 0.0
    assert area[agree].sum() > 0.98 * area.sum()
    np.testing.assert_allclose(np.linalg.norm(shape.normals, axis=1), 1.0, atol=1e-3)


def test_the_same_draw_gives_the_same_thing_and_another_one_another():
    mug = next(c for c in THINGS if c.name == "mug")
    a, b, c = (make(mug, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(a.shape.vertices_m, b.shape.vertices_m)
    assert a.look == b.look
    assert not np.array_equal(a.shape.vertices_m, c.shape.vertices_m)


def test_every_region_has_a_filling_and_every_place_exists():
    regions = {r.kind for c in ALL for r in make(c, np.random.default_rng(0)).shape.regions}
    assert regions <= set(PER_REGION)
    for category in THINGS:
        assert category.places, category.name
        assert set(category.places) <= set(PER_REGION) | {"floor"}, category.name
        assert set(category.rooms) <= set(RECIPES), category.name


def test_regions_lie_within_their_furniture():
    for category in ALL:
        shape = make(category, np.random.default_rng(5)).shape
        low, high = shape.box_m
        for r in shape.regions:
            assert low[0] - 0.01 <= r.x_m - r.width_m / 2, (category.name, r)
            assert r.x_m + r.width_m / 2 <= high[0] + 0.01, (category.name, r)
            assert low[1] - 0.01 <= r.y_m - r.depth_m / 2, (category.name, r)
            assert r.y_m + r.depth_m / 2 <= high[1] + 0.01, (category.name, r)
            assert -0.01 <= r.z_m <= high[2] + 0.03, (category.name, r)


def test_a_look_reads_as_a_phrase():
    assert Look("red", "ceramic", size="small").phrase("mug") == "small red ceramic mug"
    look = Look("red", "ceramic", "striped", "white", "large")
    assert look.phrase("mug") == "large red and white striped ceramic mug"


def test_colours_lie_apart():
    rgb = np.array(list(COLOURS.values()))
    apart = np.linalg.norm(rgb[:, None] - rgb[None], axis=2)[np.triu_indices(len(rgb), 1)]
    assert apart.min() > 0.2
    assert len(SUBSTANCES) >= 10
    assert len(DECORS) >= 3
