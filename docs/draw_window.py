"""Draw the pictures of the window in the tutorial and the README, from the running plugin.

    python docs/draw_window.py REFERENCE SOURCE MODEL [--light]

with the two slides and the model of real-slides.md. Needs a display; on a machine without one:

    xvfb-run -a -s "-screen 0 1600x1000x24" python docs/draw_window.py REFERENCE SOURCE MODEL
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")
os.environ["STAINXFER_STATE"] = tempfile.mkdtemp()

import numpy as np
from PIL import Image
from qtpy.QtWidgets import QApplication, QDockWidget

from napari_stainxfer import load, open_slide
from napari_stainxfer.plugin.export_dock import ExportDock
from napari_stainxfer.plugin.pairs_dock import PairsDock
from napari_stainxfer.plugin.picking import to_world
from napari_stainxfer.plugin.preview_dock import PreviewDock
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.slides_dock import SlidesDock
from napari_stainxfer.plugin.train_dock import TrainDock
from napari_stainxfer.plugin.window import open_window

IMAGES = Path(__file__).resolve().parent / "images"
WIDTH, HEIGHT, QUALITY = 1366, 768, 80
SOURCE_MPP = 0.5
LOOK_AT, ZOOM = (2300, 1500), 1.1
"""Where the previews look, in pixels of the source, and how many pixels of the screen a um gets."""
REGION = ((1700, 1000), (2700, 2200))
"""Corners of the exported region, in pixels of the source."""


def wait(done: Callable[[], bool], seconds: float = 900) -> None:
    """Let the window work until something is so."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"not done after {seconds} s")
        QApplication.processEvents()
        time.sleep(0.01)


def rest(seconds: float = 1.0) -> None:
    """Let the window draw."""
    end = time.monotonic() + seconds
    wait(lambda: time.monotonic() > end)


class Artist:
    """Goes through the docks and takes a picture of each."""

    def __init__(self, viewer: Any, folder: Path) -> None:
        self.viewer, self.folder = viewer, folder
        self.session = Session.of(viewer)

    def dock(self, kind: type) -> Any:
        """A dock of the plugin, brought to the front."""
        window = self.viewer.window._qt_window
        wait(lambda: window.findChild(kind) is not None)  # a thread imports what it needs first
        widget = window.findChild(kind)
        parent = widget.parent()
        while not isinstance(parent, QDockWidget):
            parent = parent.parent()
        parent.raise_()
        rest(0.3)
        return widget

    def shoot(self, name: str) -> None:
        """The whole window as a JPEG."""
        rest()
        pixels = self.viewer.screenshot(canvas_only=False, flash=False)[..., :3]
        self.folder.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(self.folder / f"{name}.jpg", quality=QUALITY, optimize=True)

    def slides(self) -> None:
        """Two slides side by side, with their roles."""
        dock = self.dock(SlidesDock)
        wait(
            lambda: (
                len(dock.rows) == 2 and all(not row.thumbnail.pixmap().isNull() for row in dock.rows.values())
            )
        )
        self.viewer.reset_view()
        self.shoot("slides")

    def pairs(self) -> None:
        """Suggested pairs, boxes on both slides."""
        dock = self.dock(PairsDock)
        dock.controls.suggest.click()
        wait(lambda: dock.task is None and dock.table.rowCount() > 0 and dock.table.has_thumbnails())
        self.viewer.reset_view()
        self.shoot("pairs")

    def train(self) -> None:
        """A training after its first epoch, which is then stopped."""
        dock = self.dock(TrainDock)
        dock.start_button.click()
        wait(lambda: not dock.strip.pixmap().isNull() and len(dock.curves.curves.get("generator", ())) > 40)
        self.shoot("train")
        dock.stop_button.click()
        wait(lambda: dock.task is None)

    def preview(self, model: Path) -> None:
        """Before, after, the curtain, and side by side."""
        dock = self.dock(PreviewDock)
        for layer in self.viewer.layers:
            if self.session.entry_of(layer) is None:
                layer.visible = False
        self.session.add_model(model.stem, load(model))
        wait(lambda: dock.live.layer is not None)
        entry = self.session.sources[0]
        camera = (getattr(self.viewer, "scene", None) or self.viewer).camera
        camera.center, camera.zoom = (0, *to_world(entry, LOOK_AT)), ZOOM
        rest()
        wait(lambda: dock.progress.text() == "The view is complete." and "Before" in dock.numbers.text())
        self.shoot("preview_after")
        dock.toggle.click()
        self.shoot("preview_before")
        dock.curtain_button.click()
        self.shoot("preview_curtain")
        dock.curtain_button.click()
        dock.side_button.click()
        rest()
        wait(lambda: dock.progress.text() == "The view is complete.")
        self.shoot("preview_side")
        dock.side_button.click()

    def export(self) -> None:
        """A region that was drawn and written."""
        dock = self.dock(ExportDock)
        Path("normalised").mkdir()
        dock.folder.setText("normalised")
        self.viewer.reset_view()
        dock.area.setCurrentIndex(1)
        entry = self.session.sources[0]
        (top, left), (bottom, right) = (to_world(entry, corner) for corner in REGION)
        corners = np.array([[top, left], [top, right], [bottom, right], [bottom, left]])
        self.viewer.layers["Export region"].add_rectangles(corners)
        dock.open_result.setChecked(False)
        dock.start_button.click()
        wait(lambda: dock.task is None)
        self.shoot("export")


def main(reference: str, source: str, model: str, *, light: bool) -> None:
    """Draw every picture."""
    viewer = open_window([open_slide(reference), open_slide(source, mpp=SOURCE_MPP)])
    viewer.theme = "light" if light else "dark"
    viewer.window._qt_window.resize(WIDTH, HEIGHT)
    rest(2)
    artist = Artist(viewer, IMAGES / "light" if light else IMAGES)
    artist.slides()
    artist.pairs()
    artist.train()
    artist.preview(Path(model))
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        artist.export()
    viewer.close()


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--light"]
    if len(words) != 3:
        sys.exit(__doc__)
    main(*words, light="--light" in sys.argv)
