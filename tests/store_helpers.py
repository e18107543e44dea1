"""Small memories for tests of the store."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spatialmem.config import MemoryConfig
from spatialmem.store import block_codec, codec
from spatialmem.store.file import MemoryFile
from spatialmem.store.rows import (
    AnchorRow,
    BlockRow,
    CheckpointRow,
    DepartedRow,
    FrameBlobs,
    KeyframeRow,
    SessionRow,
    block_key,
)
from spatialmem.types import Camera

CAMERA = Camera(30.0, 30.5, 15.5, 11.5, 32, 24)
DIM = 8


def meta() -> dict[str, str | None]:
    return {"config": MemoryConfig().to_json(), "encoder_name": "colours", "up_in_map": None, "map_frame": "map"}


def new_memory(path: Path, frames: int = 0, blocks: bool = False) -> MemoryFile:
    """A memory open for appending, with one session and `frames` frames; with blocks as of the last frame."""
    file = MemoryFile.create(path, meta())
    file.add_session(SessionRow("main", 0, "world"), AnchorRow("main", 0, np.eye(4), 1, "first session"))
    for lsn in range(1, frames + 1):
        append(file, lsn)
    if blocks:
        write_blocks(file, frames)
    return file


def append(file: MemoryFile, lsn: int, **more) -> None:
    """Store synthetic frame `lsn`."""
    file.append_frame(frame_row(lsn), frame_blobs(lsn), frame_vector(lsn), frame_cells(lsn), **more)


def frame_row(lsn: int) -> KeyframeRow:
    pose = np.eye(4)
    pose[:3, 3] = (0.1 * lsn, -0.2, 1.0)
    return KeyframeRow(
        lsn, "main", "camera", lsn + 10, lsn * 1_000_000_000, CAMERA, pose, "novelty", encoded=True,
        pose_suspect=lsn % 2 == 0, pose_sigma_m=0.01, agrees=0.5, seen_through=0.25, occluded=0.0, no_return=0.25,
        residual_m=None,
    )  # fmt: skip


def frame_arrays(lsn: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """rgb, depth in whole millimetres, mask and patch features of synthetic frame `lsn`."""
    rng = np.random.default_rng(lsn)
    v, u = np.mgrid[: CAMERA.height, : CAMERA.width]
    rgb = np.stack([(u * 7 + lsn) % 256, (v * 9) % 256, np.full_like(u, 40 * lsn % 256)], axis=-1).astype(np.uint8)
    millimetres = (1500 + 3 * u + 5 * v + 10 * lsn) * (rng.random(u.shape) > 0.1)
    features = rng.standard_normal((3, 4, DIM)).astype(np.float32)
    features /= np.linalg.norm(features, axis=-1, keepdims=True)
    return rgb, millimetres.astype(np.float32) / np.float32(1000), u > 2, features


def frame_blobs(lsn: int) -> FrameBlobs:
    rgb, depth_m, valid, features = frame_arrays(lsn)
    return FrameBlobs(
        codec.encode_colour(rgb, 90),
        codec.encode_depth(depth_m),
        codec.encode_mask(valid),
        codec.encode_features(features),
        codec.encode_examined(np.array([block_key(0, 0, lsn), block_key(-1, 2, 3)])),
    )


def frame_vector(lsn: int) -> bytes:
    return codec.encode_vector(np.random.default_rng(lsn).standard_normal(16).astype(np.float32))


def frame_cells(lsn: int) -> bytes:
    cell = np.array([[lsn, 0, 1], [-lsn, 5, 2]])
    return codec.encode_cells(codec.Cells(cell, np.array([lsn, 3]), np.array([0, 500])))


def surface_block(seed: int, n: int = 40, dim: int = DIM) -> block_codec.SurfaceBlock:
    rng = np.random.default_rng(seed)
    has_row = np.zeros(512, dtype=bool)
    has_row[rng.permutation(512)[:n]] = True
    lsn = [rng.integers(0, 2**32, n, dtype=np.uint32) for _ in range(2)]
    doubt = rng.integers(0, 2**16, n, dtype=np.uint16)
    return block_codec.SurfaceBlock(
        rng.integers(-32768, 32768, 512, dtype=np.int16), rng.integers(0, 256, 512, dtype=np.uint8), has_row,
        rng.integers(0, 65536, (n, dim), dtype=np.uint16), rng.integers(0, 65536, (n, 3), dtype=np.uint16),
        rng.integers(0, 33, n, dtype=np.uint8), rng.integers(0, 33, n, dtype=np.uint8), *lsn, doubt,
    )  # fmt: skip


def free_block(seed: int) -> block_codec.FreeBlock:
    rng = np.random.default_rng(seed)
    last = [rng.integers(0, 2**32, 512, dtype=np.uint32) for _ in range(2)]
    return block_codec.FreeBlock(rng.integers(-24, 25, 512, dtype=np.int8), *last)


def surface_rows(lsn: int, count: int = 3) -> list[BlockRow]:
    pack = block_codec.pack_surface_block
    return [BlockRow(block_key(i, -i, 7), lsn, block_codec.CODEC_EXACT, pack(surface_block(i))) for i in range(count)]


def free_rows(lsn: int, count: int = 2) -> list[BlockRow]:
    pack = block_codec.pack_free_block
    return [BlockRow(block_key(i, 0, -i), lsn, block_codec.CODEC_EXACT, pack(free_block(i))) for i in range(count)]


def write_blocks(file: MemoryFile, lsn: int) -> None:
    file.write_checkpoint(surface_rows(lsn), free_rows(lsn), CheckpointRow(lsn, 5, 1234))


def departed(valid_from: int) -> DepartedRow:
    return DepartedRow(
        valid_from, 1, min(2, valid_from), (1.0, 2.0, 0.5), (0.9, 1.9, 0.4), (1.1, 2.1, 0.6), 37, (200, 20, 10),
        np.ones(DIM, dtype="<f2").tobytes(),
    )  # fmt: skip


def folder_state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Name -> (time, content) of everything in the folder."""
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(folder.iterdir())}


def names(path: Path) -> set[str]:
    """What stands in the folder of `path`, without that name itself in front."""
    return {entry.name.removeprefix(path.name) for entry in path.parent.iterdir()}
