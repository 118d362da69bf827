"""Write a slide, whole or a region of it, in the reference's stain."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.errors import NotEnoughMemoryError, NoTissueError, SlideError
from napari_stainxfer.methods import Model, Window, slide_glass, tile_boxes
from napari_stainxfer.patches import tissue_mask
from napari_stainxfer.slides import Box, Slide, write_pyramid
from napari_stainxfer.slides.encoding import Compression
from napari_stainxfer.slides.sides import SlideLike, as_slides
from napari_stainxfer.training.devices import is_out_of_memory

TILE_PX = 512
_READ_AHEAD = 4  # windows that are decoded while one is computed; few, so that memory stays flat


@dataclass(frozen=True)
class ExportProgress:
    """How far an export is.

    Attributes
    ----------
    done_tiles, total_tiles
        Tiles of the finest level.
    mpx_per_second
        Megapixels of the finest level a second, so far.
    seconds_left
        At that speed.
    """

    done_tiles: int
    total_tiles: int
    mpx_per_second: float
    seconds_left: float


def normalize_slide(
    model: Model,
    slide: SlideLike,
    out: str | Path,
    *,
    region: Box | tuple[int, int, int, int] | None = None,
    compression: Compression = "jpeg",
    quality: int = 90,
    device: str = "auto",
    on_progress: Callable[[ExportProgress], None] | None = None,
) -> Path:
    """Write a slide in the reference's stain as a tiled pyramid, at the slide's own resolution.

    Memory does not grow with the slide. The file appears under its name only when it is whole: stop the
    export in any way (an exception from ``on_progress`` is one) and nothing is left of it.

    Parameters
    ----------
    model
        From :func:`fit` or :func:`load`.
    slide
        The slide, or its path; its um/px must be known.
    out
        ``.ome.tif`` for an OME-TIFF, ``.tif`` for a plain pyramid that OpenSlide reads with all levels.
    region
        Only this part, (y, x, height, width) in level-0 pixels.
    compression, quality
        JPEG with its quality, 1 to 100, or lossless.
    device
        ``auto``, ``cpu``, ``cuda`` or ``mps``.
    on_progress
        Called after every tile.

    Raises
    ------
    SlideError
        When the slide is not brightfield, the region is not inside it, or ``out`` cannot be written.
    MissingResolutionError
        When the slide's um/px is not known.
    NoTissueError
        When the slide shows glass and ink alone.
    NotEnoughMemoryError
        When a single tile does not fit into the device's memory.
    """
    (slide,) = as_slides([slide])
    if not tissue_mask(slide).any():
        raise NoTissueError(
            f"{slide.name} shows no tissue, so there is nothing to normalise; is it the right file?"
        )
    area = Box(*region) if region else Box(0, 0, *slide.shape)
    if min(area) < 0 or not (area.height and area.width):
        raise SlideError(
            f"Region {tuple(area)} is empty or negative; give y,x,height,width in level-0 pixels."
        )
    if area.y + area.height > slide.shape[0] or area.x + area.width > slide.shape[1]:
        raise SlideError(
            f"Region {tuple(area)} reaches beyond {slide.name}, which is {slide.shape[0]} px high and "
            f"{slide.shape[1]} px wide; give y,x,height,width in level-0 pixels."
        )
    target = Path(out)
    write_pyramid(
        target,
        _tiles(model.to(device), slide, area, on_progress),
        shape=(area.height, area.width),
        mpp=slide.mpp,
        magnification=slide.magnification,
        icc_profile=slide.icc_profile,
        provenance=_provenance(model, slide, area, compression, quality),
        compression=compression,
        quality=quality,
        tile_px=TILE_PX,
    )
    return target


def _tiles(
    model: Model, slide: Slide, area: Box, on_progress: Callable[[ExportProgress], None] | None
) -> Iterator[NDArray[np.uint8]]:
    """Transformed tiles in row-major order, the slide read ahead in threads of its own."""
    glass = slide_glass(slide)
    boxes = [
        Box(box.y + area.y, box.x + area.x, box.height, box.width)
        for box in tile_boxes((area.height, area.width), TILE_PX)
    ]
    started, pixels_done = time.perf_counter(), 0
    total_pixels = area.height * area.width
    with ThreadPoolExecutor(2, thread_name_prefix="read-ahead") as pool:
        ahead: deque[tuple[Window, Future[NDArray[np.uint8]]]] = deque()
        remaining = iter(boxes)
        try:
            for done, box in enumerate(boxes, start=1):
                while len(ahead) < _READ_AHEAD and (upcoming := next(remaining, None)) is not None:
                    cut = model.window(upcoming, slide.shape, mpp=slide.mpp)
                    ahead.append((cut, pool.submit(slide.read_region, cut.read)))
                cut, future = ahead.popleft()
                pixels = future.result()[cut.rows][:, cut.columns]
                yield _transformed(model, pixels, slide, glass)[cut.keep]
                pixels_done += box.height * box.width
                if on_progress is not None:
                    spent = time.perf_counter() - started
                    on_progress(
                        ExportProgress(
                            done,
                            len(boxes),
                            pixels_done / 1e6 / spent,
                            spent / pixels_done * (total_pixels - pixels_done),
                        )
                    )
        finally:
            for _, future in ahead:
                future.cancel()


def _transformed(
    model: Model, pixels: NDArray[np.uint8], slide: Slide, glass: tuple[float, float, float]
) -> NDArray[np.uint8]:
    try:
        return model.transform_window(pixels, mpp=slide.mpp, glass=glass)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise NotEnoughMemoryError(
            f"Not even one tile of {slide.name} fits into the device's memory; close other programs, or "
            "compute on the CPU (--device cpu)."
        ) from error


def _provenance(
    model: Model, slide: Slide, area: Box, compression: Compression, quality: int
) -> dict[str, object]:
    """How the file came about, from the model's card and from this export."""
    card = model.card
    return {
        "software": f"napari-stainxfer {version('napari-stainxfer')}",
        "source": slide.name,
        "source_fingerprint": slide.fingerprint(),
        "source_mpp": slide.mpp,
        "region": list(area),
        "compression": compression if compression == "lossless" else f"{compression} {quality}",
        "distance_to_learned": model.card.distance_of(slide),
        "model_sha256": model.hash(),
        "model": card.model_dump(mode="json", exclude={"history", "method_state"}),
    }
