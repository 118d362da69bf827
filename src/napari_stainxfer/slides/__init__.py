"""Slides: RGB pixels at a known um/px, opened, read and written."""

from napari_stainxfer.slides.box import Box
from napari_stainxfer.slides.opening import SUFFIXES, open_slide
from napari_stainxfer.slides.slide import Slide
from napari_stainxfer.slides.source import RGB, Facts, Level, PixelSource
from napari_stainxfer.slides.virtual import area_average
from napari_stainxfer.slides.writing import PyramidWriter, write_pyramid

__all__ = [
    "RGB",
    "SUFFIXES",
    "Box",
    "Facts",
    "Level",
    "PixelSource",
    "PyramidWriter",
    "Slide",
    "area_average",
    "open_slide",
    "write_pyramid",
]
