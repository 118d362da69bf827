"""A slide as the data of a napari layer, and the slide that a layer shows."""

from __future__ import annotations

from typing import Any

from napari_stainxfer.slides import Slide

SLIDE = "slide"
"""Key of a layer's metadata under which its `Slide` stands."""

DERIVED = "stainxfer_derived"
"""Key of a layer's metadata that marks what this plugin made of a slide (a preview, boxes)."""

LayerData = tuple[Any, dict[str, Any], str]

_MICROMETRE, _PIXEL = "um", "pixel"


def layer_data(slide: Slide) -> LayerData:
    """Describe a slide as a multiscale RGB layer, decoded when looked at.

    One world unit is a micrometre. Where um/px is unknown it is a pixel, and the metadata's ``mpp`` is
    None and its ``mpp_note`` says so.
    """
    return (
        slide.dask_pyramid(),
        {
            "name": slide.name,
            "rgb": True,
            "multiscale": True,
            "metadata": metadata(slide),
            **calibration(slide.mpp),
        },
        "image",
    )


def calibration(mpp: float | None) -> dict[str, Any]:
    """Scale and units of a layer at this um/px, as napari's keywords."""
    unit = _PIXEL if mpp is None else _MICROMETRE
    return {"scale": (mpp or 1.0, mpp or 1.0), "units": (unit, unit)}


def metadata(slide: Slide) -> dict[str, Any]:
    """What a layer says about its slide."""
    facts: dict[str, Any] = {
        SLIDE: slide,
        "mpp": slide.mpp,
        "magnification": slide.magnification,
        "vendor": slide.vendor,
        "path": None if slide.path is None else str(slide.path),
    }
    if slide.mpp is None:
        facts["mpp_note"] = (
            "The file does not say how many micrometres a pixel is: the layer is shown in pixels."
        )
    return facts
