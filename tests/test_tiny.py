"""The encoder `tiny` with random weights: sizes, words, fingerprint, refusals; the shipped one: test_tiny_shipped."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import tiny_cases
import torch
from hypothesis import given
from hypothesis import strategies as st

from spatialmem.errors import InvalidValue
from spatialmem.perception import check_encoder, load_encoder
from spatialmem.perception.tiny.towers import ImageTower, folded, pooled
from spatialmem.perception.tiny.words import LONGEST, Vocabulary, words_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tiny_cases.random_artefact(tmp_path_factory.mktemp("tiny") / "artefact")


@pytest.fixture(scope="module")
def encoder(folder):
    return load_encoder(f"tiny:{folder}")


def test_keeps_the_contract(encoder):
    assert check_encoder(encoder, ("a red mug on the table", "elephant", "")) == []


@given(height=st.integers(1, 400), width=st.integers(1, 400))
def test_patches_are_of_eight_pixels_and_images_stay_small(encoder, height, width):
    dense = encoder.encode(np.zeros((height, width, 3), np.uint8)).dense
    h, w = dense.shape[:2]
    if height * width <= 256 * 256 and min(height, width) >= 32:
        assert abs(8 * h - height) <= 4
        assert abs(8 * w - width) <= 4
    assert min(h, w) >= 4
    assert h * w <= 32 * 32 + 4 * (h + w) or min(h, w) == 4


def test_multiples_of_eight_are_not_resampled(encoder):
    """What one patch shows reaches the tower as it is: a change of one pixel changes the answer of its patch."""
    rgb = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    before = encoder.encode(rgb).dense
    assert before.shape == (8, 12, 16)
    rgb[20, 44] = 255 - rgb[20, 44]
    assert not np.array_equal(before[2, 5], encoder.encode(rgb).dense[2, 5])


def test_a_read_only_image_will_do(encoder):
    rgb = np.zeros((40, 40, 3), np.uint8)
    rgb.flags.writeable = False
    assert encoder.encode(rgb).dense.shape == (5, 5, 16)


def test_unknown_words_are_named_and_have_no_say(encoder):
    known, more = encoder.encode_text("red mug"), encoder.encode_text("Red, zebroid MUG!")
    np.testing.assert_array_equal(known.vector, more.vector)
    assert (known.unknown_words, more.unknown_words) == ((), ("zebroid",))


@pytest.mark.parametrize("text", ["", "elephant", "the elephant", "where is it?", "qwerty uiop", "☃"])
def test_a_phrase_that_names_nothing_known_has_no_vector(encoder, text):
    assert encoder.encode_text(text).vector is None


def test_the_order_of_words_counts(encoder):
    one, other = (encoder.encode_text(t).vector for t in ("mug on the red table", "red mug on the table"))
    assert not np.allclose(one, other)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.01, 100))
def test_score_rises_with_the_cosine_alone(encoder, one, other, length):
    axes = np.eye(2, 16, dtype=np.float32)
    rows = np.array([[c, np.sqrt(1 - c * c)] for c in (one, other)], np.float32) @ axes
    low, high = encoder.score(rows * np.float32(length), axes[0])
    if abs(one - other) > 1e-3:
        assert (low < high) == (one < other)


def test_min_similarity_lies_below_the_cosine_of_a_hit(encoder):
    cosines = np.linspace(-1, 1, 201)
    rows = np.stack([cosines, np.sqrt(1 - cosines**2)], axis=1) @ np.eye(2, 16)
    hits = encoder.score(rows.astype(np.float32), np.eye(1, 16, dtype=np.float32)[0]) >= encoder.hit_score
    assert not hits.any() or cosines[hits].min() > encoder.min_similarity


def test_folding_changes_nothing():
    model = tiny_cases.random_model(3)
    plain = ImageTower(tiny_cases.SMALL, norm=False)
    plain.load_state_dict(folded(model.image))
    pixels = torch.randn(2, 3, 56, 40)
    with torch.inference_mode():
        for one, other in zip(model.image(pixels), plain.eval()(pixels), strict=True):
            torch.testing.assert_close(one, other, atol=2e-5, rtol=1e-4)


def test_a_crop_is_pooled_towards_its_middle():
    dense = torch.nn.functional.normalize(torch.randn(1, 16, 5, 5, generator=torch.Generator().manual_seed(0)), dim=1)
    image, middle = pooled(dense, torch.zeros(1, 2, 5, 5))
    assert float(middle[0] @ dense[0, :, 2, 2]) > float(image[0] @ dense[0, :, 2, 2])


def test_other_weights_or_rules_are_another_encoder(folder, encoder, tmp_path):
    other = tiny_cases.random_artefact(tmp_path / "other", seed=1)
    assert load_encoder(f"tiny:{other}").fingerprint != encoder.fingerprint
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert load_encoder(f"tiny:{copy}").fingerprint == encoder.fingerprint
    _change(copy, lambda d: d["training"].update(seconds=1e9))
    assert load_encoder(f"tiny:{copy}").fingerprint == encoder.fingerprint
    _change(copy, lambda d: d["score"].update(bias=d["score"]["bias"] + 0.5))
    assert load_encoder(f"tiny:{copy}").fingerprint != encoder.fingerprint


def _change(folder, change) -> None:
    path = folder / "tiny.json"
    described = json.loads(path.read_text())
    change(described)
    path.write_text(json.dumps(described))


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda f: (f / "tiny.json").unlink(), "expected the folder"),
        (lambda f: (f / "tiny.json").write_text("[1]"), "lacks"),
        (lambda f: (f / "weights.safetensors").write_bytes(b"\x00" * 40), "cannot read the weights"),
        (lambda f: (f / "weights.safetensors").unlink(), "cannot read the weights"),
        (lambda f: _change(f, lambda d: d.update(format=99)), "format 99"),
        (lambda f: _change(f, lambda d: d["vocabulary"].append("Two words")), "single"),
        (lambda f: _change(f, lambda d: d["vocabulary"].append("zyzzy")), "expected as many"),
        (lambda f: _change(f, lambda d: d["architecture"].update(neck=24)), "do not fit"),
        (lambda f: _change(f, lambda d: d["score"].update(scale=-1.0)), "cannot be"),
        (lambda f: _change(f, lambda d: d["preprocess"].pop("std")), "std"),
    ],
)
def test_a_damaged_folder_is_refused_in_words(folder, tmp_path, spoil, says):
    copy = shutil.copytree(folder, tmp_path / "copy")
    spoil(copy)
    with pytest.raises(InvalidValue, match=says):
        load_encoder(f"tiny:{copy}")


def test_weights_that_are_no_numbers_are_refused(folder, tmp_path):
    from safetensors.numpy import load_file, save_file

    copy = shutil.copytree(folder, tmp_path / "copy")
    tensors = load_file(copy / "weights.safetensors")
    tensors["image.head.bias"] = np.full_like(tensors["image.head.bias"], np.nan)
    save_file(tensors, copy / "weights.safetensors")
    with pytest.raises(InvalidValue, match="image.head.bias"):
        load_encoder(f"tiny:{copy}")


@given(st.text(max_size=80))
def test_any_text_can_be_read(text):
    tokens = Vocabulary(("chair", "red", "the"), ("the",)).read(text)
    assert len(tokens.ids) <= LONGEST
    assert set(tokens.ids) <= {1, 2, 3}
    assert set(tokens.unknown) <= set(words_of(text))


def test_plurals_and_spellings_are_read():
    vocabulary = Vocabulary(("a", "chair", "colour", "dish", "grey", "knife"), ("a",))
    assert vocabulary.read("Gray chairs").ids == vocabulary.read("grey chair").ids
    assert vocabulary.read("knives, dishes") == vocabulary.read("knife dish")
    assert vocabulary.read("an color").ids == vocabulary.read("a colour").ids
    assert vocabulary.read("please bring the chair").unknown == ("the",)


def test_long_phrases_name_what_was_not_read():
    vocabulary = Vocabulary(("chair", "red"), ())
    tokens = vocabulary.read(" ".join(["chair"] * LONGEST + ["red"]))
    assert (len(tokens.ids), tokens.unknown) == (LONGEST, ("red",))
