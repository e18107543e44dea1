"""The open_clip encoder on small random models: the real loading code, dense rule, projection, refusal."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import encoder_cases
import numpy as np
import pytest

from spatialmem.errors import InvalidValue, MissingDependency, UnknownName
from spatialmem.perception import load_encoder, projection
from spatialmem.perception.clip_dense import patch_grid
from spatialmem.perception.open_clip import OpenClip

MODEL = encoder_cases.MODEL


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    encoder_cases.open_clip_or_skip()
    return encoder_cases.saved_model(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def member(weights):
    return load_encoder(f"open_clip:{MODEL}/{weights}")


def image(height: int = 32, width: int = 32) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


def native_tensor(member, rgb):
    """An image of the model's own size, normalised as its configuration says, without any resizing."""
    import torch

    config = member._model.visual.preprocess_cfg
    pixels = (rgb / 255.0 - np.array(config["mean"])) / np.array(config["std"])
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float()


def test_image_vector_is_the_model_s_own(member):
    """At the model's own image size nothing is resized, and the vector is what open_clip computes."""
    rgb = image()
    expected = member._model.encode_image(native_tensor(member, rgb), normalize=True)[0].numpy()
    np.testing.assert_allclose(member.encode(rgb).vector, expected, atol=1e-5)


def test_dense_features_follow_the_value_path(member):
    """Against the block's own attention module, made to attend to nothing but the patch itself by a mask."""
    import torch

    rgb, visual, seen = image(), member._model.visual, {}
    last = visual.transformer.resblocks[-1]
    hook = last.register_forward_pre_hook(lambda _, inputs: seen.update(tokens=inputs[0]))
    member._model.encode_image(native_tensor(member, rgb))
    hook.remove()
    tokens = last.ln_1(seen["tokens"])
    only_self = torch.full((tokens.shape[1], tokens.shape[1]), float("-inf")).fill_diagonal_(0.0)
    attended = last.attn(tokens, tokens, tokens, need_weights=False, attn_mask=only_self)[0]
    full = (visual.ln_post(attended) @ visual.proj)[0, 1:].numpy()
    full /= np.linalg.norm(full, axis=1, keepdims=True)
    expected = full @ projection.random_orthonormal(96, 64).matrix
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(member.encode(rgb).dense.reshape(16, 64), expected, atol=1e-5)


def test_text_is_the_mean_of_the_templates(member):
    from spatialmem.perception.open_clip import TEMPLATES

    tokens = member._tokenizer([template.format("red mug") for template in TEMPLATES])
    full = member._model.encode_text(tokens, normalize=True).numpy().mean(axis=0)
    expected = full @ projection.random_orthonormal(96, 64).matrix
    query = member.encode_text("  red   mug ")
    np.testing.assert_allclose(query.vector, expected / np.linalg.norm(expected), atol=1e-5)
    assert query.unknown_words == ()


def test_score_is_the_softmax_against_the_bank(member):
    query = member.encode_text("a red mug").vector
    features = np.random.default_rng(0).normal(size=(10, 64)).astype(np.float32)
    unit = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float64)
    logits = float(member._scale) * unit @ np.vstack([query, member._bank]).T
    expected = np.exp(logits[:, 0]) / np.exp(logits).sum(axis=1)
    np.testing.assert_allclose(member.score(features, query), expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("size_hw", "native", "expected"),
    [((480, 640), (7, 7), (6, 8)), ((480, 640), (14, 14), (12, 16)), ((224, 224), (7, 7), (7, 7)),
     ((10, 1000), (7, 7), (1, 49)), ((1000, 10), (7, 7), (49, 1))],
)  # fmt: skip
def test_grid_keeps_the_aspect(size_hw, native, expected):
    assert patch_grid(size_hw[0], size_hw[1], native) == expected


def test_wide_images_keep_left_and_right(member):
    dense = member.encode(image(48, 96)).dense
    assert dense.shape == (3, 6, 64)


def test_fingerprint_covers_weights_preprocess_and_projection(member, weights, tmp_path):
    from safetensors.numpy import save_file

    other = encoder_cases.saved_model(tmp_path, "other.safetensors", seed=1)
    digests = {member.fingerprint, load_encoder(f"open_clip:{MODEL}/{other}").fingerprint}
    copy = tmp_path / "fitted" / weights.name
    copy.parent.mkdir()
    shutil.copy(weights, copy)
    assert load_encoder(f"open_clip:{MODEL}/{copy}").fingerprint == member.fingerprint
    matrix = np.linalg.qr(np.random.default_rng(0).normal(size=(96, 32)))[0].astype(np.float32)
    save_file({"projection": np.ascontiguousarray(matrix)}, copy.parent / projection.FILE_NAME)
    fitted = load_encoder(f"open_clip:{MODEL}/{copy}")
    assert fitted.dim == 32
    digests.add(fitted.fingerprint)
    for mean in (0.4, 0.5):
        digests.add(load_encoder(f"open_clip:local-dir:{saved_folder(tmp_path / str(mean), mean)}").fingerprint)
    assert len(digests) == 5


