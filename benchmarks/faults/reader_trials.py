"""Damaged recordings of every format, read to the end and compared with the sound one.

Outcomes of a trial:
  refused    an error of the library, on opening or because no frame can be used
  counted    frames are missing, and the report counts every one of them; the others are as they were
  harmless   every frame is there as it was
  fewer      frames are missing that the format does not list otherwise; the others are as they were
  changed    a frame has other pixels, and nothing in the format could tell
  moved      a frame has another pose or stamp, and nothing in the format could tell
  missed     a frame has changed although a checksum covers the damage: WRONG
  raised     an exception that is none of the library's: WRONG
  died, hung WRONG
"""

from __future__ import annotations

import os
import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from faults.damage import Spec, cuts, damaged, flips, sectors
from spatialmem.errors import SpatialMemError
from spatialmem.io import read
from spatialmem.types import Frame
from tests.recordings import WRITERS, walk

OUTCOMES = ("refused", "counted", "harmless", "fewer", "changed", "moved", "missed", "raised", "died", "hung")
WRONG = ("missed", "raised", "died", "hung")
FRAMES, SIZE = 4, (80, 60)
_CHECKED = (".png", ".r3d")
"""suffixes of files whose format has checksums over everything that is read"""


def make_recordings(folder: Path) -> dict[str, Path]:
    """One recording of each format and variant."""
    frames, made = walk(FRAMES, *SIZE), {}
    for name, write in sorted(WRITERS.items()):
        (folder / name).mkdir()
        made[name] = write(folder / name / "recording", frames)
    return made


def specs(folder: Path, recordings: dict[str, Path], each: int, rng: np.random.Generator) -> Iterator[Spec]:
    """For one file of each kind in each recording: missing, empty, cut, flipped, overwritten; `each` in all."""
    for name, path in recordings.items():
        kinds = _kinds(path)
        share = max(6, each // len(kinds))
        for file in kinds:
            top, inside = (str(p.relative_to(folder / name)) for p in (path, file))
            content, where = file.read_bytes(), {"recording": name, "path": top, "file": inside}
            some = [{"kind": "missing"}, {"kind": "cut", "at": 0}]
            some += list(cuts(len(content), share // 4, rng))[1:] if len(content) > 200 else []
            some += list(flips(content, share // 2, rng)) if content.strip(b"\0") else []
            some += list(sectors(len(content), share // 8, 512, rng))
            for spec in some:
                yield {**where, **spec}


def _kinds(path: Path) -> list[Path]:
    """One file of each kind: names that differ in their digits only are of one; the second of them, where there is
    one, as the first may be all that a reader looks at."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    kinds: dict[str, list[Path]] = {}
    for file in files:
        kinds.setdefault(re.sub(r"[0-9]+", "0", str(file.relative_to(path.parent))), []).append(file)
    return [same[min(1, len(same) - 1)] for same in kinds.values()]


class Trials:
    """For faults.worker: one damaged recording after the other. `folder` holds what `make_recordings` made."""

    def __init__(self, folder: Path) -> None:
        warnings.simplefilter("ignore")
        self._folder, self._copy = folder, folder / f"trial-{os.getpid()}"
        self._sound: dict[str, dict[int, Frame]] = {}

    def trial(self, spec: Spec) -> dict[str, str]:
        """The outcome, and what was said."""
        name = spec["recording"]
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(self._folder / name, self._copy)
        if name not in self._sound:
            self._sound[name] = {frame.stamp_ns: frame for frame in read(self._copy / spec["path"])}
        try:
            _damage(self._copy / spec["file"], spec)
            return self._judged(self._copy / spec["path"], name, spec)
        except Exception as error:  # noqa: BLE001  that there is none but the library's own is what is tested
            return {"outcome": "raised", "detail": f"{type(error).__name__}: {error}"}

    def _judged(self, path: Path, name: str, spec: Spec) -> dict[str, str]:
        sound = self._sound[name]
        try:
            reader = read(path)
            frames = list(reader)
        except SpatialMemError as error:
            return {"outcome": "refused", "detail": str(error)}
        differences = [found for frame in frames for found in _differences(frame, sound)]
        if differences:
            outcome = "moved" if {"pose", "stamp"} & set(differences) else "changed"
            told = Path(spec["file"]).suffix in _CHECKED and spec["kind"] != "missing"
            return {"outcome": "missed" if told else outcome, "detail": ", ".join(sorted(set(differences)))}
        if len(frames) == len(sound):
            return {"outcome": "harmless", "detail": ""}
        counted = len(frames) + reader.report.skipped_total >= len(sound)
        return {"outcome": "counted" if counted else "fewer", "detail": str(reader.report)}


def _damage(file: Path, spec: Spec) -> None:
    if spec["kind"] == "missing":
        file.unlink()
    else:
        file.write_bytes(damaged(file.read_bytes(), spec))


def _differences(frame: Frame, sound: dict[int, Frame]) -> Iterator[str]:
    """What of a frame is not as it was: pose, stamp, camera, depth, colour, mask."""
    was = sound.get(frame.stamp_ns)
    if was is None:
        yield "stamp"
        return
    for name, now, before in (
        ("pose", frame.world_from_camera, was.world_from_camera), ("camera", frame.camera.K, was.camera.K),
        ("depth", frame.depth_m, was.depth_m), ("colour", frame.rgb, was.rgb), ("mask", frame.valid, was.valid),
    ):  # fmt: skip
        if not _equal(now, before):
            yield name


def _equal(a: Any, b: Any) -> bool:
    if a is None or b is None:
        return a is b
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
