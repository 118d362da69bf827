"""The Slides dock in a real window: dropping slides, roles, um/px, warnings."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QPushButton

from napari_stainxfer.plugin.session import Session


def drop_both(person: Any, slides: Any, qtbot: Any, paths: Sequence[Path]) -> None:
    person.drop(person.canvas(), paths)
    qtbot.waitUntil(lambda: len(person.viewer.layers) == len(paths), timeout=10_000)
    qtbot.waitUntil(
        lambda: all(not row.thumbnail.pixmap().isNull() for row in slides.rows.values()), timeout=10_000
    )
    qtbot.wait(200)


@pytest.fixture
def slides(viewer: Any, person: Any, qtbot: Any) -> Any:
    widget = person.dock("Slides")
    qtbot.wait(50)
    return widget


def test_two_slides_dropped_on_the_canvas_lie_side_by_side(
    viewer: Any, person: Any, slides: Any, qtbot: Any, aperio: Path, tcga: Path, shots: Path
) -> None:
    notification_manager.records.clear()
    drop_both(person, slides, qtbot, [aperio, tcga])
    assert [record.message for record in notification_manager.records] == [], "napari has nothing to warn of"
    session = Session.of(viewer)
    assert [entry.name for entry in session.references] == [aperio.name]
    assert [entry.name for entry in session.sources] == [tcga.name]
    person.click(slides.rows[session.sources[0]].mpp_editor.findChildren(QPushButton)[0])
    assert session.sources[0].mpp == 0.5
    qtbot.wait(300)
    picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)
    width = picture.shape[1]
    left, right = picture[:, : width // 3], picture[:, -width // 2 :]
    for half in (left, right):
        colourful = (half.max(2) - half.min(2)) > 40
        assert colourful.mean() > 0.05, "tissue of both slides is in view"
    person.shoot(shots / "slides_dark.png")
    viewer.theme = "light"
    qtbot.wait(200)
    person.shoot(shots / "slides_light.png")
    assert np.isfinite(picture).all()


def test_a_slide_without_um_per_px_may_come_first(
    viewer: Any, person: Any, slides: Any, qtbot: Any, aperio: Path, tcga: Path
) -> None:
    notification_manager.records.clear()
    drop_both(person, slides, qtbot, [tcga, aperio])
    assert [record.message for record in notification_manager.records] == [], "napari has nothing to warn of"
    assert [entry.name for entry in Session.of(viewer).references] == [tcga.name]


def test_slides_dropped_on_the_dock_open_too(
    viewer: Any, person: Any, slides: Any, qtbot: Any, aperio: Path, tcga: Path
) -> None:
    person.drop(slides, [aperio])
    qtbot.waitUntil(lambda: len(viewer.layers) == 1, timeout=10_000)
    person.drop(slides, [tcga])
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=10_000)
    assert [entry.role for entry in Session.of(viewer).slides] == ["reference", "source"]


def test_um_per_px_is_typed_where_the_file_has_none(
    viewer: Any, person: Any, slides: Any, qtbot: Any, aperio: Path, tcga: Path
) -> None:
    drop_both(person, slides, qtbot, [aperio, tcga])
    session = Session.of(viewer)
    known, unknown = session.slides
    assert not slides.rows[known].mpp_editor.isVisible()
    assert "0.499" in slides.rows[known].facts.text()
    row = slides.rows[unknown]
    assert row.mpp_editor.isVisible()
    assert tcga.name in slides.next_step.text()
    row.mpp_field.setFocus()
    QTest.keyClicks(row.mpp_field, "0,5" if row.mpp_field.locale().decimalPoint() == "," else "0.5")
    QTest.keyClick(row.mpp_field, Qt.Key.Key_Return)
    assert session.sources[0].mpp == 0.5
    assert "Ready" in slides.next_step.text()
    assert "0.5 µm/px" in row.facts.text()
    assert tuple(viewer.layers[1].scale) == (0.5, 0.5)


def test_roles_change_by_one_click(
    viewer: Any, person: Any, slides: Any, qtbot: Any, aperio: Path, tcga: Path
) -> None:
    drop_both(person, slides, qtbot, [aperio, tcga])
    session = Session.of(viewer)
    first, second = session.slides
    person.click(slides.swap_button)
    assert (first.role, second.role) == ("source", "reference")
    assert slides.rows[first].buttons["source"].isChecked()
    assert not slides.rows[first].buttons["reference"].isChecked()
    person.click(slides.rows[first].buttons["reference"])
    assert (first.role, second.role) == ("reference", "reference")
    person.click(slides.rows[first].buttons["reference"])
    assert first.role == "unused"
    assert "source" in slides.next_step.text()


def test_the_same_slide_twice_is_said(
    viewer: Any, person: Any, slides: Any, qtbot: Any, aperio: Path, tmp_path: Path
) -> None:
    copy = shutil.copy(aperio, tmp_path / "copy of it.svs")
    drop_both(person, slides, qtbot, [aperio, Path(copy)])
    assert "same slide as" in slides.rows[Session.of(viewer).sources[0]].warning.text()


def test_fluorescence_another_stain_and_no_tissue_are_said(
    viewer: Any, person: Any, slides: Any, qtbot: Any, real_data: Path, tmp_path: Path, shots: Path
) -> None:
    from PIL import Image

    blank = tmp_path / "blank.png"
    Image.fromarray(np.full((900, 700, 3), 244, np.uint8)).save(blank)
    drop_both(
        person,
        slides,
        qtbot,
        [
            real_data / "wsi" / "fluorescence_dapi_3968x4864.ndpi",
            real_data / "rat_kidney" / "Rat-Kidney_PanCytokeratin.jpg",
            blank,
        ],
    )
    said = [row.warning.text() for row in slides.rows.values()]
    assert "not a brightfield slide" in said[0]
    assert "brown" in said[1]
    assert "No tissue" in said[2]
    person.shoot(shots / "slides_warnings.png")


def test_a_bad_file_is_told_in_the_dock(
    viewer: Any, person: Any, slides: Any, qtbot: Any, tmp_path: Path
) -> None:
    bad = tmp_path / "broken.svs"
    bad.write_bytes(b"II*\x00")
    person.drop(person.canvas(), [bad])
    qtbot.waitUntil(lambda: slides.message.isVisible(), timeout=5000)
    assert "broken.svs" in slides.message.text()
    assert len(viewer.layers) == 0


def test_a_removed_layer_leaves_the_list(
    viewer: Any, person: Any, slides: Any, qtbot: Any, aperio: Path, tcga: Path
) -> None:
    drop_both(person, slides, qtbot, [aperio, tcga])
    viewer.layers.remove(aperio.name)
    assert [entry.name for entry in slides.rows] == [tcga.name]
    assert "reference" in slides.next_step.text()


def test_a_dock_that_was_closed_hears_no_more(
    viewer: Any, person: Any, slides: Any, qtbot: Any, aperio: Path
) -> None:
    person.drop(person.canvas(), [aperio])
    viewer.window.remove_dock_widget(slides)
    qtbot.wait(200)
    session = Session.of(viewer)
    session.swap_roles()
    again = person.dock("Slides")
    assert again is not slides
    assert list(again.rows) == list(session.slides)


def test_the_entry_opens_the_docks_and_goes(viewer: Any, person: Any, qtbot: Any) -> None:
    from napari_stainxfer.plugin.docks import DOCKS

    viewer.window.add_plugin_dock_widget("napari-stainxfer", "Stain Transfer")
    qtbot.waitUntil(lambda: len(_titles(viewer)) == len(DOCKS), timeout=5000)
    assert sorted(_titles(viewer)) == sorted(DOCKS)


def test_entries_of_the_menu_open_one_dock_each_tick_it_and_never_open_it_twice(
    viewer: Any, person: Any, qtbot: Any
) -> None:
    menu = ["Plugins", "Stain Transfer"]
    for name in ("Train", "Pairs"):
        person.click_menu(*menu, name)
        qtbot.waitUntil(lambda name=name: name in _titles(viewer), timeout=30_000)
    assert _titles(viewer) == ["Train", "Pairs"]
    train = next(one for one in _docks(viewer) if one.windowTitle() == "Train")
    window = viewer.window._qt_window
    assert [one.windowTitle() for one in window.tabifiedDockWidgets(train)] == ["Pairs"]
    person.click_menu(*menu, "Stain Transfer")
    qtbot.waitUntil(lambda: len(_titles(viewer)) == 5, timeout=30_000)
    assert sorted(_titles(viewer)) == ["Export", "Pairs", "Preview", "Slides", "Train"]
    person.click_menu(*menu, "Train")
    qtbot.wait(50)
    assert train.isHidden(), "the entry of an open dock hides it, as napari's own do"
    person.click_menu(*menu, "Stain Transfer")
    qtbot.waitUntil(lambda: not train.isHidden(), timeout=30_000)
    assert len(_titles(viewer)) == 5


def test_the_entries_import_no_torch_themselves() -> None:
    statement = "import sys, napari_stainxfer.plugin.docks; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", statement], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False"]


def _docks(viewer: Any) -> list[Any]:
    from qtpy.QtWidgets import QDockWidget

    from napari_stainxfer.plugin.dock import Dock

    docks = viewer.window._qt_window.findChildren(QDockWidget)
    return [one for one in docks if one.findChild(Dock) is not None]


def _titles(viewer: Any) -> list[str]:
    return [one.windowTitle() for one in _docks(viewer)]


def test_closing_the_window_closes_the_session(
    viewer: Any, person: Any, slides: Any, qtbot: Any, aperio: Path
) -> None:
    session = Session.of(viewer)
    person.drop(person.canvas(), [aperio])
    viewer.close()
    assert session.closed


def test_the_dock_fits_a_laptop(
    viewer: Any, person: Any, slides: Any, qtbot: Any, aperio: Path, tcga: Path
) -> None:
    drop_both(person, slides, qtbot, [aperio, tcga])
    assert slides.minimumSizeHint().width() <= 400
    assert slides.minimumSizeHint().height() <= 500
    assert viewer.window._qt_window.width() <= 1366
