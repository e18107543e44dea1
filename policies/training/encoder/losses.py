"""Losses that pull together what is true and push apart what is false; what is neither does not count.

Contrast: for every pair that is true, minus the log of its share among itself and all false pairs of its row, and the
same by column: InfoNCE (van den Oord et al. 2018) with several positives. Sigmoid: every pair a decision of its own
(SigLIP, Zhai et al. 2023), which makes one cosine mean the same for all texts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import final

import torch
from torch import Tensor, nn
from torch.nn import functional

_FAR = -1e4


def one_way(logits: Tensor, truth: Tensor) -> Tensor:
    """Mean over the rows that have something true; logits (N, M), truth (N, M) 1, 0 or -1."""
    right = truth == 1
    against = torch.logsumexp(logits.masked_fill(truth != 0, _FAR), dim=1, keepdim=True)
    lost = functional.softplus(against - logits) * right
    counts = right.sum(dim=1)
    rows = counts > 0
    return (lost.sum(dim=1)[rows] / counts[rows]).mean() if bool(rows.any()) else logits.sum() * 0.0


def contrast(logits: Tensor, truth: Tensor) -> Tensor:
    """Both ways."""
    return (one_way(logits, truth) + one_way(logits.T, truth.T)) / 2.0


def decisions(logits: Tensor, truth: Tensor) -> Tensor:
    """Sigmoid loss, summed over all pairs that are true or false, by the number of true ones."""
    right = truth == 1
    lost = functional.softplus(torch.where(right, -logits, logits)) * (truth >= 0)
    return lost.sum() / right.sum().clamp(min=1)


@final
class Scales(nn.Module):
    """Learnt temperatures: of contrast with texts, of contrast between views of things, of decisions."""

    def __init__(self) -> None:
        super().__init__()
        self.text = nn.Parameter(torch.tensor(math.log(12.0)))
        self.view = nn.Parameter(torch.tensor(math.log(12.0)))
        self.decision = nn.Parameter(torch.tensor(math.log(12.0)))
        self.bias = nn.Parameter(torch.tensor(-8.0))

    def text_logits(self, images: Tensor, texts: Tensor) -> Tensor:
        return images @ texts.T * self.text.clamp(max=math.log(60.0)).exp()

    def view_logits(self, crops: Tensor, regions: Tensor) -> Tensor:
        return crops @ regions.T * self.view.clamp(max=math.log(60.0)).exp()

    def decision_logits(self, images: Tensor, texts: Tensor) -> Tensor:
        return images @ texts.T * self.decision.exp() + self.bias


@final
class Names(nn.Module):
    """A learnt direction for every kind, colour and material. Regions find these sooner than those of the text
    tower, which moves itself; afterwards both agree. Not part of the artefact."""

    def __init__(self, dim: int, sizes: Mapping[int, int]) -> None:
        """`sizes`: field of claims.FIELDS -> how many values it has."""
        super().__init__()
        self.fields = tuple(sizes)
        self.directions = nn.ParameterList([nn.Parameter(torch.randn(sizes[f], dim) * 0.1) for f in self.fields])
        self.scale = nn.Parameter(torch.tensor(math.log(12.0)))

    def forward(self, rows: Tensor, codes: Tensor) -> Tensor:
        """Cross entropy of unit rows (N, D) against codes (N, FIELDS); -1 does not count. Mean over fields."""
        lost = []
        for field, directions in zip(self.fields, self.directions, strict=True):
            known = codes[:, field] >= 0
            if bool(known.any()):
                logits = rows[known] @ functional.normalize(directions, dim=1).T * self.scale.clamp(max=3.7).exp()
                lost.append(functional.cross_entropy(logits, codes[known, field].long(), label_smoothing=0.05))
        return torch.stack(lost).mean() if lost else rows.sum() * 0.0


def recall_at_1(logits: Tensor, truth: Tensor) -> float:
    """Share of texts (columns) whose best region, of those that are not doubtful, is a right one."""
    columns = (truth == 1).any(dim=0)
    best = logits.masked_fill(truth == -1, -math.inf).argmax(dim=0)
    return float((truth[best, torch.arange(truth.shape[1], device=truth.device)] == 1)[columns].float().mean())
