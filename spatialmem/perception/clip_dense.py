"""One pass of a vision transformer of open_clip: patch features in the text space, and the image vector.

Raw patch tokens are not in the text space. The value path of the last block is (MaskCLIP: Zhou, Loy & Dai,
ECCV 2022): value projection, output projection, final norm, projection to the joint space, with no
attention between patches. As in later work (ClearCLIP, Lan et al. 2024) the residual and the feed-forward
part of that block are left out.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import InvalidValue, require
from spatialmem.perception.clip_source import import_open_clip

RULE = "value path of the last block, aspect kept by interpolated positions, version 1"


def check_vision_tower(visual: Any, model: str) -> None:
    """Raise `InvalidValue` unless the tower is a plain vision transformer, whose value path is known."""
    import_open_clip()
    transformer = require("open_clip.transformer", "clip")
    torch = require("torch", "clip")

    def has_value_path(block: Any) -> bool:
        kind, attention = transformer.ResidualAttentionBlock, torch.nn.MultiheadAttention
        return isinstance(block, kind) and isinstance(block.attn, attention)

    plain = isinstance(visual, transformer.VisionTransformer) and visual.attn_pool is None
    if (
        not plain
        or visual.pool_type not in ("tok", "avg")
        or not all(map(has_value_path, visual.transformer.resblocks))
    ):
        raise InvalidValue(
            f"open_clip model {model!r} has no plain vision transformer ({type(visual).__name__}), so its dense "
            "features are not known; use one such as ViT-B-32, ViT-B-16 or ViT-L-14"
        )


def patch_grid(height: int, width: int, native: tuple[int, int]) -> tuple[int, int]:
    """(rows, columns) of patches for an image: its aspect, and about as many patches as the model was made for."""
    count = native[0] * native[1]
    columns = min(max(1, round(math.sqrt(count * width / height))), count)
    return min(max(1, round(count / columns)), count), columns


def image_tensor(rgb: NDArray[np.uint8], size_hw: tuple[int, int], visual: Any, device: str) -> Any:
    """(1, 3, h, w) float32: resized (bicubic, antialiased) to the model's grid and normalised as it asks."""
    torch = require("torch", "clip")
    image = torch.from_numpy(rgb).to(device).permute(2, 0, 1)[None].float()
    image = torch.nn.functional.interpolate(image, size=size_hw, mode="bicubic", antialias=True, align_corners=False)
    mean, std = (torch.tensor(visual.preprocess_cfg[key], device=device)[:, None, None] for key in ("mean", "std"))
    return (image.round().clamp(0, 255) / 255 - mean) / std


def forward(visual: Any, image: Any, grid: tuple[int, int]) -> tuple[Any, Any]:
    """Patch features (h, w, F) and image vector (F,), as tensors, not normalised."""
    tokens = _embed(visual, image, grid)
    *blocks, last = visual.transformer.resblocks
    batch_first = last.attn.batch_first
    tokens = tokens if batch_first else tokens.transpose(0, 1)
    for block in blocks:
        tokens = block(tokens)
    values, final = _value_path(last, tokens), last(tokens)
    if not batch_first:
        values, final = values.transpose(0, 1), final.transpose(0, 1)
    dense = _project(visual, visual.ln_post(values))[0, 1:]
    return dense.reshape(*grid, -1), _project(visual, _pooled(visual, final))[0]


def _embed(visual: Any, image: Any, grid: tuple[int, int]) -> Any:
    torch = require("torch", "clip")
    patches = visual.conv1(image).flatten(2).transpose(1, 2)
    class_token = visual.class_embedding.to(patches.dtype).expand(patches.shape[0], 1, -1)
    positions = _positions(visual, grid).to(patches.dtype)
    return visual.ln_pre(torch.cat([class_token, patches], dim=1) + positions)


def _positions(visual: Any, grid: tuple[int, int]) -> Any:
    """Positional embedding (1 + h*w, width), interpolated from the model's grid to this one."""
    torch = require("torch", "clip")
    native, table = tuple(visual.grid_size), visual.positional_embedding
    if native == grid:
        return table
    on_grid = table[1:].reshape(1, *native, -1).permute(0, 3, 1, 2).float()
    resized = torch.nn.functional.interpolate(on_grid, size=grid, mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([table[:1], resized.permute(0, 2, 3, 1).reshape(grid[0] * grid[1], -1).to(table.dtype)])


def _value_path(block: Any, tokens: Any) -> Any:
    linear = require("torch.nn.functional", "clip").linear
    attention, from_row = block.attn, 2 * tokens.shape[-1]  # rows of the joint matrix: query, key, value
    bias = None if attention.in_proj_bias is None else attention.in_proj_bias[from_row:]
    values = linear(block.ln_1(tokens), attention.in_proj_weight[from_row:], bias)
    return block.ls_1(attention.out_proj(values))


def _pooled(visual: Any, tokens: Any) -> Any:
    """The image token or the mean of the patches, normed before or after, as the model was trained."""
    if not visual.final_ln_after_pool:
        tokens = visual.ln_post(tokens)
    pooled = tokens[:, 1:].mean(dim=1) if visual.pool_type == "avg" else tokens[:, 0]
    return visual.ln_post(pooled) if visual.final_ln_after_pool else pooled


def _project(visual: Any, tokens: Any) -> Any:
    return tokens if visual.proj is None else tokens @ visual.proj
