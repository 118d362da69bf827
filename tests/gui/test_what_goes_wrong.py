"""What goes wrong in a real window ends in a sentence, and never in a hang or a thread that stays."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_stainxfer.pairing import suggest_pairs
from napari_stainxfer.patches import PatchSettings
from napari_stainxfer.plugin.session import Session


@pytest.fixture
def train(viewer: Any, person: Any, qtbot: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The Train dock, set to a training of seconds."""
    few = partial(suggest_pairs, patches=PatchSettings(patch_px=64, count=4))
    monkeypatch.setattr("napari_stainxfer.plugin.training_run.suggest_pairs", few)
    dock = person.dock("Train")
    qtbot.waitUntil(lambda: dock.device.count() > 1, timeout=60_000)
    dock.form.fields["method"].value = "nst"
    dock.form.fields["epochs"].value = 1
    dock.more.fields["generator_width"].value = 4
    return dock


@pytest.fixture
def own_copies(aperio: Path, tmp_path: Path) -> list[Path]:
    """Two files that a test may delete, of one slide."""
    return [Path(shutil.copy(aperio, tmp_path / name)) for name in ("one.svs", "two.svs")]


def drop(person: Any, qtbot: Any, paths: list[Path]) -> Session:
    session = Session.of(person.viewer)
    person.drop(person.canvas(), paths)
    qtbot.waitUntil(lambda: len(session.slides) == len(paths), timeout=20_000)
    return session


def run(person: Any, train: Any, qtbot: Any) -> None:
    person.click(train.start_button)
    qtbot.waitUntil(lambda: train.task is None, timeout=120_000)


def test_the_same_slide_as_reference_and_source_is_said_and_trained_all_the_same(
    viewer: Any, person: Any, train: Any, qtbot: Any, own_copies: list[Path]
) -> None:
    slides = person.dock("Slides")
    session = drop(person, qtbot, own_copies)
    qtbot.waitUntil(lambda: "same slide" in slides.rows[session.sources[0]].warning.text(), timeout=20_000)
    run(person, train, qtbot)
    assert session.current_model is not None
    assert train.message.text() == ""


def test_a_file_that_is_deleted_while_it_is_open(
    viewer: Any, person: Any, train: Any, qtbot: Any, own_copies: list[Path], tmp_path: Path
) -> None:
    session = drop(person, qtbot, own_copies)
    for path in own_copies:
        path.unlink()
    run(person, train, qtbot)
    assert session.current_model is not None, train.message.text()  # an open file outlives its name
    export = person.dock("Export")
    (tmp_path / "out").mkdir()
    export.folder.setText(str(tmp_path / "out"))
    export.open_result.setChecked(False)
    person.click(export.start_button)
    qtbot.waitUntil(lambda: export.task is None, timeout=120_000)
    assert "Written" in export.status.text(), export.message.text()
    assert session.job is None


def test_a_file_that_can_no_longer_be_read_is_told(
    viewer: Any, person: Any, train: Any, qtbot: Any, own_copies: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = drop(person, qtbot, own_copies)
    qtbot.wait(500)
    gone = Mock(side_effect=OSError(5, "Input/output error"))
    monkeypatch.setattr(type(session.sources[0].slide), "read_region_at", gone)
    run(person, train, qtbot)
    assert "check that it is there" in train.message.text()
    assert train.start_button.isEnabled()


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        RuntimeError("MPS: out of memory"),
    ],
)
def test_a_step_that_runs_out_of_memory(
    error: Exception,
    viewer: Any,
    person: Any,
    train: Any,
    qtbot: Any,
    aperio: Path,
    own_copies: list[Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = drop(person, qtbot, own_copies)
    fail = Mock(side_effect=error)
    monkeypatch.setattr("napari_stainxfer.training.objective.Objective.generator_terms", fail)
    run(person, train, qtbot)
    assert "memory" in train.message.text()
    assert session.job is None
    monkeypatch.undo()
    assert train.start_button.isEnabled()


def test_a_model_of_another_version_is_refused_in_preview(
    viewer: Any, person: Any, qtbot: Any, own_copies: list[Path], tmp_path: Path
) -> None:
    preview = person.dock("Preview")
    session = drop(person, qtbot, own_copies)
    later, broken = tmp_path / "later.safetensors", tmp_path / "broken.safetensors"
    save_file({"weight": torch.zeros(3)}, later, {"napari-stainxfer model 9": "{}"})
    broken.write_bytes(b"\x08")
    for path, words in ((later, "version"), (broken, "cannot be read")):
        preview.open_files([str(path)])
        qtbot.waitUntil(lambda words=words: words in preview.message.text(), timeout=20_000)
        assert path.name in preview.message.text()
    assert session.models == {}
    assert not preview.toggle.isEnabled()


def test_both_layers_removed_while_it_trains_and_the_window_closed(
    viewer: Any, person: Any, train: Any, qtbot: Any, own_copies: list[Path]
) -> None:
    session = drop(person, qtbot, own_copies)
    train.form.fields["epochs"].value = 300
    person.click(train.start_button)
    qtbot.waitUntil(lambda: "Step" in train.status.text(), timeout=60_000)
    viewer.layers.clear()
    qtbot.wait(300)
    assert session.job == "Training"
    assert train.stop_button.isEnabled()
    viewer.close()
    assert session.closed


def test_no_tissue_to_train_on_is_told(
    viewer: Any, person: Any, train: Any, qtbot: Any, own_copies: list[Path], tmp_path: Path
) -> None:
    from napari_stainxfer.slides import write_pyramid

    glass = np.full((512, 512, 3), 244, np.uint8)
    blank = write_pyramid(
        tmp_path / "blank.ome.tif", iter([glass] * 4), shape=(1024, 1024), mpp=0.5, tile_px=512
    )
    drop(person, qtbot, [own_copies[0], blank])
    run(person, train, qtbot)
    assert "tissue" in train.message.text()
