"""The longest time for which the GUI thread is held while the plugin trains, previews and exports.

Needs a display: ``xvfb-run -a pytest -s tests/bench/test_window_heartbeat.py``.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari", reason="napari is not installed")
pytest.importorskip("pytestqt", reason="pytest-qt is not installed")
if os.environ.get("QT_QPA_PLATFORM") == "offscreen":
    pytest.skip("a real canvas needs a display", allow_module_level=True)

from qtpy.QtCore import QTimer

from napari_stainxfer.plugin.export_dock import ExportDock
from napari_stainxfer.plugin.preview_dock import PreviewDock
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.slide_layers import layer_data
from napari_stainxfer.plugin.train_dock import TrainDock
from napari_stainxfer.slides import open_slide

BAR_MS = 100
BEAT_MS = 5


def _words(frame: Any, whose: str) -> str:
    """Where a thread is, and in which of our functions."""
    frames = traceback.extract_stack(frame)
    ours = [one for one in frames if "napari_stainxfer" in one.filename]
    places = (f"{Path(at.filename).stem}.{at.name}:{at.lineno}" for at in (*ours[-3:], frames[-1]))
    return f"{whose}: {' > '.join(places)}"


def pan(viewer: Any, qtbot: Any) -> None:
    """Drag the slide across the canvas for four seconds."""
    for _ in range(40):
        _, y, x = viewer.camera.center
        viewer.camera.center = (0, y + 5, x + 8)
        qtbot.wait(100)


class Heartbeat:
    """Beats in the GUI thread; a gap between two beats is the time for which something held it."""

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._gui, self._done = threading.get_ident(), threading.Event()
        self.holders: list[str] = []

    def __enter__(self) -> Heartbeat:
        self._last = time.perf_counter()
        self._timer.start()
        threading.Thread(target=self._watch, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.stop()
        self._done.set()

    def _watch(self) -> None:
        """Note what the GUI thread does whenever it is held."""
        while not self._done.wait(0.02):
            if time.perf_counter() - self._last > BAR_MS / 1000:
                for thread, frame in sys._current_frames().items():
                    if thread != threading.get_ident():
                        self.holders.append(_words(frame, "window" if thread == self._gui else "other"))

    def _beat(self) -> None:
        now = time.perf_counter()
        self.gaps.append(1000 * (now - self._last))
        self._last = now

    def tell(self, what: str) -> float:
        gaps = np.array(self.gaps)
        longest = float(gaps.max())
        print(
            f"\n{what}: longest hold {longest:.0f} ms, p99 {np.percentile(gaps, 99):.0f} ms, "
            f"{(gaps > BAR_MS).sum()} of {len(gaps)} over {BAR_MS} ms"
        )
        for holder in dict.fromkeys(self.holders):
            print("  meanwhile", holder)
        return longest


def test_the_gui_thread_is_not_held(
    make_napari_viewer: Any, qtbot: Any, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAINXFER_STATE", str(tmp_path / "state"))
    viewer = make_napari_viewer(show=True)
    viewer.window._qt_window.resize(1366, 768)
    for name, mpp in (("CMU-1-Small-Region.svs", None), ("TCGA-CR-7395-01A-01-TS1.svs", 0.5)):
        data, options, _ = layer_data(open_slide(real_data / "wsi" / name, mpp=mpp))
        viewer.add_image(data, **options)
    train, preview, export = TrainDock(viewer), PreviewDock(viewer), ExportDock(viewer)
    docks = [viewer.window.add_dock_widget(dock, tabify=True) for dock in (export, preview, train)]
    qtbot.waitUntil(lambda: train.device.count() > 1, timeout=20_000)
    viewer.reset_view()
    qtbot.wait(1000)
    longest = {}

    with Heartbeat() as idle:
        qtbot.wait(2000)
    idle.tell("idle")

    source = Session.of(viewer).sources[0]
    viewer.camera.center = (0, 900.0, source.layer.translate[-1] + 1100.0)
    viewer.camera.zoom = 1.5
    with Heartbeat() as beat:
        pan(viewer, qtbot)
    beat.tell("panning the slides alone, which is napari's own work")
    viewer.reset_view()

    train.form.fields["epochs"].value = 1
    train.start_button.click()
    qtbot.wait(1)
    with Heartbeat() as beat:
        qtbot.waitUntil(lambda: train.task is None, timeout=400_000)
    longest["training"] = beat.tell("training")
    assert Session.of(viewer).current_model is not None, train.message.text()

    docks[1].raise_()
    with Heartbeat() as beat:
        qtbot.waitUntil(lambda: preview.live.layer is not None, timeout=60_000)
        viewer.camera.center = (0, 900.0, source.layer.translate[-1] + 1100.0)
        viewer.camera.zoom = 1.5
        pan(viewer, qtbot)
    longest["preview, panning"] = beat.tell("preview, panning")

    export.folder.setText(str(tmp_path))
    export.area.setCurrentIndex(1)
    left = source.layer.translate[-1] + 800.0
    viewer.layers["Export region"].add_rectangles(
        np.array([[700, left], [700, left + 800], [1500, left + 800], [1500, left]], float)
    )
    export.open_result.setChecked(False)
    export.start_button.click()
    qtbot.wait(1)
    with Heartbeat() as beat:
        qtbot.waitUntil(lambda: export.task is None, timeout=200_000)
    longest["export"] = beat.tell("export")
    assert "Written" in export.status.text(), export.message.text()
    assert max(longest.values()) < BAR_MS, longest
