"""The training run: step n is a function of the seed, n and the weights, so a run that was cut off goes on the same."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from policies.training.encoder import captions, checkpoint, claims, held_out, losses
from policies.training.encoder.augment import as_a_camera_sees, compressed
from policies.training.encoder.batches import Batch, BatchConfig, Batches
from policies.training.encoder.shards import Shard
from sim.errors import InvalidSetting
from sim.house.thing import CATEGORIES
from spatialmem.perception.tiny.towers import Architecture, ImageTower, TextTower, pooled
from spatialmem.perception.tiny.words import Vocabulary

MEAN, STD = (0.48, 0.45, 0.42), (0.25, 0.25, 0.25)
_WARM_UP = 200
_FALLING = 0.25
"""share of the steps, at the end, over which the learning rate falls"""
_MEMORY = 0.997
"""of the average, a step"""
_SAVE_EVERY_S = 180.0
_LOG_EVERY = 20


@dataclass(frozen=True)
class TrainConfig:
    """What a run is; two runs of the same config and data are the same."""

    seed: int = 0
    steps: int = 8000
    """of them, over the last quarter, the learning rate falls to nothing"""
    dense: Literal["regions", "none"] = "regions"
    """none: only whole images against captions, for comparison"""
    learning_rate: float = 2.5e-3
    weight_decay: float = 0.03
    precision: Literal["bfloat16", "float32"] = "bfloat16"
    """in which the image tower computes while training; weights are kept in float32"""
    architecture: Architecture = Architecture()
    batch: BatchConfig = BatchConfig()

    def values(self) -> dict[str, Any]:
        """As JSON holds it."""
        return json.loads(json.dumps(asdict(self)))


@final
class Model(nn.Module):
    """All that is learnt."""

    def __init__(self, architecture: Architecture, low_precision: bool = False) -> None:
        """`low_precision`: the image tower computes in bfloat16, which takes three fifths of the time."""
        super().__init__()
        self.low_precision = low_precision
        self.image, self.text = ImageTower(architecture, norm=True), TextTower(architecture)
        self.scales = losses.Scales()
        sizes = {claims.NOUN: len(CATEGORIES), claims.COLOUR: len(claims.COLOUR_NAMES)}
        self.names = losses.Names(architecture.dim, {**sizes, claims.MATERIAL: len(claims.MATERIAL_NAMES)})

    def losses(self, batch: Batch, pixels: Tensor, crops: Tensor | None) -> tuple[Tensor, dict[str, float]]:
        """The sum, and its parts by name; without crops, those of whole images alone."""
        device = pixels.device

        def given(array: np.ndarray) -> Tensor:
            return torch.from_numpy(array).to(device)

        features, logits = self._dense(pixels)
        image, _ = pooled(features, logits)
        said = self.text(given(batch.view_tokens))
        parts = {"view": losses.contrast(self.scales.text_logits(image, said), given(batch.view_truth))}
        measures = {}
        if crops is not None:
            texts, truth = self.text(given(batch.tokens)), given(batch.truth)
            rows, region = self._rows(features, batch, given)
            crop = pooled(*self._dense(crops))[1]
            whose = torch.cat([region, given(batch.crop_region)])
            known = truth[whose]
            found = torch.cat([rows, crop])
            parts["text"] = losses.contrast(self.scales.text_logits(found, texts), known)
            parts["names"] = self.names(found, given(batch.codes)[whose])
            parts["decision"] = 0.2 * losses.decisions(self.scales.decision_logits(found, texts), known)
            regions = rows[: len(batch.shares)]
            parts["same"] = 0.5 * losses.contrast(self.scales.view_logits(crop, regions), given(batch.same))
            measures["recall"] = losses.recall_at_1((regions @ texts.T).detach(), truth)
        total = torch.stack(list(parts.values())).sum()
        return total, {**{k: float(v.detach()) for k, v in parts.items()}, **measures}

    def _dense(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(pixels.device.type, torch.bfloat16, enabled=self.low_precision):
            features, logits = self.image(pixels)
        return functional.normalize(features.float(), dim=1), logits.float()

    def _rows(self, features: Tensor, batch: Batch, given: Callable[[np.ndarray], Tensor]) -> tuple[Tensor, Tensor]:
        """Pooled regions, then single patches, as unit rows; and the region of each."""
        flat = features.flatten(2).transpose(1, 2)
        image, slot = given(batch.region_image), given(batch.region_slot)
        shares = torch.zeros(len(flat), int(batch.region_slot.max()) + 1, flat.shape[1], device=flat.device)
        shares[image, slot] = given(batch.shares)
        mean = torch.bmm(shares, flat)[image, slot]
        patch_region = given(batch.patch_region)
        patches = flat[image[patch_region], given(batch.patch_at)]
        own = torch.arange(len(image), device=image.device)
        return torch.cat([functional.normalize(mean, dim=1), patches]), torch.cat([own, patch_region])


@final
class Trainer:
    """Takes the steps of a run."""

    def __init__(self, config: TrainConfig, shards: list[Shard], device: str | None = None) -> None:
        words = Vocabulary(captions.vocabulary(), captions.function_words())
        self.config, self.vocabulary = config, words
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        architecture = Architecture(**{**config.architecture.__dict__, "words": len(words)})
        self.architecture = architecture
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(config.seed)
            self.model = Model(architecture, config.precision == "bfloat16").to(self.device)
        self.model.image.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.model).eval().requires_grad_(False)
        """the mean of the weights of late: what is exported"""
        heavy = [p for p in self.model.parameters() if p.ndim > 1]
        light = [p for p in self.model.parameters() if p.ndim <= 1]
        groups = [{"params": heavy, "weight_decay": config.weight_decay}, {"params": light, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.98))
        self.batches = Batches(shards, words, config.seed, config.batch)
        self.step, self.seconds = 0, 0.0

    def resume(self, folder: Path) -> None:
        """Go on from a checkpoint; `InvalidSetting` when it is that of another config."""
        facts = checkpoint.load(folder, {"model": self.model, "average": self.average}, self.optimizer)
        before, now = facts["config"], self.config.values()
        if {**before, "steps": now["steps"]} != now or facts["held_out"] != held_out.SHA256:
            raise InvalidSetting(f"the checkpoint in {folder} was made with another config: {before}")
        if before["steps"] != now["steps"] and facts["step"] > (1.0 - _FALLING) * min(before["steps"], now["steps"]):
            raise InvalidSetting(
                f"the checkpoint in {folder} is at step {facts['step']}, where the learning rate falls already; the "
                f"number of steps can no longer become {now['steps']}: go on with {before['steps']}"
            )
        self.step, self.seconds = facts["step"], facts["seconds"]

    def save(self, folder: Path) -> None:
        """Write a checkpoint."""
        facts = {
            "config": self.config.values(), "held_out": held_out.SHA256, "step": self.step, "seconds": self.seconds,
            "architecture": self.architecture.values(), "houses": [shard.seed for shard in self.batches.shards],
            "views": sum(len(shard) for shard in self.batches.shards),
        }  # fmt: skip
        checkpoint.save(folder, {"model": self.model, "average": self.average}, self.optimizer, facts)

    def run(
        self, folder: Path, minutes: float, tell: Callable[[str], None], stopping: Callable[[], bool] = lambda: False
    ) -> bool:
        """Take steps until the last, until the time is over or somebody wants it to stop; True when the last was taken.
        Checkpoints on the way."""
        started = saved = time.monotonic()
        before = self.seconds
        try:
            for batch in self._ahead(self.step):
                measures = self.take(batch)
                now = time.monotonic()
                self.seconds = before + now - started
                if self.step % _LOG_EVERY == 0 or self.step == self.config.steps:
                    self._log(folder, measures, tell)
                if now - saved > _SAVE_EVERY_S:
                    self.save(folder)
                    saved = time.monotonic()
                if now - started > 60.0 * minutes or stopping():
                    break
        finally:
            self.save(folder)
        return self.step >= self.config.steps

    def take(self, batch: Batch) -> dict[str, float]:
        """One step."""
        rng, random = (
            np.random.default_rng([self.config.seed, self.step, 1]),
            checkpoint.generator(self.config.seed, self.step),
        )
        self.model.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        pixels = self._seen(batch.pixels, rng, random)
        crops = self._seen(batch.crops, rng, random) if self.config.dense == "regions" else None
        total, measures = self.model.losses(batch, pixels, crops)
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        self._follow()
        self.step += 1
        return {"loss": float(total.detach()), **measures}

    @torch.no_grad()
    def _follow(self) -> None:
        """Draw the average towards the weights (after Polyak and Juditsky 1992, with exponential forgetting)."""
        share = 1.0 - min(_MEMORY, (1.0 + self.step) / (10.0 + self.step))
        for mean, now in zip(self.average.state_dict().values(), self.model.state_dict().values(), strict=True):
            if mean.is_floating_point():
                mean.lerp_(now, share)
            else:
                mean.copy_(now)

    def _seen(self, images: np.ndarray, rng: np.random.Generator, random: torch.Generator) -> Tensor:
        raw = torch.from_numpy(compressed(images, rng)).permute(0, 3, 1, 2).float().to(self.device) / 255.0
        mean, std = (torch.tensor(v, device=self.device)[:, None, None] for v in (MEAN, STD))
        return ((as_a_camera_sees(raw, random) - mean) / std).contiguous(memory_format=torch.channels_last)

    def _rate(self) -> float:
        """Rises over the first steps, stays, and falls straight to nothing over the last ones, so that how long a run
        is need not be known when it starts (as in Hu et al., MiniCPM, 2024)."""
        rising = min(1.0, (self.step + 1) / min(_WARM_UP, 1 + self.config.steps // 10))
        falling = min(1.0, (1.0 - self.step / self.config.steps) / _FALLING)
        return self.config.learning_rate * min(rising, max(falling, 0.01))

    def _ahead(self, first: int) -> Iterator[Batch]:
        """Batches from a step on, the next one made while the current one is learnt from."""
        with ThreadPoolExecutor(1, thread_name_prefix="batches") as pool:
            coming = pool.submit(self.batches.make, first)
            for step in range(first, self.config.steps):
                batch = coming.result()
                if step + 1 < self.config.steps:
                    coming = pool.submit(self.batches.make, step + 1)
                yield batch

    def _log(self, folder: Path, measures: dict[str, float], tell: Callable[[str], None]) -> None:
        row = {"step": self.step, "seconds": round(self.seconds, 1), **{k: round(v, 4) for k, v in measures.items()}}
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        tell("  ".join(f"{name} {value:g}" for name, value in row.items()))
