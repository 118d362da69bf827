"""The docks of the plugin, in their order, and the entries of the menu that open one or all of them."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any, ClassVar

from qtpy.QtWidgets import QDockWidget, QLabel

from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.warming import keep_triton_out, warm_up
from napari_stainxfer.plugin.workers import run_function

MENU = "Stain Transfer"
"""The plugin's name in the menu. napari ticks an entry whose dock is called "entry (plugin)"."""

DOCKS = {
    "Slides": "slides_dock:SlidesDock",
    "Pairs": "pairs_dock:PairsDock",
    "Train": "train_dock:TrainDock",
    "Preview": "preview_dock:PreviewDock",
    "Export": "export_dock:ExportDock",
}
"""Display names in the manifest, in the order of the tabs, and where each one's class is."""


def open_docks(viewer: Any, names: Sequence[str] = tuple(DOCKS)) -> None:
    """Open docks, tabbed into one place on the right, the first of them in front.

    One that is open already stays where it is, and is shown if it was hidden.
    """
    docks = [_open_or_find(_unwrapped(viewer), name) for name in names]
    for dock in docks:
        dock.show()
    docks[0].raise_()


def _open_or_find(viewer: Any, name: str) -> Any:
    window, titles = viewer.window, {one: f"{one} ({MENU})" for one in DOCKS}
    if titles[name] in window.dock_widgets:
        dock = window.dock_widgets[titles[name]]
        while not isinstance(dock, QDockWidget):
            dock = dock.parentWidget()
        return dock
    others = not window.dock_widgets.keys().isdisjoint(titles.values())
    dock = window.add_dock_widget(_dock_class(name)(viewer), name=titles[name], tabify=others)
    dock.setWindowTitle(name)  # the plugin's name after it would fill the tabs
    return dock


class _Entry(QLabel):
    """An entry of the menu, which can only hold widgets: opens its docks, and goes.

    What the docks import comes first, in a thread: it takes seconds.
    """

    names: ClassVar[Sequence[str]]

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__("Loading…")
        self._viewer = _unwrapped(napari_viewer)
        loading = run_function(Session.of(self._viewer), lambda _: _import_docks())
        loading.ended.connect(self._make_way)

    def _make_way(self) -> None:
        viewer = self._viewer
        viewer.window.remove_dock_widget(self)
        open_docks(viewer, self.names)


class OpenAllDocks(_Entry):
    """The "Stain Transfer" entry."""

    names = tuple(DOCKS)


class OpenSlides(_Entry):
    """The entry of one dock."""

    names = ("Slides",)


class OpenPairs(_Entry):
    """The entry of one dock."""

    names = ("Pairs",)


class OpenTrain(_Entry):
    """The entry of one dock."""

    names = ("Train",)


class OpenPreview(_Entry):
    """The entry of one dock."""

    names = ("Preview",)


class OpenExport(_Entry):
    """The entry of one dock."""

    names = ("Export",)


def _unwrapped(viewer: Any) -> Any:
    """The viewer itself: napari hands plugins a proxy of it."""
    return getattr(viewer, "__wrapped__", viewer)


def _dock_class(name: str) -> Any:
    keep_triton_out()
    module, _, kind = DOCKS[name].partition(":")
    return getattr(import_module(f"napari_stainxfer.plugin.{module}"), kind)


def _import_docks() -> None:
    warm_up()
    for name in DOCKS:
        _dock_class(name)
