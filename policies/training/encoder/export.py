"""From a checkpoint to the artefact that `spatialmem.perception.tiny` loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from policies.training.encoder import captions, checkpoint, held_out
from policies.training.encoder.loop import MEAN, STD, Model
from spatialmem.perception.tiny.artefact import DESCRIPTION, FORMAT, WEIGHTS
from spatialmem.perception.tiny.towers import Architecture, folded

MOST_PIXELS, LEAST_PX, CROP_PX = 256 * 256, 32, 64


def export(run: Path, out: Path) -> dict[str, Any]:
    """Write the artefact of a run's checkpoint into a folder; returns what tiny.json holds."""
    facts = _facts(run)
    model = Model(Architecture.of(facts["architecture"]))
    checkpoint.load(run, {"average": model}, None)
    return write(model, out, Architecture.of(facts["architecture"]), facts)


def write(model: Model, out: Path, architecture: Architecture, facts: dict[str, Any]) -> dict[str, Any]:
    """Write the artefact of a model: weights in float16, batch norms folded in."""
    from safetensors.torch import save_file

    tensors = {f"image.{name}": tensor for name, tensor in folded(model.image).items()}
    tensors |= {f"text.{name}": tensor.detach() for name, tensor in model.text.state_dict().items()}
    described = {
        "format": FORMAT, "architecture": architecture.values(),
        "preprocess": {
            "mean": MEAN, "std": STD, "most_pixels": MOST_PIXELS, "least_px": LEAST_PX, "crop_px": CROP_PX,
        },
        "dense_rule": "trained on regions and patches of stride 8, unit rows, version 1",
        "projection": "none: both towers end in the width of the map",
        "vocabulary": captions.vocabulary(), "function_words": captions.function_words(),
        "score": {"scale": float(model.scales.decision.detach().exp()), "bias": float(model.scales.bias.detach())},
        "training": {key: facts[key] for key in ("config", "held_out", "step", "seconds", "views") if key in facts}
        | {"houses": len(facts.get("houses", ())), "held_out": held_out.SHA256},
    }  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    save_file({k: v.to(torch.float16).cpu().contiguous() for k, v in tensors.items()}, out / WEIGHTS)
    (out / WEIGHTS).chmod(0o644)  # it is written for its owner alone
    (out / DESCRIPTION).write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    return described


def _facts(run: Path) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(run / checkpoint.FILE, "pt") as file:
        return json.loads((file.metadata() or {})["facts"])
