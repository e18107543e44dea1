"""What a reader is: posed frames from a recording, bad ones skipped, counted and reported."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from spatialmem.errors import InvalidValue, ReadError
from spatialmem.io.recording_id import first_frame_id
from spatialmem.types import Frame

_log = logging.getLogger(__name__)
_EXAMPLES_KEPT = 3


class BadReason(Enum):
    """Why a frame of a recording cannot be used."""

    LOST_POSE = "lost pose"
    """no pose, an infinite one, or none near enough in time"""
    UNREADABLE = "unreadable file"
    """missing, truncated or not the kind of file it should be"""
    SIZE_MISMATCH = "size mismatch"
    """colour, depth and intrinsics do not have the sizes the format promises"""
    TIME_BACKWARDS = "time going backwards"
    """the stamp is not above that of the frame delivered before it"""
    INVALID = "invalid frame"
    """everything was read, but the frame breaks the contract of `Frame` (depth unit, rotation, ...)"""


class BadFrame(ReadError):
    """One frame of a recording that cannot be used; the others may be fine."""

    def __init__(self, reason: BadReason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass
class ReadReport:
    """What one pass over a recording met. `str(report)` is meant for people."""

    delivered: int = 0
    """frames handed out"""
    skipped: dict[BadReason, int] = field(default_factory=dict)
    """number of frames skipped, by reason"""
    examples: dict[BadReason, list[str]] = field(default_factory=dict)
    """the first few of each reason, with file names"""
    notes: list[str] = field(default_factory=list)
    """choices the reader made that change the result: depth scale, intrinsics, tolerance of association"""

    @property
    def skipped_total(self) -> int:
        """Number of frames skipped for any reason."""
        return sum(self.skipped.values())

    def count(self, bad: BadFrame) -> None:
        """Record one skipped frame."""
        self.skipped[bad.reason] = self.skipped.get(bad.reason, 0) + 1
        examples = self.examples.setdefault(bad.reason, [])
        if len(examples) < _EXAMPLES_KEPT:
            examples.append(bad.detail)

    def __str__(self) -> str:
        lines = [f"{self.delivered} frames read, {self.skipped_total} skipped"]
        for reason, number in self.skipped.items():
            lines.append(f"  {reason.value}: {number}")
            lines += [f"    {example}" for example in self.examples[reason]]
            if number > len(self.examples[reason]):
                lines.append(f"    and {number - len(self.examples[reason])} more")
        return "\n".join(lines + [f"  note: {note}" for note in self.notes])


class Reader(ABC):
    """A recording as a sequence of posed frames.

    A subclass sets `format_name` and gives `__len__` and `read_frame`, and `recognises` and `layout` where
    `read` is to find it by the path; the rest is here. `reader[i]` gives the same frame however often and in
    whatever order it is asked for, and raises `BadFrame` for a bad one; iterating skips bad frames and counts them in
    `report`, or raises when `strict`. Data that can only be read in order derives from `StreamReader` instead.
    """

    format_name: ClassVar[str]
    """short name, what `read(path, format=...)` takes"""
    layout: ClassVar[str] = ""
    """one line: which files make up such a recording"""
    is_stream: ClassVar[bool] = False
    """True: only iteration works, `len` and `[]` do not"""

    def __init__(self, path: str | Path, *, strict: bool = False, session_id: str | None = None) -> None:
        """Open the recording at `path`; reads lists and poses, no images.

        Args:
            path: file or folder of the recording.
            strict: raise `BadFrame` while iterating instead of skipping.
            session_id: session given to every frame; None: the name of the file or folder, so that another
                recording is another session.
        """
        self.path = Path(path)
        self.strict = strict
        self.session_id = recording_name(self.path) if session_id is None else session_id
        self.frame_id = "world"
        self.up_in_world: tuple[float, float, float] | None = None
        self.notes: list[str] = []
        self.report = ReadReport()

    frame_id: str
    """name of the world frame the poses are given in"""
    up_in_world: tuple[float, float, float] | None
    """unit vector against gravity in that frame, where the recording declares it"""
    report: ReadReport
    """what the latest (or current) iteration met"""

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Whether `path` looks like this format: names only, no images, no exceptions. By default never."""
        return False

    @abstractmethod
    def __len__(self) -> int:
        """Number of frames listed, bad ones included."""

    @abstractmethod
    def read_frame(self, index: int) -> Frame:
        """Frame `index` (0 <= index < len(self)), without side effects; `ReadError` when it is bad."""

    def describe(self, index: int) -> str:
        """How messages call frame `index`; a subclass may name the file."""
        return f"frame {index}"

    def note(self, text: str) -> None:
        """Record a choice that changes the result; it appears in every report."""
        _log.info("%s: %s", self.path, text)
        self.notes.append(text)
        self.report.notes.append(text)

    def __bool__(self) -> bool:
        return True

    def __getitem__(self, index: int) -> Frame:
        """Frame `index`; negative counts from the end. Raises `IndexError`, or `BadFrame` for a bad frame."""
        position = index + len(self) if index < 0 else index
        if not 0 <= position < len(self):
            raise IndexError(f"{self.path} lists {len(self)} frames; there is no frame {index}")
        try:
            return self._named(self.read_frame(position))
        except (ReadError, InvalidValue, OSError) as error:
            raise self._as_bad(error, position) from error

    @cached_property
    def recording_id(self) -> str | None:
        """What every frame is given as its `recording_id`, unless it brings one; None: nothing is known.

        Made from stamp and pose of the first good frame. A subclass may set `self.recording_id` in its constructor:
        to one text for all readers of a recording that has a reader a camera, to None for what is no recording.
        """
        for index in range(len(self)):
            try:
                return _id_of(self.read_frame(index))
            except (ReadError, InvalidValue, OSError):
                continue
        return None

    def _named(self, frame: Frame) -> Frame:
        if frame.recording_id is not None or self.recording_id is None:
            return frame
        return frame.of_recording(self.recording_id)

    def outcomes(self) -> Iterator[Frame | BadFrame]:
        """Every listed frame in order, a bad one as the `BadFrame` that says why. Streams override this."""
        for index in range(len(self)):
            try:
                yield self[index]
            except BadFrame as bad:
                yield bad

    def __iter__(self) -> Iterator[Frame]:
        """Good frames in order, with rising stamps; starts a fresh `report`.

        Raises `BadFrame` at the first bad frame when `strict`, and `ReadError` at the end when not a single
        frame could be used.
        """
        report = ReadReport(notes=list(self.notes))
        self.report = report
        last_ns: dict[tuple[str, str], int] = {}
        for outcome in self.outcomes():
            checked = _in_order(outcome, last_ns)
            if isinstance(checked, Frame):
                report.delivered += 1
                yield self._named(checked)
                continue
            if self.strict:
                raise checked
            report.count(checked)
        if report.skipped_total and not report.delivered:
            raise ReadError(f"no frame of {self.path} can be used\n{report}")

    def _as_bad(self, error: Exception, index: int) -> BadFrame:
        name = self.describe(index)
        if isinstance(error, BadFrame):
            return BadFrame(error.reason, f"{name}: {error.detail}")
        reason = BadReason.INVALID if isinstance(error, InvalidValue) else BadReason.UNREADABLE
        return BadFrame(reason, f"{name}: {error}")


