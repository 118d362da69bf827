"""Pairing: source patches and the reference patches that show the most alike tissue."""

from napari_stainxfer.pairing.descriptors import describe, standardise
from napari_stainxfer.pairing.geojson import load_pairs, save_pairs
from napari_stainxfer.pairing.matching import PairingSettings, match_diverse, nearest, suggest_pairs
from napari_stainxfer.pairing.pairs import Pair, PairedSlide, Pairs

__all__ = [
    "Pair",
    "PairedSlide",
    "PairingSettings",
    "Pairs",
    "describe",
    "load_pairs",
    "match_diverse",
    "nearest",
    "save_pairs",
    "standardise",
    "suggest_pairs",
]
