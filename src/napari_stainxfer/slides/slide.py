"""A slide: RGB pixels at a known um/px, read by rectangle, level or resolution."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from napari_stainxfer.errors import MissingResolutionError, SlideError
from napari_stainxfer.slides.associated import AssociatedImages
from napari_stainxfer.slides.box import Box
from napari_stainxfer.slides.brightfield import why_not_brightfield
from napari_stainxfer.slides.cache import BlockCache
from napari_stainxfer.slides.memory import array_source
from napari_stainxfer.slides.padding import Read, read_edge_outside, read_white_outside, whiten_outside
from napari_stainxfer.slides.resample import resample, sampling_window
from napari_stainxfer.slides.source import MPP_MAX, MPP_MIN, RGB, Level, PixelSource
from napari_stainxfer.slides.virtual import OVERVIEW_PX, VirtualLevels, plan_levels

if TYPE_CHECKING:
    import dask.array

_VIRTUAL_CACHE_BYTES = 64 * 2**20
_LEVEL_TOLERANCE = 1.005
"""A level up to half a percent coarser than asked for still serves: writers round level sizes."""


class Slide:
    """RGB pixels at a known um/px. Made by `open_slide`, or from any `PixelSource`.

    Reading is safe from several threads. A slide opened from a file can be pickled: the copy opens
    the file again. Outside the slide, pixels are white.

    Parameters
    ----------
    source
        Where the pixels come from.
    name
        What people call the slide; error messages use it.
    path
        The file, if there is one.
    mpp
        Um/px of level 0, 0.05 to 100. Goes before what the source says.

    Attributes
    ----------
    name, path
        As given.
    shape
        Height and width of level 0, in pixels.
    levels
        All levels, finest first, with virtual ones where the source has too few.
    mpp
        Um/px of level 0, or None if nobody said, or the file says what none can have.
    magnification
        Of the objective, or None.
    icc_profile
        The embedded ICC profile, or None.
    vendor
        Of the file, in lower case; ``"array"`` for an array.
    provenance
        How the file was made, where this package wrote it; else empty.
    associated_images
        Label, macro, thumbnail: names to uint8 (H, W, 3), read when looked up.
    """

    def __init__(
        self, source: PixelSource, *, name: str, path: Path | None = None, mpp: float | None = None
    ) -> None:
        if mpp is not None and not MPP_MIN <= mpp <= MPP_MAX:
            raise SlideError(
                f"{name} cannot have {mpp:g} um/px; give one from {MPP_MIN:g} to {MPP_MAX:g}, "
                "for example 0.5 for a 20x scan or 0.25 for 40x"
            )
        self._source = source
        self._asked_mpp = mpp
        facts = source.facts
        self.name = name
        self.path = path
        plans = plan_levels(source)
        self.levels: tuple[Level, ...] = tuple(plan.level for plan in plans)
        self.shape: tuple[int, int] = self.levels[0].shape
        said = facts.mpp if facts.mpp and MPP_MIN <= facts.mpp <= MPP_MAX else None
        self.mpp = said if mpp is None else float(mpp)
        self.magnification = facts.magnification
        self.icc_profile = facts.icc_profile
        self.vendor = facts.vendor
        self.provenance = dict(facts.provenance)
        self.associated_images: Mapping[str, RGB] = AssociatedImages(source.associated)
        self._pixels = VirtualLevels(source, plans, BlockCache(_VIRTUAL_CACHE_BYTES))
        self._fingerprint: str | None = None

    @classmethod
    def from_array(
        cls, rgb_uint8: NDArray[np.uint8], *, mpp: float | None = None, name: str = "array"
    ) -> Self:
        """Make a slide of an array uint8 (H, W, 3).

        Raises
        ------
        SlideError
            If the array is of another type or shape.
        """
        return cls(array_source(rgb_uint8), name=name, mpp=mpp)

    @property
    def real_levels(self) -> int:
        """How many of the levels are in the source; the others are computed."""
        return len(self._source.shapes)

    def with_mpp(self, mpp: float) -> Slide:
        """Return the same slide at another um/px of level 0; both read, and close, the same file."""
        other = Slide(self._source, name=self.name, path=self.path, mpp=mpp)
        other._fingerprint = self._fingerprint
        return other

    def with_missing_mpp(self, mpp: float | None) -> Slide:
        """Return the same slide at ``mpp`` if nobody has said its um/px; otherwise this one."""
        return self if mpp is None or self.mpp is not None else self.with_mpp(mpp)

    def require_mpp(self, option: str = "--mpp") -> float:
        """Return um/px of level 0.

        Parameters
        ----------
        option
            What gives it, for the message, such as ``--source-mpp``.

        Raises
        ------
        MissingResolutionError
            If neither the file nor the caller said.
        """
        if self.mpp is None:
            raise MissingResolutionError(
                f"{self.name} does not say how many micrometres a pixel is; give it, for example "
                f"{option} 0.5 for a 20x scan or 0.25 for 40x"
            )
        return self.mpp

    def require_brightfield(self) -> None:
        """Refuse a slide whose pixels are not transmitted light: training and applying call this.

        Opening does not, so that a person can look at any slide. `why_not_brightfield` decides, from
        what the file says (fluorescence channel, wavelength or light source) and from the overview.

        Raises
        ------
        SlideError
            Saying why.
        """
        reason = why_not_brightfield(self.overview(OVERVIEW_PX // 2), self._source.facts.fluorescence)
        if reason:
            raise SlideError(
                f"{self.name} is not a brightfield slide ({reason}); "
                "stain transfer needs transmitted-light RGB"
            )

    def read_region(self, box: Box, *, level: int = 0) -> RGB:
        """Read what a rectangle of level 0 shows, in the pixels of a level.

        Parameters
        ----------
        box
            In level-0 pixels; may reach outside the slide. At a coarser level its corners are rounded
            to that level's pixels.
        level
            0 is the finest.

        Returns
        -------
        uint8 (h, w, 3) with h = round((y + height) / downsample) - round(y / downsample), at least 1.
        """
        if box.height <= 0 or box.width <= 0:
            raise ValueError(f"a region needs a positive height and width, not {box.height} x {box.width}")
        downsample = self.levels[level].downsample
        y, x = round(box.y / downsample), round(box.x / downsample)
        height = max(1, round((box.y + box.height) / downsample) - y)
        width = max(1, round((box.x + box.width) / downsample) - x)
        return self.read_level(Box(y, x, height, width), level)

    def read_level(self, box: Box, level: int) -> RGB:
        """Read a rectangle given in the pixels of a level: uint8 (box.height, box.width, 3)."""
        return read_white_outside(self._reader(level), self.levels[level].shape, box)

    def read_region_at(self, box: Box, *, mpp: float) -> RGB:
        """Read what a rectangle of level 0 shows at any resolution, antialiased.

        The coarsest level still as fine as asked for is read, with a margin, and resampled (see
        `resample`); neighbouring rectangles whose edges fall on whole output pixels join without a seam.

        Parameters
        ----------
        box
            In level-0 pixels; may reach outside the slide.
        mpp
            Um/px of the result.

        Returns
        -------
        uint8 (h, w, 3) with h = round(box.height * slide.mpp / mpp), likewise w, at least 1.

        Raises
        ------
        MissingResolutionError
            If the slide has no um/px.
        """
        scale = mpp / self.require_mpp()
        size = (max(1, round(box.height / scale)), max(1, round(box.width / scale)))
        fit = [n for n, level in enumerate(self.levels) if level.downsample <= scale * _LEVEL_TOLERANCE]
        number = fit[-1] if fit else 0
        level = self.levels[number]
        d = level.downsample
        region = (box.y / d, box.x / d, box.height / d, box.width / d)
        window, inner = sampling_window(region, size)
        pixels = read_edge_outside(self._reader(number), level.shape, window)
        return whiten_outside(resample(pixels, inner, size), box, self.shape)

    def overview(self, max_px: int = OVERVIEW_PX) -> RGB:
        """Return the whole slide, no side longer than ``max_px``: uint8 (h, w, 3), antialiased."""
        scale = max(1.0, max(self.shape) / max_px)
        size = (max(1, round(self.shape[0] / scale)), max(1, round(self.shape[1] / scale)))
        fit = [n for n, level in enumerate(self.levels) if level.downsample <= scale * _LEVEL_TOLERANCE]
        height, width = self.levels[fit[-1]].shape
        d = self.levels[fit[-1]].downsample
        # The slide's own edge, which may cut through the last pixel of the level.
        inner = (0.0, 0.0, min(self.shape[0] / d, height), min(self.shape[1] / d, width))
        return resample(self._pixels.read(fit[-1], 0, 0, height, width), inner, size)

    def dask_pyramid(self) -> list[dask.array.Array]:
        """Return every level as a lazy dask array uint8 (H, W, 3), finest first."""
        from napari_stainxfer.slides.lazy import level_array

        return [level_array(self, number) for number in range(len(self.levels))]

    def fingerprint(self) -> str:
        """Return a hash of the content, 16 hexadecimal digits, the same on every machine.

        Made of the level shapes and nine level-0 blocks on a grid, so a slide of any size is quick to name.
        """
        if self._fingerprint is None:
            digest = hashlib.sha256(repr(self._source.shapes).encode())
            side = 256
            for fraction_y in (0.2, 0.5, 0.8):
                for fraction_x in (0.2, 0.5, 0.8):
                    y, x = int(self.shape[0] * fraction_y), int(self.shape[1] * fraction_x)
                    digest.update(self.read_region(Box(y, x, side, side)).tobytes())
            self._fingerprint = digest.hexdigest()[:16]
        return self._fingerprint

    def close(self) -> None:
        """Close the file. Reading afterwards is an error."""
        self._source.close()

    def _reader(self, level: int) -> Read:
        return partial(self._pixels.read, level)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Callable[..., Slide], tuple[object, ...]]:
        if self.path is not None:
            return _open_again, (self.path, self._asked_mpp)
        return _from_source, (self._source, self.name, self._asked_mpp)

    def __repr__(self) -> str:
        mpp = "unknown" if self.mpp is None else f"{self.mpp:g}"
        size = f"{self.shape[0]} x {self.shape[1]} px"
        return f"Slide({self.name!r}, {size}, {mpp} um/px, {len(self.levels)} levels)"


def _open_again(path: Path, mpp: float | None) -> Slide:
    from napari_stainxfer.slides.opening import open_slide

    return open_slide(path, mpp=mpp)


def _from_source(source: PixelSource, name: str, mpp: float | None) -> Slide:
    return Slide(source, name=name, mpp=mpp)
