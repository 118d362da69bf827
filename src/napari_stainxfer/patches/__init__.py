"""Patches: where the tissue is, and how it is cut into squares of one um/px."""

from napari_stainxfer.patches.grid import Patch, patch_grid, read_patch
from napari_stainxfer.patches.plan import PatchPlan, plan_patches
from napari_stainxfer.patches.settings import PatchSettings
from napari_stainxfer.patches.tissue import (
    SlideMasks,
    find_tissue,
    glass_colour,
    slide_masks,
    tissue_mask,
)

__all__ = [
    "Patch",
    "PatchPlan",
    "PatchSettings",
    "SlideMasks",
    "find_tissue",
    "glass_colour",
    "patch_grid",
    "plan_patches",
    "read_patch",
    "slide_masks",
    "tissue_mask",
]
