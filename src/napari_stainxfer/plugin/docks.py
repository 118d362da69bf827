"""The docks of the plugin, in their order, and the entry that opens them all."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QLabel

from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.warming import warm_up
from napari_stainxfer.plugin.workers import run_function

PLUGIN = "napari-stainxfer"

DOCKS = ["Slides", "Pairs", "Train", "Preview", "Export"]
"""Display names in the manifest, in the order of the tabs."""


def open_docks(viewer: Any) -> None:
    """Open every dock, tabbed into one place on the right, the first one in front.

    A dock that is open already stays as it is.
    """
    window = getattr(viewer, "__wrapped__", viewer).window
    docks: list[Any] = []
    for name in DOCKS:
        dock, _ = window.add_plugin_dock_widget(PLUGIN, name, tabify=bool(docks))
        dock.setWindowTitle(name)  # the plugin's name after it would fill the tabs
        docks.append(dock)
    docks[0].show()
    docks[0].raise_()


class OpenAllDocks(QLabel):
    """The "Stain Transfer" entry of the menu, which can only hold widgets: opens the docks, and goes.

    What the docks import comes first, in a thread: it takes seconds.
    """

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__("Loading…")
        self._viewer = getattr(napari_viewer, "__wrapped__", napari_viewer)
        loading = run_function(Session.of(self._viewer), lambda _: warm_up())
        loading.ended.connect(self._open)

    def _open(self) -> None:
        viewer = self._viewer
        viewer.window.remove_dock_widget(self)
        open_docks(viewer)
