"""Real windows with real slides, and nothing left behind: no thread, no setting, no autosaved file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("napari", reason="napari is not installed: pip install napari-stainxfer[napari]")
pytest.importorskip("pytestqt", reason="pytest-qt is not installed")
if os.environ.get("QT_QPA_PLATFORM") == "offscreen":
    pytest.skip("a real canvas needs a display; tests/run.sh brings one (Xvfb)", allow_module_level=True)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has its own folder of autosaved pairs."""
    monkeypatch.setenv("STAINXFER_STATE", str(tmp_path / "state"))


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    from qtpy.QtCore import QThreadPool

    yield
    assert QThreadPool.globalInstance().waitForDone(10_000), "a thread of the plugin outlives its viewer"


@pytest.fixture
def plugin(npe2pm: Any) -> Iterator[None]:
    """This plugin as napari finds it, and no other."""
    from npe2 import PluginManifest

    with npe2pm.tmp_plugin(manifest=PluginManifest.from_distribution("napari-stainxfer")):
        yield


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
