"""The tables of a LeRobot data set, version 3: meta/info.json, meta/episodes/ and data/.

Source: LeRobot, datasets/utils.py and datasets/dataset_writer.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spatialmem.errors import ReadError, require
from spatialmem.io.reader import BadFrame, BadReason
from spatialmem.io.textfiles import number_of, read_json

EXTRA = "lerobot"
INFO = "meta/info.json"
_EPISODES = "meta/episodes"
_MAJOR_VERSION = "v3."
_FIELD = re.compile(r"\{(\w+)(?::(\d+)d)?\}")
_DATA_COLUMNS = ("timestamp", "frame_index", "episode_index", "index")
_MOST_FRAMES, _LARGEST = 1 << 27, 2.0**53


@dataclass(frozen=True, eq=False)
class Rows:
    """The frames of one episode, as its data file lists them."""

    episode: dict[str, Any]
    """its row in meta/episodes"""
    file: Path
    at: NDArray[np.int64]
    """(N,) row numbers in the file"""
    index: NDArray[np.int64]
    """(N,) number of each frame in the data set"""
    timestamp_s: NDArray[np.float64]
    """(N,) since the episode began"""
    pose: NDArray[np.float64]
    """(N, K) numbers of the pose feature; K is 0 without one"""


class Tables:
    """What is listed; images in tables are fetched one row group at a time."""

    def __init__(self, root: Path) -> None:
        """Read meta/info.json; `ReadError` when it is of another version than 3."""
        self.root = root
        self._info_path = root / INFO
        self._info = read_json(self._info_path)
        version = self._info.get("codebase_version")
        if not (isinstance(version, str) and version.startswith(_MAJOR_VERSION)):
            raise ReadError(
                f"{self._info_path}: version {version!r}; expected v3.0. Older data sets are converted by LeRobot: "
                "python -m lerobot.scripts.convert_dataset_v21_to_v30 --repo-id=..."
            )
        self.fps = number_of(self._info_path, self._info, "fps")
        if not 0.0 < self.fps <= 1e6:
            raise ReadError(f"{self._info_path}: 'fps' must be positive; found {self.fps}")
        self.features = self._dict_of_dicts("features")
        self._images: tuple[Path, str, int, Any] | None = None
        self._listed: tuple[Path, dict[str, NDArray[np.float64]]] | None = None

    def episodes(self) -> list[dict[str, Any]]:
        """Rows of meta/episodes, by episode_index."""
        files = sorted((self.root / _EPISODES).glob("*/*.parquet"))
        if not files:
            raise ReadError(f"{self.root} has no {_EPISODES}/chunk-000/file-000.parquet; is the data set complete?")
        found: list[dict[str, Any]] = []
        for file in files:
            names = [name for name in self._schema(file).names if not name.startswith("stats/")]
            found += self._read(file, names).to_pylist()
        if not all(isinstance(row.get("episode_index"), int) for row in found):
            raise ReadError(f"{self.root / _EPISODES}: every row needs an 'episode_index'")
        return sorted(found, key=lambda row: row["episode_index"])

    def rows(self, episode: dict[str, Any], pose: str | None) -> Rows:
        """The frames of an episode, in order of their frame_index."""
        file = self.file_of(episode, "data")
        if self._listed is None or self._listed[0] != file:  # many episodes share a file
            self._listed = (file, self._columns(file, pose))
        columns = self._listed[1]
        own = np.flatnonzero(columns["episode_index"] == episode["episode_index"])
        own = own[np.argsort(columns["frame_index"][own], kind="stable")]
        index = columns["index"][own].astype(np.int64)
        return Rows(episode, file, own, index, columns["timestamp"][own], columns["pose"][own])

    def file_of(self, episode: dict[str, Any], kind: str, video: str = "") -> Path:
        """The data file of an episode (kind "data"), or its video file of one camera (kind "video")."""
        template = self._info.get(f"{kind}_path")
        prefix = "data" if kind == "data" else f"videos/{video}"
        known: dict[str, Any] = {"video_key": video}
        for name in ("chunk_index", "file_index"):
            value = episode.get(f"{prefix}/{name}")
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise ReadError(f"{self.root / _EPISODES}: {prefix}/{name} is {value!r}; expected a number")
            known[name] = value
        if not isinstance(template, str) or any(field not in known for field, _ in _FIELD.findall(template)):
            raise ReadError(f"{self._info_path}: '{kind}_path' is {template!r}; it may name {', '.join(known)}")
        name = _FIELD.sub(lambda m: str(known[m[1]]).zfill(int(m[2] or 0)), template)
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ReadError(f"{self._info_path}: '{kind}_path' leads out of the data set: {name}")
        return self.root / name

    def image(self, rows: Rows, number: int, key: str) -> bytes:
        """The bytes of an image file that stands in a data file."""
        at = int(rows.at[number])
        try:
            groups = self._parquet.ParquetFile(rows.file)
            first = 0
            for group in range(groups.num_row_groups):
                n = groups.metadata.row_group(group).num_rows
                if at < first + n:
                    return self._image(groups, rows.file, key, group, at - first)
                first += n
        except self._broken as error:
            raise BadFrame(BadReason.UNREADABLE, f"{rows.file}: {key} cannot be read: {error}") from error
        raise BadFrame(BadReason.UNREADABLE, f"{rows.file} has no row {at}")

    def _columns(self, file: Path, pose: str | None) -> dict[str, NDArray[np.float64]]:
        """The columns of a data file that hold numbers, (N,) each, and "pose", (N, K)."""
        table = self._read(file, [*_DATA_COLUMNS, *([pose] if pose else [])])
        if table.num_rows > _MOST_FRAMES:
            raise ReadError(f"{file} lists {table.num_rows} frames, more than {_MOST_FRAMES}")
        columns: dict[str, NDArray[np.float64]] = {}
        for name in _DATA_COLUMNS:
            columns[name] = self._numbers(file, table, name).reshape(-1)
            if len(columns[name]) != table.num_rows:
                raise ReadError(f"{file}: {name} must hold one number a frame")
            if name != "timestamp" and not (np.abs(columns[name]) < _LARGEST).all():
                raise ReadError(f"{file}: {name} must hold whole numbers; found {columns[name].max()} and others")
        columns["pose"] = self._numbers(file, table, pose) if pose else np.empty((table.num_rows, 0))
        return columns

    def _image(self, groups: Any, file: Path, key: str, group: int, at: int) -> bytes:
        if self._images is None or self._images[:3] != (file, key, group):
            self._images = (file, key, group, groups.read_row_group(group, columns=[key]).column(0).combine_chunks())
        value = self._images[3][at].as_py()
        data = value.get("bytes") if isinstance(value, dict) else value
        if isinstance(data, bytes):
            return data
        raise BadFrame(BadReason.UNREADABLE, f"{file}: {key} holds no image in row {at}")

    def _numbers(self, file: Path, table: Any, name: str) -> NDArray[np.float64]:
        """(N, K) numbers of a column; lists of lists come flat."""
        column = table.column(name).combine_chunks()
        rows = len(column)
        while self._arrow.types.is_list(column.type) or self._arrow.types.is_fixed_size_list(column.type):
            column = column.flatten()
        try:
            values = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
        except (*self._broken, TypeError) as error:
            raise ReadError(f"{file}: {name} holds no numbers: {error}") from error
        if rows == 0 or len(values) % rows:
            raise ReadError(f"{file}: {name} holds {len(values)} numbers in {rows} rows; expected equally many in each")
        return values.reshape(rows, -1)

    def _schema(self, file: Path) -> Any:
        try:
            return self._parquet.read_schema(file)
        except self._broken as error:
            raise ReadError(f"{file} is no whole Parquet file: {error}") from error

    def _read(self, file: Path, columns: list[str]) -> Any:
        missing = set(columns) - set(self._schema(file).names)
        if missing:
            raise ReadError(f"{file} lacks the columns {', '.join(sorted(missing))}")
        try:
            return self._parquet.ParquetFile(file).read(columns=columns)
        except self._broken as error:
            raise ReadError(f"{file} cannot be read: {error}") from error

    def _dict_of_dicts(self, key: str) -> dict[str, dict[str, Any]]:
        found = self._info.get(key)
        if not isinstance(found, dict) or not all(isinstance(value, dict) for value in found.values()):
            raise ReadError(f"{self._info_path}: {key!r} must be an object of objects; found {str(found)[:80]}")
        return found

    @cached_property
    def _arrow(self) -> Any:
        return require("pyarrow", EXTRA)

    @cached_property
    def _parquet(self) -> Any:
        return require("pyarrow.parquet", EXTRA)

    @cached_property
    def _broken(self) -> tuple[type[Exception], ...]:
        """What pyarrow raises at a file that is missing, damaged or none of its kind."""
        return (self._arrow.ArrowException, OSError, ValueError, IndexError, KeyError, MemoryError, OverflowError)
