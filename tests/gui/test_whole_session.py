"""A person's whole session in one window, on two real slides: from the drop to the exported file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QPushButton

from napari_stainxfer.plugin.docks import DOCKS, open_docks
from napari_stainxfer.plugin.export_dock import ExportDock
from napari_stainxfer.plugin.pairs_dock import PairsDock
from napari_stainxfer.plugin.picking import to_world
from napari_stainxfer.plugin.preview_dock import PreviewDock
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.slides_dock import SlidesDock
from napari_stainxfer.plugin.train_dock import TrainDock


class Docks:
    """The five docks of the window."""

    def __init__(self, viewer: Any) -> None:
        find = viewer.window._qt_window.findChild
        self.slides: Any = find(SlidesDock)
        self.pairs: Any = find(PairsDock)
        self.train: Any = find(TrainDock)
        self.preview: Any = find(PreviewDock)
        self.export: Any = find(ExportDock)


@pytest.fixture
def docks(viewer: Any, qtbot: Any) -> Docks:
    open_docks(viewer)
    qtbot.wait(100)
    assert len(DOCKS) == 5
    return Docks(viewer)


def drop_and_assign(person: Any, docks: Docks, qtbot: Any, paths: list[Path]) -> None:
    """Drop both slides; say the um/px that one file lacks; swap the roles and swap them back."""
    session = Session.of(person.viewer)
    person.drop(person.canvas(), paths)
    qtbot.waitUntil(lambda: len(session.slides) == 2, timeout=20_000)
    first, second = session.slides
    qtbot.wait(200)
    person.click(docks.slides.rows[second].mpp_editor.findChildren(QPushButton)[0])
    person.click(docks.slides.rows[second].buttons["reference"])
    person.click(docks.slides.rows[first].buttons["source"])
    assert (first.role, second.role) == ("source", "reference")
    person.click(docks.slides.swap_button)
    assert (first.role, second.role) == ("reference", "source")
    assert session.why_not_ready() == ""


def make_pairs(person: Any, docks: Docks, qtbot: Any) -> None:
    """Suggest six, add one by clicking both slides, delete one, undo."""
    session, dock = Session.of(person.viewer), docks.pairs
    person.click_tab("Pairs")
    dock.controls.count.setValue(6)
    person.click(dock.controls.suggest)
    qtbot.waitUntil(lambda: dock.task is None and dock.table.rowCount() == 6, timeout=60_000)
    person.viewer.reset_view()
    qtbot.wait(300)
    for entry, place in ((session.sources[0], (0.4, 0.6)), (session.references[0], (0.5, 0.5))):
        point = [share * length for share, length in zip(place, entry.slide.shape, strict=True)]
        person.click_canvas(to_world(entry, tuple(point)))
        if entry.role == "source":
            qtbot.waitUntil(lambda: dock.adding.pending is not None, timeout=60_000)
    qtbot.waitUntil(lambda: dock.table.rowCount() == 7, timeout=30_000)
    all_seven = session.pairs
    cell = dock.table.visualItemRect(dock.table.item(0, 1)).center()
    QTest.mouseClick(dock.table.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, cell)
    person.click(dock.controls.delete)
    assert dock.table.rowCount() == 6
    person.click(dock.controls.undo)
    assert session.pairs == all_seven


def train(person: Any, docks: Docks, qtbot: Any) -> None:
    """A few steps of a small network, stopped once and resumed."""
    dock = docks.train
    person.click_tab("Train")
    dock.form.fields["method"].value = "nst"
    dock.form.fields["epochs"].value = 2
    dock.more.fields["generator_width"].value = 4
    dock.more.fields["square_px"].value = 128
    person.click(dock.start_button)
    qtbot.waitUntil(lambda: "Step" in dock.status.text(), timeout=60_000)
    person.click(dock.stop_button)
    qtbot.waitUntil(lambda: dock.resume_button.isEnabled(), timeout=20_000)
    stopped_at = dock.bar.value()
    person.click(dock.resume_button)
    qtbot.waitUntil(lambda: dock.task is None, timeout=120_000)
    assert dock.message.text() == ""
    assert dock.bar.value() > stopped_at
    assert Session.of(person.viewer).current_model.card.pairs == 7


def compare(person: Any, docks: Docks, qtbot: Any, look: Any, tmp_path: Path) -> None:
    """Before and after by the key, the curtain dragged, another model and back."""
    viewer, dock = person.viewer, docks.preview

    def complete() -> bool:
        return bool(dock.live.layer is not None and dock.progress.text() == "The view is complete.")

    person.click_tab("Preview")
    qtbot.waitUntil(complete, timeout=60_000)
    qtbot.wait(400)
    after = look()
    canvas = person.canvas()
    canvas.setFocus()
    QTest.keyClick(canvas, Qt.Key.Key_B)
    qtbot.wait(300)
    before = look()
    changed = np.abs(after - before).mean()
    assert changed > 1
    QTest.keyClick(canvas, Qt.Key.Key_B)
    qtbot.wait(300)
    assert np.abs(look() - after).mean() < 0.1 * changed

    person.click(dock.curtain_button)
    qtbot.wait(200)
    half = look()
    y, x = viewer.camera.center[-2], dock.curtain.x
    person.drag_canvas((y, x), (y, x + 120 / viewer.camera.zoom))
    qtbot.wait(200)
    dragged = look()
    assert np.abs(dragged - half).mean() > 0.1
    assert np.abs(dragged - before).mean() < np.abs(half - before).mean(), "more of the before is shown"
    person.click(dock.curtain_button)

    session = Session.of(viewer)
    trained = session.current_model_name
    other = tmp_path / "another lab.safetensors"
    session.current_model.save(other)
    dock.open_files([str(other)])
    qtbot.waitUntil(lambda: session.current_model_name == "another lab", timeout=20_000)
    qtbot.waitUntil(complete, timeout=60_000)
    dock.model_box.setCurrentText(trained)
    dock.model_box.activated.emit(dock.model_box.currentIndex())
    assert session.current_model_name == trained
    qtbot.waitUntil(complete, timeout=60_000)


def export(person: Any, docks: Docks, qtbot: Any, folder: Path) -> Path:
    """Draw a rectangle on the source with the mouse and export it."""
    viewer, dock = person.viewer, docks.export
    person.click_tab("Export")
    dock.folder.setText(str(folder))
    dock.area.setCurrentIndex(1)
    entry = Session.of(viewer).sources[0]
    qtbot.wait(100)
    person.drag_canvas(to_world(entry, (1000, 1200)), to_world(entry, (1700, 2100)))
    qtbot.waitUntil(lambda: len(viewer.layers["Export region"].data) == 1, timeout=5000)
    person.click(dock.open_result)
    person.click(dock.start_button)
    qtbot.waitUntil(lambda: dock.task is None, timeout=120_000)
    assert "Written" in dock.status.text(), dock.message.text()
    (written,) = folder.iterdir()
    return Path(written)


def test_from_the_drop_to_the_exported_file(
    viewer: Any, person: Any, docks: Docks, qtbot: Any, aperio: Path, tcga: Path, tmp_path: Path, look: Any
) -> None:
    drop_and_assign(person, docks, qtbot, [aperio, tcga])
    make_pairs(person, docks, qtbot)
    train(person, docks, qtbot)
    compare(person, docks, qtbot, look, tmp_path)
    folder = tmp_path / "out"
    folder.mkdir()
    written = export(person, docks, qtbot, folder)
    session = Session.of(viewer)
    person.drop(person.canvas(), [written])
    qtbot.waitUntil(lambda: len(session.slides) == 3, timeout=20_000)
    reopened = session.slides[-1]
    assert reopened.name == written.name
    assert reopened.role == "unused", "it has the reference's stain already"
    assert reopened.mpp == session.sources[0].mpp
    assert abs(reopened.slide.shape[0] - 700) < 40
    assert all(docks.__dict__[name].message.text() == "" for name in ("slides", "train", "preview"))
