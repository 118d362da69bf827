"""Pairing: source patches and the reference patches that show the most alike tissue.

What needs a network is imported only when it is first used, so that pairs can be shown and edited without.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from napari_stainxfer.pairing.geojson import load_pairs, save_pairs
from napari_stainxfer.pairing.pairs import Pair, PairedSlide, Pairs

if TYPE_CHECKING:
    from napari_stainxfer.pairing.descriptors import describe, standardise
    from napari_stainxfer.pairing.matching import PairingSettings, match_diverse, nearest, suggest_pairs

_HOMES = {
    "PairingSettings": "matching",
    "describe": "descriptors",
    "match_diverse": "matching",
    "nearest": "matching",
    "standardise": "descriptors",
    "suggest_pairs": "matching",
}

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


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
