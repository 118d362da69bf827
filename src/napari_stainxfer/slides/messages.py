"""Sentences that several modules need."""

from __future__ import annotations

import re

_MAX_CHARACTERS = 160


def own_mpp_kept(name: str, own: float | None, given: float | None, option: str) -> str:
    """Say that a slide's own um/px was taken and not the one given; empty where the two agree within 1 %."""
    if own is None or given is None or abs(given / own - 1) <= 0.01:
        return ""
    return (
        f"{name} says itself that it has {own:g} um/px, which is taken; {option} {given:g} is for files that "
        "say nothing."
    )


def short(error: Exception) -> str:
    """Cut what another library says to one line, without the objects and folders that it starts with."""
    lines = str(error).strip().splitlines()
    line = re.sub(r"^<[^>]*> ", "", lines[0]) if lines else type(error).__name__
    line = re.sub(r"(?<=[\s(])/\S*/", "", line)  # folders of files that the sentence names already
    return line[:_MAX_CHARACTERS].rstrip(".")
