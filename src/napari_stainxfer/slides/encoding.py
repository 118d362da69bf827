"""One tile of pixels to the bytes of a TIFF tile, and the TIFF tags that say how."""

from __future__ import annotations

from typing import Any, Literal

import imagecodecs
import numpy as np

from napari_stainxfer.slides.source import RGB

Compression = Literal["jpeg", "lossless"]

# Chroma at full resolution (4:4:4). Stain is colour, and halving its resolution costs more than the
# bytes it saves: on the two real Aperio slides at quality 90 the mean CIE delta E 2000 is 1.0 and 1.1
# with 4:4:4 against 1.5 and 3.5 with 4:2:0, for 1.3 and 1.5 times the bytes; 4:2:0 at quality 95 takes
# as many bytes as 4:4:4 at 90 and is still worse.
_SUBSAMPLING = "444"

TIFF_TAGS: dict[Compression, dict[str, Any]] = {
    "jpeg": {"compression": "jpeg", "subsampling": (1, 1)},
    # libtiff, and so every reader built on it, knows deflate with a horizontal predictor.
    "lossless": {"compression": "adobe_deflate", "predictor": 2},
}

_DEFLATE_LEVEL = 4


def encode_tile(tile: RGB, tile_px: int, compression: Compression, quality: int) -> bytes:
    """Encode one tile.

    Parameters
    ----------
    tile
        uint8 (h, w, 3), h and w at most ``tile_px``. A smaller tile is continued with its own edge,
        not with black or white, so that JPEG does not ring into the picture.
    tile_px
        Side of a TIFF tile.
    quality
        Of JPEG, 1 to 100.
    """
    missing = [(0, tile_px - tile.shape[0]), (0, tile_px - tile.shape[1]), (0, 0)]
    if missing[0][1] or missing[1][1]:
        tile = np.pad(tile, missing, mode="edge")
    tile = np.ascontiguousarray(tile)  # a view of a larger window is welcome; the encoder takes none
    if compression == "jpeg":
        return bytes(
            imagecodecs.jpeg8_encode(
                tile, level=quality, colorspace="rgb", outcolorspace="ycbcr", subsampling=_SUBSAMPLING
            )
        )
    return bytes(
        imagecodecs.deflate_encode(imagecodecs.delta_encode(tile, axis=1).tobytes(), level=_DEFLATE_LEVEL)
    )
