"""Frames for the tests of segmenters, and small models of transformers with random weights, saved to disk."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from spatialmem.types import Camera, Frame

CAMERA = Camera.from_hfov(70.0, 160, 120)
BOX_M = (-0.40, 0.40, 2.0, 0.40)
"""left, right and nearer side of a box on the ground, and its height, camera axes"""
EYE_M = 0.9
FAR_M = 3.0


def room(camera: Camera = CAMERA, *, noise_m: float = 0.0, seed: int = 0, **more) -> Frame:
    """A red box on a grey floor before a pale wall, exactly known; `box_mask` says where the box is."""
    depth, part = _cast(camera)
    rng = np.random.default_rng(seed)
    depth = depth + rng.normal(0.0, 1.0, depth.shape) * noise_m * depth**2
    rgb = np.array([(110, 110, 108), (200, 198, 190), (170, 40, 35), (150, 32, 30)], np.uint8)[part]
    given = {"stamp_ns": 1, **more}
    return Frame(rgb, depth.astype(np.float32), camera, None, **given)


def box_mask(camera: Camera = CAMERA) -> np.ndarray:
    """(H, W) where `room` shows the box."""
    return _cast(camera)[1] >= 2


def _cast(camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Depth (H, W), and what is seen: 0 floor, 1 wall, 2 front of the box, 3 its top."""
    y, x = np.indices((camera.height, camera.width))
    rx, ry = (x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy
    left, right, near, high = BOX_M
    with np.errstate(divide="ignore"):
        floor = np.where(ry > 0, EYE_M / ry, np.inf)
        top = np.where(ry > 0, (EYE_M - high) / ry, np.inf)
    depth, part = np.minimum(floor, FAR_M), np.where(floor < FAR_M, 0, 1)
    lid = (top >= near) & (top <= near + 0.4) & (rx * top >= left) & (rx * top <= right)
    front = (rx * near >= left) & (rx * near <= right) & (ry * near >= EYE_M - high) & (ry * near <= EYE_M)
    depth, part = np.where(lid, top, depth), np.where(lid, 3, part)
    return np.where(front, near, depth), np.where(front, 2, part)


# tiny checkpoints of transformers


def owl_spec(folder: Path, names: tuple[str, ...] | None = ("mug", "red chair", "box")) -> str:
    """ "owl:..." of two small models with random weights, saved in `folder`; skips without transformers."""
    if find_spec("transformers") is None:
        pytest.skip("transformers is not installed: pip install 'spatialmem[owl]'")
    from spatialmem.perception.owl.source import import_transformers

    transformers = import_transformers()
    _save_owl(transformers, folder / "owl")
    _save_sam(transformers, folder / "sam")
    if names is None:
        return f"owl:{folder / 'owl'},{folder / 'sam'}"
    (folder / "names.txt").write_text("# what is looked for\n" + "\n".join(names) + "\n")
    return f"owl:{folder / 'owl'},{folder / 'sam'},names={folder / 'names.txt'}"


def _save_owl(transformers, folder: Path) -> None:
    import torch

    small = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {**small, "vocab_size": 600, "max_position_embeddings": 16, "bos_token_id": 1, "eos_token_id": 2}
    vision = {**small, "image_size": 64, "patch_size": 8}
    config = transformers.Owlv2Config(text_config=text, vision_config=vision, projection_dim=32)
    torch.manual_seed(3)
    model = transformers.Owlv2ForObjectDetection(config)
    with torch.no_grad():
        model.class_head.logit_shift.bias.fill_(0.5)  # so that boxes are found
    model.save_pretrained(folder)
    _save_tokenizer(folder)
    look = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.25, 0.25, 0.25]}
    (folder / "preprocessor_config.json").write_text(json.dumps(look))


def _save_tokenizer(folder: Path) -> None:
    """That of CLIP with a vocabulary of letters."""
    letters = [chr(i) for i in range(33, 127)]
    kept = ["!", "<|startoftext|>", "<|endoftext|>", *[c for c in letters if c != "!"], *[f"{c}</w>" for c in letters]]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(kept)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 16, "pad_token": "!"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def _save_sam(transformers, folder: Path) -> None:
    import torch

    hiera = {
        "hidden_size": 16, "num_attention_heads": 1, "image_size": [64, 64], "blocks_per_stage": [1, 1, 2, 1],
        "embed_dim_per_stage": [16, 32, 48, 64], "num_attention_heads_per_stage": [1, 1, 1, 1],
        "window_size_per_stage": [4, 4, 4, 4], "global_attention_blocks": [3],
        "window_positional_embedding_background_size": [4, 4],
    }  # fmt: skip
    config = transformers.Sam2Config(
        vision_config={
            "backbone_config": {"model_type": "sam2_hiera_det_model", **hiera}, "model_type": "sam2_vision_model",
            "backbone_channel_list": [64, 48, 32, 16], "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
            "fpn_hidden_size": 32,
        },
        prompt_encoder_config={"hidden_size": 32, "image_size": 64, "patch_size": 16, "mask_input_channels": 8},
        mask_decoder_config={"hidden_size": 32, "mlp_dim": 48, "num_attention_heads": 2, "iou_head_hidden_dim": 32},
    )  # fmt: skip
    torch.manual_seed(4)
    transformers.Sam2Model(config).save_pretrained(folder)
