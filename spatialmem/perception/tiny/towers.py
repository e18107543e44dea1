"""The two networks of `tiny`, in plain torch. Import this module only where torch is wanted.

Image: a convolutional tower to stride 32, global context, and a top-down path back to stride 8 (after the feature
pyramid of Lin et al. 2017). Its blocks are inverted: a depthwise convolution, then two pointwise ones (as in ConvNeXt,
Liu et al. 2022). Batch norms exist while training and are folded into the convolutions of the artefact. Text: word
vectors with positions, a small transformer (pre-norm), mean over words.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, final

import torch
from torch import Tensor, nn
from torch.nn import functional

from spatialmem.perception.tiny.words import LONGEST

CENTRE = 3.0
"""how strongly the pooling of a crop prefers its middle: logits fall by this from there to the middle of an edge"""


@dataclass(frozen=True)
class Architecture:
    """Everything that decides the shapes of the weights."""

    dim: int = 64
    """width of the joint space"""
    stem: int = 16
    """channels at stride 2"""
    widths: tuple[int, int, int, int] = (32, 64, 144, 224)
    """channels at strides 4, 8, 16, 32"""
    depths: tuple[int, int, int, int] = (0, 2, 4, 2)
    """blocks there"""
    expand: int = 2
    """width of a block's middle over its ends"""
    kernel: int = 3
    """edge of the depthwise convolutions"""
    neck: int = 96
    """channels of the top-down path"""
    words: int = 1
    """size of the vocabulary"""
    text_width: int = 64
    text_layers: int = 2
    text_heads: int = 4

    @classmethod
    def of(cls, values: dict[str, Any]) -> Architecture:
        """From what `values` gave, read back from JSON."""
        tuples = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
        return cls(**{**values, **tuples})

    def values(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)


class Unit(nn.Module):
    """Convolution, batch norm while training, and ReLU where asked for."""

    def __init__(
        self, channels_in: int, channels_out: int, kernel: int, *, stride: int = 1, groups: int = 1,
        active: bool = True, norm: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, kernel, stride, kernel // 2, groups=groups, bias=not norm)
        self.norm = nn.BatchNorm2d(channels_out) if norm else None
        self.active = active

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        x = x if self.norm is None else self.norm(x)
        return functional.relu_(x) if self.active else x


class Block(nn.Module):
    """x + pointwise(relu(pointwise(depthwise(x))))."""

    def __init__(self, channels: int, expand: int, kernel: int, norm: bool) -> None:
        super().__init__()
        self.spread = Unit(channels, channels, kernel, groups=channels, active=False, norm=norm)
        self.up = Unit(channels, channels * expand, 1, norm=norm)
        self.down = Unit(channels * expand, channels, 1, active=False, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(self.up(self.spread(x)))


@final
class ImageTower(nn.Module):
    """Images to dense features and the weights with which they are pooled."""

    def __init__(self, a: Architecture, norm: bool) -> None:
        """`norm`: with batch norms, for training; without, as the artefact is."""
        super().__init__()
        self.stem = Unit(3, a.stem, 3, stride=2, norm=norm)
        channels, stages = a.stem, []
        for width, depth in zip(a.widths, a.depths, strict=True):
            entry = Unit(channels, width, 3, stride=2, norm=norm)
            stages.append(nn.Sequential(entry, *(Block(width, a.expand, a.kernel, norm) for _ in range(depth))))
            channels = width
        self.stages = nn.ModuleList(stages)
        self.context = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, channels))
        self.laterals = nn.ModuleList([Unit(width, a.neck, 1, active=False, norm=norm) for width in a.widths[1:]])
        self.merge16 = Block(a.neck, a.expand, a.kernel, norm)
        self.merge8 = Block(a.neck, a.expand, a.kernel, norm)
        self.head = nn.Conv2d(a.neck, a.dim, 1)
        self.weigh = nn.Conv2d(a.neck, 2, 1)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 3, H, W) normalised -> dense (B, D, H/8, W/8) of unit length, pooling logits (B, 2, H/8, W/8)."""
        levels, x = [], self.stem(pixels)
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        _, at8, at16, at32 = levels
        at32 = at32 + self.context(at32.mean(dim=(2, 3)))[:, :, None, None]
        top = self.laterals[2](at32)
        top = self.merge16(self.laterals[1](at16) + _enlarged(top, at16))
        top = functional.relu(self.merge8(self.laterals[0](at8) + _enlarged(top, at8)))
        return functional.normalize(self.head(top), dim=1), self.weigh(top)


def _enlarged(x: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(x, size=like.shape[-2:], mode="nearest")


def pooled(dense: Tensor, logits: Tensor) -> tuple[Tensor, Tensor]:
    """Dense (B, D, h, w) and logits (B, 2, h, w) to vectors (B, D) of unit length: of the image, and of what is in its
    middle (a crop as a query)."""
    h, w = dense.shape[-2:]
    y, x = (torch.linspace(-1.0, 1.0, n, device=dense.device) * (n > 1) for n in (h, w))
    middle = -CENTRE * (y[:, None] ** 2 + x[None, :] ** 2)
    vectors = []
    for k, more in ((0, torch.zeros_like(middle)), (1, middle)):
        weights = (logits[:, k] + more).flatten(1).softmax(dim=1)
        vectors.append(functional.normalize(torch.einsum("bdn,bn->bd", dense.flatten(2), weights), dim=1))
    return vectors[0], vectors[1]


class TextLayer(nn.Module):
    """Attention and a feed-forward part, each after a norm and added to what came in."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor, real: Tensor) -> Tensor:
        """(B, L, width) words, (B, L) which of them are there."""
        b, length, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(b, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v, attn_mask=real[:, None, None, :])
        x = x + self.out(seen.transpose(1, 2).reshape(b, length, width))
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


@final
class TextTower(nn.Module):
    """Phrases to vectors of the same space."""

    def __init__(self, a: Architecture) -> None:
        super().__init__()
        self.word = nn.Embedding(a.words + 1, a.text_width, padding_idx=0)
        self.place = nn.Parameter(torch.randn(LONGEST, a.text_width) * 0.02)
        self.layers = nn.ModuleList([TextLayer(a.text_width, a.text_heads) for _ in range(a.text_layers)])
        self.norm = nn.LayerNorm(a.text_width)
        self.head = nn.Linear(a.text_width, a.dim)

    def forward(self, ids: Tensor) -> Tensor:
        """(B, L) ids, 0 padding, at least one word each -> (B, D) of unit length."""
        real = ids > 0
        x = self.word(ids) + self.place[: ids.shape[1]]
        for layer in self.layers:
            x = layer(x, real)
        weights = real[:, :, None].to(x.dtype)
        mean = (self.norm(x) * weights).sum(dim=1) / weights.sum(dim=1)
        return functional.normalize(self.head(mean), dim=1)


def folded(tower: ImageTower) -> dict[str, Tensor]:
    """Weights of the same tower without batch norms: each norm, as it is when not training, becomes part of the
    convolution before it."""
    found = {name: tensor.detach() for name, tensor in tower.state_dict().items() if ".norm." not in name}
    for name, unit in tower.named_modules():
        if isinstance(unit, Unit) and unit.norm is not None:
            norm = unit.norm
            assert norm.running_var is not None and norm.running_mean is not None  # batch norms keep them by default
            gain = norm.weight.detach() / torch.sqrt(norm.running_var + norm.eps)
            found[f"{name}.conv.weight"] = unit.conv.weight.detach() * gain[:, None, None, None]
            found[f"{name}.conv.bias"] = norm.bias.detach() - norm.running_mean * gain
    return found
