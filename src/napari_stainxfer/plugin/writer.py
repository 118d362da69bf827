"""Save a slide's layer, normalised or not, as a tiled pyramid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.plugin.slide_layers import SLIDE
from napari_stainxfer.slides import RGB, Slide, write_pyramid

TILE_PX = 512


def write_image(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write an RGB layer tile by tile; memory does not grow with the slide.

    Parameters
    ----------
    path
        ``.ome.tif`` for an OME-TIFF, ``.tif`` for a plain pyramid.
    data
        Array uint8 (H, W, 3) or (H, W, 4), or its levels, finest first.
    attributes
        Of the layer; um/px, magnification and ICC profile of its slide are kept.

    Returns
    -------
    The path written, or nothing where napari shows why not.
    """
    from napari.utils.notifications import show_error

    from napari_stainxfer.plugin.reader import sentence

    try:
        return [_write(path, data, attributes)]
    except StainTransferError as error:
        show_error(sentence(error))
        return []


def _write(path: str, data: Any, attributes: dict[str, Any]) -> str:
    finest = data[0] if attributes.get("multiscale") else data
    if finest.ndim != 3 or finest.shape[2] not in (3, 4) or finest.dtype != np.uint8:
        raise StainTransferError(
            f"{attributes.get('name', 'This layer')} is not an 8-bit RGB image; save it in another format."
        )
    facts = attributes.get("metadata", {})
    slide: Slide | None = facts.get(SLIDE)
    written = write_pyramid(
        path,
        _tiles(finest),
        shape=(finest.shape[0], finest.shape[1]),
        mpp=facts.get("mpp"),
        magnification=facts.get("magnification"),
        icc_profile=slide.icc_profile if slide else None,
        provenance=facts.get("provenance") or (slide.provenance if slide else None),
        tile_px=TILE_PX,
    )
    return str(written)


def _tiles(finest: Any) -> Iterator[RGB]:
    finest = getattr(finest, "exact", None) or finest  # a preview computes what it only shows roughly
    height, width = finest.shape[:2]
    for y in range(0, height, TILE_PX):
        for x in range(0, width, TILE_PX):
            yield np.asarray(finest[y : y + TILE_PX, x : x + TILE_PX, :3])
