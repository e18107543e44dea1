"""From a reader into a memory, counting what happens."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np

from spatialmem.cli.interrupt import Interrupt
from spatialmem.cli.progress import peak_bytes, progress_for
from spatialmem.errors import UnplacedSession
from spatialmem.types import Frame, Skipped, Stored
from spatialmem.view.words import size

if TYPE_CHECKING:
    from spatialmem.io import Reader
    from spatialmem.memory import SpatialMemory

_SUSPECTS_NAMED = 5


@final
@dataclass
class Tally:
    """What a build met."""

    frames: int = 0
    stored: Counter[str] = field(default_factory=Counter)
    """by what made the gate keep the frame"""
    skipped: Counter[str] = field(default_factory=Counter)
    """by why the memory did not keep the frame"""
    suspects: list[int] = field(default_factory=list)
    """lsn of frames whose pose contradicts the map"""
    seconds: float = 0.0
    interrupted: bool = False

    def count(self, outcome: Stored | Skipped) -> None:
        """Take note of one frame."""
        self.frames += 1
        if isinstance(outcome, Skipped):
            self.skipped[outcome.reason] += 1
            return
        self.stored[outcome.reason] += 1
        if outcome.pose_suspect:
            self.suspects.append(outcome.lsn)

    @property
    def stored_total(self) -> int:
        """Number of frames kept."""
        return self.stored.total()

    @property
    def frames_per_s(self) -> float:
        """Frames looked at a second, reading included."""
        return self.frames / self.seconds if self.seconds > 0 else 0.0


def remember(
    memory: SpatialMemory, reader: Reader, max_frames: int | None, quiet: bool, stop: Interrupt,
    same_world: bool = False,
) -> Tally:  # fmt: skip
    """Observe the frames of a reader until they end, `max_frames` are seen, or `stop` is asked for.

    With `same_world` a new session lies in the map as it is; it is added with the first frame that can be stored.
    """
    tally, started = Tally(), time.monotonic()
    listed = None if reader.is_stream else len(reader)
    total = max_frames if listed is None else min(listed, max_frames or listed)
    with progress_for(total, quiet) as progress:
        for frame in reader:
            tally.count(_observed(memory, frame, same_world))
            progress.step(tally.frames, tally.stored_total)
            if stop.asked or tally.frames == max_frames:
                break
    tally.seconds, tally.interrupted = time.monotonic() - started, stop.asked
    return tally


def _observed(memory: SpatialMemory, frame: Frame, same_world: bool) -> Stored | Skipped:
    try:
        return memory.observe(frame)
    except UnplacedSession:  # not before: a recording of which nothing can be stored leaves no session behind
        if not same_world or memory.sql("SELECT 1 FROM sessions WHERE session_id = ?", (frame.session_id,)):
            raise
        memory.add_session(frame.session_id, np.eye(4), "declared on the command line")
        return memory.observe(frame)


def tally_values(tally: Tally, reader: Reader) -> dict[str, Any]:
    """A build for JSON."""
    report = reader.report
    return {
        "format": reader.format_name, "frames": tally.frames, "stored": tally.stored_total,
        "stored_by_reason": dict(tally.stored), "skipped": dict(tally.skipped),
        "bad_frames": {reason.value: number for reason, number in report.skipped.items()},
        "bad_examples": {reason.value: lines for reason, lines in report.examples.items()},
        "notes": report.notes, "pose_suspect": len(tally.suspects), "pose_suspect_lsn": tally.suspects,
        "seconds": round(tally.seconds, 3), "frames_per_s": round(tally.frames_per_s, 2),
        "peak_memory_bytes": peak_bytes(), "interrupted": tally.interrupted,
    }  # fmt: skip


def tally_rows(tally: Tally, reader: Reader) -> list[tuple[str, str]]:
    """A build for people."""
    rows = [
        ("read", f"{tally.frames} frames as {reader.format_name}, {tally.frames_per_s:.1f} frames/s"),
        ("stored", f"{tally.stored_total}" + _by_reason(tally.stored)),
        ("skipped", f"{tally.skipped.total()}" + _by_reason(tally.skipped)),
    ]
    for reason, number in reader.report.skipped.items():
        rows.append((f"bad: {reason.value}", f"{number}, such as {reader.report.examples[reason][0]}"))
    if tally.suspects:
        some = ", ".join(map(str, tally.suspects[:_SUSPECTS_NAMED]))
        first = "the first: " if len(tally.suspects) > _SUSPECTS_NAMED else ""
        rows.append(("warning", f"{len(tally.suspects)} poses contradict the map (pose_suspect), lsn {first}{some}"))
    rows += [("note", note) for note in reader.report.notes]
    return [*rows, ("peak memory", size(peak_bytes()))]


def _by_reason(counts: Counter[str]) -> str:
    return f" ({', '.join(f'{reason}: {number}' for reason, number in counts.most_common())})" if counts else ""
