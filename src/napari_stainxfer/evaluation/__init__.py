"""Numbers for how near a transferred image is to its truth."""

from napari_stainxfer.evaluation.metrics import (
    PerceptualDistance,
    colour_difference,
    hue_error,
)

__all__ = ["PerceptualDistance", "colour_difference", "hue_error"]
