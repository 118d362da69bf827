"""A preview as a layer over its slide: follows the view, computes in a thread, shows what has come."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from qtpy.QtCore import QObject, QTimer, Signal

from napari_stainxfer.applying import Preview
from napari_stainxfer.plugin.entries import SlideEntry
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.slide_layers import DERIVED, metadata
from napari_stainxfer.plugin.thread_priority import yield_to_the_window
from napari_stainxfer.plugin.workers import Task, run_stream
from napari_stainxfer.slides import Box

_LOOK_MS = 60  # the view is asked for when it has rested this long, or moved for as long
_SHOW_MS = 150  # tiles that come faster are shown together: every refresh sends the whole view to the GPU
_DRAW_MS = 30  # time for the window to draw and to hear of the mouse between two steps of slow work


class LivePreview(QObject):
    """Shows one model on one slide at a time.

    Signals
    -------
    progressed
        Tiles that are still to come in the view.
    shown
        The layer shows the preview that was asked for.
    failed
        A sentence.

    Attributes
    ----------
    preview, entry
        What is shown, or None.
    layer
        The layer over the slide's, or None while there is nothing to show.
    """

    progressed = Signal(int)
    shown = Signal()
    failed = Signal(str)

    def __init__(self, session: Session, parent: QObject) -> None:
        super().__init__(parent)
        self._session = session
        self.entry: SlideEntry | None = None
        self.preview: Preview | None = None
        self.layer: Any = None
        self._task: Task | None = None
        self._on_screen: Preview | None = None
        self._coming: Any = None  # a layer that is made and not yet in the viewer
        self._looking = _timer(self, _LOOK_MS, self._look)
        self._showing = _timer(self, _SHOW_MS, self._refresh)
        # napari makes a layer and its controls in the GUI thread: one after the other.
        self._inserting = _timer(self, _DRAW_MS, self._insert_layer)
        self._settling = _timer(self, _DRAW_MS, self._settle)
        self._selected_before: Any = None

    def show(self, entry: SlideEntry, preview: Preview) -> None:
        """Show this one; what was shown stays until there is something to see of it."""
        if preview is self.preview:
            return
        if self.entry is not entry:
            self.clear()
            self.entry = entry
            entry.layer.events.set_data.connect(self._on_view)
        self.preview = preview
        if self._task is not None:
            self._task.cancel()
        self._look()
        if preview.ready:
            self._refresh()

    def clear(self) -> None:
        """Stop, and take the layer away."""
        for timer in (self._looking, self._showing, self._inserting, self._settling):
            timer.stop()
        if self._task is not None:
            self._task.cancel()
        if self.entry is not None:
            self.entry.layer.events.set_data.disconnect(self._on_view)
        layer, self.layer = self.layer, None
        if layer is not None and layer in self._session.viewer.layers:
            self._session.viewer.layers.remove(layer)
        self.entry = self.preview = self._on_screen = self._coming = None

    def forget_layer(self) -> None:
        """The user removed the layer: stop until something is asked for again."""
        self.layer = None
        self.clear()

    def view(self) -> tuple[int, Box]:
        """Level and box, in its pixels, of the slide that is in view."""
        assert self.entry is not None
        layer = self.entry.layer
        (y0, x0), (y1, x1) = layer.corner_pixels[:, -2:]
        level = int(layer.data_level)
        return level, Box(int(y0), int(x0), int(y1 - y0) + 1, int(x1 - x0) + 1)

    def _on_view(self) -> None:
        if not self._looking.isActive():
            self._looking.start()

    def _look(self) -> None:
        if self.preview is None:
            return
        if self.preview.look_at(*self.view()) and self._task is None:
            self._task = run_stream(self._session, partial(_serve, self.preview))
            self._task.yielded.connect(self._on_tile)
            self._task.failed.connect(self.failed)
            self._task.failed.connect(self._give_up)
            self._task.ended.connect(self._on_ended)
        self.progressed.emit(self.preview.pending)

    def _on_tile(self) -> None:
        if not self._showing.isActive():
            self._showing.start()

    def _give_up(self) -> None:
        self.preview = None  # or the next look would fail again, and again

    def _on_ended(self) -> None:
        self._task = None
        if self.preview is not None:
            self._refresh()
            self._look()  # the view may have moved since the last tile

    def _refresh(self) -> None:
        preview = self.preview
        if preview is None or not preview.ready or self.entry is None:
            return
        self.progressed.emit(preview.pending)
        if self.layer is None:
            self._make_layer(preview)
            return
        if self._on_screen is not preview:
            self.layer.data = list(preview.levels)
        else:
            self.layer.refresh(thumbnail=False, highlight=False, extent=False)
        if self._on_screen is not preview:
            self._on_screen = preview
            self.shown.emit()

    def _make_layer(self, preview: Preview) -> None:
        if self._coming is None:
            from napari.layers import Image

            self._coming = Image(list(preview.levels), **self.options())
            self._on_screen = preview
            self._inserting.start()

    def _insert_layer(self) -> None:
        layers, (layer, self._coming) = self._session.viewer.layers, (self._coming, None)
        if self.entry is None or self.entry.layer not in layers:
            return
        active = layers.selection.active
        self.layer = layer
        with _without_selecting(layers):
            layers.insert(layers.index(self.entry.layer) + 1, layer)
        self._selected_before = active
        self._settling.start()

    def _settle(self) -> None:
        layers, (active, self._selected_before) = self._session.viewer.layers, (self._selected_before, None)
        # Select again what was selected, unless the user has chosen something else since.
        if layers.selection.active is self.layer and (active is None or active in layers):
            layers.selection.active = active
        self.shown.emit()

    def options(self) -> dict[str, Any]:
        """Keywords for a layer that lies where the slide's does."""
        assert self.entry is not None
        below = self.entry.layer
        facts = {key: value for key, value in metadata(self.entry.slide).items() if key != "slide"}
        return {
            "name": f"{self.entry.name} (after)",
            "rgb": True,
            "multiscale": True,
            "scale": below.scale,
            "translate": below.translate,
            "units": below.units,
            "metadata": {**facts, DERIVED: True},
        }


def _serve(preview: Preview) -> Generator[None, None, None]:
    yield_to_the_window()
    yield from preview.serve()


@contextmanager
def _without_selecting(layers: Any) -> Iterator[None]:
    """Spare napari the time to show the controls of a new layer, where it can be told to leave it be."""
    name = "_activate_on_insert"  # no public name for it
    before = getattr(layers, name, None)
    if before is not None:
        setattr(layers, name, False)
    try:
        yield
    finally:
        if before is not None:
            setattr(layers, name, before)


def _timer(parent: QObject, wait_ms: int, slot: Any) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(wait_ms)
    timer.timeout.connect(slot)
    return timer
