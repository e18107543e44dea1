"""Fixtures for every test."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what is in its background without it

LONGEST = (
    "test_budget_ram.py", "test_equality.py", "test_crash.py", "test_budget_file.py", "test_past.py", "test_merging.py",
    "test_refined_observe.py", "test_readers.py", "test_changes.py", "test_page_browser.py", "test_threads.py",
    "test_budget_both.py", "test_correction.py", "test_forgetting_traces.py", "test_encoder_training.py",
    "test_damaged_keys.py",
)  # fmt: skip
"""files that take longest, of those that take more than about ten seconds of processor time"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, all others as they were: a file is one worker's (`make test`), and one that starts last
    would leave the other worker with nothing to do. xdist is told not to put the files with most tests first."""
    place = {name: n for n, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(LONGEST)))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real recordings: $SPATIALMEM_SHARED or <repository>/../shared/data; skips when absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SPATIALMEM_SHARED", default))
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}; set SPATIALMEM_SHARED to the folder that holds them")
    return folder


@pytest.fixture(scope="session")
def walked(tmp_path_factory) -> Path:
    """A closed memory of `test_equality.walk`, with checkpoints; not to be changed."""
    import memory_helpers as mh
    from test_equality import walk

    path = tmp_path_factory.mktemp("walked") / "a.mem"
    mh.create(path, walk(), checkpoint_frames=7, ram_bytes=96 << 20).close()
    return path


@pytest.fixture(scope="session")
def walk_hashes(tmp_path_factory) -> list[str]:
    """Hash after 0, 1, 2 ... frames of it, in a memory that makes no checkpoint."""
    import memory_helpers as mh
    from test_equality import NEVER, walk

    with mh.create(tmp_path_factory.mktemp("hashes") / "a.mem", checkpoint_frames=NEVER) as memory:
        hashes = [memory.canonical_hash()]
        for frame in walk():
            mh.observe_all(memory, [frame])
            hashes.append(memory.canonical_hash())
    return hashes


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> Path:
    """A closed memory of `budget_helpers.two_places`; not to be changed."""
    from budget_helpers import two_places

    path = tmp_path_factory.mktemp("two") / "a.mem"
    two_places(path)
    return path


@pytest.fixture
def half(made, tmp_path) -> Path:
    """A copy of it."""
    return shutil.copyfile(made, tmp_path / "a.mem")
