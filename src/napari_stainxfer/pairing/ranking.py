"""Rank the reference patches for one source patch that a person chose."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from napari_stainxfer.errors import NoTissueError
from napari_stainxfer.features import make_extractor
from napari_stainxfer.pairing.aligning import SameTissue
from napari_stainxfer.pairing.descriptors import FloatArray, describe, standardise
from napari_stainxfer.pairing.matching import nearest
from napari_stainxfer.patches import Patch, PatchSettings, patch_grid, plan_patches
from napari_stainxfer.slides import Slide

_CANDIDATES = 200
_CONTEXT = 8
"""Patches of a slide described beside a new one: what is dense is measured on all of them."""


class PartnerRanking:
    """Patches of both sides, described once, so that each further patch takes a moment.

    Parameters
    ----------
    references, sources
        Slides of known um/px.
    patch_px, mpp
        Size of patches, where there are pairs already that others have to match; otherwise
        `plan_patches` chooses.
    on_progress
        Called with the share that is done, 0 to 1.

    Attributes
    ----------
    patch_px, mpp
        Size of patches.
    notice
        A sentence for the user where that is not the usual size, else None.

    Raises
    ------
    MissingResolutionError
        If a slide has no um/px.
    NoTissueError
        If a side has no tissue for a patch.
    """

    def __init__(
        self,
        references: Sequence[Slide],
        sources: Sequence[Slide],
        *,
        patch_px: int | None = None,
        mpp: float | None = None,
        on_progress: Callable[[float], None] | None = None,
    ) -> None:
        if patch_px is None or mpp is None:
            plan = plan_patches(references, sources)
            patches, self.patch_px, self.mpp = [plan.references, plan.sources], plan.patch_px, plan.mpp
            self.notice = plan.notice
        else:
            settings = PatchSettings(patch_px=patch_px, mpp=mpp)
            patches = [_grid(side, settings) for side in (references, sources)]
            self.patch_px, self.mpp, self.notice = patch_px, mpp, None
        self._extractor = make_extractor()
        self._same_tissue = SameTissue(references, sources)
        self._slides = {"reference": list(references), "source": list(sources)}
        self._patches = dict(zip(("reference", "source"), map(_spread, patches), strict=True))
        total, done = sum(map(len, self._patches.values())), 0
        self._described: dict[str, FloatArray] = {}
        for side, kept in self._patches.items():
            begin = done

            def report(share: float, begin: int = begin, count: int = len(kept)) -> None:
                if on_progress is not None:
                    on_progress((begin + share * count) / total)

            self._described[side] = describe(
                self._slides[side], kept, extractor=self._extractor, on_progress=report
            )
            done += len(kept)

    def best(self, source: Patch, k: int = 5) -> list[tuple[Patch, float]]:
        """The reference patches most alike to a source patch, with their scores, best first.

        If the very same tissue lies in or beside one of them (see `SameTissue`), that one is moved onto it
        and comes first.
        """
        new = self._describe("source", source)
        references, _, (new,) = self._standardised(new)
        order, scores = nearest(new, references, k)
        found = [
            (self._patches["reference"][index], float(score))
            for index, score in zip(order, scores, strict=True)
        ]
        for place, (near, _) in enumerate(found):
            same = self._same_tissue.find(source, near)
            if same is not None:
                return [same, *found[:place], *found[place + 1 :]]
        return found

    def score(self, source: Patch, reference: Patch) -> float:
        """How alike two patches are, 0 to 1, on the scale of `Pair.score`."""
        same = self._same_tissue.find(source, reference, reach=0)
        if same is not None:
            return same[1]
        both = np.stack([self._describe("source", source), self._describe("reference", reference)])
        *_, (one, other) = self._standardised(both)
        return float((one @ other).clip(0, 1))

    def _describe(self, side: str, patch: Patch) -> FloatArray:
        mates = [mate for mate in self._patches[side] if mate.slide == patch.slide and mate != patch]
        every = max(1, len(mates) // _CONTEXT)
        together = [patch, *mates[::every][:_CONTEXT]]
        row: FloatArray = describe(self._slides[side], together, extractor=self._extractor)[0]
        return row

    def _standardised(self, new: FloatArray) -> tuple[FloatArray, ...]:
        # The new ones are measured by what is there: mean and deviation must not follow each click.
        known = (self._described["reference"], self._described["source"])
        added = np.atleast_2d(new)
        every = np.concatenate(known)
        mean, deviation = every.mean(axis=0), every.std(axis=0) + 1e-6
        standard = (added - mean) / deviation
        length = np.maximum(np.linalg.norm(standard, axis=1, keepdims=True), 1e-6)
        return (*standardise(*known), (standard / length).astype(np.float32))


def _grid(slides: Sequence[Slide], settings: PatchSettings) -> tuple[Patch, ...]:
    patches = tuple(
        patch for index, slide in enumerate(slides) for patch in patch_grid(slide, settings, index=index)
    )
    if not patches:
        names = ", ".join(slide.name for slide in slides)
        raise NoTissueError(
            f"No tissue for a patch of {settings.patch_px * settings.mpp:.0f} um was found in {names}; "
            "suggest pairs anew, which chooses a size that fits, or use a slide with more tissue."
        )
    return patches


def _spread(patches: Sequence[Patch]) -> list[Patch]:
    if len(patches) <= _CANDIDATES:
        return list(patches)
    return [patches[index] for index in np.linspace(0, len(patches) - 1, _CANDIDATES).round().astype(int)]
