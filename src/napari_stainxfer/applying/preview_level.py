"""One level of a preview as an array that never makes its reader wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from napari_stainxfer.slides import RGB, Box

Read = Callable[[int, Box], RGB]


class PreviewLevel:
    """Sliced like an array uint8 (H, W, 3).

    Parameters
    ----------
    read
        Gives the pixels of a box of a level.
    level
        Which.
    shape
        Height and width.
    exact
        The same level as an array that computes what is missing, for who can wait; None for that itself.
    """

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(
        self, read: Read, level: int, shape: tuple[int, int], *, exact: PreviewLevel | None = None
    ) -> None:
        self._read = read
        self._level = level
        self.shape = (*shape, 3)
        self.exact = exact

    @property
    def size(self) -> int:
        """Number of values."""
        return self.shape[0] * self.shape[1] * 3

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> Any:
        picked = index if isinstance(index, tuple) else (index,)
        if Ellipsis in picked:
            at = picked.index(Ellipsis)
            picked = (*picked[:at], *[slice(None)] * (4 - len(picked)), *picked[at + 1 :])
        picked = (*picked, *[slice(None)] * (3 - len(picked)))
        rows, columns = (_range(part, size) for part, size in zip(picked[:2], self.shape[:2], strict=True))
        if not (len(rows) and len(columns)):
            pixels = np.empty((len(rows), len(columns), 3), np.uint8)
        else:
            top, left = min(rows), min(columns)
            box = Box(top, left, max(rows) - top + 1, max(columns) - left + 1)
            pixels = self._read(self._level, box)[:: rows.step, :: columns.step]
        # A whole number takes its axis away, as in any array.
        axes = tuple(0 if isinstance(part, (int, np.integer)) else slice(None) for part in picked[:2])
        return pixels[axes][..., picked[2]]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self[:, :, :], dtype=dtype)


def _range(part: Any, size: int) -> range:
    """Positions that an index means on one axis."""
    if isinstance(part, slice):
        return range(*part.indices(size))
    at = int(part)
    if not -size <= at < size:
        raise IndexError(f"index {at} is out of bounds for an axis of {size} px")
    return range(at % size, at % size + 1)
