"""Synthetic kidney slides from a seed, stained and scanned by eight labs, with truth and masks."""

from napari_stainxfer.phantom.blocks import mask_region, render, stain_region
from napari_stainxfer.phantom.labs import LABS, Lab
from napari_stainxfer.phantom.slide import PhantomSource, phantom_masks, phantom_slide
from napari_stainxfer.phantom.tissue import Masks, Tissue
from napari_stainxfer.phantom.writing import write_phantom

__all__ = [
    "LABS",
    "Lab",
    "Masks",
    "PhantomSource",
    "Tissue",
    "mask_region",
    "phantom_masks",
    "phantom_slide",
    "render",
    "stain_region",
    "write_phantom",
]
