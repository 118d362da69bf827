"""How much light a patch takes away, measured by its slide's own measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.slides import RGB

FloatArray = NDArray[np.float32]

_STAINED_OD = 0.08
_FAINTEST = 0.02
_STEEPNESS = 4.0


def stain_density(patches: Sequence[RGB], glass: FloatArray) -> FloatArray:
    """Stain in the patches of one slide, without its hue and without its strength.

    Optical density, averaged over red, green and blue so that no hue is left in it, is divided by what
    is strong in this slide (the 98th percentile over stained pixels) and saturates as
    ``1 - exp(-4 x)``: the outlines of tissue, cells and nuclei count, and whether the lab stains
    nuclei or cytoplasm more strongly counts little.

    Of the maps tried (haematoxylin by colour deconvolution; haematoxylin, eosin and total together;
    total density, plain and saturating), all find the true partner between labs of the phantom; this
    one also brings real epithelium to epithelium and stroma to stroma most often.

    Parameters
    ----------
    patches
        All patches of the slide that are to be compared, uint8 (h, w, 3).
    glass
        RGB of the slide's empty glass, (3,).

    Returns
    -------
    float32 (N, h, w) in [0, 1]; 0 is glass.
    """
    light = np.stack(patches).astype(np.float32) + 1
    density = np.maximum(-np.log10(light / (glass + 1)), 0).mean(axis=-1)
    stained = density[density > _STAINED_OD]
    strong = float(np.percentile(stained, 98)) if stained.size else _FAINTEST
    saturated: FloatArray = 1 - np.exp(-_STEEPNESS / max(strong, _FAINTEST) * density)
    return saturated.astype(np.float32)
