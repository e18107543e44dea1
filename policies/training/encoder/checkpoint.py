"""A training run on disk: tensors as safetensors, numbers as JSON, replaced as a whole."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sim.errors import InvalidSetting

FILE = "checkpoint.safetensors"


def save(folder: Path, models: Mapping[str, nn.Module], optimizer: Optimizer, facts: dict[str, Any]) -> None:
    """Write a checkpoint; one that is cut off leaves the one before."""
    from safetensors.torch import save_file

    tensors = {
        f"{which}.{name}": tensor.detach().cpu().contiguous()
        for which, model in models.items()
        for name, tensor in model.state_dict().items()
    }
    for number, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{k}": v.detach().cpu().contiguous().clone() for k, v in state.items()}
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f"{FILE}.new"
    save_file(tensors, unfinished, metadata={"facts": json.dumps(facts)})
    os.replace(unfinished, folder / FILE)


def load(folder: Path, models: Mapping[str, nn.Module], optimizer: Optimizer | None) -> dict[str, Any]:
    """Put a checkpoint's tensors where they belong; returns its facts. `InvalidSetting` when it does not fit."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / FILE, "pt") as file:
            facts = json.loads((file.metadata() or {})["facts"])
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        for which, model in models.items():
            mine = {k.removeprefix(f"{which}."): v for k, v in tensors.items() if k.startswith(f"{which}.")}
            model.load_state_dict(mine)
    except (OSError, KeyError, SafetensorError, RuntimeError) as error:
        raise InvalidSetting(f"cannot go on from {folder / FILE}: {error}; start anew in another folder") from error
    if optimizer is not None:
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, number, key = name.split(".", 2)
                state.setdefault(int(number), {})[key] = tensor
        optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
    return facts


def exists(folder: Path) -> bool:
    """Whether there is one."""
    return (folder / FILE).is_file()


def generator(*numbers: int) -> torch.Generator:
    """A generator that depends on these numbers alone."""
    seed = 0
    for number in numbers:
        seed = (seed * 1_000_003 + number + 1) % (2**63)
    return torch.Generator().manual_seed(seed)
