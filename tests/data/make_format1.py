"""Makes format1.mem.gz: a memory of format version 1 with known content. Run once; every later release must open it.

The file in the repository is never made again. The content below is what it holds, so it must not be
changed either; no random numbers, so that it can be compared with what any release reads.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
from dataclasses import replace
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

GOLDEN = Path(__file__).with_name("format1.mem.gz")
FRAMES = 4
CAMERAS = (Camera(40.0, 41.0, 23.5, 17.5, 48, 36), Camera(30.5, 30.5, 15.5, 11.5, 32, 24))
META = {
    "config": MemoryConfig(checkpoint_frames=2, workspace_m=(-5.0, -5.0, -1.0, 5.0, 5.0, 3.0)).to_json(),
    "encoder_name": "colours",
    "encoder_fingerprint": "0123abcd",
    "encoder_dim": "6",
    "up_in_map": '{"up": [0.0, 0.0, 1.0], "source": "declared", "residual_deg": 0.0}',
    "map_frame": "map",
    "note": None,
}
SESSIONS = [SessionRow("morning", 0, "world"), SessionRow("évening", 1, "odom")]
DEPARTED = [
    DepartedRow(3, 1, 2, (1.0, 2.0, 0.5), (0.9, 1.9, 0.4), (1.1, 2.1, 0.6), 37, (200, 20, 10), b"\x00<" * 6, 4, 1),
    DepartedRow(4, 2, 2, (-1.0, 2.5, 0.25), (-1.5, 2.0, 0.0), (0.0, 3.0, 0.5), 8, (1, 2, 3), None, None, 2),
]
CHECKPOINT = CheckpointRow(2, 4, 4321)


def map_from_evening() -> np.ndarray:
    return np.array([[0.0, -1.0, 0.0, 2.0], [1.0, 0.0, 0.0, -1.0], [0.0, 0.0, 1.0, 0.25], [0.0, 0.0, 0.0, 1.0]])


def anchors() -> list[AnchorRow]:
    return [
        AnchorRow("morning", 0, np.eye(4), 1, "first session"),
        AnchorRow("évening", 0, map_from_evening(), 3, "declared"),
    ]


def keyframe(lsn: int) -> KeyframeRow:
    pose = np.eye(4)
    pose[:3, 3] = (0.125 * lsn, -0.5, 1.0)
    evening = lsn > 2
    return KeyframeRow(
        lsn, "évening" if evening else "morning", "wrist" if evening else "head", lsn * 3, 10**18 + lsn,
        CAMERAS[evening], pose, "first" if lsn == 1 else "novelty", lsn == 2, lsn != 3, 0,
        0.01 if evening else None, 0.002 if evening else None, *((None,) * 5 if lsn == 1 else (0.5, 0.25, 0.125, 0.125,
                                                                                            0.0078125)),
    )  # fmt: skip


def frame(lsn: int) -> dict[str, np.ndarray | None]:
    """Arrays of a frame: 1 in millimetres, 2 in 1/5000 m, 3 without depth, 4 continuous and masked."""
    camera = CAMERAS[lsn > 2]
    v, u = np.mgrid[: camera.height, : camera.width]
    rgb = np.stack([u * 4 + 10 * lsn, v * 5, 128 + 0 * u], axis=-1).astype(np.uint8)
    steps = (1000 + 7 * u + 11 * v + 100 * lsn).astype(np.float32)
    steps[(u + 2 * v) % 13 == 0] = np.nan
    depth_m = {1: steps / np.float32(1000), 2: steps / np.float32(5000), 3: None, 4: steps / np.float32(777.7)}[lsn]
    features = (np.arange(2 * 3 * 6).reshape(2, 3, 6) % 7 - 3).astype(np.float32) / 3 * lsn
    return {
        "rgb": rgb,
        "depth_m": depth_m,
        "valid": (u + v) % 5 > 0 if lsn == 4 else None,
        "features": None if lsn == 3 else features,
        "examined": np.array([block_key(-lsn, 0, 1), block_key(lsn, 5, -2)]) if lsn > 2 else np.empty(0, np.int64),
        "vector": np.arange(5, dtype=np.float32) / 4 - lsn,
    }


def cells(lsn: int) -> codec.Cells:
    cell = np.array([[-lsn, 0, 2], [0, lsn, -1], [1, 1, 1]], dtype=np.int16)
    return codec.Cells(cell, np.array([0, lsn, 512], np.uint16), np.array([500, 0, 65535], np.uint16))


def surface_block(seed: int) -> block_codec.SurfaceBlock:
    i = np.arange(512)
    has_row = (i + seed) % 5 == 0
    n, dim = int(has_row.sum()), 6
    r = np.arange(n)
    return block_codec.SurfaceBlock(
        ((i * 131 + seed * 17) % 65536 - 32768).astype(np.int16), ((i * seed) % 256).astype(np.uint8), has_row,
        ((np.arange(n * dim) * 1237 + seed) % 65536).astype(np.uint16).reshape(n, dim),
        ((np.arange(n * 3) * 771 + seed) % 65281).astype(np.uint16).reshape(n, 3),
        (1 + r % 32).astype(np.uint8), (r % 33).astype(np.uint8),
        (1 + r % 3).astype(np.uint32), (r + 2**31).astype(np.uint32), (r % 2 * (2**16 - 1)).astype(np.uint16),
    )  # fmt: skip


def empty_block() -> block_codec.SurfaceBlock:
    none = [np.zeros(0, np.uint32), np.zeros(0, np.uint32), np.zeros(0, np.uint16)]
    return block_codec.SurfaceBlock(
        np.zeros(512, np.int16), np.zeros(512, np.uint8), np.zeros(512, bool), np.zeros((0, 6), np.uint16),
        np.zeros((0, 3), np.uint16), np.zeros(0, np.uint8), np.zeros(0, np.uint8), *none,
    )  # fmt: skip


def free_block(seed: int) -> block_codec.FreeBlock:
    i = np.arange(512)
    return block_codec.FreeBlock(
        (i % 49 - 24).astype(np.int8), (i * seed).astype(np.uint32), (i // 7).astype(np.uint32)
    )


SURFACE = {
    block_key(-1, 0, 3): surface_block(1),
    block_key(0, 0, 0): empty_block(),
    block_key(7, -9, 2): surface_block(2),
}
FREE = {block_key(0, 0, 0): free_block(3)}


def write(path: Path) -> None:
    """The memory, uncompressed."""
    with MemoryFile.create(path, META) as file:
        for session, anchor in zip(SESSIONS, anchors(), strict=True):
            file.add_session(session, anchor)
        for lsn in range(1, FRAMES + 1):
            extra = {
                2: {"surface": _rows(SURFACE, block_codec.pack_surface_block), "checkpoint": CHECKPOINT,
                    "free": _rows(FREE, block_codec.pack_free_block)},
                3: {"departed": [replace(DEPARTED[0], valid_to=None)]},
                4: {"departed": DEPARTED[1:], "closed_departed": [1]},
            }.get(lsn, {})  # fmt: skip
            arrays = frame(lsn)
            blobs = FrameBlobs(
                codec.encode_colour(arrays["rgb"], 90),
                None if arrays["depth_m"] is None else codec.encode_depth(arrays["depth_m"]),
                codec.encode_mask(arrays["valid"]),
                None if arrays["features"] is None else codec.encode_features(arrays["features"]),
                codec.encode_examined(arrays["examined"]),
            )
            vector = codec.encode_vector(arrays["vector"])
            file.append_frame(keyframe(lsn), blobs, vector, codec.encode_cells(cells(lsn)), **extra)


def _rows(blocks, pack) -> list[BlockRow]:
    return [BlockRow(key, 2, block_codec.CODEC_EXACT, pack(block)) for key, block in blocks.items()]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "format1.mem"
        write(path)
        with open(path, "rb") as source, gzip.GzipFile(GOLDEN, "xb", mtime=0) as target:
            shutil.copyfileobj(source, target)


if __name__ == "__main__":
    main()
