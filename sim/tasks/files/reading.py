"""JSON files of episodes, walked through so that an error can name the file, the place in it and what belongs there."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from sim.errors import BadEpisodes
from spatialmem.geometry import Z_UP_FROM_Y_UP, apply, matrix_from_quat_xyzw, opencv_pose

_UPRIGHT = 0.05
"""how far the up of a body may lean, as the sine of an angle"""
_SUFFIXES = (".json", ".json.gz")


def sources(path: str | Path, scenes: Sequence[str] | None = None) -> list[Path]:
    """The files that Habitat reads for a path: a file or the folder of a split, and those in `content/` beside it.

    `scenes`: names of files in `content/` without their endings, such as "DYehNKdT76V"; all of them when not given.

    Raises:
        BadEpisodes: there is no such file, or none of a scene.
    """
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    content = {_stem(p): p for p in sorted((folder / "content").glob("*.json*")) if p.name.endswith(_SUFFIXES)}
    own = [path] if not path.is_dir() else [p for s in _SUFFIXES if (p := path / f"{path.name}{s}").is_file()][-1:]
    missing = sorted(set(scenes or ()) - set(content))
    if missing:
        raise BadEpisodes(f"{folder / 'content'}: no episodes of {', '.join(missing)}; there are {sorted(content)}")
    found = own + [p for name, p in content.items() if scenes is None or name in scenes]
    if not found or not all(p.is_file() for p in found):
        raise BadEpisodes(
            f"{path}: there is no such file of episodes; expected a .json or .json.gz file, or the folder of a split "
            "with content/ in it"
        )
    return found


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".json")


@final
@dataclass(frozen=True)
class Node:
    """A value in a file, and where it stands there."""

    source: Path
    where: str
    """such as "episodes[3].start_rotation"; empty for the whole"""
    value: Any

    def bad(self, form: str) -> BadEpisodes:
        """The error for a value that is not of the form that it should have."""
        shown = self.value
        if isinstance(shown, dict):
            text = f"an object with the keys {', '.join(map(str, list(shown)[:6]))}" if shown else "an empty object"
        else:
            text = repr(shown)
        text = f"{text[:77]}..." if len(text) > 80 else text
        return BadEpisodes(f"{self.source}: {self.where or 'the whole file'}: expected {form}; found {text}")

    def has(self, key: str) -> bool:
        """Whether it is an object with a key whose value is not null."""
        return isinstance(self.value, dict) and self.value.get(key) is not None

    def at(self, key: str, form: str) -> Node:
        """The value of a key of an object."""
        if not isinstance(self.value, dict):
            raise self.bad(f"an object with the key {key!r}")
        if key not in self.value:
            where = f"{self.where}.{key}" if self.where else key
            raise BadEpisodes(f"{self.source}: {where}: expected {form}; there is no such key, only {self._keys()}")
        return Node(self.source, f"{self.where}.{key}" if self.where else key, self.value[key])

    def _keys(self) -> str:
        return ", ".join(map(str, list(self.value)[:8])) or "none"

    def items(self, form: str) -> Iterator[Node]:
        """The values of a list."""
        if not isinstance(self.value, list):
            raise self.bad(form)
        yield from (Node(self.source, f"{self.where}[{i}]", v) for i, v in enumerate(self.value))

    def entries(self, form: str) -> Iterator[tuple[str, Node]]:
        """The keys and values of an object."""
        if not isinstance(self.value, dict):
            raise self.bad(form)
        yield from ((k, Node(self.source, f"{self.where}[{k!r}]", v)) for k, v in self.value.items())

    def text(self, form: str) -> str:
        """A text that is not empty."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.bad(form)
        return self.value

    def name(self, form: str) -> str:
        """A text or whole number, as text."""
        if type(self.value) is int:
            return str(self.value)
        return self.text(form)

    def numbers(self, count: int, form: str) -> list[float]:
        """A list of finite numbers."""
        value = self.value
        plain = isinstance(value, list) and len(value) == count and all(type(v) in (int, float) for v in value)
        if not plain or not all(math.isfinite(v) for v in value):
            raise self.bad(form)
        return [float(v) for v in value]

    def point_m(self) -> tuple[float, float, float]:
        """A position in Habitat's y-up world, turned z-up."""
        x, y, z = apply(Z_UP_FROM_Y_UP, np.array([self.numbers(3, "a position x, y, z, y up, in metres")]))[0]
        return float(x), float(y), float(z)

    def rotation(self) -> np.ndarray[Any, np.dtype[np.float64]]:
        """(3, 3) rotation of a list x, y, z, w: a z-up world from a body or camera with Habitat's axes."""
        quat_xyzw = np.array(self.numbers(4, "a rotation x, y, z, w"))
        if abs(float(np.linalg.norm(quat_xyzw)) - 1.0) > 1e-3:
            raise self.bad("a rotation x, y, z, w of length 1")
        return Z_UP_FROM_Y_UP[:3, :3] @ matrix_from_quat_xyzw(quat_xyzw)

    def yaw_rad(self) -> float:
        """Heading of an upright body, which looks along its own -z, from +x anticlockwise seen from above."""
        axes = self.rotation()
        if axes[2, 1] < 1.0 - _UPRIGHT:
            raise self.bad("a turn about the vertical as x, y, z, w, with x and z near 0 (is it w, x, y, z?)")
        return float(math.atan2(-axes[1, 2], -axes[0, 2]))


def camera_pose(position: Node, rotation: Node) -> tuple[float, ...]:
    """16 numbers of world_from_camera, z up and OpenCV axes, of a camera in Habitat's world with Habitat's axes."""
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation.rotation(), position.point_m()
    return tuple(float(v) for v in opencv_pose(pose, "opengl").ravel())


def load(path: Path) -> Node:
    """The content of a .json or .json.gz file; `BadEpisodes` says what is wrong with it."""
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        return Node(path, "", json.loads(data.decode("utf-8")))
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise BadEpisodes(f"{path}: the gzip stream is broken ({error}); was the download cut short?") from error
    except OSError as error:
        raise BadEpisodes(f"{path}: cannot be read ({error.strerror}); name a .json or .json.gz file") from error
    except (ValueError, RecursionError) as error:
        raise BadEpisodes(f"{path}: expected JSON in UTF-8, perhaps gzipped; {error}") from error


def rest(node: Node, consumed: Sequence[str]) -> dict[str, Any]:
    """What else an object says, but for the keys that were made use of."""
    return {k: v for k, v in node.value.items() if k not in consumed}
