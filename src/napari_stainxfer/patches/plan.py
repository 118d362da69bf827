"""One patch size and um/px for all slides of both sides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from napari_stainxfer.errors import NoTissueError
from napari_stainxfer.patches.grid import Patch, patch_grid
from napari_stainxfer.patches.settings import PatchSettings
from napari_stainxfer.patches.tissue import SlideMasks, slide_masks
from napari_stainxfer.slides import Slide

_COMFORTABLE_PX = 256
_SMALLEST_PX = 128
_TOLERANCE = 1.02
"""Scanners of one nominal magnification differ by a percent or two; nobody calls that another um/px."""


@dataclass(frozen=True)
class PatchPlan:
    """Patches of both sides, cut alike.

    Attributes
    ----------
    references, sources
        The patches; `Patch.slide` counts the slides of that side.
    patch_px, mpp
        Side in pixels and um/px that all of them share.
    notice
        A sentence for the user where this is not what was asked for, else None.
    """

    references: tuple[Patch, ...]
    sources: tuple[Patch, ...]
    patch_px: int
    mpp: float
    notice: str | None


def plan_patches(
    references: Sequence[Slide], sources: Sequence[Slide], settings: PatchSettings | None = None
) -> PatchPlan:
    """Choose the patch size that gives both sides enough patches, and cut them.

    The first of these that gives each side `settings.count` patches is taken: the size and um/px asked
    for; smaller patches, down to 256 px; finer um/px, down to the pixels of the coarsest slide; still
    smaller patches, down to 128 px. Where none does, the last one is. If the coarsest slide is coarser
    than asked for, its um/px is used from the start, since nothing finer can be read from it.

    Raises
    ------
    MissingResolutionError
        If a slide has no um/px.
    NoTissueError
        If a side has not one patch even so.
    """
    settings = settings or PatchSettings()
    coarsest = max(
        max(slide.require_mpp("--reference-mpp") for slide in references),
        max(slide.require_mpp("--source-mpp") for slide in sources),
    )
    masks = [[slide_masks(slide) for slide in side] for side in (references, sources)]
    plan: PatchPlan | None = None
    for patch_px, mpp in _scales(settings, coarsest):
        tried = settings.model_copy(update={"patch_px": patch_px, "mpp": mpp})
        reference_patches = _cut(references, masks[0], tried)
        source_patches = _cut(sources, masks[1], tried)
        notice = _notice(settings, tried, len(reference_patches), len(source_patches))
        plan = PatchPlan(reference_patches, source_patches, patch_px, mpp, notice)
        if min(len(reference_patches), len(source_patches)) >= settings.count:
            break
    assert plan is not None
    for side, patches in ((references, plan.references), (sources, plan.sources)):
        if not patches:
            names = ", ".join(slide.name for slide in side)
            raise NoTissueError(
                f"No tissue for a single patch was found in {names}; check that it is a stained slide and "
                "that its um/px is right, or use a slide with more tissue."
            )
    return plan


def _cut(slides: Sequence[Slide], masks: Sequence[SlideMasks], settings: PatchSettings) -> tuple[Patch, ...]:
    return tuple(
        patch
        for index, (slide, known) in enumerate(zip(slides, masks, strict=True))
        for patch in patch_grid(slide, settings, masks=known, index=index)
    )


def _scales(settings: PatchSettings, coarsest: float) -> Iterator[tuple[int, float]]:
    """Pairs (patch_px, mpp) in the order in which they are tried."""
    patch_px = settings.patch_px
    mpp = settings.mpp if coarsest <= settings.mpp * _TOLERANCE else coarsest
    yield patch_px, mpp
    for smaller in (3 * patch_px // 4, patch_px // 2):
        if smaller >= _COMFORTABLE_PX:
            yield smaller, mpp
    patch_px = min(patch_px, max(_COMFORTABLE_PX, patch_px // 2))
    while mpp > coarsest * _TOLERANCE:
        mpp = max(coarsest, mpp / 2**0.5)
        yield patch_px, mpp
    for smaller in (3 * patch_px // 4, patch_px // 2):
        if smaller >= _SMALLEST_PX:
            yield smaller, mpp


def _notice(asked: PatchSettings, used: PatchSettings, references: int, sources: int) -> str | None:
    few = " and ".join(
        f"the {side} has {count} patches"
        for side, count in (("reference", references), ("source", sources))
        if count < asked.count
    )
    if (used.patch_px, used.mpp) == (asked.patch_px, asked.mpp) and not few:
        return None
    cut = f"Patches are {used.patch_px} px at {used.mpp:.3g} um/px"
    if (used.patch_px, used.mpp) != (asked.patch_px, asked.mpp):
        cut += f" instead of {asked.patch_px} px at {asked.mpp:.3g} um/px"
    if few:
        return f"{cut}, and still {few} of {asked.count}; more tissue would give a better transfer."
    return f"{cut}, so that both sides have at least {asked.count} patches."
