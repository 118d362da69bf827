"""A phantom as a `Slide`, so that everything that works on a file works on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.phantom.blocks import mask_region, render
from napari_stainxfer.phantom.labs import LABS, Lab
from napari_stainxfer.phantom.tissue import Masks, Tissue
from napari_stainxfer.slides.box import Box
from napari_stainxfer.slides.cache import BlockCache
from napari_stainxfer.slides.slide import Slide
from napari_stainxfer.slides.source import RGB, Facts

_CACHE_BYTES = 48 * 2**20
_COARSEST_PX = 1024
SIZE_PX = (4096, 4096)
MPP = 0.5


class PhantomSource:
    """Levels of a phantom, each half as large as the one before, rendered when read.

    Parameters
    ----------
    tissue, lab
        What is shown, and by whom.
    """

    def __init__(self, tissue: Tissue, lab: Lab) -> None:
        self._tissue = tissue
        self._lab = lab
        self._cache = BlockCache(_CACHE_BYTES)
        height, width = tissue.shape
        shapes = [(height, width)]
        while max(shapes[-1]) > _COARSEST_PX:
            factor = 2 ** len(shapes)
            shapes.append((-(-height // factor), -(-width // factor)))
        self.shapes: tuple[tuple[int, int], ...] = tuple(shapes)
        self.facts = Facts(
            vendor="phantom",
            mpp=tissue.mpp,
            magnification=10.0 / tissue.mpp,
            provenance={"phantom": {"lab": lab.name, "seed": tissue.seed}},
        )
        self.associated: Mapping[str, Callable[[], RGB]] = {}

    def read(self, level: int, y: int, x: int, height: int, width: int) -> RGB:
        """Render a rectangle, given in the pixels of that level: uint8 (height, width, 3)."""
        mpp = self._tissue.mpp * 2**level
        return render(self._tissue, self._lab, Box(y, x, height, width), mpp, cache=self._cache)

    def close(self) -> None:
        """Forget the rendered blocks."""
        self._cache.clear()

    def __reduce__(self) -> tuple[type[PhantomSource], tuple[Tissue, Lab]]:
        return PhantomSource, (self._tissue, self._lab)


def phantom_slide(
    lab: str | Lab = "lab1", seed: int = 0, size_px: tuple[int, int] = SIZE_PX, mpp: float = MPP
) -> Slide:
    """Make a slide of synthetic kidney; nothing is rendered before it is read.

    Parameters
    ----------
    lab
        A name in `LABS`, or a lab of your own.
    seed
        Which piece of tissue; the same seed, size and mpp are the same tissue in every lab.
    size_px
        Height and width of level 0.
    mpp
        Um/px of level 0.

    Raises
    ------
    StainTransferError
        If there is no lab of that name.
    """
    chosen = lab if isinstance(lab, Lab) else _lab(lab)
    tissue = Tissue(seed, size_px, mpp)
    return Slide(PhantomSource(tissue, chosen), name=f"phantom-{chosen.name}-{seed}")


def phantom_masks(
    seed: int, box: Box, *, size_px: tuple[int, int] = SIZE_PX, mpp: float = MPP, at_mpp: float | None = None
) -> Masks:
    """Masks of a region of the tissue that `phantom_slide` shows for the same seed, size and mpp.

    Parameters
    ----------
    seed, size_px, mpp
        As for `phantom_slide`.
    box
        The region, in pixels of ``at_mpp``.
    at_mpp
        Um/px of the masks; ``mpp`` if left out.
    """
    return mask_region(Tissue(seed, size_px, mpp), box, at_mpp)


def _lab(name: str) -> Lab:
    if name not in LABS:
        raise StainTransferError(f"there is no phantom lab called {name!r}; choose one of {', '.join(LABS)}")
    return LABS[name]
