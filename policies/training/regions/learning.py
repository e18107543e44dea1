"""Training of the small networks of `regions`."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from spatialmem.perception.regions.network import Network

_log = logging.getLogger(__name__)
BATCH, STEPS, RATE, DECAY = 2048, 4000, 0.01, 1e-4


def learnt(inputs: NDArray[np.float64], truth: NDArray[np.float64], hidden: int, seed: int) -> Network:
    """The network of least cross-entropy against truth (N,), 0 to 1, given inputs (N, P); Adam, a falling rate."""
    import torch

    torch.manual_seed(seed)
    shift, spread = inputs.mean(axis=0), inputs.std(axis=0)
    scale = 1.0 / np.where(spread > 1e-9, spread, 1.0)
    x = torch.from_numpy(((inputs - shift) * scale).astype(np.float32))
    y = torch.from_numpy(truth.astype(np.float32))
    inner, outer = torch.nn.Linear(x.shape[1], hidden), torch.nn.Linear(hidden, 1)
    net = torch.nn.Sequential(inner, torch.nn.Softsign(), outer)
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    falling = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=STEPS)
    total = 0.0
    for step in range(STEPS):
        rows = torch.randint(len(x), (BATCH,))
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(x[rows])[:, 0], y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        falling.step()
        total = float(loss.detach()) if step == 0 else 0.99 * total + 0.01 * float(loss.detach())
    _log.info("%d samples, loss %.4f", len(x), total)
    arrays = [inner.weight, inner.bias, outer.weight[0], outer.bias]
    return Network(shift, scale, *(a.detach().numpy().astype(np.float64) for a in arrays))  # type: ignore[arg-type]
