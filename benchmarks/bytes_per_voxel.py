"""Bytes that a voxel with a 64-d feature takes, in RAM and on file.

Memories are built from a real recording with every frame stored, by encoders of 64-d: `statistics` (mean colour,
contrast and edges of 14 x 14 patches under a fixed random projection: smooth like features of images, but not
learned), `open_clip` (a ViT with random weights, where the package is installed: smooth as well, not learned either),
and `noise` (every patch of every frame a random direction: the worst case). No trained weights were at hand; what
they give lies between these. Resident: all bytes of the surface pools in use (dense parts of blocks, rows, whole
pages) for each voxel that holds a feature. On file: the compressed blobs of the table surface_blocks for the same
voxels.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from common import KITCHEN, REDWOOD, SEED, Bench, Wanted
from encoders import Noise, PatchStatistics, tiny_clip
from recordings import available, frames_of, label

from spatialmem import SpatialMemory
from spatialmem.config import GateConfig, MemoryConfig
from spatialmem.perception.encoder import Encoder
from spatialmem.store.block_codec import unpack_surface_block
from spatialmem.store.file import MemoryFile
from spatialmem.types import Frame
from spatialmem.voxels import pools

FRAMES = {KITCHEN: 120, REDWOOD: 71}
QUICK_FRAMES = 8


def build(path: Path, frames: list[Frame], encoder: Encoder) -> dict[str, float]:
    """Bytes of one memory, resident and on file, by voxel."""
    config = MemoryConfig(gate=GateConfig(store_all=True))
    with SpatialMemory.create(path, encoder=encoder, config=config) as memory:
        for frame in frames:
            memory.observe(frame)
        surface = memory._layers.surface
        features = int(np.count_nonzero(surface.pools.feature_weight))
        resident, rows, blocks = surface.bytes_used, surface.rows_used, len(surface)
    dense, used = blocks * pools.block_bytes(), rows * pools.row_bytes(encoder.dim)
    blobs, kept = 0, 0
    with MemoryFile.open(path) as file:
        for row in file.surface_blocks():
            blobs += len(row.data)
            kept += int(np.count_nonzero(unpack_surface_block(row.data).feature_weight))
    return {
        "resident": resident / features, "file": blobs / kept,
        "feature voxels": features, "feature voxels on file": kept,
        "rows": rows, "blocks": blocks, "dense": dense / features, "in rows": used / features,
        "page ends": (resident - dense - used) / features, "blobs MiB": blobs / 2**20,
    }  # fmt: skip


def main() -> None:
    bench = Bench(__file__, "Bytes per feature voxel, 64-d", __doc__)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        encoders: dict[str, Encoder | None] = {
            "statistics": PatchStatistics(SEED), "open_clip": tiny_clip(Path(folder)), "noise": Noise(SEED),
        }  # fmt: skip
        for recording in available(bench, list(FRAMES)):
            frames = frames_of(recording, QUICK_FRAMES if bench.quick else FRAMES[recording])
            for name, encoder in encoders.items():
                if encoder is None:
                    bench.missing(f"{name}: the package is not installed")
                    continue
                bench.progress(f"{label(recording)}, {name}")
                found = build(Path(folder) / f"{recording}-{name}.mem", frames, encoder)
                where = f"{label(recording)}, {name}"
                bench.claim(f"resident: {where}", found["resident"], "bytes", Wanted(must=200.0))
                bench.claim(f"on file: {where}", found["file"], "bytes", Wanted(must=110.0))
                rows.append([where, len(frames), *(round(v, 1) for v in list(found.values())[2:])])
    bench.table(
        "what was counted; bytes are a feature voxel's share (one run: nothing here depends on the machine)",
        ["", "frames", "feature voxels", "of them on file", "rows", "blocks", "bytes of dense parts",
         "of rows", "of unused ends of pages", "blobs on file, MiB"], rows,
    )  # fmt: skip
    bench.finish()


if __name__ == "__main__":
    main()
