"""Pixels that are already in memory: an array, or a PNG or JPEG decoded in one go."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from napari_stainxfer.errors import SlideError
from napari_stainxfer.slides.messages import short
from napari_stainxfer.slides.source import RGB, TAG_MPP_MAX, Facts


class ArraySource:
    """One level of pixels held in memory."""

    def __init__(self, rgb: RGB, facts: Facts) -> None:
        self._rgb = rgb
        self.facts = facts
        self.shapes: tuple[tuple[int, int], ...] = ((rgb.shape[0], rgb.shape[1]),)
        self.associated: Mapping[str, Callable[[], RGB]] = {}

    def read(self, level: int, y: int, x: int, height: int, width: int) -> RGB:
        """Copy a rectangle out of the array."""
        if level != 0:
            raise IndexError(f"an array has one level, not {level + 1}")
        return self._rgb[y : y + height, x : x + width].copy()

    def close(self) -> None:
        """Nothing is held open."""


def array_source(rgb: NDArray[np.generic]) -> ArraySource:
    """Check an array and wrap it, without a copy.

    Raises
    ------
    SlideError
        Unless the array is uint8 (H, W, 3) and not empty.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
        raise SlideError(
            f"an array can be a slide only as uint8 (height, width, 3) RGB, but this one is {rgb.dtype} "
            f"{rgb.shape}; convert it first"
        )
    return ArraySource(rgb.astype(np.uint8, copy=False), Facts(vendor="array"))


def image_source(path: Path) -> ArraySource:
    """Decode a PNG, JPEG, BMP or WebP file whole.

    Raises
    ------
    SlideError
        If it is not an image, is damaged, too large, or not 8-bit RGB.
    """
    try:
        with warnings.catch_warnings():
            # Between Pillow's warning and its refusal (179 Mpx) an image is large but harmless.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return _decode(path, image)
    except Image.DecompressionBombError as error:
        raise SlideError(
            f"{path.name} is too large to decode in one go; convert it to a tiled pyramidal TIFF first"
        ) from error
    except UnidentifiedImageError as error:
        raise SlideError(
            f"{path.name} is not an image this program can read; give a slide or an image file"
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise SlideError(
            f"{path.name} is damaged or cut short ({short(error)}); copy or download it again"
        ) from error


def _decode(path: Path, image: Image.Image) -> ArraySource:
    mode = image.mode
    if mode not in {"RGB", "RGBA"} or _is_16_bit(path, image):
        kind = "16-bit" if mode in {"RGB", "RGBA"} else _MODE_WORDS.get(mode, f"of colour mode {mode}")
        raise SlideError(f"{path.name} is {kind}, but a slide must be 8-bit RGB; convert it first")
    rgb = np.asarray(image)
    if mode == "RGBA":
        rgb = over_white(rgb[..., :3], rgb[..., 3], premultiplied=False)
    vendor = (image.format or "image").lower()
    facts = Facts(vendor=vendor, mpp=_mpp(image), icc_profile=image.info.get("icc_profile"))
    return ArraySource(np.ascontiguousarray(rgb), facts)


_MODE_WORDS = {
    "1": "black and white",
    "L": "grey",
    "LA": "grey",
    "P": "in palette colours",
    "I;16": "16-bit",
    "I;16B": "16-bit",
    "I": "16-bit",
    "F": "floating point",
    "CMYK": "CMYK",
}


def _is_16_bit(path: Path, image: Image.Image) -> bool:
    """Whether a PNG says so in its header; Pillow would halve its colours without a word."""
    if image.format != "PNG":
        return False
    with path.open("rb") as file:
        return file.read(_PNG_DEPTH + 1)[_PNG_DEPTH] == 16


_PNG_DEPTH = 24
"""Where a PNG has its bit depth: signature, chunk head, width and height come before (PNG, 11.2.1)."""


def _mpp(image: Image.Image) -> float | None:
    """Um/px from the dots per inch, unless that is a print or screen default."""
    dpi = image.info.get("dpi")
    if not dpi or not dpi[0] > 0:
        return None
    mpp = 25400.0 / float(dpi[0])
    return mpp if mpp <= TAG_MPP_MAX else None


def over_white(rgb: RGB, alpha: RGB, *, premultiplied: bool) -> RGB:
    """Composite onto white: glass is white, and so is what a scanner left out.

    Parameters
    ----------
    rgb
        uint8 (H, W, 3).
    alpha
        uint8 (H, W), 255 is opaque.
    premultiplied
        Whether ``rgb`` was multiplied by alpha when it was stored.
    """
    opacity = alpha[..., None].astype(np.uint16)
    weight = np.uint16(255) if premultiplied else opacity
    mixed = rgb.astype(np.uint32) * weight + 255 * (255 - opacity).astype(np.uint32)
    out: RGB = np.minimum((mixed + 127) // 255, 255).astype(np.uint8)
    return out
