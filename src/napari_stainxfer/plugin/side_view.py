"""A second canvas beside napari's own, that moves with it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow, QWidget


class SideView:
    """Shows the before left of the after, in a canvas of its own with the same camera.

    Parameters
    ----------
    viewer
        Whose canvas shows the after.
    beside
        A widget in the same window.
    on_closed
        Called when the user closes it.
    """

    def __init__(self, viewer: Any, beside: QWidget, on_closed: Callable[[], None]) -> None:
        from napari.components import ViewerModel
        from napari.qt import QtViewer

        self._viewer = viewer
        self._on_closed = on_closed
        self._busy = False
        self.model = ViewerModel(title="before")
        self.canvas = QtViewer(self.model)
        self.canvas.setMinimumWidth(200)
        self._window = beside.window()
        self._widths = _widths(self._window)
        self._dock = viewer.window.add_dock_widget(self.canvas, name="Before", area="left")
        self._put_beside_the_canvas()
        self._cameras = [_camera(viewer), _camera(self.model)]
        for camera in self._cameras:
            camera.events.center.connect(self._follow)
            camera.events.zoom.connect(self._follow)
        self._dock.visibilityChanged.connect(self._on_visible)

    def show(self, levels: Any, options: dict[str, Any]) -> Any:
        """Add the layer to show, and look where the viewer looks. Returns it."""
        self._busy = True  # a first layer makes its viewer show it whole, which is not to be followed
        try:
            layer = self.model.add_image(list(levels), **options)
        finally:
            self._busy = False
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
        _resize_soon(self._window, self._widths)

    def _put_beside_the_canvas(self) -> None:
        """Right of what else is on the left, half the canvas wide."""
        if isinstance(self._window, QMainWindow):
            left, room = Qt.DockWidgetArea.LeftDockWidgetArea, self._window.centralWidget().width()
            self._window.addDockWidget(left, self._dock, Qt.Orientation.Horizontal)
            _resize_soon(self._window, {**self._widths, self._dock: room // 2})

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


def _widths(window: QWidget) -> dict[QDockWidget, int]:
    """Of the docks that can be seen left and right of the canvas."""
    if not isinstance(window, QMainWindow):
        return {}
    sides = (Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea)
    return {
        dock: dock.width()
        for dock in window.findChildren(QDockWidget)
        if dock.isVisible() and not dock.isFloating() and window.dockWidgetArea(dock) in sides
    }


def _resize_soon(window: QWidget, widths: dict[QDockWidget, int]) -> None:
    """On the next round of Qt's loop, for until then it places what has come or gone."""

    def resize() -> None:
        with suppress(RuntimeError):  # a dock, or the window, may be gone by then
            window.resizeDocks(list(widths), list(widths.values()), Qt.Orientation.Horizontal)

    if isinstance(window, QMainWindow):
        QTimer.singleShot(0, resize)


def _camera(viewer: Any) -> Any:
    """The camera, where this version of napari has it."""
    scene = getattr(viewer, "scene", None)
    return viewer.camera if scene is None else scene.camera
