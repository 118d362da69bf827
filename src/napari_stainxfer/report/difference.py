"""Where two images differ, as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from napari_stainxfer.errors import OutputError
from napari_stainxfer.files import replacing

_MOST_SHOWN = 30.0  # in delta E; above it colours have nothing to do with each other
_FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg"}


def picture_format(path: Path) -> str:
    """Name of the format that a picture's ending stands for; ask before the work that it is to show.

    Raises
    ------
    OutputError
        When it is a folder, or the ending is of no format that is written.
    """
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give the name of a picture in it, {path / 'difference.png'}.")
    if path.suffix.lower() not in _FORMATS:
        raise OutputError(f"{path} does not end in .png, .jpg or .jpeg; give a picture's name that does.")
    return _FORMATS[path.suffix.lower()]


def draw_difference(
    path: Path, first: NDArray[np.uint8], second: NDArray[np.uint8], difference: NDArray[np.float64]
) -> None:
    """Write both images and a map of their CIE delta E 2000 beside each other, as PNG or JPEG.

    Raises
    ------
    OutputError
        As `picture_format`.
    """
    kind = picture_format(path)
    height, width = difference.shape
    figure = Figure(figsize=(15, max(2.5, 4.8 * height / width)), layout="constrained")
    axes = figure.subplots(1, 3)
    for image, title, place in zip((first, second), ("first", "second"), axes[:2], strict=True):
        place.imshow(image)
        place.set_title(title)
    shown = axes[2].imshow(difference, cmap="magma", vmin=0, vmax=_MOST_SHOWN)
    axes[2].set_title("difference")
    figure.colorbar(shown, ax=axes[2], label="CIE delta E 2000", extend="max", shrink=0.8)
    for place in axes:
        place.set_axis_off()
    with replacing(path) as temporary:
        figure.savefig(temporary, format=kind, dpi=110)
