"""What pairing gives: patches of two sides that show alike tissue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

from napari_stainxfer.patches import Patch
from napari_stainxfer.slides import Slide


class Pair(NamedTuple):
    """A source patch and the reference patch that shows the most alike tissue.

    Attributes
    ----------
    source, reference
        The patches; `Patch.slide` counts the slides of that side.
    score
        How alike they are, from 0 (no more than any two) to 1 (identical): the cosine of their descriptors,
        or the correlation of their densities where they show the very same tissue.
    """

    source: Patch
    reference: Patch
    score: float


class PairedSlide(NamedTuple):
    """What tells a slide of the pairs from another.

    Attributes
    ----------
    name, fingerprint
        Of the slide.
    mpp
        Um/px of its level 0.
    """

    name: str
    fingerprint: str
    mpp: float

    @classmethod
    def of(cls, slide: Slide) -> Self:
        """Describe a slide of known um/px."""
        return cls(slide.name, slide.fingerprint(), slide.require_mpp())


@dataclass(frozen=True)
class Pairs:
    """Patch pairs, best first, and the slides they lie on.

    Attributes
    ----------
    pairs
        Best first.
    references, sources
        The slides of each side.
    patch_px, mpp
        Side in pixels and um/px of every patch.
    notice
        A sentence for the user where the patches are not of the size asked for, else None.
    """

    pairs: tuple[Pair, ...]
    references: tuple[PairedSlide, ...]
    sources: tuple[PairedSlide, ...]
    patch_px: int
    mpp: float
    notice: str | None = None
