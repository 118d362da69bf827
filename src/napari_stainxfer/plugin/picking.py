"""Which slide, and which of its pixels, lies under a point of the canvas."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from napari_stainxfer.plugin.entries import SlideEntry

Point = tuple[float, float]


def slide_at(entries: Sequence[SlideEntry], world: Sequence[float]) -> tuple[SlideEntry, Point] | None:
    """The slide at a point in world coordinates and (y, x) of the point in its level-0 pixels."""
    for entry in entries:
        point = to_pixels(entry, world)
        if all(0 <= place < length for place, length in zip(point, entry.slide.shape, strict=True)):
            return entry, point
    return None


def to_pixels(entry: SlideEntry, world: Sequence[float]) -> Point:
    """(y, x) in level-0 pixels of a point in world coordinates."""
    (y, x), scale, shift = world[-2:], entry.layer.scale[-2:], entry.layer.translate[-2:]
    return float((y - shift[0]) / scale[0]), float((x - shift[1]) / scale[1])


def to_world(entry: SlideEntry, point: Point) -> Point:
    """World coordinates of (y, x) in level-0 pixels."""
    scale, shift = entry.layer.scale[-2:], entry.layer.translate[-2:]
    return float(point[0] * scale[0] + shift[0]), float(point[1] * scale[1] + shift[1])


def clicks(event: Any) -> Generator[None, None, Point | None]:
    """Follow a press of the mouse: returns where it was if it was a click, None if it was a drag."""
    if event.button != 1 or event.modifiers:
        return None
    start = tuple(event.pos)
    yield
    while event.type == "mouse_move":
        # A hand shakes a little; napari pans from the first pixel on, so this stays small.
        if max(abs(new - old) for new, old in zip(event.pos, start, strict=True)) > 3:
            return None
        yield
    return float(event.position[-2]), float(event.position[-1])
