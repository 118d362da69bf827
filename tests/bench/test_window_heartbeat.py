"""The longest time for which the GUI thread is held while the plugin trains, previews and exports.

Needs a display: ``xvfb-run -a pytest -s tests/bench/test_window_heartbeat.py``.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

pytest.importorskip("napari", reason="napari is not installed")
pytest.importorskip("pytestqt", reason="pytest-qt is not installed")
if os.environ.get("QT_QPA_PLATFORM") == "offscreen":
    pytest.skip("a real canvas needs a display", allow_module_level=True)

from qtpy.QtCore import Qt, QTimer

from napari_stainxfer.plugin.export_dock import ExportDock
from napari_stainxfer.plugin.preview_dock import PreviewDock
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.slide_layers import layer_data
from napari_stainxfer.plugin.train_dock import TrainDock
from napari_stainxfer.plugin.warming import warm_up
from napari_stainxfer.slides import open_slide

BAR_MS = 100
BEAT_MS = 5
WATCH_MS = 5
VERBOSE = "STAINXFER_VERBOSE" in os.environ


def pan(viewer: Any, qtbot: Any) -> None:
    """Drag the slide across the canvas for four seconds."""
    for _ in range(40):
        _, y, x = viewer.camera.center
        viewer.camera.center = (0, y + 5, x + 8)
        qtbot.wait(100)


class Load(NamedTuple):
    """What a thread had since it began, in seconds: time on a core, and time ready to run without one."""

    ran: float
    queued: float


class Look(NamedTuple):
    """What the GUI thread did when the watcher looked."""

    at: float
    threads: dict[int, Load]
    ours: str
    place: str


class Hold(NamedTuple):
    """A late beat, in milliseconds: the whole of it and the part that is this plugin's."""

    whole: float
    ours: float
    places: list[str]


class Heartbeat:
    """Beats in the GUI thread; a gap between two beats is the time for which something held it.

    A watcher looks every few milliseconds at what the GUI thread does. Of a late beat, this plugin's part is
    the time for which the GUI thread was in its functions or in what they called, and the time for which
    another thread of this process kept the interpreter for itself. What is left is napari's slicing and
    drawing (which a software renderer makes slow), and the time for which other programs had the cores.
    """

    def __init__(self) -> None:
        self._beats: list[float] = []
        self._looks: list[Look] = []
        self._timer = QTimer()
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.setInterval(BEAT_MS)
        self._timer.timeout.connect(self._beat)
        self._gui, self._native = threading.get_ident(), threading.get_native_id()
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Heartbeat:
        self._beat()
        self._timer.start()
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.stop()
        self._beat()
        self._done.set()
        self._watcher.join()

    def _beat(self) -> None:
        self._beats.append(time.perf_counter())

    def _watch(self) -> None:
        self._native_watcher = threading.get_native_id()
        while not self._done.wait(WATCH_MS / 1000):
            frame: Any = sys._current_frames()[self._gui]
            self._looks.append(Look(time.perf_counter(), _loads(), *_words(frame)))

    def holds(self) -> list[Hold]:
        """Every gap between two beats."""
        found = []
        for start, end in itertools.pairwise(self._beats):
            ours, places = 0.0, []
            if 1000 * (end - start) > BAR_MS / 2:
                for before, look in itertools.pairwise(self._looks):
                    share = _overlap((before.at, look.at), (start, end))
                    ours += share * self._ours(before, look)
                    if share:
                        places.append(f"{1000 * (look.at - before.at):3.0f} ms {look.ours or look.place}")
            found.append(Hold(1000 * (end - start), 1000 * ours, places))
        return found

    def _ours(self, before: Look, look: Look) -> float:
        """Seconds between two looks that are this plugin's."""
        passed = look.at - before.at
        if look.ours:
            return passed - (look.threads[self._native].queued - before.threads[self._native].queued)
        busy = {
            thread: sum(load) - sum(before.threads.get(thread, Load(0.0, 0.0)))
            for thread, load in look.threads.items()
        }
        # Neither watcher nor window got on although each had a core, and another thread worked all the
        # while: that one kept the interpreter for itself.
        starved = passed - busy.pop(self._native_watcher) - WATCH_MS / 1000
        waited = passed - busy.pop(self._native)
        return max(0.0, min(starved, waited, max(busy.values(), default=0.0)))

    def tell(self, what: str) -> float:
        """Print the figures; return the longest time for which this plugin held the GUI thread."""
        holds = self.holds()
        whole = np.array([hold.whole for hold in holds])
        ours = max(hold.ours for hold in holds)
        late = f"{(whole > BAR_MS).sum()} of {len(whole)} over {BAR_MS} ms"
        print(
            f"\n{what}: longest hold {whole.max():.0f} ms, p99 {np.percentile(whole, 99):.0f} ms, {late}; "
            f"of one hold this plugin {ours:.0f} ms at most"
        )
        for hold in holds:
            if hold.whole > BAR_MS:
                print(f"  {hold.whole:.0f} ms, this plugin {hold.ours:.0f} ms")
                for place in hold.places if hold.ours > BAR_MS or VERBOSE else []:
                    print(f"    {place}")
        return ours


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Share of an interval that lies in another."""
    common = min(one[1], other[1]) - max(one[0], other[0])
    return max(0.0, common / (one[1] - one[0]))


def _words(frame: Any) -> tuple[str, str]:
    """Which functions of this package a thread is in, outermost first, and where it is."""
    ours = []
    place = f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}:{frame.f_lineno}"
    while frame is not None:
        if "napari_stainxfer" in frame.f_code.co_filename:
            ours.append(f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}")
        frame = frame.f_back
    return " > ".join([*ours[::-1], place]) if ours else "", place


def _loads() -> dict[int, Load]:
    """Of every thread of this process but those of the software renderer."""
    found = {}
    for task in Path("/proc/self/task").iterdir():
        try:
            if not (task / "comm").read_text().startswith("llvmpipe"):
                ran, queued, _ = (task / "schedstat").read_text().split()
                found[int(task.name)] = Load(int(ran) / 1e9, int(queued) / 1e9)
        except OSError:  # the thread has ended
            continue
    return found


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
