"""Pictures of what a segmenter found: each lab raw and through the methods, with outlines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import binary_erosion, uniform_filter

from napari_stainxfer.files import replacing
from napari_stainxfer.slides import RGB

_SHOWN_PX = 320
_TRUE, _FOUND = (0, 0, 0), (60, 255, 0)
_INCHES = 2.2


def save_outlines(
    path: Path, image: RGB, found: NDArray[np.bool_], truth: NDArray[np.bool_], *, side_px: int = _SHOWN_PX
) -> None:
    """Write the part of an image with the most glomerulus in it, the true outline black, the found one green.

    Which part depends on the truth alone: labs that show the same tissue are shown in the same place.
    """
    side = min(side_px, *truth.shape)
    crowd = uniform_filter(truth.astype(np.float32), side, mode="constant")
    y, x = (
        int(np.clip(centre - side // 2, 0, length - side))
        for centre, length in zip(np.unravel_index(crowd.argmax(), crowd.shape), truth.shape, strict=True)
    )
    cut = np.s_[y : y + side, x : x + side]
    drawn = image[cut].copy()
    for mask, colour in ((truth[cut], _TRUE), (found[cut], _FOUND)):
        drawn[mask & ~binary_erosion(mask, iterations=2, border_value=1)] = colour
    with replacing(path) as temporary:
        Image.fromarray(drawn).save(temporary, format="PNG")


def draw_panel(
    path: Path, rows: Mapping[str, Mapping[str, Path]], titles: Mapping[tuple[str, str], str]
) -> None:
    """Write one picture of all: a row a lab, a column a method.

    Parameters
    ----------
    rows
        By lab, the picture of each method; a lab may lack some.
    titles
        By lab and method, what to write above the picture.
    """
    columns = _columns(rows.values())
    figure = Figure(figsize=(_INCHES * len(columns), (_INCHES + 0.25) * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), len(columns), squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for line, (lab, pictures) in zip(grid, rows.items(), strict=True):
        for axes, method in zip(line, columns, strict=True):
            if method in pictures:
                with Image.open(pictures[method]) as image:
                    axes.imshow(np.asarray(image))
                axes.set_title(titles[lab, method], fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)


def _columns(rows: Iterable[Mapping[str, Path]]) -> list[str]:
    """Every method once, in the order they come."""
    return list(dict.fromkeys(method for pictures in rows for method in pictures))
