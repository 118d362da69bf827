"""A checkpoint is always of a moment between two steps, however the training was ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_stainxfer.errors import DivergedError, TrainingError
from napari_stainxfer.features import FeatureExtractor
from napari_stainxfer.methods import Model
from napari_stainxfer.methods.fitting import fit_stream
from napari_stainxfer.methods.neural_fitting import _train
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import Box
from napari_stainxfer.training import (
    EpochEvent,
    StepEvent,
    Trainer,
    TrainingPatches,
    TrainingSettings,
    load_checkpoint,
)


@pytest.fixture
def make() -> Callable[[], Trainer]:
    sides = np.random.default_rng(0).integers(0, 256, (2, 4, 16, 16, 3), dtype=np.uint8)
    extractor = FeatureExtractor(
        "identity",
        {"pixels": torch.nn.Identity()},
        content_layers=("pixels",),
        style_layers=("pixels",),
        mean=[0.5] * 3,
        std=[0.25] * 3,
    )
    settings = TrainingSettings(epochs=3, batch_size=2, generator_width=4, discriminator_width=4)
    return lambda: Trainer(TrainingPatches(*sides), settings, device="cpu", extractor=extractor)


def assert_goes_on_as_if_never_stopped(make: Callable[[], Trainer], path: Path, step: int) -> None:
    whole, resumed = make(), make()
    list(whole.run())
    load_checkpoint(resumed, path)
    assert resumed.step == step
    list(resumed.run())
    assert whole.history == resumed.history
    for one, other in zip(
        whole.generator.state_dict().values(), resumed.generator.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other)


def test_closed_between_two_steps(make: Callable[[], Trainer], tmp_path: Path) -> None:
    stream = _train(make(), tmp_path / "kept")
    for event in stream:
        if isinstance(event, StepEvent) and event.step == 3:
            stream.close()
    assert_goes_on_as_if_never_stopped(make, tmp_path / "kept", 3)


@pytest.mark.parametrize("part", ["generator", "discriminator"])
def test_ctrl_c_within_a_step(make: Callable[[], Trainer], tmp_path: Path, part: str) -> None:
    """The fourth step is broken off before or after the discriminator has moved."""
    trainer = make()
    optimiser = getattr(trainer, f"{part}_optimiser")
    step, calls = optimiser.step, []

    def interrupted() -> None:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        step()

    optimiser.step = interrupted
    with pytest.raises(KeyboardInterrupt):
        list(_train(trainer, tmp_path / "kept"))
    assert_goes_on_as_if_never_stopped(make, tmp_path / "kept", 2)


def test_a_divergence_leaves_the_checkpoint_before_it(make: Callable[[], Trainer], tmp_path: Path) -> None:
    trainer = make()
    stream = _train(trainer, tmp_path / "kept")
    next(event for event in stream if isinstance(event, StepEvent) and event.step == 3)
    trainer.generator.network.residual.weight.data.fill_(float("nan"))
    with pytest.raises(TrainingError, match="diverged at step 4"):
        list(stream)
    assert_goes_on_as_if_never_stopped(make, tmp_path / "kept", 2)


def test_a_divergence_gives_a_model_of_the_last_good_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    slides = [phantom_slide(lab, seed=0, size_px=(768, 768)) for lab in ("lab1", "lab2")]
    settings = TrainingSettings.preset("quick", epochs=3, square_px=32, generator_width=4)

    made = []

    class Adam(torch.optim.Adam):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)
            made.append(self)

    def run() -> None:
        for event in fit_stream(*slides, settings=settings, device="cpu"):
            if isinstance(event, EpochEvent) and event.epoch == 2:
                generator_weights = made[0].param_groups[0]["params"]
                generator_weights[0].data.fill_(float("nan"))

    monkeypatch.setattr(torch.optim, "Adam", Adam)
    with pytest.raises(DivergedError, match="diverged at step") as raised:
        run()
    model = raised.value.model
    assert isinstance(model, Model)
    picture = slides[1].read_region(Box(400, 400, 64, 64))
    changed = model.transform(picture)
    assert np.isfinite(changed).all()
    assert (changed != picture).any()
    assert len(model.card.history) == 2
