"""A map that does not fit into RAM at its edges: replays, interrupts, and readers that stay."""

from __future__ import annotations

import memory_helpers as mh
import pytest
import rooms

from spatialmem.keeper import Keeper
from spatialmem.layers import Layers
from spatialmem.memory import SpatialMemory

SMALL = 17 << 20


@pytest.fixture(scope="module")
def frames():
    return rooms.walk(4, 5)


def on_file_alone(memory):
    return memory.info()["surface_blocks_on_file_alone"]


def test_a_round_within_a_replay_leaves_the_tags_of_later_frames(tmp_path, frames, monkeypatch):
    """Blocks that had left RAM before the crash contain frames that the replay has yet to come to."""
    path, keepers, replayed = tmp_path / "live" / "a.mem", [], []
    path.parent.mkdir()
    with mh.create(path, frames[:14], ram_bytes=SMALL, checkpoint_frames=1000) as memory:
        assert on_file_alone(memory) > 0
        hashed, copy = memory.canonical_hash(), mh.as_a_crash_leaves_it(path, tmp_path / "crashed" / "a.mem")
    new_layers, apply = Keeper.new_layers, Layers.apply

    def remembered(keeper):
        keepers.append(keeper)
        return new_layers(keeper)

    def applied(layers, prepared, replay=False):
        apply(layers, prepared, replay)
        replayed.append(prepared.frame.lsn)
        if len(replayed) == 4:
            keepers[-1].complete_round(layers)  # as a file without room for a block that leaves RAM has it

    with monkeypatch.context() as patch:
        patch.setattr(Keeper, "new_layers", remembered)
        patch.setattr(Layers, "apply", applied)
        with SpatialMemory.open(copy, "a") as memory:
            assert len(replayed) == 14 and memory.canonical_hash() == hashed
    with SpatialMemory.open(copy, "a") as memory:
        assert memory.canonical_hash() == hashed
        memory.rebuild()
        assert memory.canonical_hash() == hashed
