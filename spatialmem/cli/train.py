"""`spatialmem train`: models of this project from data that it makes itself."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from spatialmem.cli.codes import INTERRUPTED, OK, WrongUsage
from spatialmem.cli.interrupt import Interrupt
from spatialmem.cli.output import pairs_table, say, write_json
from spatialmem.cli.worlds import sim_errors

if TYPE_CHECKING:
    from policies.training.encoder.loop import Trainer
    from policies.training.encoder.shards import Shard

_STOPPING = "stopping after this step, with a checkpoint; Ctrl-C again stops at once"


@dataclass(frozen=True)
class Train:
    """Train the encoder `tiny` on rendered houses: renders what is missing, trains, writes the artefact."""

    what: tyro.conf.Positional[Literal["encoder"]]
    """the only model so far"""
    out: Path = Path("runs/encoder/seed-0")
    """folder of the run: checkpoint, log, and the artefact in artefact/"""
    cache: Path = Path("runs/encoder/views")
    """folder of rendered views, shared by runs"""
    seed: int = 0
    """of the weights and of the order of things"""
    dense: Literal["regions", "none"] = "regions"
    """none: without supervision of regions and patches, for comparison"""
    dim: Literal[64, 128] = 64
    """width of the joint space, and so of the map"""
    houses: int = 121
    """how many are rendered and trained on, of 1000; the default made the one that comes along"""
    steps: int = 8000
    """over the last quarter of them the learning rate falls to nothing; with --resume, it may be changed before that"""
    minutes: float = 55.0
    """training stops after these, with a checkpoint; --resume goes on"""
    resume: bool = False
    """go on from the checkpoint in --out"""
    json: bool = False
    """one JSON object on standard output"""
    quiet: bool = False
    """no progress"""

    def run(self) -> int:
        """Train; returns the exit code."""
        started = time.monotonic()
        with sim_errors(), Interrupt(_STOPPING) as stop:
            trainer = self._trainer(self._shards(stop))
            finished = trainer.run(self.out, self.minutes, self._tell, lambda: stop.asked)
            artefact = self._export()
        values = {
            "run": self.out, "artefact": artefact, "step": trainer.step, "steps": self.steps, "finished": finished,
            "training_seconds": round(trainer.seconds, 1), "seconds": round(time.monotonic() - started, 1),
        }  # fmt: skip
        self._report(values)
        return INTERRUPTED if stop.asked else OK

    def _shards(self, stop: Interrupt) -> list[Shard]:
        from policies.training.encoder import held_out
        from policies.training.encoder.shards import load_shards
        from policies.training.encoder.views import ViewConfig

        seeds = held_out.houses("train")
        if not 1 <= self.houses <= len(seeds):
            raise WrongUsage(f"--houses must lie within 1 to {len(seeds)}; given {self.houses}")

        def tell(done: int, of: int) -> None:
            if stop.asked:
                raise KeyboardInterrupt
            if done % 20 == 0 or done == of:
                self._tell(f"views of {done} of {of} houses are there")

        return load_shards(self.cache, seeds[: self.houses], ViewConfig(training_textures=True), tell)

    def _trainer(self, shards: list[Shard]) -> Trainer:
        from policies.training.encoder import checkpoint
        from policies.training.encoder.loop import TrainConfig, Trainer
        from spatialmem.perception.tiny.towers import Architecture

        architecture = Architecture(dim=self.dim)
        config = TrainConfig(seed=self.seed, steps=self.steps, dense=self.dense, architecture=architecture)
        trainer = Trainer(config, shards)
        there = checkpoint.exists(self.out)
        if there and not self.resume:
            raise WrongUsage(f"{self.out} holds a run already; go on with --resume, or give another --out")
        if self.resume:
            trainer.resume(self.out)
        return trainer

    def _export(self) -> Path:
        from policies.training.encoder.export import export

        export(self.out, self.out / "artefact")
        return self.out / "artefact"

    def _tell(self, line: str) -> None:
        if not self.quiet:
            say(line)

    def _report(self, values: dict[str, Any]) -> None:
        if self.json:
            write_json(values)
        elif not self.quiet:
            minutes = values["training_seconds"] / 60.0
            done = f"step {values['step']} of {values['steps']}, after {minutes:.1f} minutes of training"
            pairs_table("", [("run", done), ("artefact", f"use it as tiny:{values['artefact']}")])
            if not values["finished"]:
                say("the same command with --resume goes on")
