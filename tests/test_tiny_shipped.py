"""What the encoder that ships can do in a held-out house. Bounds lie well below its figures."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import region_cases
from policies.training.encoder import claims, held_out
from policies.training.encoder.loop import TrainConfig
from spatialmem.perception import load_encoder
from spatialmem.perception.tiny.artefact import CARD, shipped_folder
from spatialmem.perception.tiny.words import MOST_WORDS


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("tiny")


@pytest.fixture(scope="module")
def house():
    return region_cases.make(held_out.houses("test")[1], (4, 6, 8))


@pytest.fixture(scope="module")
def features(encoder, house):
    return region_cases.region_features(encoder, house)


def test_it_is_small_and_says_what_it_is(encoder):
    folder = shipped_folder()
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 8_000_000
    assert (folder / CARD).stat().st_size > 1000
    assert len(encoder.words) <= MOST_WORDS
    assert (encoder.name, encoder.dim) == ("tiny", 64)


def test_features_are_the_same_to_the_last_bit_at_one_and_two_threads_and_torch_keeps_its_own(encoder, house):
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            seen = encoder.encode(house.views[0].rgb)
            found.append(
                (seen.dense.tobytes(), seen.vector.tobytes(), encoder.encode_crop(house.views[1].rgb).tobytes())
            )
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


def test_it_was_trained_without_what_is_held_out():
    import json

    described = json.loads((shipped_folder() / "tiny.json").read_text())
    assert described["training"]["held_out"] == held_out.SHA256
    assert described["training"]["houses"] <= len(held_out.houses("train"))
    made = TrainConfig(seed=0).values()
    del made["architecture"]["words"], described["training"]["config"]["architecture"]["words"]
    assert described["training"]["config"] == made, "`spatialmem train encoder` would make others"
    assert described["training"]["step"] == made["steps"]


def test_words_find_regions_far_better_than_chance(encoder, house, features):
    found = region_cases.by_text(encoder, house, features)
    for kind, least in (("category", 0.35), ("colour and category", 0.45), ("colour", 0.75)):
        recall, _, chance = np.mean(found[kind], axis=0)
        assert recall > least, kind
        assert recall > 4 * chance, kind


def test_a_colour_is_told_from_another_on_the_same_kind(encoder, house, features):
    """Of two things of a kind in different colours, the words of one fit its regions better than the other's."""
    right = []
    for category in np.unique(house.codes[house.asked, claims.NOUN]):
        mine = house.codes[:, claims.NOUN] == category
        colours = [c for c in np.unique(house.codes[mine, claims.COLOUR]) if c in range(len(claims.COLOUR_NAMES))]
        for one in colours:
            for other in (c for c in colours if c != one):
                row = list(region_cases.claims_of(house.codes[mine][0], "colour"))
                row[claims.COLOUR] = int(one)
                vector = encoder.encode_text(region_cases.plain_text(tuple(row))).vector
                means = [(features[mine & (house.codes[:, claims.COLOUR] == c)] @ vector).mean() for c in (one, other)]
                right.append(means[0] > means[1])
    assert len(right) >= 10
    assert np.mean(right) > 0.65


def test_a_picture_finds_its_thing_from_elsewhere(encoder, house, features):
    found = region_cases.by_image(encoder, house, features)["all things"]
    recall, _, chance = np.mean(found, axis=0)
    assert recall > 0.45
    assert recall > 4 * chance


def test_a_red_wall_of_pixels_is_nearer_to_red_than_to_blue(encoder):
    """Even where there is nothing to recognise, colour words mean colours."""
    scores = {}
    for colour, rgb in (("red", (180, 30, 30)), ("blue", (30, 60, 170))):
        dense = encoder.encode(np.full((64, 64, 3), rgb, np.uint8)).dense[2:6, 2:6].reshape(-1, 64)
        scores[colour] = {
            word: float((dense @ encoder.encode_text(f"{word} thing").vector).mean()) for word in ("red", "blue")
        }
    assert scores["red"]["red"] > scores["red"]["blue"]
    assert scores["blue"]["blue"] > scores["blue"]["red"]