class StreamReader(Reader):
    """A recording that is read from its start each time: a subclass gives `outcomes`."""

    is_stream = True
    recording_id: str | None = None
    """as of `Reader`, but known only with the first frame: a stream is not begun just to look ahead"""

    def _named(self, frame: Frame) -> Frame:
        if "recording_id" not in vars(self):
            self.recording_id = _id_of(frame)
        return super()._named(frame)

    def __len__(self) -> int:
        raise TypeError(f"{self.path} is a stream: iterate over it, it has no length")

    def read_frame(self, index: int) -> Frame:
        raise TypeError(f"{self.path} is a stream: iterate over it, it has no frame {index}")

    def __getitem__(self, index: int) -> Frame:
        return self.read_frame(index)

    @abstractmethod
    def outcomes(self) -> Iterator[Frame | BadFrame]:
        """Every frame in order, a bad one as the `BadFrame` that says why; starts anew at each call."""


class FramesReader(StreamReader):
    """Frames from any iterable, under the checks that every reader makes."""

    format_name = "frames"
    layout = "any iterable of Frame, handed over in Python"

    def __init__(self, frames: Iterable[Frame], *, strict: bool = False) -> None:
        super().__init__("frames from memory", strict=strict)  # its frames bring their own sessions
        self.recording_id = None  # they may be a robot's, that goes on with a session
        self._frames = frames

    def outcomes(self) -> Iterator[Frame | BadFrame]:
        yield from self._frames


def recording_name(path: Path) -> str:
    """Name of the file or folder, however the path to it is written."""
    return path.resolve().name or "main"  # the root folder has no name


def _id_of(first: Frame) -> str | None:
    return None if first.world_from_camera is None else first_frame_id(first.stamp_ns, first.world_from_camera)


def _in_order(outcome: Frame | BadFrame, last_ns: dict[tuple[str, str], int]) -> Frame | BadFrame:
    """`outcome`, or the `BadFrame` that says its stamp does not rise. Updates the latest stamp per camera."""
    if isinstance(outcome, BadFrame):
        return outcome
    camera = (outcome.session_id, outcome.camera_id)
    before = last_ns.get(camera)
    if before is not None and outcome.stamp_ns <= before:
        name = f"frame {outcome.seq} of {outcome.camera_id}"
        return BadFrame(BadReason.TIME_BACKWARDS, f"{name}: stamp {outcome.stamp_ns} ns comes after {before} ns")
    last_ns[camera] = outcome.stamp_ns
    return outcome
