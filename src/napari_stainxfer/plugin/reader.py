"""Open slides as napari layers: nothing is decoded before it is looked at."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.plugin.slide_layers import LayerData, layer_data

Paths = str | Sequence[str]
_NO_LAYER = (None,)
"""What napari takes for a file that was dealt with and gave no layer."""


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData | tuple[None]]] | None:
    """Return the function that reads these files, or None where they cannot be slides.

    Parameters
    ----------
    path
        A file, a folder of DICOM files that make one slide, or several of these.
    """
    from napari_stainxfer.slides import SUFFIXES

    paths = _as_list(path)
    fits = [Path(one).is_dir() or Path(one).suffix.lower() in SUFFIXES for one in paths]
    return read_slides if paths and all(fits) else None


def read_slides(path: Paths) -> list[LayerData | tuple[None]]:
    """Open each file as one layer. A file that cannot be opened becomes an error in napari's window."""
    from napari.utils.notifications import show_error

    from napari_stainxfer.slides import open_slide

    layers: list[LayerData | tuple[None]] = []
    for one in _as_list(path):
        try:
            layers.append(layer_data(open_slide(one)))
        except StainTransferError as error:
            show_error(sentence(error))
    return layers or [_NO_LAYER]


def sentence(error: Exception) -> str:
    """The message of an error, begun and ended as a sentence."""
    text = str(error).strip()
    # A file's name at the beginning keeps its case.
    first = text.split(" ", 1)[0]
    if first.isalpha():
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _as_list(path: Paths) -> list[str]:
    return [path] if isinstance(path, (str, os.PathLike)) else list(path)
