"""The pairs that a person edits: every change can be undone, and they follow their slides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from napari_stainxfer.errors import PairsError
from napari_stainxfer.pairing import Pair, PairedSlide, Pairs
from napari_stainxfer.patches import Patch
from napari_stainxfer.slides import Box, Slide

_DEPTH = 200
"""Steps that can be undone."""


class PairsDocument:
    """The current pairs with what came before and what was undone."""

    def __init__(self) -> None:
        self.current: Pairs | None = None
        self._undone: list[Pairs | None] = []
        self._done: list[Pairs | None] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether a step was taken back since the last change."""
        return bool(self._undone)

    def change(self, pairs: Pairs | None) -> None:
        """Put other pairs in place, as one step."""
        self._done = [*self._done, self.current][-_DEPTH:]
        self._undone = []
        self.current = pairs

    def undo(self) -> None:
        """Take the last step back, if there is one."""
        if self._done:
            self._undone.append(self.current)
            self.current = self._done.pop()

    def redo(self) -> None:
        """Take the step again that was taken back last."""
        if self._undone:
            self._done.append(self.current)
            self.current = self._undone.pop()


def with_pair(pairs: Pairs, pair: Pair) -> Pairs:
    """Append a pair: the numbers of the others stay."""
    return replace(pairs, pairs=(*pairs.pairs, pair))


def without(pairs: Pairs, index: int) -> Pairs | None:
    """Delete a pair; None when it was the last one."""
    kept = (*pairs.pairs[:index], *pairs.pairs[index + 1 :])
    return replace(pairs, pairs=kept) if kept else None


def with_changed(pairs: Pairs, index: int, pair: Pair) -> Pairs:
    """Put another pair in place of one."""
    return replace(pairs, pairs=(*pairs.pairs[:index], pair, *pairs.pairs[index + 1 :]))


def no_pairs(references: Sequence[Slide], sources: Sequence[Slide], patch_px: int, mpp: float) -> Pairs:
    """An empty document on these slides."""
    return Pairs((), _described(references), _described(sources), patch_px, mpp)


def rebased(pairs: Pairs, references: Sequence[Slide], sources: Sequence[Slide]) -> Pairs | None:
    """Pairs on the slides as they are now: other roles, another order, another um/px.

    A slide is known by its content. A pair whose slides changed sides is turned round; one whose slide
    is not there any more is left out. Boxes keep their centre and their size in micrometres.

    Returns
    -------
    None where no pair is left.
    """
    references_now, sources_now = _described(references), _described(sources)
    if (pairs.references, pairs.sources) == (references_now, sources_now):
        return pairs if pairs.pairs else None
    kept = []
    for pair in pairs.pairs:
        ends = (
            (pairs.sources[pair.source.slide], pair.source),
            (
                pairs.references[pair.reference.slide],
                pair.reference,
            ),
        )
        for source_end, reference_end in (ends, ends[::-1]):
            source = _placed(*source_end, sources_now)
            reference = _placed(*reference_end, references_now)
            if source and reference:
                kept.append(Pair(source, reference, pair.score))
                break
    return replace(pairs, pairs=tuple(kept), references=references_now, sources=sources_now) if kept else None


def box_at(slide: Slide, centre: tuple[float, float], patch_px: int, mpp: float) -> Box:
    """A box of this size in micrometres around a point, moved into the slide where it would stick out.

    Parameters
    ----------
    slide
        Of known um/px.
    centre
        (y, x) in level-0 pixels.

    Raises
    ------
    PairsError
        If the slide is smaller than the box.
    """
    side = round(patch_px * mpp / slide.require_mpp())
    if side > min(slide.shape):
        raise PairsError(
            f"{slide.name} is smaller than a box of {patch_px * mpp:.0f} um; suggest pairs first, which "
            "chooses a size that fits."
        )
    y, x = (
        min(max(0, round(middle - side / 2)), length - side)
        for middle, length in zip(centre, slide.shape, strict=True)
    )
    return Box(y, x, side, side)


def _described(slides: Sequence[Slide]) -> tuple[PairedSlide, ...]:
    return tuple(PairedSlide.of(slide) for slide in slides)


def _placed(was: PairedSlide, patch: Patch, slides: Sequence[PairedSlide]) -> Patch | None:
    """The patch on the slide of the same content among these."""
    for index, slide in enumerate(slides):
        if slide.fingerprint == was.fingerprint:
            return patch._replace(slide=index, box=_resized(patch.box, was.mpp / slide.mpp))
    return None


def _resized(box: Box, factor: float) -> Box:
    if factor == 1:
        return box
    height, width = round(box.height * factor), round(box.width * factor)
    return Box(
        round(box.y + (box.height - height) / 2), round(box.x + (box.width - width) / 2), height, width
    )
