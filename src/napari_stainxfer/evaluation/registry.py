"""Every measure of an image or a set by its name, with what it compares and which way is better.

The tables and ``stainxfer evaluate`` draw from here; the formulas and their sources stand with the functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.evaluation.evenness import background_change, intensity_spread
from napari_stainxfer.evaluation.lpips import LPIPS
from napari_stainxfer.evaluation.metrics import PerceptualDistance, colour_difference, hue_error
from napari_stainxfer.evaluation.shapes import RGB
from napari_stainxfer.evaluation.structure import (
    density_correlation,
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
    """A measure of one image.

    Attributes
    ----------
    title
        For people.
    needs
        The fields of `Compared` besides the image that it cannot do without.
    better
        Which way is better.
    span
        Least and greatest value.
    unit
        Empty where it has none.
    measure
        Of a `Compared` that has what it needs.
    """

    title: str
    needs: tuple[str, ...]
    better: Literal["lower", "higher"]
    span: tuple[float, float]
    unit: str
    measure: Callable[[Compared], float]

    def __call__(self, compared: Compared) -> float | None:
        """The value, or None where something that it needs is missing or its mask is empty."""
        given = [getattr(compared, name) for name in self.needs]
        if any(value is None or (value.dtype == np.bool_ and not value.any()) for value in given):
            return None
        return self.measure(compared)


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


_INFINITE = float("inf")
_TRUTH = ("truth",)

METRICS: dict[str, Metric] = {
    "perceptual_distance": Metric(
        "perceptual distance (Lite0)", _TRUTH, "lower", (0, 18), "", _of_truth(lambda a, b: _lite0()(a, b))
    ),
    "lpips_alex": Metric("LPIPS (AlexNet)", _TRUTH, "lower", (0, 10), "", _of_truth(_lpips("alex"))),
    "lpips_vgg": Metric("LPIPS (VGG)", _TRUTH, "lower", (0, 10), "", _of_truth(_lpips("vgg"))),
    "delta_e": Metric("CIE delta E 2000", _TRUTH, "lower", (0, 120), "", _of_truth(colour_difference)),
    "ssim": Metric("SSIM", _TRUTH, "higher", (-1, 1), "", _of_truth(similarity)),
    "ms_ssim": Metric("MS-SSIM", _TRUTH, "higher", (0, 1), "", _of_truth(multiscale_similarity)),
    "psnr": Metric("PSNR", _TRUTH, "higher", (0, _INFINITE), "dB", _of_truth(peak_signal_to_noise)),
    "structure": Metric("structure kept", ("source",), "higher", (-1, 1), "", _structure),
    "red_cell_hue": Metric(
        "red-cell hue error", ("truth", "red_cells"), "lower", (0, 180), "degrees", _red_cells
    ),
    "background_change": Metric(
        "background change", ("source", "background"), "lower", (0, 255), "grey levels", _background
    ),
}
"""By name; the values that need something which is not there are left out."""

LPIPS_METRICS = ("lpips_alex", "lpips_vgg")
"""Taken only when they are asked for: their weights are downloaded on first use."""

NMI_SPREAD = "nmi_spread"
NMI_SPREAD_TITLE = "NMI spread"
"""Standard deviation of the normalised median intensity over a set of images; lower is more even."""


def measure_all(compared: Compared, *, lpips: Sequence[str] = ()) -> dict[str, float]:
    """Every measure that can be taken; MS-SSIM needs at least 176 px a side.

    Parameters
    ----------
    lpips
        Those of ``LPIPS_METRICS`` to take as well.
    """
    found: dict[str, float] = {}
    for name, metric in METRICS.items():
        if name == "ms_ssim" and min(compared.image.shape[:2]) < 176:
            continue
        if name in LPIPS_METRICS and name not in lpips:
            continue
        value = metric(compared)
        if value is not None:
            found[name] = value
    return found


def measure_set(images: Sequence[RGB]) -> dict[str, float]:
    """What can be said of a set of images; nothing of fewer than two."""
    return {NMI_SPREAD: intensity_spread(images).deviation} if len(images) > 1 else {}
