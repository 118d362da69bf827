"""The pairs' boxes on the canvas: one Shapes layer over all slides, in micrometres."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import numpy as np

from napari_stainxfer.pairing import Pair, Pairs
from napari_stainxfer.patches import Patch
from napari_stainxfer.plugin.entries import SlideEntry
from napari_stainxfer.plugin.pair_colours import pair_colour
from napari_stainxfer.plugin.picking import to_pixels, to_world
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.slide_layers import DERIVED

NAME = "Stain pairs"
_LINE_PX = 2.5
_PENDING = "#101010"

Rectangle = np.ndarray[Any, np.dtype[np.float64]]


class PairBoxes:
    """Draws the pairs, and tells what the user did to the shapes.

    Parameters
    ----------
    session
        Whose slides the boxes lie on.
    on_moved
        Called with (number of the pair from 0, whether it is the source's box, centre in level-0 pixels).
    on_removed
        Called with the numbers, from 0, of the pairs of which a box was deleted.

    Attributes
    ----------
    layer
        The Shapes layer, or None before there is anything to draw.
    """

    def __init__(
        self,
        session: Session,
        on_moved: Callable[[int, bool, tuple[float, float]], None],
        on_removed: Callable[[list[int]], None],
    ) -> None:
        self._session = session
        self._on_moved, self._on_removed = on_moved, on_removed
        self.layer: Any = None
        self._ends: list[tuple[int, bool, SlideEntry]] = []
        self._rectangles: list[Rectangle] = []
        self._own_change = False
        self._zoom = 1.0
        self._selected: int | None = None

    def show(self, pairs: Pairs | None, pending: Patch | None = None) -> None:
        """Draw these pairs and the box, on a source, that is waiting for its partner."""
        ends: list[tuple[int, bool, SlideEntry]] = []
        rectangles, colours, names = [], [], []
        for index, pair in enumerate(pairs.pairs if pairs else ()):
            for is_source, entry, patch in self._sides(pair):
                ends.append((index, is_source, entry))
                rectangles.append(_rectangle(entry, patch))
                colours.append(pair_colour(index + 1))
                names.append(str(index + 1))
        if pending is not None:
            rectangles.append(_rectangle(self._session.sources[pending.slide], pending))
            colours.append(_PENDING)
            names.append("?")
        self._ends, self._rectangles = ends, rectangles
        if rectangles or self._is_there():
            with self._changing():
                self._draw(rectangles, colours, names)

    def select(self, index: int | None) -> None:
        """Draw the boxes of one pair thicker."""
        self._selected = index
        self._set_widths()

    def set_zoom(self, zoom: float) -> None:
        """Keep the lines as thick on the screen as they are: at ``zoom`` screen pixels a micrometre."""
        self._zoom = zoom
        self._set_widths()

    def let_move(self, on: bool) -> None:
        """Let the mouse select and drag boxes, or pan the canvas as usual."""
        if not self._is_there():
            return
        viewer = self._session.viewer
        if on:
            viewer.layers.selection.active = self.layer
        self.layer.mode = "select" if on else "pan_zoom"

    def centre(self, pair: Pair, *, source: bool) -> tuple[float, float]:
        """Of one of its boxes, in world coordinates."""
        for is_source, entry, patch in self._sides(pair):
            if is_source == source:
                y, x, height, width = patch.box
                return to_world(entry, (y + height / 2, x + width / 2))
        raise ValueError(pair)

    def remove(self) -> None:
        """Take the layer away."""
        if self._is_there():
            with self._changing():
                self._session.viewer.layers.remove(self.layer)
        self.layer = None

    def _sides(self, pair: Pair) -> list[tuple[bool, SlideEntry, Patch]]:
        return [
            (True, self._session.sources[pair.source.slide], pair.source),
            (False, self._session.references[pair.reference.slide], pair.reference),
        ]

    def _is_there(self) -> bool:
        return self.layer is not None and self.layer in self._session.viewer.layers

    def _draw(self, rectangles: list[Rectangle], colours: list[str], names: list[str]) -> None:
        if not self._is_there():
            self._make_layer()
        layer = self.layer
        layer.selected_data = set()
        # What a new shape has before its features are set below; napari's own is no colour.
        layer.feature_defaults = {"pair": "", "colour": "black"}
        layer.current_edge_width = self._width()
        # Put in place all at once: a layer that is empty for a moment makes napari slice every other anew.
        layer.data = [(rectangle, "rectangle") for rectangle in rectangles]
        layer.features = _features(names, colours)
        if rectangles:
            layer.edge_color = colours
        layer.refresh_text()
        self._set_widths()

    def _make_layer(self) -> None:
        viewer = self._session.viewer
        chosen = viewer.layers.selection.active
        self.layer = viewer.add_shapes(
            ndim=2,
            name=NAME,
            units=("um", "um"),
            features=_features([], []),
            face_color="transparent",
            text={
                "string": "{pair}",
                "size": 12,
                "anchor": "upper_left",
                "color": {"feature": "colour", "fallback": "black"},
                "translation": (0, 0),
            },
            metadata={DERIVED: "pairs"},
            opacity=1.0,
        )
        self.layer.mode = "pan_zoom"
        self.layer.events.data.connect(self._on_data)
        if chosen is not None:
            viewer.layers.selection.active = chosen

    @contextmanager
    def _changing(self) -> Any:
        self._own_change = True
        try:
            yield
        finally:
            self._own_change = False

    def _width(self) -> float:
        return _LINE_PX / max(self._zoom, 1e-6)

    def _set_widths(self) -> None:
        if self._is_there() and self.layer.nshapes:
            thin = self._width()
            widths = [2 * thin if index == self._selected else thin for index, _, _ in self._ends]
            widths += [thin] * (self.layer.nshapes - len(widths))
            with self._changing():
                self.layer.edge_width = widths

    def _on_data(self, event: Any) -> None:
        if self._own_change:
            return
        action = getattr(event.action, "value", event.action)
        touched = sorted({int(index) % len(self._rectangles) for index in event.data_indices})
        if action == "removed":
            self._on_removed(sorted({self._ends[index][0] for index in touched if index < len(self._ends)}))
        elif action == "changed":
            for index in touched:
                self._tell_move(index)

    def _tell_move(self, index: int) -> None:
        corners = np.asarray(self.layer.data[index])
        if index < len(self._ends) and not np.allclose(corners, self._rectangles[index]):
            pair, is_source, entry = self._ends[index]
            middle = corners.mean(axis=0)
            self._on_moved(pair, is_source, to_pixels(entry, (float(middle[-2]), float(middle[-1]))))


def _features(names: list[str], colours: list[str]) -> dict[str, Any]:
    # An empty list would become a column of numbers, which takes no words later.
    return {"pair": np.array(names, object), "colour": np.array(colours, object)}


def _rectangle(entry: SlideEntry, patch: Patch) -> Rectangle:
    y, x, height, width = patch.box
    (top, left), (bottom, right) = to_world(entry, (y, x)), to_world(entry, (y + height, x + width))
    # Data coordinates of napari are those of pixel centres.
    return np.array([(top, left), (top, right), (bottom, right), (bottom, left)], float)
