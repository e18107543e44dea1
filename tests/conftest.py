"""Fixtures for every test."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real recordings: $SPATIALMEM_SHARED or <repository>/../shared/data; skips when absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SPATIALMEM_SHARED", default))
    if not folder.is_dir():
        pytest.skip(f"no recordings at {folder}; set SPATIALMEM_SHARED to the folder that holds them")
    return folder


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
