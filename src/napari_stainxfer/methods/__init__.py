"""Fitted methods, one interface, one safe file."""

from napari_stainxfer.methods.background import Glass, slide_glass
from napari_stainxfer.methods.card import ModelCard, SlideFacts
from napari_stainxfer.methods.model import METHODS, Model, load
from napari_stainxfer.methods.protocol import StainMethod
from napari_stainxfer.methods.windows import Window, tile_boxes, window

__all__ = [
    "METHODS",
    "Glass",
    "Model",
    "ModelCard",
    "SlideFacts",
    "StainMethod",
    "Window",
    "load",
    "slide_glass",
    "tile_boxes",
    "window",
]
