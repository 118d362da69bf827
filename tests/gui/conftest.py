"""Real windows with real slides, and nothing left behind: no thread, no setting, no autosaved file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("napari", reason="napari is not installed: pip install napari-stainxfer[napari]")
pytest.importorskip("pytestqt", reason="pytest-qt is not installed")
if os.environ.get("QT_QPA_PLATFORM") == "offscreen":
    pytest.skip("a real canvas needs a display; tests/run.sh brings one (Xvfb)", allow_module_level=True)

from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QThreadPool, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QTabBar, QWidget


class Person:
    """What a person does with mouse and keyboard in one window.

    Attributes
    ----------
    clicks
        How often the person has clicked.
    """

    def __init__(self, viewer: Any) -> None:
        self.viewer = viewer
        self.clicks = 0

    def drop(self, widget: QWidget, paths: Sequence[Path]) -> None:
        """Drag files onto a widget and let them go."""
        mime = QMimeData()
        mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
        args = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
        enter = QDragEnterEvent(QPoint(30, 30), *args)
        QApplication.sendEvent(widget, enter)
        assert enter.isAccepted()
        QApplication.sendEvent(widget, QDropEvent(QPointF(30, 30), *args))

    def canvas(self) -> QWidget:
        """The widget that takes drops and draws the canvas."""
        return self.viewer.window._qt_viewer

    def click(self, widget: QWidget) -> None:
        """Click in the middle of a widget."""
        self._click_at(widget, widget.rect().center())

    def click_tab(self, title: str) -> None:
        """Bring a dock to the front by its tab."""
        for bar in self.viewer.window._qt_window.findChildren(QTabBar):
            for index in range(bar.count()):
                if bar.tabText(index) == title:
                    self._click_at(bar, bar.tabRect(index).center())
                    return
        raise AssertionError(f"no tab is called {title}")

    def click_menu(self, *titles: str) -> None:
        """Click one's way from the menu bar to an entry."""
        bar: Any = self.viewer.window._qt_window.menuBar()
        for title in titles:
            action = next(one for one in bar.actions() if one.text().replace("&", "") == title)
            self._click_at(bar, bar.actionGeometry(action).center())
            bar = action.menu()
            QTest.qWait(10)
            started = time.monotonic()
            while bar is not None and not bar.isVisible():
                assert time.monotonic() - started < 5, f"the menu {title} does not open"
                QTest.qWait(10)

    def drag_canvas(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Drag on the canvas from one world point to another."""
        native = self.viewer.window._qt_viewer.canvas.native
        first, last = self.canvas_point(start), self.canvas_point(end)
        left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        self.clicks += 1
        QTest.mouseMove(native, first)
        QTest.mousePress(native, left, none, first)
        for step in range(1, 11):
            QTest.mouseMove(native, first + (last - first) * (step / 10))
            QTest.qWait(10)
        QTest.mouseRelease(native, left, none, last)

    def _click_at(self, widget: QWidget, place: QPoint) -> None:
        self.clicks += 1
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)

    def click_canvas(self, world: tuple[float, float]) -> None:
        """Click the canvas at a world point, by real Qt events on the drawing surface."""
        native = self.viewer.window._qt_viewer.canvas.native
        place = self.canvas_point(world)
        self.clicks += 1
        QTest.mouseMove(native, place)
        QTest.mousePress(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)
        QTest.mouseRelease(native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, place)

    def canvas_point(self, world: tuple[float, float]) -> QPoint:
        """Where on the canvas a world point is drawn."""
        scene = getattr(self.viewer, "scene", None)
        camera = scene.camera if scene is not None else self.viewer.camera
        native = self.viewer.window._qt_viewer.canvas.native
        y, x = camera.center[-2:]
        return QPoint(
            round(native.width() / 2 + (world[1] - x) * camera.zoom),
            round(native.height() / 2 + (world[0] - y) * camera.zoom),
        )

    def dock(self, name: str) -> Any:
        """Open one of the plugin's docks and return its widget."""
        window, entry = self.viewer.window, f"{name} (napari-stainxfer)"
        window.add_plugin_dock_widget("napari-stainxfer", name)
        started = time.monotonic()
        while entry in window.dock_widgets:  # it loads, and makes way
            assert time.monotonic() - started < 60, f"{name} does not open"
            QTest.qWait(10)
        return window.dock_widgets[f"{name} (Stain Transfer)"]

    def shoot(self, path: Path) -> Any:
        """A picture of the whole window."""
        return self.viewer.screenshot(str(path), canvas_only=False, flash=False)


@pytest.fixture
def person(viewer: Any) -> Person:
    """Somebody at the window."""
    return Person(viewer)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has its own folder of autosaved pairs."""
    monkeypatch.setenv("STAINXFER_STATE", str(tmp_path / "state"))


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert QThreadPool.globalInstance().waitForDone(10_000), "a thread of the plugin outlives its viewer"


@pytest.fixture
def plugin(npe2pm: Any) -> Iterator[None]:
    """This plugin as napari finds it, and no other."""
    from npe2 import PluginManifest

    with npe2pm.tmp_plugin(manifest=PluginManifest.from_distribution("napari-stainxfer")):
        yield


@pytest.fixture
def look(viewer: Any) -> Callable[[], NDArray[np.int_]]:
    """Takes a picture of the canvas, int (H, W, 3)."""
    return lambda: viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)


@pytest.fixture
def viewer(make_napari_viewer: Any, qtbot: Any, plugin: None) -> Any:
    """An empty napari window as large as a laptop's screen."""
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1366, 768)
    qtbot.wait(50)
    return viewer


@pytest.fixture
def aperio(real_data: Path) -> Path:
    """H&E skin, 0.499 um/px in the file."""
    return real_data / "wsi" / "CMU-1-Small-Region.svs"


@pytest.fixture
def tcga(real_data: Path) -> Path:
    """H&E head and neck; the file has no um/px, and 0.5 is right."""
    return real_data / "wsi" / "TCGA-CR-7395-01A-01-TS1.svs"


@pytest.fixture
def shots(tmp_path: Path) -> Path:
    """Where screenshots go for a person to look at: ``STAINXFER_SHOTS``, or nowhere that stays."""
    folder = Path(os.environ.get("STAINXFER_SHOTS", tmp_path / "shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
