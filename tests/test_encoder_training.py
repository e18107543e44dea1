"""Training of the encoder: what captions claim, what is held out, batches that repeat, runs that go on."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
import tiny_cases
import torch
from hypothesis import given
from hypothesis import strategies as st

from policies.training.encoder import captions, claims, held_out, losses, nouns
from policies.training.encoder.batches import Batches
from policies.training.encoder.claims import claim, judge
from policies.training.encoder.loop import Trainer
from policies.training.encoder.views import HouseViews
from sim.errors import InvalidSetting, UnknownName
from sim.house.thing import CATEGORIES, CATEGORY_IDS
from spatialmem.perception.tiny.words import MOST_WORDS, Vocabulary


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Two threads of torch beside another worker's two wait for each other more than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return tiny_cases.small_shards(tmp_path_factory.mktemp("views"))


def thing(category: str, colour: str = "", *, second: str = "", decor: str = "", material: str = "", room: str = "",
          support: str = "", relation: str = "") -> np.ndarray:  # fmt: skip
    row = [
        CATEGORY_IDS[category], claims.code(claims.COLOUR_NAMES, colour), claims.code(claims.COLOUR_NAMES, second),
        claims.code(claims.DECOR_NAMES, decor), claims.code(claims.MATERIAL_NAMES, material), -1,
        claims.code(claims.ROOM_NAMES, room), CATEGORY_IDS[support], claims.code(claims.RELATION_NAMES, relation),
    ]  # fmt: skip
    return np.array([row], np.int16)


@pytest.mark.parametrize(
    ("one", "words", "right"),
    [
        (thing("mug", "red"), {"noun": "mug", "colour": "red"}, 1),
        (thing("mug", "red"), {"noun": "cup", "colour": "red"}, 1),
        (thing("mug", "red"), {"noun": "mug", "colour": "blue"}, 0),
        (thing("mug", "red"), {"noun": "teacup", "colour": "red"}, 0),
        (thing("mug", "red"), {"colour": "red"}, 1),
        (thing("armchair", "red"), {"noun": "chair"}, -1),
        (thing("armchair", "red"), {"noun": "chair", "colour": "blue"}, 0),
        (thing("dining table", "light brown"), {"noun": "table", "colour": "brown"}, 1),
        (thing("dining table", "brown"), {"noun": "table", "colour": "light brown"}, -1),
        (thing("mug", "red", second="white", decor="striped"), {"noun": "mug", "colour": "white"}, -1),
        (thing("mug", "red", second="white", decor="striped"), {"noun": "mug", "decor": "dotted"}, 0),
        (thing("mug", "red", support="desk", relation="on"), {"noun": "mug", "support": "desk", "relation": "on"}, 1),
        (thing("mug", "red", support="desk", relation="on"), {"noun": "mug", "support": "table"}, -1),
        (thing("mug", "red"), {"noun": "mug", "support": "desk", "relation": "on"}, 0),
        (thing("mug", room="kitchen"), {"noun": "mug", "room": "office"}, 0),
        (thing("wall"), {"noun": "wall", "colour": "red"}, -1),
    ],
)
def test_what_is_true_of_a_thing(one, words, right):
    assert judge(one, np.array([claim(**words)], np.int16))[0, 0] == right


things = st.builds(
    lambda category, numbers: np.array([category, *numbers], np.int16),
    st.integers(1, len(CATEGORIES) - 1),
    st.tuples(
        st.integers(-1, len(claims.COLOUR_NAMES) - 1), st.just(-1), st.just(-1),
        st.integers(-1, len(claims.MATERIAL_NAMES) - 1), st.integers(-1, 1), st.integers(0, len(claims.ROOM_NAMES) - 1),
        st.integers(0, len(CATEGORIES) - 1), st.integers(0, 2),
    ),
)  # fmt: skip


@given(things, st.integers(0, 10_000))
def test_captions_are_true_of_their_thing_and_read_whole(codes, seed):
    rng = Random(seed)
    caption = captions.caption_of(codes, rng)
    assert judge(codes[None], np.array([caption.row], np.int16))[0, 0] == 1
    vocabulary = Vocabulary(captions.vocabulary(), captions.function_words())
    tokens = vocabulary.read(caption.text)
    assert tokens.unknown == ()
    assert tokens.ids
    assert "{" not in caption.text


@given(things, st.integers(0, 10_000))
def test_nearly_true_claims_differ_in_one_part(codes, seed):
    rng = Random(seed)
    row = captions.caption_of(codes, rng).row
    changed = captions.nearly_true(row, rng)
    assert sum(a != b for a, b in zip(row, changed, strict=True)) <= 1


def test_the_vocabulary_is_closed_and_small():
    words = captions.vocabulary()
    assert 300 < len(words) <= MOST_WORDS
    assert {"red", "mug", "kitchen", "wooden", "on"} <= set(words)
    assert {"the", "find", "of"} <= set(captions.function_words())
    assert not {"red", "mug", "picture"} & set(captions.function_words())


def test_every_kind_has_its_own_name():
    for category in CATEGORIES[1:]:
        assert nouns.truth()[nouns.number(category), CATEGORY_IDS[category]] == 1, category


def test_what_is_held_out_is_frozen_and_real():
    train, test = held_out.houses("train"), held_out.houses("test")
    splits = [held_out.houses(name) for name in ("train", "develop", "calibrate", "test")]
    assert not any(set(a) & set(b) for n, a in enumerate(splits) for b in splits[n + 1 :])
    assert len(train) >= 240
    assert len(test) >= 100
    assert all(c in claims.COLOUR_NAMES and k in CATEGORY_IDS for c, k in held_out.combinations())
    for kind, lines in held_out.wordings("test").items():
        assert not set(lines) & set(held_out.wordings("train")[kind]), kind
    with pytest.raises(UnknownName, match="did you mean 'test'"):
        held_out.houses("tset")


def test_a_changed_list_is_noticed(monkeypatch):
    monkeypatch.setattr(held_out, "SHA256", "0" * 64)
    held_out._split.cache_clear()
    try:
        with pytest.raises(InvalidSetting, match="frozen"):
            held_out._split()
    finally:
        monkeypatch.undo()
        held_out._split.cache_clear()


def test_held_out_combinations_are_neither_said_nor_shown(shards):
    words = Vocabulary(captions.vocabulary(), captions.function_words())
    batches = Batches(shards, words, 0, tiny_cases.BATCH)
    left_out = {tuple(c) for s in shards for c, out in zip(np.asarray(s.codes), s.out, strict=True) if out}
    for step in range(4):
        batch = batches.make(step)
        assert batch.truth.shape[0] == len(batch.region_image)
    assert left_out  # else this test shows nothing
    said = [
        captions.Caption("", claim(noun="chair", colour="green")),
        captions.Caption("", claim(noun="chair", colour="red")),
    ]
    assert [captions.is_held_out(c.row) for c in said] == [True, False]


def test_views_repeat_and_know_what_they_show():
    one, other = (next(HouseViews(1, tiny_cases.VIEWS).pairs())[0] for _ in range(2))
    np.testing.assert_array_equal(one.rgb, other.rgb)
    np.testing.assert_array_equal(one.instance_ids, other.instance_ids)
    assert one.instance_ids.max() > 0
    assert one.rgb.std() > 0


def test_batches_repeat_and_hold_together(shards):
    words = Vocabulary(captions.vocabulary(), captions.function_words())
    one, other = (Batches(shards, words, 5, tiny_cases.BATCH).make(3) for _ in range(2))
    for name in one.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (one.truth == 1).any(axis=1).mean() > 0.7  # most regions have a caption of their own
    assert (one.shares.sum(axis=1) > 0).all()
    assert (one.shares[one.patch_region, one.patch_at] > 0).all()
    assert (one.view_truth.diagonal() == 1).mean() > 0.3 if one.view_truth.shape[0] == one.view_truth.shape[1] else True
    assert not np.array_equal(one.pixels, Batches(shards, words, 5, tiny_cases.BATCH).make(4).pixels)


def test_contrast_is_small_only_for_what_is_right():
    truth = torch.tensor([[1, 0, -1], [0, 1, 0]])
    good, bad = torch.tensor([[9.0, 0.0, 9.0], [0.0, 9.0, 0.0]]), torch.tensor([[0.0, 9.0, 9.0], [9.0, 0.0, 0.0]])
    assert losses.contrast(good, truth) < 0.01
    assert losses.contrast(bad, truth) > 5.0
    doubtful = good.clone()
    doubtful[0, 2] = -50.0
    torch.testing.assert_close(losses.contrast(good, truth), losses.contrast(doubtful, truth))
    assert losses.decisions(good, truth) < losses.decisions(bad, truth)


@pytest.mark.parametrize("dense", ["regions", "none"])
def test_a_few_steps_lower_the_loss(shards, dense):
    trainer = Trainer(tiny_cases.small_config(dense=dense, steps=24), shards, "cpu")
    batch = trainer.batches.make(0)
    lost = [trainer.take(batch)["loss"] for _ in range(24)]
    assert np.mean(lost[-4:]) < 0.9 * lost[0]


def test_a_run_that_was_cut_off_goes_on_the_same(shards, tmp_path):
    config = tiny_cases.small_config(steps=6)
    whole = Trainer(config, shards, "cpu")
    assert whole.run(tmp_path / "whole", 10.0, lambda line: None)
    half = Trainer(config, shards, "cpu")
    assert not half.run(tmp_path / "half", 10.0, lambda line: None, lambda: half.step >= 3)
    again = Trainer(config, shards, "cpu")
    again.resume(tmp_path / "half")
    assert again.step == 3
    assert again.run(tmp_path / "half", 10.0, lambda line: None)
    for (name, one), other in zip(whole.model.state_dict().items(), again.model.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, msg=name)


def test_a_checkpoint_of_another_run_is_refused(shards, tmp_path):
    trainer = Trainer(tiny_cases.small_config(), shards, "cpu")
    trainer.save(tmp_path)
    with pytest.raises(InvalidSetting, match="another config"):
        Trainer(tiny_cases.small_config(seed=7), shards, "cpu").resume(tmp_path)
    trainer.step = 11
    trainer.save(tmp_path)
    with pytest.raises(InvalidSetting, match="falls already"):
        Trainer(tiny_cases.small_config(steps=20), shards, "cpu").resume(tmp_path)
    (tmp_path / "checkpoint.safetensors").write_bytes(b"\x00" * 64)
    with pytest.raises(InvalidSetting, match="start anew"):
        Trainer(tiny_cases.small_config(), shards, "cpu").resume(tmp_path)
