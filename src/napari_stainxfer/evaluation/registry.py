"""Every measure of an image or a set by its name, with what it compares and which way is better.

The tables and ``stainxfer evaluate`` draw from here; the formulas and their sources stand with the functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.evaluation.evenness import background_change, intensity_spread
from napari_stainxfer.evaluation.lpips import LEAST_PX as LPIPS_LEAST_PX
from napari_stainxfer.evaluation.lpips import LPIPS
from napari_stainxfer.evaluation.metrics import PerceptualDistance, colour_difference, hue_error
from napari_stainxfer.evaluation.shapes import RGB
from napari_stainxfer.evaluation.structure import (
    MS_SSIM_LEAST_PX,
    SSIM_LEAST_PX,
    density_correlation,
    dice,
    multiscale_similarity,
    peak_signal_to_noise,
    similarity,
)


class Compared(NamedTuple):
    """An image and what it can be compared with; all of one size.

    Attributes
    ----------
    image
        uint8 (H, W, 3).
    truth
        The same field in the reference's stain.
    source
        The image as it was before the transfer.
    red_cells, background
        Masks (H, W).
    """

    image: RGB
    truth: RGB | None = None
    source: RGB | None = None
    red_cells: NDArray[np.bool_] | None = None
    background: NDArray[np.bool_] | None = None


class Metric(NamedTuple):
    """What is known about a measure.

    Attributes
    ----------
    title
        For people.
    source
        Who defined it.
    better
        Which way is better.
    span
        Least and greatest value.
    measure
        Of a `Compared` that has what it needs; of ``images`` or of two ``masks`` where it says so.
    needs
        The fields of `Compared` besides the image that it cannot do without.
    unit
        Empty where it has none.
    of
        What it measures.
    least_px
        Shortest side of an image that it can be taken of.
    """

    title: str
    source: str
    better: Literal["lower", "higher"]
    span: tuple[float, float]
    measure: Callable[..., float]
    needs: tuple[str, ...] = ("truth",)
    unit: str = ""
    of: Literal["image", "images", "masks"] = "image"
    least_px: int = 1

    def __call__(self, compared: Compared) -> float | None:
        """The value, or None where the image is too small, something needed is missing or a mask is empty."""
        if min(compared.image.shape[:2]) < self.least_px:
            return None
        given = [getattr(compared, name) for name in self.needs]
        if any(value is None or (value.dtype == np.bool_ and not value.any()) for value in given):
            return None
        return self.measure(compared)

    def in_words(self) -> str:
        """Its span, its unit and which way is better, for those who read a value of it."""
        low, high = self.span
        unit = f" {self.unit}" if self.unit else ""
        span = f"{low:g} to {high:g}{unit}" if math.isfinite(high) else f"from {low:g}{unit}"
        return f"{span}, {self.better} is better"


@cache
def _lite0() -> PerceptualDistance:
    return PerceptualDistance()


def _lpips(network: str) -> Callable[[RGB, RGB], float]:
    made = cache(lambda: LPIPS(network))
    return lambda image, truth: made()(image, truth)


def _of_truth(score: Callable[[RGB, RGB], float]) -> Callable[[Compared], float]:
    def measure(compared: Compared) -> float:
        assert compared.truth is not None
        return score(compared.image, compared.truth)

    return measure


def _structure(compared: Compared) -> float:
    assert compared.source is not None
    return density_correlation(compared.image, compared.source)


def _red_cells(compared: Compared) -> float:
    assert compared.truth is not None
    assert compared.red_cells is not None
    return hue_error(compared.image, compared.truth, compared.red_cells)


def _background(compared: Compared) -> float:
    assert compared.source is not None
    assert compared.background is not None
    return background_change(compared.image, compared.source, compared.background)


_LPIPS_SOURCE = "Zhang et al., CVPR 2018"

METRICS: dict[str, Metric] = {
    "perceptual_distance": Metric(
        "perceptual distance (Lite0)",
        f"{_LPIPS_SOURCE}, unweighted, on EfficientNet-Lite0",
        "lower",
        (0, 18),
        _of_truth(lambda a, b: _lite0()(a, b)),
    ),
    "lpips_alex": Metric(
        "LPIPS (AlexNet)",
        _LPIPS_SOURCE,
        "lower",
        (0, 10),
        _of_truth(_lpips("alex")),
        least_px=LPIPS_LEAST_PX,
    ),
    "lpips_vgg": Metric(
        "LPIPS (VGG)",
        _LPIPS_SOURCE,
        "lower",
        (0, 10),
        _of_truth(_lpips("vgg")),
        least_px=LPIPS_LEAST_PX,
    ),
    "delta_e": Metric(
        "CIE delta E 2000", "Sharma et al., 2005", "lower", (0, 120), _of_truth(colour_difference)
    ),
    "ssim": Metric(
        "SSIM", "Wang et al., 2004", "higher", (-1, 1), _of_truth(similarity), least_px=SSIM_LEAST_PX
    ),
    "ms_ssim": Metric(
        "MS-SSIM",
        "Wang et al., 2003",
        "higher",
        (0, 1),
        _of_truth(multiscale_similarity),
        least_px=MS_SSIM_LEAST_PX,
    ),
    "psnr": Metric(
        "PSNR",
        "as in scikit-image, of 8-bit RGB",
        "higher",
        (0, float("inf")),
        _of_truth(peak_signal_to_noise),
        unit="dB",
    ),
    "structure": Metric(
        "structure kept",
        "this project: correlation of total optical density with the source",
        "higher",
        (-1, 1),
        _structure,
        needs=("source",),
    ),
    "red_cell_hue": Metric(
        "red-cell hue error",
        "this project: angle of mean colours in CIE a*b*",
        "lower",
        (0, 180),
        _red_cells,
        needs=("truth", "red_cells"),
        unit="degrees",
    ),
    "background_change": Metric(
        "background change",
        "this project: mean absolute change of empty glass",
        "lower",
        (0, 255),
        _background,
        needs=("source", "background"),
        unit="grey levels",
    ),
    "nmi_spread": Metric(
        "NMI spread",
        "Basavanhally and Madabhushi, 2013; Zanjani et al., ISBI 2018",
        "lower",
        (0, 1),
        lambda images: intensity_spread(images).deviation,
        needs=(),
        of="images",
    ),
    "dice": Metric("Dice", "Dice, 1945", "higher", (0, 1), dice, needs=(), of="masks"),
}
"""By name; the values that need something which is not there are left out."""

LPIPS_METRICS = ("lpips_alex", "lpips_vgg")
"""Taken only when they are asked for: their weights are downloaded on first use."""


def measure_all(compared: Compared, *, lpips: Sequence[str] = ()) -> dict[str, float]:
    """Every measure that can be taken; what an image is too small for is left out.

    Parameters
    ----------
    lpips
        Those of ``LPIPS_METRICS`` to take as well.
    """
    found: dict[str, float] = {}
    for name, metric in METRICS.items():
        if metric.of != "image":
            continue
        if name in LPIPS_METRICS and name not in lpips:
            continue
        value = metric(compared)
        if value is not None:
            found[name] = value
    return found


def measure_set(images: Sequence[RGB]) -> dict[str, float]:
    """What can be said of a set of images; nothing of fewer than two."""
    if len(images) < 2:
        return {}
    return {name: metric.measure(images) for name, metric in METRICS.items() if metric.of == "images"}
