"""The Preview dock in a real window, on a real slide: before and after, curtain, side by side, models."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_stainxfer.methods import Model, ModelCard, SlideFacts
from napari_stainxfer.methods.neural import NeuralStyle
from napari_stainxfer.models import make_generator
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.slide_layers import layer_data
from napari_stainxfer.slides import open_slide


class Swapped:
    """Exchanges the colours: a change that every screenshot shows."""

    halo_px, align_px = 8, 4

    def __init__(self, order: tuple[int, int, int]) -> None:
        self._order = list(order)

    def transform(self, image: torch.Tensor) -> torch.Tensor:
        return image[:, self._order]

    def to(self, device: str) -> Swapped:
        return self

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
        return {}, {}


def make_model(*order: int) -> Model:
    return Model(Swapped(order), ModelCard(method="nst", package_version="0", mpp=1.0, patch_px=256, pairs=0))


def picture(viewer: Any) -> np.ndarray:
    return viewer.screenshot(canvas_only=True, flash=False)[..., :3].astype(int)


@pytest.fixture
def dock(viewer: Any, person: Any, qtbot: Any, aperio: Path) -> Any:
    data, options, _ = layer_data(open_slide(aperio))
    viewer.add_image(data, **options)
    dock = person.dock("Preview")
    qtbot.wait(200)
    return dock


def test_a_model_file_dropped_on_canvas_or_dock_is_shown_at_once(
    viewer: Any, person: Any, dock: Any, qtbot: Any, tmp_path: Path
) -> None:
    session = Session.of(viewer)
    for name, seed in (("one lab", 0), ("another lab", 1)):
        torch.manual_seed(seed)
        generator = NeuralStyle(make_generator("hrnet", width=4).eval(), name="hrnet", width=4)
        card = ModelCard(method="nst-hrnet", package_version="0", mpp=1.0, patch_px=256, pairs=0)
        Model(generator, card).save(tmp_path / f"{name}.safetensors")
    person.drop(person.canvas(), [tmp_path / "one lab.safetensors"])
    qtbot.waitUntil(lambda: session.current_model_name == "one lab", timeout=20_000)
    qtbot.waitUntil(lambda: dock.live.layer is not None, timeout=20_000)
    person.drop(dock, [tmp_path / "another lab.safetensors"])
    qtbot.waitUntil(lambda: session.current_model_name == "another lab", timeout=20_000)
    assert dock.model_box.currentText() == "another lab"
    assert len(session.slides) == 1


def test_a_slide_unlike_what_the_model_learned_from_is_told(viewer: Any, dock: Any, qtbot: Any) -> None:
    model = make_model(2, 0, 1)
    green = SlideFacts(name="moss.svs", fingerprint="0", mpp=0.5, tissue_colour=(60.0, 160.0, 80.0))
    model.card = model.card.model_copy(update={"sources": (green,)})
    Session.of(viewer).add_model("moss", model)
    qtbot.waitUntil(lambda: "is unlike what this model learned from" in dock.message.text(), timeout=20_000)
    assert dock.live.layer is not None
    near = make_model(2, 0, 1)
    entry = Session.of(viewer).slides[0]
    near.card = near.card.model_copy(update={"sources": (SlideFacts.of(entry.slide),)})
    Session.of(viewer).add_model("same lab", near)
    qtbot.waitUntil(lambda: dock.message.text() == "", timeout=20_000)
    qtbot.wait(500)
    assert dock.message.text() == ""


@pytest.fixture
def shown(dock: Any, qtbot: Any) -> Any:
    Session.of(dock.session.viewer).add_model("green", make_model(2, 0, 1))
    qtbot.waitUntil(lambda: dock.live.layer is not None, timeout=20_000)
    qtbot.waitUntil(lambda: dock.progress.text() == "The view is complete.", timeout=20_000)
    qtbot.wait(300)
    return dock


def test_a_model_is_previewed_at_once_and_the_key_toggles(
    viewer: Any, person: Any, shown: Any, qtbot: Any, shots: Path
) -> None:
    after = picture(viewer)
    qtbot.waitUntil(lambda: "Before" in shown.numbers.text(), timeout=10_000)
    person.shoot(shots / "preview_after.png")
    canvas = person.canvas()
    canvas.setFocus()
    started = time.perf_counter()
    QTest.keyClick(canvas, Qt.Key.Key_B)
    assert time.perf_counter() - started < 0.5
    assert not shown.live.layer.visible
    qtbot.wait(200)
    before = picture(viewer)
    assert np.abs(before - after).mean() > 5
    QTest.keyClick(canvas, Qt.Key.Key_B)
    qtbot.wait(300)
    assert np.abs(picture(viewer) - after).mean() < 0.5
    person.click(shown.toggle)
    qtbot.wait(200)
    assert np.abs(picture(viewer) - before).mean() < 0.5


def test_the_curtain_is_dragged(viewer: Any, person: Any, shown: Any, qtbot: Any, shots: Path) -> None:
    after = picture(viewer)
    person.click(shown.toggle)
    qtbot.wait(200)
    before = picture(viewer)
    person.click(shown.curtain_button)
    qtbot.wait(200)
    person.shoot(shots / "preview_curtain.png")
    height, width = after.shape[:2]
    middle = slice(height // 2 - 100, height // 2 + 100)

    def assert_line_at(column: int) -> None:
        now = picture(viewer)
        left, right = slice(column - 60, column - 10), slice(column + 10, column + 60)
        for part, like, unlike in ((left, before, after), (right, after, before)):
            apart = np.abs(now[middle, part] - like[middle, part]).mean()
            assert apart < 3 < np.abs(like[middle, part] - unlike[middle, part]).mean()

    assert_line_at(width // 2)
    canvas, centre = viewer.window._qt_viewer.canvas.native, viewer.camera.center
    start = QPoint(canvas.width() // 2, canvas.height() // 2)
    QTest.mouseMove(canvas, start)
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    for step in range(0, 81, 10):
        QTest.mouseMove(canvas, start + QPoint(step, 0))
        QApplication.processEvents()
    QTest.mouseRelease(
        canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start + QPoint(80, 0)
    )
    qtbot.wait(200)
    assert viewer.camera.center == centre, "the slide did not move with the line"
    assert_line_at(width // 2 + round(80 * width / canvas.width()))
    person.click(shown.curtain_button)
    qtbot.wait(200)
    assert np.abs(picture(viewer) - after).mean() < 0.5


def test_where_a_curtain_cannot_be_drawn_the_dock_says_so(
    shown: Any, person: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_stainxfer.plugin.curtain._node_of", lambda *_: None)
    person.click(shown.curtain_button)
    assert "press B" in shown.message.text()
    assert not shown.curtain_button.isChecked()


def test_side_by_side_moves_together(viewer: Any, person: Any, shown: Any, qtbot: Any, shots: Path) -> None:
    other = person.dock("Export")  # in front of nothing, or the canvas would find no room
    viewer.window._qt_window.tabifyDockWidget(other.parent(), shown.parent())
    shown.parent().raise_()
    qtbot.wait(200)
    width, canvas_width = shown.width(), person.canvas().width()
    viewer.camera.zoom *= 3
    viewer.camera.center = (0, 500.0, 400.0)
    zoom = viewer.camera.zoom
    person.click(shown.side_button)
    qtbot.wait(500)
    assert (viewer.camera.zoom, tuple(viewer.camera.center)) == (zoom, (0, 500.0, 400.0))  # no jump
    assert abs(shown.width() - width) < 20
    side = shown._side.model
    canvas, before = person.canvas(), shown._side.canvas
    assert before.isVisible()
    assert before.mapToGlobal(QPoint(0, 0)).x() < canvas.mapToGlobal(QPoint(0, 0)).x()
    assert abs(before.width() - canvas.width()) < 0.2 * canvas.width()
    assert viewer.window._qt_window.width() <= 1366
    viewer.camera.zoom *= 4
    viewer.camera.center = (0, 700.0, 500.0)
    qtbot.wait(300)
    assert side.camera.zoom == viewer.camera.zoom
    assert tuple(side.camera.center) == tuple(viewer.camera.center)
    side.camera.center = (0, 600.0, 450.0)
    assert tuple(viewer.camera.center) == (0, 600.0, 450.0)
    qtbot.waitUntil(lambda: shown.progress.text() == "The view is complete.", timeout=60_000)
    qtbot.wait(300)
    person.shoot(shots / "preview_side.png")
    left = before.screenshot(flash=False)[..., :3].astype(int)
    right = picture(viewer)
    middles = [
        image[image.shape[0] // 2 - 50 :, image.shape[1] // 2 - 50 :][:100, :100] for image in (left, right)
    ]
    np.testing.assert_allclose(middles[1].mean((0, 1)), middles[0].mean((0, 1))[[2, 0, 1]], atol=4)
    person.click(shown.side_button)
    qtbot.wait(200)
    assert shown.live.layer.visible
    assert shown._side is None
    assert abs(shown.width() - width) < 20
    assert abs(canvas.width() - canvas_width) < 20


def test_models_are_switched_and_what_was_computed_is_kept(
    viewer: Any, person: Any, shown: Any, qtbot: Any
) -> None:
    first = picture(viewer)
    session = Session.of(viewer)
    session.add_model("blue", make_model(1, 2, 0))
    qtbot.waitUntil(lambda: shown.progress.text() == "The view is complete.", timeout=20_000)
    qtbot.waitUntil(lambda: np.abs(picture(viewer) - first).mean() > 3, timeout=20_000)
    session.choose_model("green")
    qtbot.waitUntil(lambda: np.abs(picture(viewer) - first).mean() < 0.5, timeout=1000)


def test_layer_and_slide_can_be_removed(viewer: Any, shown: Any, qtbot: Any) -> None:
    viewer.layers.remove(shown.live.layer)
    assert not shown.toggle.isEnabled()
    Session.of(viewer).add_model("blue", make_model(1, 2, 0))
    qtbot.waitUntil(lambda: shown.live.layer is not None, timeout=20_000)
    viewer.layers.remove(viewer.layers[0])
    assert shown.live.layer is None
    assert len(viewer.layers) == 0


def test_the_slide_in_view_is_computed_and_its_numbers_follow(viewer: Any, shown: Any, qtbot: Any) -> None:
    viewer.camera.zoom *= 6
    level = shown.live.entry.layer.data_level
    qtbot.waitUntil(lambda: shown.live.entry.layer.data_level < level, timeout=5000)
    qtbot.waitUntil(lambda: not shown.live.preview.look_at(*shown.live.view()), timeout=60_000)
    qtbot.waitUntil(lambda: shown.progress.text() == "The view is complete.", timeout=5000)


def test_closing_the_viewer_while_tiles_are_computed(viewer: Any, dock: Any, qtbot: Any) -> None:
    class Slow(Swapped):
        def transform(self, image: torch.Tensor) -> torch.Tensor:
            time.sleep(0.2)
            return image

    card = ModelCard(method="nst", package_version="0", mpp=1.0, patch_px=256, pairs=0)
    Session.of(viewer).add_model("slow", Model(Slow((0, 1, 2)), card))
    qtbot.wait(300)
    started = time.perf_counter()
    viewer.close()
    assert time.perf_counter() - started < 3
