"""Fixtures for every test."""

from __future__ import annotations

import os
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
