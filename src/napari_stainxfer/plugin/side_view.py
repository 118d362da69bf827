"""A second canvas beside napari's own, that moves with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow


class SideView:
    """Shows the before left of the after, in a canvas of its own with the same camera.

    Parameters
    ----------
    viewer
        Whose canvas shows the after.
    on_closed
        Called when the user closes it.
    """

    def __init__(self, viewer: Any, on_closed: Callable[[], None]) -> None:
        from napari.components import ViewerModel
        from napari.qt import QtViewer

        self._viewer = viewer
        self._on_closed = on_closed
        self._busy = False
        self.model = ViewerModel(title="before")
        self.canvas = QtViewer(self.model)
        self.canvas.setMinimumWidth(200)
        self._dock = viewer.window.add_dock_widget(self.canvas, name="Before", area="left")
        _put_beside_the_canvas(self._dock)
        self._cameras = [_camera(viewer), _camera(self.model)]
        for camera in self._cameras:
            camera.events.center.connect(self._follow)
            camera.events.zoom.connect(self._follow)
        self._dock.visibilityChanged.connect(self._on_visible)

    def show(self, levels: Any, options: dict[str, Any]) -> Any:
        """Add the layer to show, and look where the viewer looks. Returns it."""
        layer = self.model.add_image(list(levels), **options)
        self._copy(*self._cameras)
        return layer

    def close(self) -> None:
        """Take the canvas away."""
        if self._dock is None:
            return
        dock, self._dock = self._dock, None
        for camera in self._cameras:
            camera.events.center.disconnect(self._follow)
            camera.events.zoom.disconnect(self._follow)
        self.model.layers.clear()
        self._viewer.window.remove_dock_widget(dock)
        self.canvas.close()
        self.canvas.deleteLater()

    def _follow(self, event: Any) -> None:
        if not self._busy:
            first, second = self._cameras
            self._copy(first, second) if event.source is first else self._copy(second, first)

    def _copy(self, one: Any, other: Any) -> None:
        self._busy = True
        try:
            other.zoom = one.zoom
            other.center = one.center
        finally:
            self._busy = False

    def _on_visible(self, visible: bool) -> None:
        if not visible and self._dock is not None and self._dock.isHidden():
            self._on_closed()


def _put_beside_the_canvas(dock: QDockWidget) -> None:
    """Right of what else is on the left, half the canvas wide."""
    window = dock.window()
    if not isinstance(window, QMainWindow):
        return
    left, room = Qt.DockWidgetArea.LeftDockWidgetArea, window.centralWidget().width()
    others = [
        one
        for one in window.findChildren(QDockWidget)
        if one is not dock and one.isVisible() and window.dockWidgetArea(one) == left
    ]
    docks, widths = [*others[:1], dock], [*(one.width() for one in others[:1]), room // 2]
    window.addDockWidget(left, dock, Qt.Orientation.Horizontal)
    # Qt places a new dock on the next round of its loop, and only then takes its size from us.
    QTimer.singleShot(0, lambda: window.resizeDocks(docks, widths, Qt.Orientation.Horizontal))


def _camera(viewer: Any) -> Any:
    """The camera, where this version of napari has it."""
    scene = getattr(viewer, "scene", None)
    return viewer.camera if scene is None else scene.camera
