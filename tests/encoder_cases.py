"""Small models of open_clip with random weights, saved to disk, for the tests of encoders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

MODEL = "spatialmem-test-vit"
CONFIG = {
    "embed_dim": 96,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


def open_clip_or_skip():
    """The module open_clip; skips the test when it is not installed."""
    from importlib.util import find_spec

    if find_spec("open_clip") is None:
        pytest.skip("open_clip is not installed: pip install 'spatialmem[clip]'")
    from spatialmem.perception.clip_source import import_open_clip

    return import_open_clip()


def random_model(folder: Path, name: str = MODEL, seed: int = 0, **vision):
    """A random model of a small configuration that open_clip knows as `name` from now on."""
    open_clip = open_clip_or_skip()
    import torch

    config = {**CONFIG, "vision_cfg": {**CONFIG["vision_cfg"], **vision}}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(config))
    open_clip.add_model_config(path)
    torch.manual_seed(seed)
    return open_clip.create_model(name, pretrained_text=False)


def saved_model(folder: Path, file_name: str = "weights.safetensors", seed: int = 0) -> Path:
    """A weight file of the small model."""
    import torch

    model = random_model(folder, seed=seed)
    path = folder / file_name
    if path.suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file({key: value.contiguous() for key, value in model.state_dict().items()}, path)
    else:
        torch.save(model.state_dict(), path)
    return path
