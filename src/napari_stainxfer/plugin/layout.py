"""Where slides lie on the canvas: side by side, so that each can be seen and clicked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_stainxfer.plugin.entries import SlideEntry

_MICROMETRES = ("um", "um")
_GAP = 0.05
"""Space between two slides, as a share of the widest."""


def agree_on_units(entries: Sequence[SlideEntry], options: dict[str, Any]) -> None:
    """Give a layer that is about to be added, and those there are, one unit.

    A moment of two units is enough for napari to warn the user of them.
    """
    if options["metadata"]["mpp"] is not None or any(entry.mpp is not None for entry in entries):
        options["units"] = _MICROMETRES
        for entry in entries:
            entry.layer.units = _MICROMETRES


def lay_side_by_side(entries: Sequence[SlideEntry]) -> None:
    """Move the layers into one row, in their order, tops aligned.

    Layers of slides without um/px join in the unit of the others as if a pixel were a micrometre, since
    napari draws layers of different units wrongly.
    """
    if any(entry.mpp is not None for entry in entries):
        for entry in entries:
            entry.layer.units = _MICROMETRES
    widths = [entry.slide.shape[1] * float(entry.layer.scale[-1]) for entry in entries]
    left = 0.0
    for entry, width in zip(entries, widths, strict=True):
        entry.layer.translate = (0.0, left)
        left += width + _GAP * max(widths)
