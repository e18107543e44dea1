"""SpatialMemory: the one class a user needs.

observe:  gate -> log -> layers        (docs/format.md says what each of them holds)
query:    text or image -> scan of the surface -> connected regions -> hits with evidence; see asking.py
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, final

import numpy as np
from numpy.typing import NDArray

from spatialmem import arguments
from spatialmem.answering import Answering
from spatialmem.arrival import arrival
from spatialmem.budget import ByteBudget
from spatialmem.config import MemoryConfig
from spatialmem.entries import entry_of
from spatialmem.errors import InvalidValue, ReadOnlyMemory, SpatialMemError
from spatialmem.far_reading import whole_epoch
from spatialmem.forgetting import Forgotten, forget, frames_to_forget
from spatialmem.gate import has_reading
from spatialmem.joining import Joining
from spatialmem.keeper import Keeper
from spatialmem.layers import Layers, Prepared
from spatialmem.log_entry import Keyframe, LogEntry
from spatialmem.map_epoch import MapEpoch
from spatialmem.object_layer import ObjectLayer
from spatialmem.perception import DEFAULT_ENCODER, Encoder, load_encoder
from spatialmem.perception.segmenter import load_segmenter
from spatialmem.reencoding import Reencoded, fingerprint_of, reencode
from spatialmem.report import described_memory
from spatialmem.revisions import PoseCorrection, correct_poses, poses_at
from spatialmem.things import Detection
from spatialmem.travelling import Pasts, Travelling
from spatialmem.turn import Turn
from spatialmem.types import Frame, Skipped, Stored
from spatialmem.up import Up, estimate_up


@final
class SpatialMemory(Joining, Travelling):
    """A robot's spatial memory: observe posed RGB-D frames, ask where things are.

    Make one with `create` or `open`; use it as a context manager or call `close`. One thread observes at a time,
    any number may query and render meanwhile.
    """

    def __init__(self, keeper: Keeper, layers: Layers) -> None:
        """For `create` and `open`."""
        self._keeper = keeper
        self._layers = layers
        own = weakref.proxy(self)  # with a cycle the pools would stay after `close` until Python looks for such
        self._observing = Turn(lambda: own._layers.epochs)
        self._answering = Answering(keeper)
        self._objects = ObjectLayer(keeper)
        self._pasts = Pasts()
        self._in_doubt = False  # True when storing was interrupted: the file may hold a frame that the layers do not

    # --- making and leaving

    @classmethod
    def create(
        cls, path: str | Path | None, encoder: str | Encoder = DEFAULT_ENCODER, config: MemoryConfig | None = None,
        budget: ByteBudget | int | str | None = None, segmenter: str = "",
    ) -> SpatialMemory:  # fmt: skip
        """A new, empty memory.

        Args:
            path: the file to make; an existing one is refused. None: ephemeral, without a file and without
                packing the images it is shown (for training loops; see `reset`). Where each millisecond counts, name
                "colours": "tiny" takes 3 ms for 128 x 128 pixels.
            encoder: name (docs/encoders.md) or instance of the encoder that gives voxels their features.
            config: the numbers of the memory; they are kept in the file.
            budget: bounds on RAM and file, `ByteBudget(ram, file)` or one figure for both, such as "2 GB"; instead of
                `ram_bytes` and `file_bytes` in the configuration (docs/long-runs.md).
            segmenter: name of what finds the things in frames of which objects are made (docs/segmenters.md), instead
                of the one in the configuration. Empty: objects are made of what `observe` is given alone.
        """
        config = arguments.checked_creation(path, encoder, config)
        if segmenter or config.segmenter:
            config = replace(config, segmenter=segmenter or config.segmenter)
            load_segmenter(config.segmenter)  # before there is a file
        config = config if budget is None else ByteBudget.of(budget).put_into(config)
        keeper = Keeper.create(path, encoder, config)
        return cls(keeper, keeper.new_layers())

    @classmethod
    def open(cls, path: str | Path, mode: Literal["r", "a"] = "r", encoder: Encoder | None = None) -> SpatialMemory:
        """Open a memory file: "r" changes nothing in its folder, "a" goes on observing.

        `encoder` is needed only for one that no name leads to; it must be the one the memory was made with.

        Raises `MemoryFileError` when it is not a sound memory, `MemoryLocked` when it has a writer already.
        """
        keeper = Keeper.open(arguments.checked_opening(path, encoder), mode)
        try:
            if encoder is not None:
                keeper.use_encoder(encoder)
            return cls(keeper, keeper.restored_layers())
        except BaseException:
            keeper.finish(None)
            raise

    @classmethod
    def repair(cls, path: str | Path) -> None:
        """Make every layer in a memory file anew from its log, also where the layers it has are damaged.

        All or nothing: interrupted, it leaves the file as it was. Raises `MemoryLocked` when the file has a writer,
        `MemoryFileError` naming the frame when the log itself is damaged.
        """
        keeper = Keeper.open(arguments.checked_opening(path), "a")
        try:
            keeper.rebuilt_layers()
        finally:
            keeper.finish(None)

    @classmethod
    def reencode(
        cls, path: str | Path, encoder: str | Encoder, *, accept_loss: bool = False,
        progress: Callable[[int, int], object] | None = None,
    ) -> Reencoded | None:  # fmt: skip
        """Move a memory file to another encoder: every picture in its log encoded anew, and all layers made of that.

        Args:
            path: the file; it must not be open for appending.
            encoder: name or instance. The memory's own makes every layer anew, as `repair` does; then None is returned.
            accept_loss: go on where images of frames were given up for the file budget, which cannot be encoded. What
                only these saw keeps shape and colour without a feature; without it, that is refused (`Evicted`).
            progress: called after each frame with how many have been looked at, and how many of them were encoded.

        It is made beside the file, within the same budget, and takes its name when it is complete: interrupted, it
        leaves the old memory as it was. Who reads that is told to open the file again. `OutOfRoom` when the wider
        features do not fit.
        """
        given, new = arguments.checked_opening(path), load_encoder(arguments.checked_encoder(encoder))
        if fingerprint_of(given) == new.fingerprint:
            cls.repair(given)
            return None
        return reencode(given, new, accept_loss, progress or (lambda looked_at, encoded: None))

    def close(self) -> None:
        """Write what the file does not hold yet and leave exactly one file. A second call does nothing."""
        with self._observing.at_last():
            self._pasts.drop()
            self._keeper.finish(self._layers if self._sound else None)

    @property
    def _sound(self) -> bool:
        """Whether what is in RAM is to be believed."""
        return self._layers.sound and not self._in_doubt

    def __enter__(self) -> SpatialMemory:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def reset(self) -> None:
        """Forget everything. Only for a memory without a file, between episodes; keeps what was reserved."""
        if self._keeper.file is not None:
            raise InvalidValue("reset() is for ephemeral memories; what a file was told stays: create another file")
        self._require_open()
        with self._observing:
            try:
                self._layers.reset()
                self._keeper.forget_rows()
                self._objects = ObjectLayer(self._keeper)
            except BaseException:
                self._in_doubt = True
                raise
            self._in_doubt = False

    # --- observing

    def observe(self, frame: Frame, detections: Sequence[Detection] | None = None) -> Stored | Skipped:
        """Keep what matters of a frame.

        Args:
            detections: the things in it, of which objects are made (`objects`); None: what the segmenter finds that the
                memory was made with, if it was made with one. Without depth they have no place, and are left out.

        `Stored` means: on disk, and in every layer. `Skipped` means: nothing changed. Raises `UnplacedSession` for
        a session whose place in the map is unknown (`AnotherRecording` for one that only has the name of a known one),
        `OutOfRoom` when a reserved pool is full, `MemoryFileError` when the file cannot be written; in each case the
        memory stays as it was.
        """
        arguments.checked_frame(frame)
        arguments.checked_detections(detections, frame)
        with self._changing():
            refusal = self._refusal(frame)
            if refusal is not None:
                return Skipped(refusal)
            arrived = arrival(frame, self._keeper, self._layers)
            if arrived.reason is None:
                return Skipped("redundant")
            entry = entry_of(frame, arrived, self._keeper, detections)
            self._store(entry, self._layers.prepare(entry.logged))
            return Stored(entry.row.lsn, arrived.reason, arrived.suspect)

    def _refusal(self, frame: Frame) -> str | None:
        if frame.world_from_camera is None:
            return "no pose"
        if frame.depth_m is not None and not has_reading(frame.depth_m, frame.valid, self.config.min_depth_m):
            return "no usable depth reading"
        return self._keeper.refusal(frame)

    def _store(self, entry: LogEntry, prepared: Prepared) -> None:
        logged = False
        try:
            self._keeper.commit(entry, prepared, self._layers)
            logged = True
            self._layers.apply(prepared)
        except SpatialMemError:
            if logged:
                self._in_doubt = True
            else:  # the file refused the frame: nothing has changed
                self._layers.give_up(prepared)
            raise
        except BaseException:  # Ctrl-C, say: the file may hold what the layers do not
            self._in_doubt = True
            raise

    def correct_poses(
        self, poses: Mapping[int, NDArray] | tuple[NDArray, NDArray] | None = None, *,
        anchor: tuple[str, NDArray] | None = None, session_id: str | None = None, camera_id: str | None = None,
        reason: str = "corrected",
    ) -> PoseCorrection:  # fmt: skip
        """Give stored frames other poses, after a loop closure, say; the map becomes what they would have made it.

        Args:
            poses: world_from_camera (4, 4) by lsn; or a trajectory: stamps (N,) int64 nanoseconds, and
                world_from_camera (N, 4, 4), of which those at the stamp of a stored frame count.
            anchor: instead of poses, a session and where its world lies: map_from_session (4, 4).
            session_id, camera_id: whose trajectory it is, where there are several.
            reason: kept with the revision.

        A frame that moves less than half a voxel and 0.2 degrees gets its pose in the log, and the map stays. What
        frames left whose images were given up moves with them (docs/poses.md). All or nothing; readers keep what they
        read. `OutOfRoom`: old and new blocks do not fit in side by side.
        """
        given = arguments.checked_correction(poses, anchor, session_id, camera_id)
        arguments.checked_name("reason", reason)
        with self._changing():
            if isinstance(given, tuple):
                given = poses_at(self._keeper, *given, session_id, camera_id)
            return correct_poses(self._keeper, self._layers, given, arguments.checked_anchor(anchor), reason)

    def forget(
        self, *, frames: Iterable[int] | None = None, box_m: NDArray[np.floating] | None = None,
        since_ns: int | None = None, until_ns: int | None = None,
    ) -> Forgotten:  # fmt: skip
        """Erase stored frames for good: images, features, poses, and what they left in the map.

        Args:
            frames: lsn of the frames.
            box_m: (2, 3) corners in the map frame: every frame into whose view anything of the box came.
            since_ns, until_ns: frames taken in this span, both ends included.

        Conditions narrow each other. What other frames saw of the same place stays. The file is written anew: no byte
        of what was erased is left in it (docs/forgetting.md).
        """
        numbers, box, times = arguments.checked_forgetting(frames, box_m, since_ns, until_ns)
        with self._changing():
            lsns, asked = frames_to_forget(self._keeper, self._layers, numbers, box, times)
            try:
                return forget(self._keeper, self._layers, lsns, asked)
            finally:
                self._pasts.drop()
                self._vectors = (0, {})  # of localising: read again from what is left

    # --- what it is

    def sql(self, query: str, params: Iterable[Any] = ()) -> list[tuple]:
        """Rows of a SELECT over the memory file (docs/format.md, section 3); nothing can be changed with it."""
        return self._keeper.sql(*arguments.checked_sql(query, params))

    @property
    def path(self) -> Path | None:
        """The memory file; None for an ephemeral memory."""
        return None if self._keeper.file is None else self._keeper.file.path

    @property
    def read_only(self) -> bool:
        """Whether the memory was opened for reading."""
        return self._keeper.read_only

    def declare_up(self, up_in_map: Iterable[float]) -> None:
        """Say which way is up in the map frame."""
        self._require_sound(writing=True)
        self._keeper.keep_up(arguments.checked_up(up_in_map), "declared", None)

    def estimate_up(self) -> Up | None:
        """Estimate which way is up from the surface and keep it; None, and nothing kept, when none stands out."""
        self._require_sound(writing=True)
        cameras = np.array([-k.map_from_camera[:3, 1] for k in self.trajectory()]).reshape(-1, 3)
        up = estimate_up(self.points().normal, cameras)
        if up is not None:
            self._keeper.keep_up(up.up_in_map, "estimated", up.residual_deg)
        return up

    def info(self) -> dict[str, Any]:
        """Counts, sizes and settings, ready for JSON."""
        return described_memory(self._keeper, self._layers)

    def check(self) -> list[str]:
        """What is wrong with the file, one line each; empty when it is sound."""
        return self._keeper.check()

    def rebuild(self) -> None:
        """Make every layer anew from the log, in memory and in the file."""
        with self._changing():
            before = self._layers  # who reads them keeps them until the new ones are there
            try:
                self._layers = self._keeper.rebuilt_layers(before)
            except BaseException:
                if before.residence is not None and not before.residence.settled:  # the file holds the new ones
                    before.sound = False
                raise

    @contextmanager
    def _reading(self) -> Iterator[MapEpoch]:
        self._require_sound()
        with whole_epoch(lambda: self._layers) as epoch:
            self._require_sound()  # a change may have been interrupted while this thread waited for it
            yield epoch

    @contextmanager
    def _changing(self) -> Iterator[None]:
        self._require_sound(writing=True)
        with self._observing:
            self._require_sound(writing=True)
            try:
                yield
            finally:
                self._layers.epochs.give_back()  # once more: Ctrl-C may have come just before it

    def _require_open(self) -> None:
        if self._keeper.closed:
            raise SpatialMemError("this memory is closed; open it again with SpatialMemory.open(path)")

    def _require_sound(self, writing: bool = False) -> None:
        self._require_open()
        if not self._sound and self._keeper.file is None:
            raise SpatialMemError("a change of this memory was interrupted; call reset(): it has no file to read from")
        if not self._sound:
            raise SpatialMemError(
                "a change of this memory was interrupted; close it and open it again: the file holds every frame that "
                "observe() said it stored"
            )
        if writing and self._keeper.read_only:
            raise ReadOnlyMemory("this memory is open for reading; open it with mode 'a' to change it")


__all__ = ["Keyframe", "SpatialMemory"]
