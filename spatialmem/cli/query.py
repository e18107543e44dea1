"""`spatialmem query`: where is it?"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from spatialmem.cli.codes import OK, WrongUsage
from spatialmem.cli.output import answer_table, answer_values, write_json
from spatialmem.errors import InvalidValue

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spatialmem.asking import Asking
    from spatialmem.memory import SpatialMemory
    from spatialmem.types import Answer

_NS = 1_000_000_000
_UNITS_S = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True)
class Query:
    """Ask a memory where something is. TEXT, --image, --at and times narrow each other; one is needed."""

    memory: tyro.conf.Positional[Path]
    """the memory file; it is not changed"""
    text: tyro.conf.Positional[str | None] = None
    """what to look for, such as "red chair" """
    image: Path | None = None
    """a picture (PNG, JPEG) that shows the thing and little else"""
    at: tuple[float, float, float] | None = None
    """a point x y z in the map frame, metres"""
    radius_m: float | None = None
    """how far from --at to look, metres"""
    since: str | None = None
    """seen at or after: seconds, an ISO date and time (UTC), or a span such as 10min before the last frame"""
    until: str | None = None
    """seen at or before; written like --since"""
    as_of: str | None = None
    """ask the memory as it was at this time; written like --since"""
    top: int = 10
    """largest number of hits"""
    picture: Path | None = None
    """draw the answer into this file (.png or .jpg); without it into runs/query/, and with --json not at all"""
    no_picture: bool = False
    """do not draw the answer"""
    json: bool = False
    """one JSON object on standard output"""

    def run(self) -> int:
        """Ask; returns the exit code."""
        self._check()
        from spatialmem.memory import SpatialMemory

        picture = self._picture()
        with SpatialMemory.open(self.memory, "r") as whole, as_of(whole, self.as_of) as memory:
            answer = self._ask(memory)
            if picture is not None:
                draw_answer(memory, answer, self._headline(), picture)
        if self.json:
            asked = {"memory": self.memory, "text": self.text, "as_of": self.as_of, "picture": picture}
            write_json({**asked, **answer_values(answer)})
        else:
            answer_table(self._headline(), answer)
            if picture is not None:
                print(f"picture: {picture}")
        return OK

    def _picture(self) -> Path | None:
        if self.no_picture or (self.json and self.picture is None):
            return None
        if self.picture is not None:
            return self.picture
        name = re.sub(r"[^a-z0-9]+", "_", self._headline().lower()).strip("_")[:60] or "answer"
        return Path("runs") / "query" / f"{name}.png"

    def _check(self) -> None:
        if self.text is not None and not self.text.strip():
            raise WrongUsage("TEXT is empty; name what to look for, or leave it out and give --image, --at or --since")
        if all(part is None for part in (self.text, self.image, self.at, self.since, self.until)):
            raise WrongUsage("nothing is asked; give TEXT, --image, --at X Y Z (with --radius-m R), --since or --until")
        if (self.radius_m is None) != (self.at is None):
            raise InvalidValue("--at and --radius-m belong together; give both or neither")
        if self.picture is not None:
            check_picture_name(self.picture)

    def _headline(self) -> str:
        parts = [self.text, f"like {self.image.name}" if self.image else None]
        if self.at is not None:
            parts.append(f"within {self.radius_m:g} m of {', '.join(f'{v:g}' for v in self.at)}")
        times = (("since", self.since), ("until", self.until), ("as of", self.as_of))
        parts += [f"{word} {time}" for word, time in times if time]
        return ", ".join(part for part in parts if part)

    def _ask(self, memory: Asking) -> Answer:
        last_ns = last_stamp_ns(memory)
        since_ns = None if self.since is None else stamp_of(self.since, last_ns, "--since")
        until_ns = None if self.until is None else stamp_of(self.until, last_ns, "--until")
        return memory.query(
            self.text, image=self._crop(), at=self.at, radius_m=self.radius_m, since_ns=since_ns, until_ns=until_ns,
            top=self.top,
        )  # fmt: skip

    def _crop(self) -> NDArray[np.uint8] | None:
        if self.image is None:
            return None
        from spatialmem.io.images import read_rgb

        return read_rgb(self.image)


def last_stamp_ns(memory: Asking) -> int:
    """The latest stamp of the stored frames, 0 when there is none."""
    return max((keyframe.stamp_ns for keyframe in memory.trajectory()), default=0)


def as_of(memory: SpatialMemory, time: str | None) -> AbstractContextManager[Asking]:
    """The memory as it was at a time that --as-of gives, or as it is."""
    if time is None:
        return nullcontext(memory)
    return memory.at(stamp_of(time, last_stamp_ns(memory), "--as-of"))


def stamp_of(text: str, last_ns: int, option: str) -> int:
    """Nanoseconds of a time as the command line takes it: seconds, ISO 8601 (UTC), or a span before `last_ns`."""
    span = re.fullmatch(r"([0-9]*\.?[0-9]+)\s*(ms|s|min|h|d)", text.strip())
    if span:
        return max(0, last_ns - round(float(span[1]) * _UNITS_S[span[2]] * _NS))
    seconds = re.fullmatch(r"([0-9]+)(?:\.([0-9]{1,9}))?", text.strip())
    if seconds:
        return int(seconds[1]) * _NS + int((seconds[2] or "0").ljust(9, "0"))
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidValue(
            f"{option} {text!r} is no time; give seconds (12.5), a date and time (2026-01-01 10:00:05), or a span "
            "before the last frame (10min)"
        ) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)
    return round(moment.timestamp() * 1_000_000) * 1000


def check_picture_name(path: Path) -> None:
    """Refuse a name that no image format goes with."""
    if path.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise InvalidValue(f"a picture is a .png or .jpg file; given {path}")


def draw_answer(memory: Asking, answer: Answer, headline: str, path: Path) -> None:
    """Draw an answer into an image file."""
    import cv2

    from spatialmem.io.export_file import write_file
    from spatialmem.view import query_picture

    picture = query_picture(memory, answer, headline)
    _, data = cv2.imencode(path.suffix.lower(), picture[:, :, ::-1])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_file(path, data.tobytes())
