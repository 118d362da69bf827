"""The pairs on the canvas: boxes, clicks on slides, and flights of the camera."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from psygnal import Signal

from napari_stainxfer.pairing import Pair, Pairs
from napari_stainxfer.patches import Patch
from napari_stainxfer.plugin.entries import SlideEntry
from napari_stainxfer.plugin.pair_boxes import PairBoxes
from napari_stainxfer.plugin.picking import clicks, slide_at
from napari_stainxfer.plugin.session import Session

_SHARE = 0.4
"""Of the canvas that a box takes after a flight."""


class PairCanvas:
    """Shows pairs on the canvas of a session and tells what the mouse does there.

    Signals
    -------
    clicked
        (slide, (y, x) in level-0 pixels), while `picks` is on.
    moved
        (number of the pair from 0, whether it is the source's box, its new centre in level-0 pixels).
    removed
        Numbers, from 0, of pairs of which a box was deleted.

    Attributes
    ----------
    picks
        Whether clicks on slides are told.
    """

    clicked = Signal(SlideEntry, tuple)
    moved = Signal(int, bool, tuple)
    removed = Signal(list)

    def __init__(self, session: Session) -> None:
        self._session = session
        self._boxes = PairBoxes(session, self.moved.emit, self.removed.emit)
        self.picks = False
        viewer = session.viewer
        self._camera = (getattr(viewer, "scene", None) or viewer).camera
        self._camera.events.zoom.connect(self._on_zoom)
        viewer.mouse_drag_callbacks.append(self._on_press)
        self._boxes.set_zoom(self._camera.zoom)

    def close(self) -> None:
        """Take everything away that was put into the viewer."""
        if self._session.closed:
            return
        self._camera.events.zoom.disconnect(self._on_zoom)
        viewer = self._session.viewer
        if self._on_press in viewer.mouse_drag_callbacks:
            viewer.mouse_drag_callbacks.remove(self._on_press)
        self._boxes.remove()

    def show(self, pairs: Pairs | None, pending: Patch | None) -> None:
        """Draw pairs, and a box on a source that waits for its partner."""
        self._boxes.show(pairs, pending)

    def select(self, index: int | None) -> None:
        """Draw the boxes of one pair thicker."""
        self._boxes.select(index)

    def let_move(self, on: bool) -> None:
        """Let the mouse drag boxes, in place of the canvas."""
        self._boxes.let_move(on)

    def fly_to(self, pair: Pair, *, reference: bool) -> None:
        """Bring one of the pair's boxes into the middle of the canvas."""
        patch = pair.reference if reference else pair.source
        slides = self._session.references if reference else self._session.sources
        side_um = max(patch.box[2:]) * float(slides[patch.slide].layer.scale[-1])
        canvas = getattr(self._session.viewer, "canvas", None)
        shortest = min(getattr(canvas, "size", None) or (700, 700))
        # The camera's centre has three coordinates in two dimensions too.
        self._camera.center = (0.0, *self._boxes.centre(pair, source=not reference))
        self._camera.zoom = _SHARE * shortest / side_um

    def _on_zoom(self) -> None:
        self._boxes.set_zoom(self._camera.zoom)

    def _on_press(self, viewer: Any, event: Any) -> Generator[None, None, None]:  # noqa: ARG002  # napari's
        if not self.picks:
            return
        world = yield from clicks(event)
        hit = slide_at(self._session.slides, world) if world is not None else None
        if hit is not None:
            self.clicked.emit(*hit)
