"""For how long the GUI thread is held when one dock is opened in a napari that has imported nothing of ours.

Needs a display: ``xvfb-run -a pytest -s tests/bench/test_docks_alone.py``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("napari", reason="napari is not installed")
if os.environ.get("QT_QPA_PLATFORM") == "offscreen":
    pytest.skip("a real canvas needs a display", allow_module_level=True)

_HERE = Path(__file__).parent

_OPEN = """
import json, runpy, sys, time
import napari
from qtpy.QtTest import QTest
from npe2 import PluginManager
import threading
class Finder:
    threads = []
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            self.threads.append(threading.current_thread() is threading.main_thread())
found = runpy.run_path(sys.argv[1])
viewer = napari.Viewer(show=True)
viewer.window._qt_window.resize(1366, 768)
PluginManager.instance().discover()
QTest.qWait(2000)
sys.meta_path.insert(0, Finder())
assert not [name for name in sys.modules if name.startswith("napari_stainxfer")]
start = time.perf_counter()
with found["Heartbeat"]() as beat:
    _, place = viewer.window.add_plugin_dock_widget("napari-stainxfer", sys.argv[2])
    opened = time.perf_counter()
    while getattr(place, "dock", place) is None and time.perf_counter() < start + 60:
        QTest.qWait(10)
    there = time.perf_counter()
    QTest.qWait(1500)
ours = beat.tell(f"{sys.argv[2]}: place after {opened - start:.2f} s, dock after {there - start:.2f} s")
print(json.dumps([ours, Finder.threads, getattr(place, "dock", place) is not None]))
viewer.close()
"""


@pytest.mark.parametrize("name", ["Slides", "Pairs", "Train", "Preview", "Export"])
def test_a_dock_opened_alone_does_not_hold_the_window(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _OPEN, str(_HERE / "heartbeat.py"), name],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    *told, answer = done.stdout.splitlines()
    print("\n".join(told))
    ours, imported_by_the_window, there = json.loads(answer)
    assert there
    assert imported_by_the_window
    assert not any(imported_by_the_window)
    assert ours < 100
