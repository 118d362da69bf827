"""Rectangles that reach beyond an image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from napari_stainxfer.slides.box import Box
from napari_stainxfer.slides.source import RGB

Read = Callable[[int, int, int, int], RGB]
"""Reads (y, x, height, width), a rectangle inside the image."""


def read_white_outside(read: Read, shape: tuple[int, int], box: Box) -> RGB:
    """Read a rectangle, white where it lies outside the image of that height and width."""
    y0, x0 = max(0, box.y), max(0, box.x)
    y1, x1 = min(shape[0], box.y + box.height), min(shape[1], box.x + box.width)
    inside = y1 > y0 and x1 > x0
    if inside and (y1 - y0, x1 - x0) == (box.height, box.width):
        return read(y0, x0, box.height, box.width)
    out = np.full((box.height, box.width, 3), 255, np.uint8)
    if inside:
        out[y0 - box.y : y1 - box.y, x0 - box.x : x1 - box.x] = read(y0, x0, y1 - y0, x1 - x0)
    return out


def read_edge_outside(read: Read, shape: tuple[int, int], box: Box) -> RGB:
    """Read a rectangle that repeats the edge outside the image, as a filter at the edge should see it."""
    rows = np.clip(np.arange(box.y, box.y + box.height), 0, shape[0] - 1)
    columns = np.clip(np.arange(box.x, box.x + box.width), 0, shape[1] - 1)
    y, x = int(rows[0]), int(columns[0])
    inside = read(y, x, int(rows[-1]) - y + 1, int(columns[-1]) - x + 1)
    if inside.shape[:2] == (box.height, box.width):
        return inside
    return inside[np.ix_(rows - y, columns - x)]


def whiten_outside(rgb: RGB, box: Box, shape: tuple[int, int]) -> RGB:
    """Make every pixel white whose centre lies outside the image.

    Parameters
    ----------
    rgb
        uint8 (h, w, 3): what ``box`` shows, at any scale.
    box
        In pixels of the image.
    shape
        Height and width of the image.
    """
    rows = box.y + (np.arange(rgb.shape[0]) + 0.5) * box.height / rgb.shape[0]
    columns = box.x + (np.arange(rgb.shape[1]) + 0.5) * box.width / rgb.shape[1]
    outside_rows = (rows < 0) | (rows >= shape[0])
    outside_columns = (columns < 0) | (columns >= shape[1])
    if outside_rows.any() or outside_columns.any():
        rgb = rgb.copy()
        rgb[outside_rows] = 255
        rgb[:, outside_columns] = 255
    return rgb
