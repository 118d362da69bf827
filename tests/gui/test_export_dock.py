"""The Export dock in a real window: a region, a batch, pause, cancel, what it refuses."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch

from napari_stainxfer.methods import Model, ModelCard
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.slide_layers import layer_data
from napari_stainxfer.slides import Box, open_slide


class Swapped:
    """Exchanges the colours, slowly enough to be stopped."""

    halo_px, align_px = 8, 4

    def transform(self, image: torch.Tensor) -> torch.Tensor:
        time.sleep(0.05)
        return image[:, [2, 0, 1]]

    def to(self, device: str) -> Swapped:
        return self

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
        return {}, {}


@pytest.fixture
def dock(viewer: Any, person: Any, qtbot: Any, aperio: Path, tmp_path: Path) -> Any:
    data, options, _ = layer_data(open_slide(aperio))
    viewer.add_image(data, **options)
    session = Session.of(viewer)
    session.set_role(session.slides[0], "source")
    dock = person.dock("Export")
    assert not dock.start_button.isEnabled()
    card = ModelCard(method="nst", package_version="0", mpp=0.5, patch_px=256, pairs=0)
    session.add_model("swapped", Model(Swapped(), card))
    dock.folder.setText(str(tmp_path / "out"))
    (tmp_path / "out").mkdir()
    qtbot.wait(200)
    return dock


def test_a_drawn_region_is_exported_and_opened(
    viewer: Any, person: Any, dock: Any, qtbot: Any, tmp_path: Path, shots: Path
) -> None:
    dock.area.setCurrentIndex(1)
    person.click(dock.start_button)
    assert "Draw a rectangle" in dock.message.text()
    layer = viewer.layers["Export region"]
    layer.add_rectangles(np.array([[500.0, 400.0], [500.0, 800.0], [900.0, 800.0], [900.0, 400.0]]))
    dock.compression.setCurrentText("lossless")
    person.click(dock.start_button)
    qtbot.waitUntil(lambda: "Mpx/s" in dock.status.text(), timeout=20_000)
    qtbot.waitUntil(lambda: dock.task is None, timeout=60_000)
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=20_000)
    person.shoot(shots / "export_done.png")
    (written,) = (tmp_path / "out").iterdir()
    source = Session.of(viewer).slides[0].slide
    box = dock.region_of(Session.of(viewer).slides[0])
    assert abs(box.height * source.mpp - 400) < 2 * source.mpp
    with open_slide(written) as result:
        assert result.shape == (box.height, box.width)
        assert result.mpp == pytest.approx(source.mpp)
        after = result.read_region(Box(0, 0, box.height, box.width)).astype(int)
    before = source.read_region(box).astype(int)
    stained = before.min(axis=2) < 150
    assert np.abs(after - before[..., [2, 0, 1]])[stained].mean() < 2


def test_a_batch_is_paused_and_goes_on(
    person: Any, dock: Any, qtbot: Any, tmp_path: Path, aperio: Path
) -> None:
    with open_slide(aperio) as slide:
        part = slide.read_region(Box(0, 0, 700, 900))
    in_cm = (20_000, 20_000)  # pixels a centimetre: 0.5 um/px
    tifffile.imwrite(tmp_path / "part.tif", part, resolution=in_cm, resolutionunit="CENTIMETER")
    dock.add_files([str(tmp_path / "part.tif")])
    dock.open_result.setChecked(False)
    person.click(dock.start_button)
    qtbot.waitUntil(lambda: "1 of 2" in dock.status.text(), timeout=20_000)
    person.click(dock.pause_button)
    qtbot.wait(500)
    at = dock.bar.value()
    qtbot.wait(700)
    assert dock.bar.value() == at
    assert dock.status.text() == "Paused."
    person.click(dock.pause_button)
    qtbot.waitUntil(lambda: dock.task is None, timeout=60_000)
    assert "Written" in dock.status.text() or dock.message.text()
    assert dock.message.text() == ""
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_slide_too_coarse_for_the_model_is_told(
    person: Any, dock: Any, qtbot: Any, tmp_path: Path, real_data: Path
) -> None:
    dock.add_files([str(real_data / "wsi" / "camelyon_level_jpeg_1152x700.dcm")])
    dock.open_result.setChecked(False)
    person.click(dock.start_button)
    qtbot.waitUntil(lambda: dock.task is None and bool(dock.message.text()), timeout=60_000)
    assert "28.969 um/px and the model learned from 0.5 um/px" in dock.message.text()
    assert len(list((tmp_path / "out").iterdir())) == 1  # of the other slide


def test_cancel_leaves_nothing(person: Any, dock: Any, qtbot: Any, tmp_path: Path) -> None:
    person.click(dock.start_button)
    qtbot.waitUntil(lambda: "Mpx/s" in dock.status.text(), timeout=20_000)
    person.click(dock.cancel_button)
    qtbot.waitUntil(lambda: dock.task is None, timeout=10_000)
    assert "Cancelled" in dock.status.text()
    assert list((tmp_path / "out").iterdir()) == []
    assert dock.start_button.isEnabled()


def test_it_does_not_overwrite_unasked(person: Any, dock: Any, tmp_path: Path, aperio: Path) -> None:
    kept = tmp_path / "out" / f"{aperio.stem}_normalised.ome.tif"
    kept.write_text("mine")
    person.click(dock.start_button)
    assert "Overwrite" in dock.message.text()
    assert kept.read_text() == "mine"


def test_a_slide_that_is_gone_is_told(person: Any, dock: Any, qtbot: Any, tmp_path: Path) -> None:
    dock.list.item(0).setCheckState(dock.list.item(0).checkState().Unchecked)
    dock.add_files([str(tmp_path / "gone.svs")])
    person.click(dock.start_button)
    qtbot.waitUntil(lambda: "gone.svs" in dock.message.text(), timeout=10_000)


def test_closing_the_viewer_while_exporting(
    viewer: Any, person: Any, dock: Any, qtbot: Any, tmp_path: Path
) -> None:
    person.click(dock.start_button)
    qtbot.waitUntil(lambda: "Mpx/s" in dock.status.text(), timeout=20_000)
    viewer.close()
    qtbot.waitUntil(lambda: list((tmp_path / "out").iterdir()) == [], timeout=10_000)
