"""Adding a pair by hand: a box on the source, then its partner, offered or clicked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject, Signal

from napari_stainxfer.pairing import Pair
from napari_stainxfer.patches import Patch
from napari_stainxfer.plugin.entries import SlideEntry
from napari_stainxfer.plugin.pair_work import Offer, PairWork, Share
from napari_stainxfer.plugin.pairs_document import no_pairs, with_changed, with_pair
from napari_stainxfer.plugin.partner_row import PartnerRow
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.workers import Task, run_function


class PairAdding(QObject):
    """The steps from a click on the source to a pair in the session.

    Signals
    -------
    changed
        `pending` is another one.
    told, failed
        A sentence for the user.
    """

    changed = Signal()
    told = Signal(str)
    failed = Signal(str)

    def __init__(self, session: Session, row: PartnerRow, adopt: Callable[[Task], Task]) -> None:
        super().__init__(row)
        self._session, self._row, self._adopt = session, row, adopt
        self._work: PairWork | None = None
        self._task: Task | None = None
        self._offer: Offer | None = None
        row.accepted.connect(self._accept)
        row.dropped.connect(self.drop)

    @property
    def pending(self) -> Patch | None:
        """The box on the source that waits for its partner."""
        return None if self._offer is None else self._offer.source

    @property
    def busy(self) -> bool:
        """Whether something is being computed."""
        return self._task is not None

    def click(self, entry: SlideEntry, point: tuple[float, float]) -> None:
        """Take a click on a slide at (y, x) in level-0 pixels."""
        pairs, work = self._session.pairs, self._ready_work()
        if entry.role == "source":
            slide = self._session.sources.index(entry)
            self._run(lambda report: work.offer(point, slide, pairs, report), self._take_offer)
        elif entry.role == "reference" and self._offer is not None:
            slide, source = self._session.references.index(entry), self._offer.source
            self._run(lambda report: work.pair(source, point, slide, pairs, report), self._add)
        elif entry.role == "reference":
            self.told.emit("Click the source slide first, then its partner here.")

    def score(self, pair: Pair) -> None:
        """Measure anew how alike a pair is whose box was moved."""
        pairs, work = self._session.pairs, self._ready_work()
        if pairs is not None:
            self._run(lambda report: work.scored(pair, pairs, report), lambda new: self._rescore(pair, new))

    def drop(self) -> None:
        """Forget the box that waits."""
        self._stop()
        if self._offer is not None:
            self._show(None)

    def forget(self) -> None:
        """The slides are other ones."""
        self._work = None
        self.drop()

    def pairs_changed(self) -> None:
        """Forget the box that waits where it does not fit the pairs any more."""
        pairs = self._session.pairs
        if self._offer is not None and pairs is not None and self._offer.source.px != pairs.patch_px:
            self.drop()

    def _ready_work(self) -> PairWork:
        if self._work is None:
            self._work = PairWork(
                [entry.slide for entry in self._session.references],
                [entry.slide for entry in self._session.sources],
            )
        return self._work

    def _run(self, function: Callable[[Callable[[Any], None]], Any], take: Callable[[Any], None]) -> None:
        self._stop()
        self._task = task = self._adopt(run_function(self._session, function))
        task.yielded.connect(self._on_share)
        task.returned.connect(take)
        task.failed.connect(self.failed)
        task.ended.connect(self._on_ended)

    def _stop(self) -> None:
        if self._task is not None:
            self._task.abandon()
            self._task = None

    def _on_ended(self) -> None:
        self._task = None

    def _on_share(self, event: Share) -> None:
        self.told.emit(f"Looking at the slides once: {event.share:.0%}" if event.share < 1 else "")

    def _take_offer(self, found: tuple[Offer, str | None]) -> None:
        offer, notice = found
        self.told.emit(notice if notice and self._session.pairs is None else "")
        self._show(offer)

    def _show(self, offer: Offer | None) -> None:
        self._offer = offer
        self._row.show_offer(offer)
        self.changed.emit()

    def _accept(self, place: int) -> None:
        if self._offer is not None:
            partner = self._offer.partners[place]
            self._add(Pair(self._offer.source, partner.patch, partner.score))

    def _add(self, pair: Pair) -> None:
        work, pairs = self._ready_work(), self._session.pairs
        if pairs is None:
            assert work.scale is not None
            pairs = no_pairs(work.references, work.sources, *work.scale)
        self._offer = None
        self._row.show_offer(None)
        self._session.set_pairs(with_pair(pairs, pair))

    def _rescore(self, moved: Pair, new: Pair) -> None:
        """Put the score in, if the pair is still there; a part of the move, and no step of its own."""
        pairs = self._session.pairs
        if pairs is not None and moved in pairs.pairs:
            self._session.amend_pairs(with_changed(pairs, pairs.pairs.index(moved), new))
