"""Frozen feature extractors: the pre-trained networks that judge content and style."""

from napari_stainxfer.features.extractor import FeatureExtractor
from napari_stainxfer.features.lpips_networks import LPIPS_LAYERS, fetch, make_lpips_network
from napari_stainxfer.features.registry import EXTRACTORS, make_extractor
from napari_stainxfer.features.weights import read_state_dict

__all__ = [
    "EXTRACTORS",
    "LPIPS_LAYERS",
    "FeatureExtractor",
    "fetch",
    "make_extractor",
    "make_lpips_network",
    "read_state_dict",
]
