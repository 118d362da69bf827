"""The table of feature extractors."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_stainxfer.features.efficientnet_lite0 import make_efficientnet_lite0
from napari_stainxfer.features.extractor import FeatureExtractor
from napari_stainxfer.features.vgg19 import make_vgg19

EXTRACTORS: dict[str, Callable[[Path | None], FeatureExtractor]] = {
    "efficientnet_lite0": make_efficientnet_lite0,
    "vgg19": make_vgg19,
}


def make_extractor(name: str = "efficientnet_lite0", *, weights: Path | None = None) -> FeatureExtractor:
    """Make a frozen feature extractor by name.

    Parameters
    ----------
    name
        One of `EXTRACTORS`.
    weights
        A local weights file, in place of the installed or downloaded one.

    Raises
    ------
    ValueError
        If the name is not in the table.
    MissingWeightsError
        If the weights cannot be found, downloaded or read.
    """
    if name not in EXTRACTORS:
        raise ValueError(
            f"There is no feature extractor {name!r}; the known ones are {', '.join(EXTRACTORS)}"
        )
    return EXTRACTORS[name](weights)