def saved_folder(folder, mean: float):
    folder.mkdir()
    encoder_cases.saved_model(folder, "open_clip_model.safetensors")
    config = {"model_cfg": encoder_cases.CONFIG, "preprocess_cfg": {"mean": [mean] * 3, "std": [0.5] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def test_preprocessing_comes_from_the_checkpoint(tmp_path):
    encoder_cases.open_clip_or_skip()
    member = load_encoder(f"open_clip:local-dir:{saved_folder(tmp_path / 'm', 0.25)}")
    assert isinstance(member, OpenClip)
    rgb = image()
    expected = member._model.encode_image(native_tensor(member, rgb), normalize=True)[0].numpy()
    assert member._model.visual.preprocess_cfg["mean"] == [0.25] * 3
    np.testing.assert_allclose(member.encode(rgb).vector, expected, atol=1e-5)


@pytest.mark.parametrize("suffix", [".pt", ".bin"])
def test_torch_files_load_like_safetensors(member, tmp_path, suffix):
    path = encoder_cases.saved_model(tmp_path, f"weights{suffix}")
    assert load_encoder(f"open_clip:{MODEL}/{path}").fingerprint == member.fingerprint


def test_wrong_names_say_what_to_write(member, tmp_path):
    with pytest.raises(UnknownName, match="did you mean 'ViT-B-32'"):
        load_encoder("open_clip:ViT-B-33/laion2b_s34b_b79k")
    with pytest.raises(UnknownName, match="laion2b_s34b_b79k"):
        load_encoder("open_clip:ViT-B-32/laion2b_s34b_b78k")
    with pytest.raises(InvalidValue, match="needs weights"):
        load_encoder("open_clip:ViT-B-32")
    with pytest.raises(InvalidValue, match="no weight file at"):
        load_encoder(f"open_clip:{MODEL}/{tmp_path}/nowhere.pt")
    with pytest.raises(InvalidValue, match=r"open_clip_config\.json"):
        load_encoder(f"open_clip:local-dir:{tmp_path}")


def test_a_local_file_needs_no_network(member, weights, monkeypatch):
    import socket

    def refuse(*_args, **_kwargs):
        raise AssertionError("a network connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert load_encoder(f"open_clip:{MODEL}/{weights}").fingerprint == member.fingerprint


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
@pytest.mark.parametrize("damage", ["cut", "garbage", "empty"])
def test_damaged_files_are_refused(member, tmp_path, suffix, damage):
    path = encoder_cases.saved_model(tmp_path, f"weights{suffix}")
    content = path.read_bytes()
    path.write_bytes({"cut": content[: len(content) // 2], "garbage": b"\x00garbage" * 999, "empty": b""}[damage])
    with pytest.raises(InvalidValue, match="cannot load"):
        load_encoder(f"open_clip:{MODEL}/{path}")


def test_code_in_a_weight_file_is_not_run(member, tmp_path):
    """A torch file that names a function instead of tensors is refused, and its message gives no bad advice."""
    import torch

    path = tmp_path / "weights.pt"
    torch.save({"state_dict": subprocess.Popen}, path)
    with pytest.raises(InvalidValue, match="not a file of plain tensors") as caught:
        load_encoder(f"open_clip:{MODEL}/{path}")
    assert "weights_only" not in str(caught.value)


def test_weights_of_another_shape_are_refused(member, tmp_path):
    from safetensors.torch import load_file, save_file

    path = encoder_cases.saved_model(tmp_path)
    tensors = load_file(path)
    tensors["visual.proj"] = tensors["visual.proj"][:, :48].contiguous()
    save_file(tensors, path)
    with pytest.raises(InvalidValue, match=r"visual\.proj"):
        load_encoder(f"open_clip:{MODEL}/{path}")


def test_weights_with_nan_are_refused(member, tmp_path):
    from safetensors.torch import load_file, save_file

    path = encoder_cases.saved_model(tmp_path)
    tensors = load_file(path)
    tensors["visual.proj"][0, 0] = float("nan")
    save_file(tensors, path)
    with pytest.raises(InvalidValue, match=r"visual\.proj.*NaN"):
        load_encoder(f"open_clip:{MODEL}/{path}")


def test_towers_without_a_value_path_are_refused(tmp_path):
    import torch

    model = encoder_cases.random_model(tmp_path, "spatialmem-test-pooler", attentional_pool=True, attn_pooler_heads=2)
    torch.save(model.state_dict(), tmp_path / "w.pt")
    with pytest.raises(InvalidValue, match="no plain vision transformer"):
        load_encoder(f"open_clip:spatialmem-test-pooler/{tmp_path / 'w.pt'}")


@pytest.mark.parametrize("fault", ["shape", "name", "nan", "rank", "garbage"])
def test_bad_projections_are_refused(tmp_path, fault):
    safetensors = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    matrix = np.eye(96, 32, dtype=np.float32)
    tensors = {"projection": matrix}
    if fault == "shape":
        tensors = {"projection": np.eye(95, 32, dtype=np.float32)}
    elif fault == "name":
        tensors = {"matrix": matrix}
    elif fault == "nan":
        matrix[0, 0] = np.nan
    elif fault == "rank":
        matrix[:, 0] = matrix[:, 1]
    path = tmp_path / projection.FILE_NAME
    safetensors.save_file(tensors, path)
    if fault == "garbage":
        path.write_bytes(b"garbage")
    with pytest.raises(InvalidValue, match="projection"):
        projection.load_projection(path, 96)


def test_random_projection_is_orthonormal_and_fixed():
    one, two = projection.random_orthonormal(512, 64), projection.random_orthonormal(512, 64)
    np.testing.assert_allclose(one.matrix.T @ one.matrix, np.eye(64), atol=1e-5)
    np.testing.assert_array_equal(one.matrix, two.matrix)
    assert projection.random_orthonormal(32, 64).dim == 32


def test_without_open_clip_the_message_is_the_command(monkeypatch):
    from spatialmem.perception import clip_source

    monkeypatch.setattr(clip_source, "import_torchvision", lambda extra: False)
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(MissingDependency, match=r"pip install 'spatialmem\[clip\]'"):
        load_encoder("open_clip:ViT-B-32/laion2b_s34b_b79k")
