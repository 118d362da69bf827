"""Few-shot stain transfer for histology slides.

Every public name is imported only when it is first used, so that ``import napari_stainxfer`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from napari_stainxfer.applying import normalize_slide
    from napari_stainxfer.errors import StainTransferError
    from napari_stainxfer.methods import Model, load
    from napari_stainxfer.methods.fitting import fit
    from napari_stainxfer.pairing import load_pairs, save_pairs, suggest_pairs
    from napari_stainxfer.phantom import phantom_slide
    from napari_stainxfer.slides import Box, Slide, open_slide
    from napari_stainxfer.training import TrainingSettings

_HOMES = {
    "Box": "slides",
    "Model": "methods",
    "Slide": "slides",
    "StainTransferError": "errors",
    "TrainingSettings": "training",
    "fit": "methods.fitting",
    "load": "methods",
    "load_pairs": "pairing",
    "normalize_slide": "applying",
    "open_slide": "slides",
    "phantom_slide": "phantom",
    "save_pairs": "pairing",
    "suggest_pairs": "pairing",
}

__all__ = [
    "Box",
    "Model",
    "Slide",
    "StainTransferError",
    "TrainingSettings",
    "fit",
    "load",
    "load_pairs",
    "normalize_slide",
    "open_slide",
    "phantom_slide",
    "save_pairs",
    "suggest_pairs",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-stainxfer")
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
