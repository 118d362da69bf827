"""The longest time for which the GUI thread is held while the plugin trains, previews and exports.

Needs a display: ``xvfb-run -a pytest -s tests/bench/test_window_heartbeat.py``.
"""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari", reason="napari is not installed")
pytest.importorskip("pytestqt", reason="pytest-qt is not installed")
if os.environ.get("QT_QPA_PLATFORM") == "offscreen":
    pytest.skip("a real canvas needs a display", allow_module_level=True)

from napari_stainxfer.plugin.export_dock import ExportDock
from napari_stainxfer.plugin.preview_dock import PreviewDock
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.slide_layers import layer_data
from napari_stainxfer.plugin.train_dock import TrainDock
from napari_stainxfer.plugin.warming import warm_up
from napari_stainxfer.slides import open_slide

_HEARTBEAT = runpy.run_path(str(Path(__file__).with_name("heartbeat.py")))
Heartbeat, BAR_MS = _HEARTBEAT["Heartbeat"], _HEARTBEAT["BAR_MS"]


def pan(viewer: Any, qtbot: Any) -> None:
    """Drag the slide across the canvas for four seconds."""
    for _ in range(40):
        _, y, x = viewer.camera.center
        viewer.camera.center = (0, y + 5, x + 8)
        qtbot.wait(100)


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
    warm_up()  # what the docks do in a thread when they open
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
