"""Where the plugin keeps what must outlive napari."""

from __future__ import annotations

import os
from pathlib import Path


def state_folder() -> Path:
    """``STAINXFER_STATE``, or the user's own folder."""
    asked = os.environ.get("STAINXFER_STATE")
    return Path(asked) if asked else Path.home() / ".napari-stainxfer"
