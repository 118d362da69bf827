"""Autosaved pairs: one file for each combination of slides, found again by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from napari_stainxfer.errors import PairsError
from napari_stainxfer.pairing import Pairs, load_pairs, save_pairs
from napari_stainxfer.plugin.state import state_folder
from napari_stainxfer.slides import Slide


def autosave_path(references: Sequence[Slide], sources: Sequence[Slide]) -> Path:
    """Where the pairs of these slides are kept."""
    sides = [sorted(slide.fingerprint() for slide in side) for side in (references, sources)]
    key = hashlib.sha256(repr(sides).encode()).hexdigest()[:16]
    return state_folder() / "pairs" / f"{key}.geojson"


def autosave(pairs: Pairs | None, references: Sequence[Slide], sources: Sequence[Slide]) -> None:
    """Keep these pairs; None forgets those that are kept.

    Raises
    ------
    PairsError
        If they cannot be written.
    """
    path = autosave_path(references, sources)
    if pairs is not None:
        save_pairs(path, pairs)
    else:
        path.unlink(missing_ok=True)


def restore(references: Sequence[Slide], sources: Sequence[Slide]) -> Pairs | None:
    """The pairs that were kept for these slides, or None; a damaged file counts as none."""
    path = autosave_path(references, sources)
    if not path.exists():
        return None
    try:
        return load_pairs(path, references, sources)
    except PairsError:
        return None
