"""Frozen feature extractors: the pre-trained networks that judge content and style."""

from napari_stainxfer.features.extractor import FeatureExtractor
from napari_stainxfer.features.registry import EXTRACTORS, make_extractor

__all__ = ["EXTRACTORS", "FeatureExtractor", "make_extractor"]
