"""Masks as people save them: any image, where whatever is not 0 is marked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_stainxfer.errors import SlideError
from napari_stainxfer.slides.messages import short

_lifting = Lock()
_WITH_ALPHA = {"LA", "PA"}


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Read an image of any size as a mask, bool (H, W).

    Marked is what is not 0: in a palette image by its index, whatever colour that shows; in a colour image
    where any channel is not 0. An alpha channel marks nothing.

    Raises
    ------
    SlideError
        When it is no image, is damaged, or does not fit into memory.
    """
    try:
        with _any_size(), Image.open(path) as image:
            values = np.asarray(image.convert("RGB") if image.mode == "CMYK" else image)
            colours = 1 if image.mode in _WITH_ALPHA else 3
    except (OSError, SyntaxError, ValueError, MemoryError) as error:
        raise SlideError(f"{path} cannot be read as a mask ({short(error)}); save it as PNG.") from None
    marked = values != 0
    mask: NDArray[np.bool_] = marked if marked.ndim == 2 else marked[..., :colours].any(axis=2)
    return mask


@contextmanager
def _any_size() -> Iterator[None]:
    """Lift Pillow's limit of 179 Mpx, which is one for the whole process: a whole slide's mask is larger."""
    with _lifting:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
