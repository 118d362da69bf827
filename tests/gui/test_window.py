"""``stainxfer gui``: a window with slides and docks in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from napari_stainxfer import open_slide
from napari_stainxfer.plugin import window
from napari_stainxfer.plugin.docks import DOCKS
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.warming import warm_up


@pytest.fixture
def opened(viewer: Any, aperio: Path, tcga: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The window, in the viewer that the test closes afterwards."""
    monkeypatch.setattr("napari.Viewer", lambda title: viewer)
    return window.open_window([open_slide(aperio), open_slide(tcga, mpp=0.5)])


def test_slides_have_their_roles_and_every_dock_is_open(opened: Any) -> None:
    session = Session.of(opened)
    assert [entry.name for entry in session.references] == ["CMU-1-Small-Region.svs"]
    assert [(entry.name, entry.mpp) for entry in session.sources] == [("TCGA-CR-7395-01A-01-TS1.svs", 0.5)]
    assert {f"{name} (Stain Transfer)" for name in DOCKS} <= set(opened.window.dock_widgets)


def test_all_that_training_needs_is_imported_before_there_is_a_canvas(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order: list[str] = []
    warm_up.cache_clear()
    monkeypatch.setattr(
        window, "open_window", lambda slides: order.append(f"warm {warm_up.cache_info().currsize}")
    )
    monkeypatch.setattr("napari.run", lambda: order.append("running"))
    window.show([])
    assert order == ["warm 1", "running"]
