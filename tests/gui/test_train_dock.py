"""The Train dock in a real window: start, stop, resume, finish, errors, closing while it trains."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from napari_stainxfer.errors import TrainingError
from napari_stainxfer.pairing import suggest_pairs
from napari_stainxfer.patches import PatchSettings
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.slide_layers import layer_data
from napari_stainxfer.plugin.state import state_folder
from napari_stainxfer.slides import open_slide
from napari_stainxfer.training import TrainingSettings


@pytest.fixture
def dock(
    viewer: Any, person: Any, qtbot: Any, aperio: Path, tcga: Path, monkeypatch: pytest.MonkeyPatch
) -> Any:
    small = partial(suggest_pairs, patches=PatchSettings(patch_px=64))
    monkeypatch.setattr("napari_stainxfer.plugin.training_run.suggest_pairs", small)
    for path, mpp in ((aperio, None), (tcga, 0.5)):
        data, options, _ = layer_data(open_slide(path, mpp=mpp))
        viewer.add_image(data, **options)
    dock = person.dock("Train")
    qtbot.waitUntil(lambda: dock.device.count() > 1, timeout=10_000)
    dock.form.fields["method"].value = "nst"
    dock.form.fields["epochs"].value = 2
    dock.more.fields["generator_width"].value = 4
    return dock


def test_the_form_holds_every_setting_and_the_presets(dock: Any, person: Any) -> None:
    assert {*dock.form.fields, *dock.more.fields} == set(TrainingSettings.model_fields)
    dock.preset.setCurrentText("paper")
    expected = TrainingSettings.preset("paper", method="nst")
    assert dock.settings() == expected
    assert dock.form.fields["extractor"].native.toolTip()


def test_settings_that_do_not_concern_a_method_cannot_be_set(dock: Any) -> None:
    concerned = [
        dock.form.fields["extractor"].native,
        dock.form.fields["epochs"].native,
        dock.more,
        dock.start_from,
    ]
    assert all(widget.isEnabled() for widget in concerned)
    for method in ("macenko", "staingan"):
        dock.form.fields["method"].value = method
        assert not any(widget.isEnabled() for widget in concerned)
        assert dock.start_button.isEnabled()
    dock.form.fields["method"].value = "nst-ad-hrnet"
    assert all(widget.isEnabled() for widget in concerned)


def test_start_stop_resume_finish(viewer: Any, person: Any, dock: Any, qtbot: Any, shots: Path) -> None:
    dock.form.fields["epochs"].value = 3
    assert dock.start_button.isEnabled()
    assert not dock.resume_button.isEnabled()
    person.click(dock.start_button)
    assert not dock.start_button.isEnabled()
    qtbot.waitUntil(lambda: "Step" in dock.status.text(), timeout=60_000)
    assert "left" in dock.status.text()
    person.click(dock.stop_button)
    qtbot.waitUntil(lambda: dock.resume_button.isEnabled(), timeout=20_000)
    stopped_at = dock.bar.value()
    assert 0 < stopped_at < 1000
    assert (state_folder() / "training.checkpoint").exists()
    person.click(dock.resume_button)
    qtbot.waitUntil(lambda: "Step" in dock.status.text(), timeout=60_000)
    assert dock.bar.value() > stopped_at
    qtbot.waitUntil(lambda: not dock.strip.pixmap().isNull(), timeout=60_000)
    qtbot.waitUntil(lambda: dock.task is None, timeout=120_000)
    person.shoot(shots / "train_done.png")
    assert dock.message.text() == ""
    assert Session.of(viewer).current_model.card.method == "nst"
    assert len(dock.curves.curves["generator"]) > 3
    assert not (state_folder() / "training.checkpoint").exists()
    assert len(Session.of(viewer).pairs.pairs) == Session.of(viewer).current_model.card.pairs


def test_errors_are_told_in_the_dock(
    person: Any, dock: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    for failure, words in (
        (TrainingError("Training diverged at step 3; try less."), "diverged"),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "not enough memory"),
    ):
        fail = Mock(side_effect=failure)
        monkeypatch.setattr("napari_stainxfer.plugin.training_run.suggest_pairs", fail)
        person.click(dock.start_button)
        qtbot.waitUntil(lambda words=words: words in dock.message.text(), timeout=20_000)
        assert dock.start_button.isEnabled()


def test_without_a_source_it_says_what_to_do(viewer: Any, dock: Any) -> None:
    viewer.layers.remove(viewer.layers[1])
    assert not dock.start_button.isEnabled()
    assert "source" in dock.status.text()


def test_a_slide_removed_while_it_trains_does_not_stop_it(
    viewer: Any, person: Any, dock: Any, qtbot: Any
) -> None:
    dock.form.fields["epochs"].value = 1
    person.click(dock.start_button)
    qtbot.waitUntil(lambda: "Step" in dock.status.text(), timeout=60_000)
    viewer.layers.remove(viewer.layers[0])
    qtbot.waitUntil(lambda: dock.task is None, timeout=60_000)
    assert Session.of(viewer).current_model is not None


def test_closing_the_viewer_stops_it_and_keeps_the_checkpoint(
    viewer: Any, person: Any, dock: Any, qtbot: Any
) -> None:
    dock.form.fields["epochs"].value = 500
    person.click(dock.start_button)
    qtbot.waitUntil(lambda: "Step" in dock.status.text(), timeout=60_000)
    started = time.perf_counter()
    viewer.close()
    qtbot.waitUntil(lambda: (state_folder() / "training.checkpoint").exists(), timeout=20_000)
    assert time.perf_counter() - started < 20


def test_a_training_stopped_in_another_napari_is_resumed(person: Any, dock: Any, qtbot: Any) -> None:
    dock.form.fields["epochs"].value = 3
    person.click(dock.start_button)
    qtbot.waitUntil(lambda: "Step" in dock.status.text(), timeout=60_000)
    person.click(dock.stop_button)
    qtbot.waitUntil(lambda: dock.resume_button.isEnabled(), timeout=20_000)
    dock._resumable = None
    dock.session.set_pairs(None)
    dock.form.fields["epochs"].value = 7
    person.click(dock.resume_button)
    qtbot.waitUntil(lambda: dock.task is None, timeout=120_000)
    assert dock.message.text() == ""
    assert dock.session.current_model.card.settings["epochs"] == 3
