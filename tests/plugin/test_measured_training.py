"""A method that is not trained runs through the same task as a training, without pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("napari")

from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.plugin.training_run import TrainingPlan, run_training
from napari_stainxfer.training import DoneEvent, MeasureEvent, TrainingSettings

SIZE = (768, 768)


def plan(tmp_path: Path) -> TrainingPlan:
    return TrainingPlan(
        method="reinhard",
        references=[phantom_slide("lab1", 0, SIZE)],
        sources=[phantom_slide("lab2", 1, SIZE)],
        pairs=None,
        preset="quick",
        settings=TrainingSettings.preset("quick"),
        device="cpu",
        checkpoint=tmp_path / "training.checkpoint",
        resume=False,
        init=None,
    )


def test_measured_without_pairs(tmp_path: Path) -> None:
    events: list[Any] = []
    model = run_training(plan(tmp_path), events.append)
    assert model.card.method == "reinhard"
    assert model.card.pairs == 0
    assert {type(event) for event in events} == {MeasureEvent, DoneEvent}
    assert list(tmp_path.iterdir()) == []


def test_can_be_stopped(tmp_path: Path) -> None:
    class Stopped(Exception):  # noqa: N818 (what a task raises to stop)
        pass

    def stop(event: Any) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        run_training(plan(tmp_path), stop)
