"""Small encoders `tiny` with random weights, and small sets of views, for tests."""

from __future__ import annotations

from pathlib import Path

import torch

from policies.training.encoder import captions
from policies.training.encoder.batches import BatchConfig
from policies.training.encoder.export import write
from policies.training.encoder.loop import Model, TrainConfig
from policies.training.encoder.shards import Shard, load_shards
from policies.training.encoder.views import ViewConfig
from spatialmem.perception.tiny.towers import Architecture

SMALL = Architecture(
    dim=16, stem=8, widths=(8, 12, 16, 24), depths=(1, 1, 1, 1), neck=16, text_width=16, text_layers=1, text_heads=2
)
VIEWS = ViewConfig(size_px=64, walks=2, looks=3, closes=3, training_textures=True)
BATCH = BatchConfig(images=8, size_px=48, crop_px=32)


def random_model(seed: int = 0) -> Model:
    """A small model whose batch norms have seen something."""
    torch.manual_seed(seed)
    model = Model(Architecture(**{**SMALL.__dict__, "words": len(captions.vocabulary())}))
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model.image(torch.randn(4, 3, 48, 48))
    return model.eval()


def random_artefact(folder: Path, seed: int = 0) -> Path:
    """The folder of a small encoder."""
    model = random_model(seed)
    words = len(captions.vocabulary())
    write(model, folder, Architecture(**{**SMALL.__dict__, "words": words}), {"step": 0, "seconds": 0.0})
    return folder


def small_config(**more) -> TrainConfig:
    """A run of a few steps."""
    return TrainConfig(**{"steps": 12, "architecture": SMALL, "batch": BATCH, "learning_rate": 5e-3, **more})


def small_shards(folder: Path) -> list[Shard]:
    """Views of two houses."""
    return load_shards(folder, range(2), VIEWS)
