"""The Pairs dock in a real window: suggest, click, choose, fly, move, delete, undo, save and load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from napari_stainxfer.pairing import load_pairs
from napari_stainxfer.plugin.pair_boxes import NAME
from napari_stainxfer.plugin.picking import to_world
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.slide_layers import layer_data
from napari_stainxfer.slides import Slide, open_slide


def add(viewer: Any, slide: Slide) -> Any:
    data, options, _ = layer_data(slide)
    return viewer.add_image(data, **options)


@pytest.fixture
def dock(viewer: Any, person: Any, qtbot: Any, aperio: Path, tcga: Path) -> Any:
    add(viewer, open_slide(aperio))
    add(viewer, open_slide(tcga, mpp=0.5))
    dock = person.dock("Pairs")
    viewer.reset_view()
    qtbot.wait(100)
    return dock


@pytest.fixture
def suggested(dock: Any, person: Any, qtbot: Any) -> Any:
    """The dock with six pairs and their thumbnails."""
    dock.controls.count.setValue(6)
    person.click(dock.controls.suggest)
    qtbot.waitUntil(lambda: dock.task is None and dock.table.rowCount() == 6, timeout=60_000)
    qtbot.waitUntil(dock.table.has_thumbnails, timeout=10_000)
    return dock


def click_slide(person: Any, qtbot: Any, role: str, share: tuple[float, float] = (0.5, 0.5)) -> Any:
    """Click a slide at a share of its height and width; returns the point in level-0 pixels."""
    session = Session.of(person.viewer)
    entry = (session.sources if role == "source" else session.references)[0]
    point = tuple(part * length for part, length in zip(share, entry.slide.shape, strict=True))
    person.click_canvas(to_world(entry, point))
    qtbot.wait(50)
    return point


def wait_for_offer(dock: Any, qtbot: Any) -> None:
    qtbot.waitUntil(lambda: dock.partners.isVisible() and dock.adding.pending is not None, timeout=60_000)


def boxes(pairs: Any) -> list[Any]:
    return [(pair.source.box, pair.reference.box, pair.score) for pair in pairs.pairs]


def inside(box: Any, point: Any) -> bool:
    return box.y <= point[0] < box.y + box.height and box.x <= point[1] < box.x + box.width


def test_twenty_pairs_are_suggested_with_progress(
    viewer: Any, person: Any, dock: Any, qtbot: Any, shots: Path
) -> None:
    assert dock.controls.suggest.text() == "Suggest 20 pairs"
    shares: list[int] = []
    dock.controls.bar.valueChanged.connect(shares.append)
    person.click(dock.controls.suggest)
    assert Session.of(viewer).job == "Pairing"
    assert not dock.controls.suggest.isEnabled()
    assert dock.controls.cancel.isEnabled()
    assert dock.controls.bar.isVisible()
    qtbot.waitUntil(lambda: dock.task is None, timeout=60_000)
    assert len(set(shares)) > 5
    pairs = Session.of(viewer).pairs
    assert len(pairs.pairs) == dock.table.rowCount() == 20
    assert dock.message.text() == pairs.notice
    assert len(viewer.layers[NAME].data) == 40
    assert list(viewer.layers[NAME].features["pair"])[:4] == ["1", "1", "2", "2"]
    qtbot.waitUntil(dock.table.has_thumbnails, timeout=20_000)
    assert all(not dock.table.item(row, column).icon().isNull() for row in range(20) for column in (1, 2))
    scores = [float(dock.table.item(row, 3).text()) for row in range(20)]
    assert scores == sorted(scores, reverse=True)
    viewer.reset_view()
    qtbot.wait(300)
    person.shoot(shots / "pairs_suggested_dark.png")
    viewer.theme = "light"
    qtbot.wait(200)
    person.shoot(shots / "pairs_suggested_light.png")


def test_cancel_leaves_the_pairs_as_they_were(person: Any, dock: Any, qtbot: Any, viewer: Any) -> None:
    person.click(dock.controls.suggest)
    person.click(dock.controls.cancel)
    qtbot.waitUntil(lambda: dock.task is None, timeout=30_000)
    assert Session.of(viewer).pairs is None
    assert Session.of(viewer).job is None
    assert "Stopped" in dock.message.text()
    assert dock.controls.suggest.isEnabled()


def test_boxes_of_a_pair_have_one_colour_and_lie_on_their_patches(suggested: Any, viewer: Any) -> None:
    session, layer = Session.of(viewer), viewer.layers[NAME]
    assert {str(unit) for unit in layer.units} == {"micrometer"}
    for index, pair in enumerate(session.pairs.pairs):
        source, reference = layer.data[2 * index], layer.data[2 * index + 1]
        np.testing.assert_array_equal(layer.edge_color[2 * index], layer.edge_color[2 * index + 1])
        for corners, patch, entry in (
            (source, pair.source, session.sources[0]),
            (reference, pair.reference, session.references[0]),
        ):
            top, left = to_world(entry, patch.box[:2])
            assert tuple(corners.min(axis=0)) == pytest.approx((top, left))
            side = patch.box.height * entry.mpp
            assert np.ptp(corners, axis=0) == pytest.approx((side, side))
    colours = {tuple(colour) for colour in layer.edge_color}
    assert len(colours) == len(session.pairs.pairs)


def test_boxes_are_seen_on_the_canvas_at_every_zoom(suggested: Any, viewer: Any, qtbot: Any) -> None:
    viewer.reset_view()
    for zoom in (1, 4):
        viewer.camera.zoom *= zoom
        qtbot.wait(200)
        with_boxes = viewer.screenshot(canvas_only=True, flash=False).astype(int)
        viewer.layers[NAME].visible = False
        qtbot.wait(100)
        without = viewer.screenshot(canvas_only=True, flash=False).astype(int)
        viewer.layers[NAME].visible = True
        changed = np.abs(with_boxes - without).max(axis=2) > 60
        assert 0.001 < changed.mean() < 0.2


def test_a_row_flies_the_camera_to_its_boxes(suggested: Any, viewer: Any, qtbot: Any, person: Any) -> None:
    session, table = Session.of(viewer), suggested.table
    for column, entry, side in ((1, session.sources[0], "source"), (2, session.references[0], "reference")):
        cell = table.visualItemRect(table.item(3, column)).center()
        QTest.mouseClick(table.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, cell)
        box = getattr(session.pairs.pairs[3], side).box
        middle = to_world(entry, (box.y + box.height / 2, box.x + box.width / 2))
        assert viewer.camera.center[-2:] == pytest.approx(middle)
        canvas = person.canvas()
        on_screen = box.height * entry.mpp * viewer.camera.zoom
        assert 0.2 * canvas.height() < on_screen < canvas.height()
    before = viewer.camera.center
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Down)
    assert viewer.camera.center != before
    assert table.row == 4


def test_a_click_on_the_source_offers_five_partners_and_one_click_accepts(
    viewer: Any, person: Any, dock: Any, qtbot: Any, shots: Path
) -> None:
    point = click_slide(person, qtbot, "source")
    wait_for_offer(dock, qtbot)
    assert inside(dock.adding.pending.box, point)
    shown = [button for button in dock.partners.buttons if button.isVisible()]
    assert len(shown) == 5
    assert all(not button.icon().isNull() for button in shown)
    scores = [float(button.text()) for button in shown]
    assert scores == sorted(scores, reverse=True)
    assert len(viewer.layers[NAME].data) == 1
    person.shoot(shots / "pairs_offer.png")
    person.click(shown[1])
    (pair,) = Session.of(viewer).pairs.pairs
    assert inside(pair.source.box, point)
    assert pair.score == pytest.approx(scores[1], abs=0.006)
    assert not dock.partners.isVisible()
    assert len(viewer.layers[NAME].data) == 2
    assert dock.table.rowCount() == 1


def test_a_pair_is_added_by_clicking_both_slides(
    viewer: Any, person: Any, suggested: Any, qtbot: Any
) -> None:
    on_source = click_slide(person, qtbot, "source", (0.4, 0.6))
    wait_for_offer(suggested, qtbot)
    on_reference = click_slide(person, qtbot, "reference", (0.5, 0.5))
    qtbot.waitUntil(lambda: suggested.table.rowCount() == 7, timeout=30_000)
    pairs = Session.of(viewer).pairs
    added = pairs.pairs[-1]
    assert inside(added.source.box, on_source)
    assert inside(added.reference.box, on_reference)
    assert 0 <= added.score <= 1
    side = pairs.patch_px * pairs.mpp
    session = Session.of(viewer)
    assert added.source.box.height * session.sources[0].mpp == pytest.approx(side, abs=0.5)
    assert added.reference.box.height * session.references[0].mpp == pytest.approx(side, abs=0.5)


def test_a_click_on_the_reference_first_is_explained(person: Any, dock: Any, qtbot: Any, viewer: Any) -> None:
    click_slide(person, qtbot, "reference")
    assert "source slide first" in dock.message.text()
    assert dock.adding.pending is None


def test_an_offer_can_be_discarded(person: Any, dock: Any, qtbot: Any, viewer: Any) -> None:
    click_slide(person, qtbot, "source")
    wait_for_offer(dock, qtbot)
    person.click(dock.partners.cancel_button)
    assert dock.adding.pending is None
    assert len(viewer.layers[NAME].data) == 0
    assert Session.of(viewer).pairs is None


def test_a_drag_pans_and_adds_nothing(person: Any, dock: Any, qtbot: Any, viewer: Any) -> None:
    native = viewer.window._qt_viewer.canvas.native
    entry = Session.of(viewer).sources[0]
    start = person.canvas_point(to_world(entry, (1500, 1500)))
    before = viewer.camera.center
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTest.mousePress(native, left, none, start)
    for step in range(5, 60, 5):
        QTest.mouseMove(native, start + QPoint(step, step))
        qtbot.wait(5)
    QTest.mouseRelease(native, left, none, start + QPoint(60, 60))
    qtbot.wait(100)
    assert viewer.camera.center != before
    assert dock.adding.pending is None
    assert not dock.adding.busy


def test_clicks_do_nothing_while_the_dock_is_out_of_sight_or_the_button_is_off(
    person: Any, dock: Any, qtbot: Any
) -> None:
    person.click(dock.controls.click)
    click_slide(person, qtbot, "source")
    assert not dock.adding.busy
    person.click(dock.controls.click)
    dock.hide()
    click_slide(person, qtbot, "source")
    assert not dock.adding.busy


def test_delete_undo_redo(viewer: Any, person: Any, suggested: Any, qtbot: Any) -> None:
    session, table, controls = Session.of(viewer), suggested.table, suggested.controls
    before = session.pairs
    person.click(controls.delete)
    assert "Select a pair" in suggested.message.text()
    table.selectRow(2)
    person.click(controls.delete)
    assert session.pairs.pairs == before.pairs[:2] + before.pairs[3:]
    assert len(viewer.layers[NAME].data) == 10
    person.click(controls.undo)
    assert session.pairs == before
    assert len(viewer.layers[NAME].data) == 12
    person.click(controls.redo)
    assert table.rowCount() == 5
    assert not controls.redo.isEnabled()
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Delete)
    assert table.rowCount() == 4
    QTest.keyClick(table, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert table.rowCount() == 5


def test_a_box_is_moved_with_the_mouse_and_scored_anew(
    viewer: Any, person: Any, suggested: Any, qtbot: Any
) -> None:
    session = Session.of(viewer)
    before = session.pairs
    suggested.table.selectRow(0)
    suggested._fly(0, False)
    qtbot.wait(200)
    person.click(suggested.controls.move)
    assert not suggested.controls.click.isChecked()
    native = viewer.window._qt_viewer.canvas.native
    left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    start = QPoint(native.width() // 2, native.height() // 2)
    QTest.mouseMove(native, start)
    QTest.mousePress(native, left, none, start)
    qtbot.wait(20)
    for step in range(4, 44, 4):
        QTest.mouseMove(native, start + QPoint(step, 0))
        qtbot.wait(10)
    QTest.mouseRelease(native, left, none, start + QPoint(40, 0))
    qtbot.waitUntil(lambda: session.pairs.pairs[0].source != before.pairs[0].source, timeout=5000)
    qtbot.waitUntil(lambda: not suggested.adding.busy, timeout=30_000)
    was, now = before.pairs[0], session.pairs.pairs[0]
    shift = 40 / viewer.camera.zoom / session.sources[0].mpp
    assert now.source.box.x - was.source.box.x == pytest.approx(shift, rel=0.15)
    assert now.source.box.y == was.source.box.y
    assert now.source.box[2:] == was.source.box[2:]
    assert now.reference == was.reference
    assert now.score != was.score
    assert session.pairs.pairs[1:] == before.pairs[1:]
    person.click(suggested.controls.undo)
    assert session.pairs == before, "move and score are one step"


def test_a_box_deleted_on_the_canvas_deletes_its_pair(viewer: Any, suggested: Any, qtbot: Any) -> None:
    before = Session.of(viewer).pairs
    layer = viewer.layers[NAME]
    layer.selected_data = {3}
    layer.remove_selected()
    qtbot.waitUntil(lambda: suggested.table.rowCount() == 5, timeout=5000)
    assert Session.of(viewer).pairs.pairs == (before.pairs[0], *before.pairs[2:])
    assert len(viewer.layers[NAME].data) == 10


def test_save_and_load_geojson(viewer: Any, person: Any, suggested: Any, qtbot: Any, tmp_path: Path) -> None:
    session, path = Session.of(viewer), tmp_path / "pairs.geojson"
    before = session.pairs
    suggested.save_to(str(path))
    qtbot.waitUntil(lambda: suggested.task is None, timeout=5000)
    assert str(path) in suggested.message.text()
    assert len(json.loads(path.read_text())["features"]) == 12
    suggested._delete(0, 1)
    suggested.load_from(str(path))
    qtbot.waitUntil(lambda: suggested.task is None, timeout=5000)
    assert boxes(session.pairs) == boxes(before)
    path.write_text("no pairs")
    suggested.load_from(str(path))
    qtbot.waitUntil(lambda: suggested.task is None, timeout=5000)
    assert "not GeoJSON" in suggested.message.text()
    assert boxes(session.pairs) == boxes(before)


def test_pairs_are_kept_and_come_back(
    viewer: Any, suggested: Any, person: Any, qtbot: Any, tmp_path: Path
) -> None:
    session = Session.of(viewer)
    before = session.pairs
    (folder,) = [tmp_path / "state" / "pairs"]
    qtbot.waitUntil(lambda: len(list(folder.glob("*.geojson"))) == 1, timeout=5000)
    (kept,) = folder.glob("*.geojson")
    slides = [[entry.slide for entry in side] for side in (session.references, session.sources)]
    qtbot.waitUntil(lambda: len(load_pairs(kept, *slides).pairs) == 6, timeout=5000)
    viewer.window.remove_dock_widget(suggested)
    qtbot.wait(100)
    session.document.__init__()  # as in a new napari
    again = person.dock("Pairs")
    qtbot.waitUntil(lambda: again.table.rowCount() == 6, timeout=10_000)
    assert boxes(session.pairs) == boxes(before)
    assert "last time" in again.message.text()


def test_the_last_change_before_closing_is_kept(viewer: Any, suggested: Any, tmp_path: Path) -> None:
    suggested._delete(0)
    viewer.close()
    (kept,) = (tmp_path / "state" / "pairs").glob("*.geojson")
    assert len(json.loads(kept.read_text())["features"]) == 10


def test_a_removed_slide_takes_its_pairs_and_brings_them_back(
    viewer: Any, suggested: Any, qtbot: Any, aperio: Path
) -> None:
    viewer.layers.remove(aperio.name)
    assert suggested.table.rowCount() == 0
    assert len(viewer.layers[NAME].data) == 0
    assert "reference" in suggested.controls.status.text()
    assert not suggested.controls.suggest.isEnabled()
    add(viewer, open_slide(aperio))
    assert suggested.table.rowCount() == 6
    assert len(viewer.layers[NAME].data) == 12


def test_the_boxes_layer_can_be_removed_and_comes_back(viewer: Any, person: Any, suggested: Any) -> None:
    viewer.layers.remove(NAME)
    suggested._delete(0)
    assert len(viewer.layers[NAME].data) == 10


def test_swapped_roles_turn_the_pairs_round(viewer: Any, suggested: Any) -> None:
    session = Session.of(viewer)
    before = session.pairs.pairs
    session.swap_roles()
    assert [(pair.source, pair.reference) for pair in session.pairs.pairs] == [
        (pair.reference, pair.source) for pair in before
    ]
    assert suggested.table.rowCount() == 6


def test_no_tissue_is_told_in_the_dock(viewer: Any, person: Any, qtbot: Any, aperio: Path) -> None:
    add(viewer, open_slide(aperio))
    add(viewer, Slide.from_array(np.full((1500, 1500, 3), 244, np.uint8), mpp=1.0, name="blank.png"))
    dock = person.dock("Pairs")
    person.click(dock.controls.suggest)
    qtbot.waitUntil(lambda: dock.task is None and dock.message.text() != "", timeout=30_000)
    assert "No tissue" in dock.message.text()
    assert "blank.png" in dock.message.text()
    assert Session.of(viewer).job is None


def test_the_same_slide_twice_gives_pairs_all_the_same(
    viewer: Any, person: Any, qtbot: Any, aperio: Path
) -> None:
    add(viewer, open_slide(aperio))
    add(viewer, open_slide(aperio))
    dock = person.dock("Pairs")
    dock.controls.count.setValue(4)
    person.click(dock.controls.suggest)
    qtbot.waitUntil(lambda: dock.task is None and dock.table.rowCount() == 4, timeout=60_000)
    assert float(dock.table.item(0, 3).text()) > 0.95
    assert len(viewer.layers[NAME].data) == 8


def test_what_is_missing_is_said(viewer: Any, person: Any, qtbot: Any, tcga: Path) -> None:
    dock = person.dock("Pairs")
    assert "Drop a slide" in dock.controls.status.text()
    add(viewer, open_slide(tcga))
    assert "source" in dock.controls.status.text()
    assert not dock.controls.suggest.isEnabled()


def test_closing_the_window_while_pairs_are_sought_leaves_no_thread(
    viewer: Any, person: Any, dock: Any, qtbot: Any
) -> None:
    person.click(dock.controls.suggest)
    qtbot.wait(20)
    viewer.close()  # the fixture that waits for threads says the rest
    assert Session.of(viewer).closed


def test_the_dock_fits_a_laptop(person: Any, suggested: Any, qtbot: Any) -> None:
    click_slide(person, qtbot, "source")
    wait_for_offer(suggested, qtbot)
    assert suggested.minimumSizeHint().width() <= 400
    assert suggested.body.minimumSize().width() <= 400, "nothing is cut off at the side"
