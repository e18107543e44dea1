"""Encoders of 64-d features without weights: for measuring time and bytes, not for answers."""

from __future__ import annotations

from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from spatialmem.perception.encoder import Encoder, Encoding, TextQuery
from spatialmem.perception.products import products

WIDTH = 64
_GRID = 14
_BANK = 15  # background phrases a query has to beat, as many as encoder open_clip brings
_SCALE = 30.0


def unit(rows: NDArray) -> NDArray[np.float32]:
    """Rows of unit length."""
    return (rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)).astype(np.float32)


class BenchEncoder(Encoder):
    """What the encoders here share: width 64 and a score against a bank."""

    def __init__(self, seed: int) -> None:
        self._bank = unit(np.random.default_rng(seed + 1).standard_normal((_BANK, WIDTH)))
        self._seed = seed

    @property
    def name(self) -> str:
        return f"benchmark-{type(self).__name__.lower()}"

    @property
    def dim(self) -> int:
        return WIDTH

    @property
    def vector_dim(self) -> int:
        return WIDTH

    @property
    def calibrated(self) -> bool:
        return False

    @property
    def fingerprint(self) -> str:
        return f"{self.name}-{self._seed}".encode().hex()

    @property
    def min_similarity(self) -> float:
        return 0.5

    @property
    def hit_score(self) -> float:
        return 0.5

    def encode_text(self, text: str) -> TextQuery:
        return TextQuery(text, unit(np.random.default_rng(len(text)).standard_normal(WIDTH)))

    def encode_crop(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self.encode(rgb).vector

    def score(self, features: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
        logits = _SCALE * products(unit(features), np.vstack([query, self._bank]).T)
        return 1.0 / (1.0 + np.exp(np.minimum(logits[:, 1:] - logits[:, :1], 80.0)).sum(1, dtype=np.float32))

    def _encoding(self, dense: NDArray) -> Encoding:
        return Encoding(unit(dense), unit(dense.mean(axis=(0, 1))))


@final
class PatchStatistics(BenchEncoder):
    """Mean colour, contrast and edge energy of 14 x 14 patches under a fixed random projection to 64-d."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._projection = np.random.default_rng(seed).standard_normal((10, WIDTH))

    def encode(self, rgb: NDArray[np.uint8]) -> Encoding:
        import cv2

        image = rgb.astype(np.float32) / 255.0
        grey = image.mean(-1)
        edges = np.stack([np.abs(cv2.Sobel(grey, cv2.CV_32F, 1, 0)), np.abs(cv2.Sobel(grey, cv2.CV_32F, 0, 1))], -1)
        planes = np.concatenate(
            [image, image**2, edges, np.sin(6 * grey)[..., None], np.ones_like(grey)[..., None]], -1
        )
        size, how = (_GRID, _GRID), cv2.INTER_AREA
        pooled = np.stack([cv2.resize(plane, size, interpolation=how) for plane in np.moveaxis(planes, -1, 0)], -1)
        return self._encoding(np.tanh(pooled - pooled.mean((0, 1)) * 0.5) @ self._projection)


@final
class Ready(BenchEncoder):
    """Hands out the same patch features for every image, at no cost."""

    def __init__(self, dense: NDArray[np.float32]) -> None:
        super().__init__(0)
        self._ready = self._encoding(dense)

    def encode(self, rgb: NDArray[np.uint8]) -> Encoding:
        return self._ready


@final
class Noise(BenchEncoder):
    """Every patch of every frame is a random direction: nothing can be compressed."""

    def encode(self, rgb: NDArray[np.uint8]) -> Encoding:
        noise = np.random.default_rng([self._seed, int(rgb[::7, ::7].sum(dtype=np.int64))])
        return self._encoding(noise.standard_normal((_GRID, _GRID, WIDTH)))


THINGS = 48
"""things the painted encoder knows"""
PATCH = 16
_NOISE_ROWS = 251


@final
class Painted(BenchEncoder):
    """Reads a thing's number off the red channel of a patch; green picks one of 251 fixed disturbances.

    Its text "thing 7" means thing 7, so that a query has right answers of a known size. The things from 8 on resemble
    each other, as what fills a room does.
    """

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        noise = np.random.default_rng(seed)
        things = unit(noise.standard_normal((THINGS, WIDTH)))
        things[8:] = unit(things[8:] + things[8])
        self._things = things
        self._disturbance = 0.04 * noise.standard_normal((_NOISE_ROWS, WIDTH)).astype(np.float32)

    def encode(self, rgb: NDArray[np.uint8]) -> Encoding:
        centre = rgb[PATCH // 2 :: PATCH, PATCH // 2 :: PATCH].astype(np.int64)
        return self._encoding(self._things[centre[..., 0]] + self._disturbance[centre[..., 1]])

    def encode_text(self, text: str) -> TextQuery:
        return TextQuery(text, self._things[int(text.split()[-1])])


def tiny_clip(folder: Path) -> Encoder | None:
    """A small ViT of open_clip with random weights and 14 x 14 patches; None when open_clip is not installed."""
    import importlib.util
    import json

    if importlib.util.find_spec("open_clip") is None or importlib.util.find_spec("safetensors") is None:
        return None
    import torch
    from safetensors.torch import save_file

    from spatialmem.perception import load_encoder
    from spatialmem.perception.clip_source import import_open_clip

    open_clip, name = import_open_clip(), "spatialmem-benchmark-vit"
    vision = {"image_size": 112, "layers": 4, "width": 128, "head_width": 32, "patch_size": 8}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    (folder / f"{name}.json").write_text(json.dumps({"embed_dim": 96, "vision_cfg": vision, "text_cfg": text}))
    open_clip.add_model_config(folder / f"{name}.json")
    torch.manual_seed(0)
    state = open_clip.create_model(name, pretrained_text=False).state_dict()
    save_file({key: value.contiguous() for key, value in state.items()}, folder / "weights.safetensors")
    return load_encoder(f"open_clip:{name}/{folder / 'weights.safetensors'}")
