"""``stainxfer gui``: a window with slides and docks in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_stainxfer import open_slide
from napari_stainxfer.plugin.docks import DOCKS
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.window import open_window


@pytest.fixture
def opened(viewer: Any, aperio: Path, tcga: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The window, in the viewer that the test closes afterwards."""
    monkeypatch.setattr("napari.Viewer", lambda title: viewer)
    return open_window([open_slide(aperio), open_slide(tcga, mpp=0.5)])


def test_slides_have_their_roles_and_every_dock_is_open(opened: Any) -> None:
    session = Session.of(opened)
    assert [entry.name for entry in session.references] == ["CMU-1-Small-Region.svs"]
    assert [(entry.name, entry.mpp) for entry in session.sources] == [("TCGA-CR-7395-01A-01-TS1.svs", 0.5)]
    assert {f"{name} (Stain Transfer)" for name in DOCKS} <= set(opened.window.dock_widgets)
