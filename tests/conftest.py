"""Fixtures shared by every test: where the real slides are, and one thread count."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real slides (``STAINXFER_TEST_DATA``, or ``../shared/data``); skips without it."""
    folder = Path(os.environ.get("STAINXFER_TEST_DATA", _DEFAULT_DATA))
    if not folder.is_dir():
        pytest.skip(f"real slides not found at {folder}; set STAINXFER_TEST_DATA to their folder")
    return folder
