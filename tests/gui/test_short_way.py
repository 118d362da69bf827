"""From an empty napari to a toggled before and after: how many clicks it takes, and that nothing is typed."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_stainxfer.pairing import suggest_pairs
from napari_stainxfer.patches import PatchSettings
from napari_stainxfer.phantom.writing import write_phantom
from napari_stainxfer.plugin.export_dock import ExportDock
from napari_stainxfer.plugin.preview_dock import PreviewDock
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.train_dock import TrainDock

_CLICKS = 8


@pytest.fixture
def two_labs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Small slides, on which a training with the settings as they are is over in a minute."""
    few = partial(suggest_pairs, patches=PatchSettings(patch_px=64, count=4))
    monkeypatch.setattr("napari_stainxfer.plugin.training_run.suggest_pairs", few)
    return [
        write_phantom(tmp_path / f"{lab}.ome.tif", lab, seed, size_px=(1024, 1024))
        for seed, lab in enumerate(("lab1", "lab2"))
    ]


def test_eight_clicks_and_no_typing_to_before_and_after(
    viewer: Any, person: Any, qtbot: Any, two_labs: list[Path], look: Any
) -> None:
    def dock(kind: type) -> Any:
        return viewer.window._qt_window.findChild(kind)

    person.click_menu("Plugins", "Stain Transfer", "Stain Transfer")
    qtbot.waitUntil(lambda: dock(ExportDock) is not None, timeout=60_000)
    person.drop(person.canvas(), two_labs)
    qtbot.waitUntil(lambda: len(Session.of(viewer).slides) == 2, timeout=20_000)
    person.click_tab("Train")
    qtbot.wait(100)
    train = dock(TrainDock)
    assert train.start_button.isVisible()
    person.click(train.start_button)
    qtbot.waitUntil(lambda: train.task is None, timeout=300_000)
    assert train.message.text() == ""
    person.click_tab("Preview")
    preview = dock(PreviewDock)
    qtbot.waitUntil(lambda: preview.live.layer is not None, timeout=60_000)
    qtbot.waitUntil(lambda: preview.progress.text() == "The view is complete.", timeout=60_000)
    qtbot.wait(300)
    after = look()
    person.click(preview.toggle)
    qtbot.wait(300)
    before = look()
    assert np.abs(after - before).mean() > 0.5
    person.click(preview.toggle)
    qtbot.wait(300)
    assert np.abs(after - look()).mean() < 0.1 * np.abs(after - before).mean()
    assert person.clicks <= _CLICKS
