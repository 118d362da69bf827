"""Numbers for how near a transferred image is to its truth."""

from napari_stainxfer.evaluation.evenness import (
    Spread,
    background_change,
    intensity_spread,
    normalised_median_intensity,
)
from napari_stainxfer.evaluation.lpips import LPIPS
from napari_stainxfer.evaluation.metrics import PerceptualDistance, colour_difference, hue_error
from napari_stainxfer.evaluation.registry import (
    LPIPS_METRICS,
    METRICS,
    Compared,
    Metric,
    measure_all,
    measure_set,
)
from napari_stainxfer.evaluation.structure import (
    density_correlation,
    dice,
    multiscale_similarity,
    peak_signal_to_noise,
    similarity,
)

__all__ = [
    "LPIPS",
    "LPIPS_METRICS",
    "METRICS",
    "Compared",
    "Metric",
    "PerceptualDistance",
    "Spread",
    "background_change",
    "colour_difference",
    "density_correlation",
    "dice",
    "hue_error",
    "intensity_spread",
    "measure_all",
    "measure_set",
    "multiscale_similarity",
    "normalised_median_intensity",
    "peak_signal_to_noise",
    "similarity",
]
