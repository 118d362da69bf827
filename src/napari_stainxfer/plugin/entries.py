"""A slide in a viewer: which layer shows it, and what part it plays."""

from __future__ import annotations

from typing import Any, Literal

from napari_stainxfer.errors import SlideError
from napari_stainxfer.plugin.layer_pixels import LayerPixels
from napari_stainxfer.plugin.slide_layers import DERIVED, SLIDE, calibration, metadata
from napari_stainxfer.slides import Slide
from napari_stainxfer.slides.source import MPP_MAX, MPP_MIN

Role = Literal["reference", "source", "unused"]


class SlideEntry:
    """One slide of a session.

    Attributes
    ----------
    layer
        The napari layer that shows it. Its data coordinates are level-0 pixels.
    slide
        Its pixels, at the um/px that the file or the user gave.
    role
        ``reference``, ``source`` or ``unused``; change it through `Session.set_role`.
    mpp_in_file
        Um/px that the file itself gives, or None; where there is one, the user cannot change it.
    """

    def __init__(self, layer: Any, slide: Slide, role: Role = "unused") -> None:
        self.layer = layer
        self.slide = slide
        self.role: Role = role
        self.mpp_in_file = slide.mpp

    @property
    def name(self) -> str:
        """Of the layer, as the user sees it."""
        return str(self.layer.name)

    @property
    def mpp(self) -> float | None:
        """Um/px of level 0, or None while nobody has said."""
        return self.slide.mpp

    def set_mpp(self, mpp: float) -> None:
        """Take the user's word for um/px, and show the layer at it.

        Raises
        ------
        SlideError
            If the file says otherwise, or it is no positive number.
        """
        if self.mpp_in_file is not None:
            raise SlideError(f"{self.name} says itself that it has {self.mpp_in_file:g} um/px.")
        self.slide = self.slide.with_mpp(mpp)
        self.layer.metadata = {**self.layer.metadata, **metadata(self.slide)}
        for facts in calibration(mpp).items():
            setattr(self.layer, *facts)

    def __repr__(self) -> str:
        return f"SlideEntry({self.name!r}, {self.role}, {self.mpp} um/px)"


def slide_of(layer: Any) -> Slide | None:
    """Return the slide that a layer shows, or None for a layer that shows none.

    That is what a reader of this package opened, and any plain 8-bit RGB image, whose um/px counts as
    known where the layer is in units of length.
    """
    facts = layer.metadata
    if facts.get(DERIVED):
        return None
    slide = facts.get(SLIDE)
    if isinstance(slide, Slide):
        return slide
    if not getattr(layer, "rgb", False) or layer.ndim != 2:
        return None
    levels = list(layer.data) if layer.multiscale else [layer.data]
    if levels[0].dtype != "uint8":
        return None
    return Slide(LayerPixels(levels), name=str(layer.name), mpp=_mpp(layer))


def _mpp(layer: Any) -> float | None:
    """Um/px that a layer's scale and units give, if a scan can have it."""
    unit = layer.units[-1]
    if not unit.is_compatible_with("um"):
        return None
    mpp = float((float(layer.scale[-1]) * unit).to("um").magnitude)
    return mpp if MPP_MIN <= mpp <= MPP_MAX else None
