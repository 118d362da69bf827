"""Draw the pictures of real-slides.md from the two slides and the normalised one.

    python docs/draw_real_slides.py REFERENCE SOURCE NORMALISED

with the files of the page's two commands. The fields are at fixed shares of each slide, so that they are
not chosen by their look.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_stainxfer import Box, Slide, open_slide

PICTURES = Path(__file__).parent / "pictures"
FIELD_PX, SHOWN_PX, OVERVIEW_PX, QUALITY = 512, 320, 400, 88
FIELDS = [((0.35, 0.3), (0.3, 0.5)), ((0.5, 0.6), (0.5, 0.4)), ((0.7, 0.45), (0.65, 0.6))]
"""Upper left corners, (y, x) as shares of the source's and of the reference's height and width."""


def field(slide: Slide, corner: tuple[float, float]) -> NDArray[np.uint8]:
    """One field, made smaller for the page."""
    y, x = (int(share * side) for share, side in zip(corner, slide.shape, strict=True))
    image = Image.fromarray(slide.read_region(Box(y, x, FIELD_PX, FIELD_PX)))
    return np.asarray(image.resize((SHOWN_PX, SHOWN_PX), Image.Resampling.LANCZOS))


def overviews(slides: list[Slide]) -> NDArray[np.uint8]:
    """Whole slides side by side on white."""
    images = [slide.overview(OVERVIEW_PX) for slide in slides]
    height = max(len(image) for image in images)
    padded = [
        np.pad(image, ((0, height - len(image)), (0, 0), (0, 0)), constant_values=255) for image in images
    ]
    return np.concatenate(padded, axis=1)


def main(reference_path: str, source_path: str, normalised_path: str) -> None:
    """Write both pictures."""
    reference, source, normalised = (
        open_slide(path) for path in (reference_path, source_path, normalised_path)
    )
    with reference, source, normalised:
        rows = [
            np.concatenate([field(source, here), field(normalised, here), field(reference, there)], axis=1)
            for here, there in FIELDS
        ]
        Image.fromarray(np.concatenate(rows)).save(PICTURES / "real_fields.jpg", quality=QUALITY)
        Image.fromarray(overviews([source, normalised, reference])).save(
            PICTURES / "real_overview.jpg", quality=QUALITY
        )


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
