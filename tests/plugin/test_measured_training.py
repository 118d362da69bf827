"""Methods other than the paper's run through the same task as a training does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("napari")

from napari_stainxfer.evaluation import colour_difference
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.plugin.training_run import PairsFound, TrainingPlan, run_training
from napari_stainxfer.slides import Box
from napari_stainxfer.training import DoneEvent, EpochEvent, MeasureEvent, StepEvent, TrainingSettings

SIZE = (768, 768)


def plan(tmp_path: Path, method: str = "reinhard") -> TrainingPlan:
    return TrainingPlan(
        method=method,
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


def test_trained_on_the_patches_of_pairs_that_it_suggests(tmp_path: Path) -> None:
    events: list[Any] = []
    asked = plan(tmp_path, "dcgmm")
    asked.checkpoint.write_bytes(b"of a training that was stopped")
    model = run_training(asked, events.append)
    assert model.card.method == "dcgmm"
    assert model.card.pairs == len(next(e for e in events if isinstance(e, PairsFound)).pairs.pairs)
    assert {StepEvent, EpochEvent, DoneEvent} <= {type(event) for event in events}
    theirs, ours = (phantom_slide(lab, 1, SIZE).read_region(Box(0, 0, *SIZE)) for lab in ("lab2", "lab1"))
    assert colour_difference(model.transform(theirs, mpp=0.5), ours) < 0.6 * colour_difference(theirs, ours)
    assert list(tmp_path.iterdir()) == [asked.checkpoint]
