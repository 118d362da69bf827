"""What other libraries say, cut down to fit into one sentence of ours."""

from __future__ import annotations

import re

_MAX_CHARACTERS = 160


def short(error: Exception) -> str:
    """Return the first line of a message, without the objects and folders that it starts with."""
    lines = str(error).strip().splitlines()
    line = re.sub(r"^<[^>]*> ", "", lines[0]) if lines else type(error).__name__
    line = re.sub(r"(?<=[\s(])/\S*/", "", line)  # folders of files that the sentence names already
    return line[:_MAX_CHARACTERS].rstrip(".")
