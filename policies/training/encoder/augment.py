"""What real cameras do to a picture: white balance, exposure, contrast, blur, noise, resizing, compression."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


def compressed(images: NDArray[np.uint8], rng: np.random.Generator, share: float = 0.25) -> NDArray[np.uint8]:
    """(B, H, W, 3) with a share of them as JPEG of quality 25 to 90 leaves them."""
    out = images.copy()
    for n in np.flatnonzero(rng.uniform(size=len(images)) < share):
        quality = int(rng.integers(25, 91))
        done, data = cv2.imencode(".jpg", np.ascontiguousarray(images[n]), [cv2.IMWRITE_JPEG_QUALITY, quality])
        if done:
            out[n] = cv2.imdecode(data, cv2.IMREAD_COLOR)  # blue and red are swapped on the way in and on the way out
    return out


def as_a_camera_sees(images: Tensor, generator: torch.Generator) -> Tensor:
    """(B, 3, H, W) in 0 to 1, each changed in its own way; colours stay the colours that people would name."""
    b = len(images)

    def normal(*shape: int) -> Tensor:
        return torch.randn(b, *shape, generator=generator).to(images.device)

    def uniform(low: float, high: float) -> Tensor:
        return (torch.rand(b, 1, 1, 1, generator=generator) * (high - low) + low).to(images.device)

    x = images * torch.exp(0.06 * normal(3, 1, 1) + 0.18 * normal(1, 1, 1))
    x = x.clamp(1e-4, 1.0) ** uniform(0.8, 1.25)
    grey = x.mean(dim=1, keepdim=True)
    x = grey + (x - grey) * uniform(0.75, 1.2)
    middle = x.mean(dim=(1, 2, 3), keepdim=True)
    x = middle + (x - middle) * uniform(0.8, 1.2)
    x = _blurred(x, generator)
    x = _resampled(x, generator)
    strength = 0.04 * uniform(0.0, 1.0) ** 2
    noise = torch.randn(x.shape, generator=generator).to(images.device)
    return (x + noise * strength).clamp(0.0, 1.0)


def _blurred(x: Tensor, generator: torch.Generator) -> Tensor:
    """A third of the images under a small Gaussian, as defocus and motion leave them."""
    chosen = torch.nonzero(torch.rand(len(x), generator=generator) < 0.33)[:, 0]
    if len(chosen) == 0:
        return x
    sigma = 0.4 + 0.8 * float(torch.rand((), generator=generator))
    at = torch.arange(-2.0, 3.0)
    line = torch.exp(-(at**2) / (2 * sigma**2))
    kernel = (line / line.sum()).to(x.device)
    part = x[chosen.to(x.device)]
    rows = functional.conv2d(part, kernel.reshape(1, 1, 5, 1).repeat(3, 1, 1, 1), padding=(2, 0), groups=3)
    both = functional.conv2d(rows, kernel.reshape(1, 1, 1, 5).repeat(3, 1, 1, 1), padding=(0, 2), groups=3)
    out = x.clone()
    out[chosen.to(x.device)] = both
    return out


def _resampled(x: Tensor, generator: torch.Generator) -> Tensor:
    """A fifth of the images made smaller and larger again."""
    chosen = torch.nonzero(torch.rand(len(x), generator=generator) < 0.2)[:, 0].to(x.device)
    if len(chosen) == 0:
        return x
    size = x.shape[-1]
    small = int(size * (0.5 + 0.4 * float(torch.rand((), generator=generator))))
    part = functional.interpolate(x[chosen], size=(small, small), mode="bilinear", antialias=True)
    out = x.clone()
    out[chosen] = functional.interpolate(part, size=(size, size), mode="bilinear")
    return out
