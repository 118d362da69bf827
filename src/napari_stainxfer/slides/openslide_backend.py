"""What OpenSlide alone reads (MRXS, VMS, ...), through openslide-python."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import openslide
from PIL import Image

from napari_stainxfer.errors import SlideError
from napari_stainxfer.slides.memory import over_white
from napari_stainxfer.slides.messages import short
from napari_stainxfer.slides.source import RGB, Facts


class OpenSlideSource:
    """Levels of a slide that OpenSlide opens; what the scanner left out is white."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        try:
            self._slide = openslide.OpenSlide(path)
        except (openslide.OpenSlideError, OSError) as error:
            raise SlideError(
                f"{path.name} cannot be opened by OpenSlide ({short(error)}); it may be damaged"
            ) from error
        self._closer = weakref.finalize(self, self._slide.close)
        self.shapes: tuple[tuple[int, int], ...] = tuple((h, w) for w, h in self._slide.level_dimensions)
        properties = self._slide.properties
        profile = self._slide.color_profile
        self.facts = Facts(
            vendor=properties.get(openslide.PROPERTY_NAME_VENDOR, "unknown"),
            mpp=_number(properties.get(openslide.PROPERTY_NAME_MPP_X)),
            magnification=_number(properties.get(openslide.PROPERTY_NAME_OBJECTIVE_POWER)),
            icc_profile=profile.tobytes() if profile is not None else None,
        )
        images = self._slide.associated_images
        self.associated: Mapping[str, Callable[[], RGB]] = {
            name: partial(_associated, images, name) for name in images
        }

    def read(self, level: int, y: int, x: int, height: int, width: int) -> RGB:
        """Read a rectangle of a level. OpenSlide itself locks and caches.

        It takes corners in level-0 pixels, so where a level is not a whole number of times smaller
        its pixels come interpolated, up to half a pixel off.
        """
        downsample = self._slide.level_downsamples[level]
        corner = (round(x * downsample), round(y * downsample))
        try:
            return _flat(np.asarray(self._slide.read_region(corner, level, (width, height))))
        except (openslide.OpenSlideError, OSError) as error:
            raise SlideError(
                f"{self._name} is damaged: a tile cannot be decoded ({short(error)}); "
                "copy or download it again"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._closer()


def _associated(images: Mapping[str, Image.Image], name: str) -> RGB:
    return _flat(np.asarray(images[name].convert("RGBA")))


def _flat(rgba: RGB) -> RGB:
    if (rgba[..., 3] == 255).all():
        return np.ascontiguousarray(rgba[..., :3])
    return over_white(rgba[..., :3], rgba[..., 3], premultiplied=False)


def _number(text: str | None) -> float | None:
    try:
        number = float(text or 0)
    except ValueError:
        return None
    return number if number > 0 else None
