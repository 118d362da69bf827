"""Slides: RGB pixels at a known um/px, opened, read and written."""

from napari_stainxfer.slides.box import Box

__all__ = ["Box"]
