"""Pictures people look at before they read numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from PIL import Image

from napari_stainxfer.files import replacing

_GAP_PX = 6


def side_by_side(path: Path, rows: Sequence[Sequence[NDArray[np.uint8]]]) -> None:
    """Write images (H, W, 3) of one size as a PNG grid, with a white gap between them."""
    height, width, _ = rows[0][0].shape
    grid = np.full(
        (len(rows) * (height + _GAP_PX) - _GAP_PX, len(rows[0]) * (width + _GAP_PX) - _GAP_PX, 3),
        255,
        np.uint8,
    )
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            y, x = i * (height + _GAP_PX), j * (width + _GAP_PX)
            grid[y : y + height, x : x + width] = image
    with replacing(path) as temporary:
        Image.fromarray(grid).save(temporary, format="PNG")


def loss_curve(path: Path, history: Sequence[Mapping[str, float]]) -> None:
    """Write the mean losses by epoch as a PNG, on a logarithmic axis where all are positive."""
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    epochs = range(1, len(history) + 1)
    for name in history[0]:
        axes.plot(epochs, [means[name] for means in history], marker=".", label=name)
    if all(value > 0 for means in history for value in means.values()):
        axes.set_yscale("log")
    axes.set(xlabel="epoch", ylabel="mean loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False)
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
