"""`spatialmem calibrate`: scores of an encoder become probabilities, fitted on houses that no training has seen."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from spatialmem.cli.codes import INTERRUPTED, OK, WrongUsage
from spatialmem.cli.interrupt import Interrupt
from spatialmem.cli.output import pairs_table, say, write_json
from spatialmem.cli.worlds import sim_errors

if TYPE_CHECKING:
    from spatialmem.perception import Calibration

_STOPPING = "stopping after this house; no calibration is written (Ctrl-C again stops at once)"


@dataclass(frozen=True)
class Calibrate:
    """Fit what the scores of an encoder mean, on made-up houses held out for it, and put it beside its weights."""

    encoder: tyro.conf.Positional[str]
    """name of the encoder, such as open_clip:ViT-B-32/weights.safetensors"""
    houses: int = 16
    """how many: the curve is fitted on one half, the score of a hit chosen on the other"""
    frames: int = 60
    """of each walk"""
    seed: int = 0
    """of what is asked and drawn"""
    out: Path | None = None
    """the file to write, in place of the one that the encoder looks for"""
    json: bool = False
    """one JSON object on standard output"""
    quiet: bool = False
    """no progress"""

    def run(self) -> int:
        """Fit; returns the exit code."""
        for name, value, least in (("houses", self.houses, 2), ("frames", self.frames, 2), ("seed", self.seed, 0)):
            if value < least:
                raise WrongUsage(f"--{name} must be at least {least}; given {value}")
        from spatialmem.cli.calibration_fitting import fitted
        from spatialmem.io.export_file import write_file
        from spatialmem.perception import load_bare
        from spatialmem.perception.calibration_file import calibration_text

        bare, started = load_bare(self.encoder), time.monotonic()
        path = self.out or bare.calibration_path
        if path is None:
            raise WrongUsage(
                f"{self.encoder!r} has its weights from a hub, and no place here for a calibration; download them to "
                "a file and name that, or give --out FILE"
            )
        if not self.quiet:
            say(f"walking through {self.houses} houses (the first run compiles kernels, which takes a while)")
        with sim_errors(), Interrupt(_STOPPING) as stop:
            from sim.tasks.naming import SPLIT_SHA256, houses

            def told(done: int) -> bool:
                if not self.quiet:
                    say(f"house {done} of {self.houses}")
                return stop.asked

            found = fitted(
                bare, houses("fit", self.houses), SPLIT_SHA256, frames=self.frames, seed=self.seed, progress=told
            )
        if found is None:
            return INTERRUPTED
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, calibration_text(found).encode())
        self._tell(found, path, round(time.monotonic() - started, 1), bare.with_calibration(found).fingerprint)
        return OK

    def _tell(self, found: Calibration, path: Path, seconds: float, fingerprint: str) -> None:
        on = found.fitted_on
        values: dict[str, Any] = {
            "encoder": self.encoder, "calibration": path, "houses": len(on.scenes), "questions": on.questions,
            "samples": on.samples, "true_samples": on.true_samples, "background_phrases": len(found.phrases),
            "ece": on.ece, "false_answers": on.false_answers, "missed": on.missed, "hit_score": found.hit_score,
            "min_similarity": found.min_similarity, "images": _of_images(found), "fingerprint": fingerprint,
            "seconds": seconds,
        }  # fmt: skip
        if self.json:
            write_json(values)
            return
        rows = [("calibration", str(path)), ("fitted in", f"{seconds} s"), *_rows("texts", found)]
        pairs_table("", rows if found.images is None else [*rows, *_rows("images", found.images)])
        print("the encoder has a new fingerprint: memories made before must be rebuilt with it to be asked")


def _rows(what: str, found: Calibration) -> list[tuple[str, str]]:
    on = found.fitted_on
    return [
        (f"{what}: fitted on", f"{on.questions} questions, {on.samples} voxels"),
        (f"{what}: background phrases", str(len(found.phrases))),
        (f"{what}: calibration error there", f"{on.ece:.3f}"),
        (f"{what}: a hit from", f"{found.hit_score:g}, cosine {found.min_similarity:.3f}"),
        (f"{what}: false answers there", f"{100 * on.false_answers:.1f} % of absent things"),
        (f"{what}: missed there", f"{100 * on.missed:.1f} % of present things"),
    ]


def _of_images(found: Calibration) -> dict[str, Any] | None:
    if found.images is None:
        return None
    of, on = found.images, found.images.fitted_on
    return {
        "questions": on.questions, "samples": on.samples, "true_samples": on.true_samples, "ece": on.ece,
        "false_answers": on.false_answers, "missed": on.missed, "hit_score": of.hit_score,
        "min_similarity": of.min_similarity,
    }  # fmt: skip
