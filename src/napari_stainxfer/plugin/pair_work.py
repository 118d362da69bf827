"""What the Pairs dock has computed in threads: partners for a box, their scores, thumbnails. No toolkit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from napari_stainxfer.pairing import Pair, Pairs
from napari_stainxfer.pairing.ranking import PartnerRanking
from napari_stainxfer.patches import Patch, read_patch
from napari_stainxfer.plugin.pairs_document import box_at
from napari_stainxfer.slides import RGB, Slide

THUMBNAIL_PX = 60
PARTNERS = 5


class Share(NamedTuple):
    """How far some work is, 0 to 1."""

    share: float


class Partner(NamedTuple):
    """A reference patch offered for a source patch."""

    patch: Patch
    score: float
    thumbnail: RGB


class Offer(NamedTuple):
    """A box on a source slide, and the reference patches most alike to it."""

    source: Patch
    thumbnail: RGB
    partners: tuple[Partner, ...]


class PairWork:
    """The slides of both sides and what was learnt about their patches, for one size of patch.

    Made in the GUI thread, used in tasks.
    """

    def __init__(self, references: Sequence[Slide], sources: Sequence[Slide]) -> None:
        self.references, self.sources = list(references), list(sources)
        self._ranking: PartnerRanking | None = None
        self._lock = threading.Lock()  # a task that was stopped may still be about to notice

    def offer(
        self, point: tuple[float, float], slide: int, pairs: Pairs | None, report: Callable[[Any], None]
    ) -> tuple[Offer, str | None]:
        """Put a box around a point of a source slide and rank the references for it.

        Parameters
        ----------
        point
            (y, x) in level-0 pixels.
        slide
            Which of the sources.
        pairs
            Those that there are: their size of patch is taken.
        report
            Gets `Share` while the patches of the slides are looked at, which is once.

        Returns
        -------
        The offer, and a sentence about the size of patches where it is not the usual one.
        """
        ranking = self._ready(pairs, report)
        source = self._patch(self.sources, slide, point, ranking)
        partners = tuple(
            Partner(patch, score, thumbnail(self.references, patch))
            for patch, score in ranking.best(source, PARTNERS)
        )
        return Offer(source, thumbnail(self.sources, source), partners), ranking.notice

    def pair(
        self, source: Patch, point: tuple[float, float], slide: int, pairs: Pairs | None, report: Any
    ) -> Pair:
        """Pair a source patch with a box around a point of a reference slide, and score them."""
        ranking = self._ready(pairs, report)
        reference = self._patch(self.references, slide, point, ranking)
        return Pair(source, reference, ranking.score(source, reference))

    def scored(self, pair: Pair, pairs: Pairs, report: Any) -> Pair:
        """The same pair with the score of what its boxes show now."""
        return pair._replace(score=self._ready(pairs, report).score(pair.source, pair.reference))

    @property
    def scale(self) -> tuple[int, float] | None:
        """Patch_px and mpp of the boxes, once they are known."""
        return None if self._ranking is None else (self._ranking.patch_px, self._ranking.mpp)

    def _ready(self, pairs: Pairs | None, report: Callable[[Any], None]) -> PartnerRanking:
        asked = None if pairs is None else (pairs.patch_px, pairs.mpp)
        with self._lock:
            if self._ranking is None or (asked is not None and asked != self.scale):
                patch_px, mpp = asked or (None, None)
                self._ranking = PartnerRanking(
                    self.references,
                    self.sources,
                    patch_px=patch_px,
                    mpp=mpp,
                    on_progress=lambda share: report(Share(share)),
                )
            return self._ranking

    @staticmethod
    def _patch(
        slides: Sequence[Slide], index: int, point: tuple[float, float], ranking: PartnerRanking
    ) -> Patch:
        box = box_at(slides[index], point, ranking.patch_px, ranking.mpp)
        return Patch(box, ranking.patch_px, 1.0, index)


def thumbnail(slides: Sequence[Slide], patch: Patch) -> RGB:
    """A patch as uint8 (60, 60, 3)."""
    return read_patch(slides[patch.slide], patch._replace(px=THUMBNAIL_PX))


class Thumbnails(NamedTuple):
    """Of one pair."""

    pair: Pair
    source: RGB
    reference: RGB


def thumbnails(
    pairs: Sequence[Pair], references: Sequence[Slide], sources: Sequence[Slide]
) -> Iterator[Thumbnails]:
    """Read both patches of each pair."""
    for pair in pairs:
        yield Thumbnails(pair, thumbnail(sources, pair.source), thumbnail(references, pair.reference))
