"""The segmenter `owl` on small checkpoints with random weights: loading, boxes, masks, and what is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import segmenter_cases
from hypothesis import given
from hypothesis import strategies as st

from spatialmem.errors import InvalidValue, MissingDependency
from spatialmem.perception import load_segmenter
from spatialmem.perception.owl import images
from spatialmem.perception.owl.names import HOUSEHOLD, names_of
from spatialmem.perception.owl.source import parse_source

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("owl")
    segmenter_cases.owl_spec(place)
    return place


@pytest.fixture(scope="module")
def owl(folder):
    return load_segmenter(f"owl:{folder / 'owl'},{folder / 'sam'},names={folder / 'names.txt'}")


def copied(folder: Path, place: Path) -> Path:
    return Path(shutil.copytree(folder, place / "copy"))


def spec_of(folder: Path) -> str:
    return f"owl:{folder / 'owl'},{folder / 'sam'},names={folder / 'names.txt'}"


def test_masks_are_named_and_scored(owl):
    found = owl.segment(segmenter_cases.room(), None)
    assert found
    assert {d.label for d in found} <= {"mug", "red chair", "box"}
    assert all(0.0 <= d.score <= 1.0 for d in found)


def test_boxes_are_those_of_the_whole_model(owl, folder):
    """The names are encoded once; the boxes are nevertheless those of the model asked in one go."""
    import torch

    frame = segmenter_cases.room()
    boxes, labels, scores = owl._boxes(frame.rgb)
    pixels = images.padded(frame.rgb, 64, images.look_of(str(folder / "owl"), images.CLIP))
    tokens = torch.from_numpy(owl._tokens)
    with torch.inference_mode():
        given = owl._owl(pixel_values=pixels, input_ids=tokens, attention_mask=_mask_of(tokens))
    best, names = torch.sigmoid(given.logits[0]).max(dim=-1)
    corners = images.corners(given.pred_boxes[0].numpy()) * 160.0
    corners = np.clip(corners, 0.0, np.array([160, 120, 160, 120]))
    kept = images.apart(corners, best.numpy(), 0.2, 0.6, 60)
    np.testing.assert_allclose(boxes, corners[kept], atol=1e-3)
    np.testing.assert_allclose(scores, best.numpy()[kept], atol=1e-5)
    assert labels == names.numpy()[kept].tolist()


def _mask_of(tokens):
    """Up to the end of the text, the first 2."""
    import torch

    last = (tokens == 2).int().argmax(dim=1)
    return (torch.arange(tokens.shape[1])[None] <= last[:, None]).long()


def test_rgb_alone_is_enough(owl):
    from dataclasses import replace

    frame = segmenter_cases.room()
    one, other = owl.segment(frame, None), owl.segment(replace(frame, depth_m=None), None)
    assert [d.label for d in one] == [d.label for d in other]


def test_the_household_names_are_usual(folder):
    member = load_segmenter(f"owl:{folder / 'owl'},{folder / 'sam'}")
    assert member._names == HOUSEHOLD
    assert len(HOUSEHOLD) == len(set(HOUSEHOLD)) > 100


def test_the_fingerprint_covers_names_weights_and_look(owl, folder, tmp_path):
    from safetensors.torch import load_file, save_file

    found = {owl.fingerprint}
    other = copied(folder, tmp_path)
    (other / "names.txt").write_text("mug\n")
    found.add(load_segmenter(spec_of(other)).fingerprint)
    shutil.copy(folder / "names.txt", other / "names.txt")
    look = {"image_mean": [0.4, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}
    (other / "owl" / "preprocessor_config.json").write_text(json.dumps(look))
    found.add(load_segmenter(spec_of(other)).fingerprint)
    shutil.copy(folder / "owl" / "preprocessor_config.json", other / "owl" / "preprocessor_config.json")
    weights = load_file(other / "sam" / "model.safetensors")
    name = sorted(weights)[0]
    weights[name] = weights[name] + 0.01
    save_file(weights, other / "sam" / "model.safetensors", metadata={"format": "pt"})
    found.add(load_segmenter(spec_of(other)).fingerprint)
    assert len(found) == 4


# what is refused


@pytest.mark.parametrize("rest", ["", "one", "a/b,", "a/b,c/d,e/f", "a/b,c/d,names=x,names=y"])
def test_two_checkpoints_are_needed(rest):
    with pytest.raises(InvalidValue, match="two checkpoints"):
        parse_source(rest)


@pytest.mark.parametrize("place", ["/nowhere/at/all", "./near", "~/models", "plain", "a/b/c"])
def test_a_path_that_is_not_there_is_not_taken_for_a_hub_name(place):
    with pytest.raises(InvalidValue, match="no folder at"):
        parse_source(f"{place},facebook/sam2.1-hiera-tiny")


def test_names_of_the_hub_are_taken_as_they_are():
    source = parse_source("google/owlv2-base-patch16-ensemble, facebook/sam2.1-hiera-tiny")
    assert (source.owl, source.sam) == ("google/owlv2-base-patch16-ensemble", "facebook/sam2.1-hiera-tiny")


def test_a_folder_without_checkpoint_is_refused(folder, tmp_path):
    with pytest.raises(InvalidValue, match="config.json"):
        load_segmenter(f"owl:{tmp_path},{folder / 'sam'}")


def test_damaged_weights_are_refused(folder, tmp_path):
    other = copied(folder, tmp_path)
    weights = other / "owl" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:500])
    with pytest.raises(InvalidValue, match="is it whole"):
        load_segmenter(spec_of(other))


def test_weights_that_are_no_numbers_are_refused(folder, tmp_path):
    from safetensors.torch import load_file, save_file

    other = copied(folder, tmp_path)
    weights = load_file(other / "sam" / "model.safetensors")
    name = sorted(weights)[0]
    weights[name].view(-1)[0] = float("nan")
    save_file(weights, other / "sam" / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InvalidValue, match="NaN"):
        load_segmenter(spec_of(other))


def test_the_checkpoints_the_wrong_way_round_are_refused(folder):
    with pytest.raises(InvalidValue, match="in order"):
        load_segmenter(f"owl:{folder / 'sam'},{folder / 'owl'}")


@pytest.mark.parametrize("text", ["", "# nothing\n\n"])
def test_empty_lists_of_names_are_refused(tmp_path, text):
    (tmp_path / "names.txt").write_text(text)
    with pytest.raises(InvalidValue, match="0 names"):
        names_of(tmp_path / "names.txt")
    with pytest.raises(InvalidValue, match="cannot read"):
        names_of(tmp_path / "other.txt")


def test_names_lose_comments_and_repeats(tmp_path):
    (tmp_path / "names.txt").write_text("mug # of mine\n\n  red   chair\nmug\n")
    assert names_of(tmp_path / "names.txt") == ("mug", "red chair")


def test_without_transformers_the_command_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependency, match=r"pip install 'spatialmem\[owl\]'"):
        load_segmenter(spec_of(folder))


def test_without_torchvision_it_works(folder):
    """In a process of its own: what is imported stays so."""
    code = (
        "import sys; sys.modules['torchvision'] = None\n"
        "import numpy as np\n"
        "from spatialmem.perception import load_segmenter\n"
        "from spatialmem.types import Camera, Frame\n"
        "frame = Frame(np.zeros((48, 64, 3), np.uint8), None, Camera.from_hfov(70, 64, 48), None, 1)\n"
        f"print(len(load_segmenter({spec_of(folder)!r}).segment(frame, None)) >= 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "True", done.stderr


# boxes and images


@given(st.integers(0, 10**6))
def test_boxes_that_are_kept_are_apart(seed):
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 50, (20, 2))
    boxes = np.concatenate([start, start + rng.uniform(0, 30, (20, 2))], axis=1).astype(np.float32)
    scores = rng.choice([0.1, 0.3, 0.5, 0.9], 20).astype(np.float32)
    kept = images.apart(boxes, scores, 0.3, 0.5, 8)
    assert len(kept) <= 8
    assert (np.diff(scores[kept]) <= 0).all()

    def iou(a, b):
        inner = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0.0).prod()
        return inner / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inner)

    usable = [i for i in range(20) if scores[i] >= 0.3 and (boxes[i, 2:] - boxes[i, :2] >= 1).all()]
    assert set(kept.tolist()) <= set(usable)
    assert all(iou(boxes[a], boxes[b]) < 0.5 for n, a in enumerate(kept) for b in kept[:n])
    if len(kept) < 8:  # what is left out lies upon something better
        for i in set(usable) - set(kept.tolist()):
            assert any(iou(boxes[i], boxes[k]) >= 0.5 - 1e-5 and scores[k] >= scores[i] for k in kept)


def test_pictures_are_padded_below_and_on_the_right():
    rgb = np.full((20, 40, 3), 255, np.uint8)
    pixels = images.padded(rgb, 40, images.Look((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))[0].numpy()
    np.testing.assert_allclose(pixels[:, :20], 1.0)
    np.testing.assert_allclose(pixels[:, 20:], images.GREY)


@pytest.mark.parametrize(
    "given_look", ['{"image_mean": [1, 2]}', "{", '{"image_mean": [0, 0, 0], "image_std": [0, 1, 1]}']
)
def test_a_broken_look_is_refused(tmp_path, given_look):
    (tmp_path / "preprocessor_config.json").write_text(given_look)
    with pytest.raises(InvalidValue, match="image_mean"):
        images.look_of(str(tmp_path), images.CLIP)
