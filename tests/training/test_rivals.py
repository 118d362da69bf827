"""DCGMM and StainGAN learn: toy pictures with a known answer. And they repeat and refuse as they should."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from napari_stainxfer.errors import TrainingError
from napari_stainxfer.methods.dcgmm import DCGMM, stained_patches
from napari_stainxfer.methods.staingan import StainGAN
from napari_stainxfer.training import (
    CycleSettings,
    CycleTrainer,
    DoneEvent,
    EpochEvent,
    MixtureSettings,
    MixtureTrainer,
    StainedPatches,
    StepEvent,
    TrainingPatches,
)

GLASS = (250.0, 250.0, 250.0)
SIDE = 64


def cells(count: int, seed: int) -> np.ndarray:
    """Masks (count, SIDE, SIDE): round spots of several pixels, a third of the picture."""
    noise = np.random.default_rng(seed).normal(size=(count, SIDE, SIDE))
    smooth = gaussian_filter(noise, (0, 4, 4))
    return smooth > np.quantile(smooth, 2 / 3)


def painted(
    masks: np.ndarray, inside: tuple[float, ...], outside: tuple[float, ...], seed: int
) -> np.ndarray:
    """Spots of one colour on another; both vary in density, the spots are the denser ones."""
    varied = 1 + 0.8 * gaussian_filter(np.random.default_rng(seed).normal(size=masks.shape), (0, 2, 2))
    density = np.where(masks[..., None], np.array(inside), np.array(outside)) * varied[..., None]
    return (np.exp(-density) * 250).round().clip(0, 255).astype(np.uint8)


def tensor(images: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255


def seen(patches: np.ndarray) -> StainedPatches:
    return stained_patches(patches, np.tile(np.float32(GLASS), (len(patches), 1)))


SOURCE = ((1.4, 1.0, 0.9), (0.3, 0.5, 0.2))
REFERENCE = ((0.8, 1.2, 0.6), (0.1, 0.3, 0.6))
"""Optical densities of spots and surroundings; no one straight line in colour maps one lab onto the other."""


class TestMixture:
    @pytest.fixture(scope="class")
    def fitted(self) -> DCGMM:
        source = painted(cells(6, 0), *SOURCE, seed=0)
        reference = painted(cells(6, 1), *REFERENCE, seed=1)
        trainer = MixtureTrainer(
            seen(source),
            seen(reference),
            MixtureSettings(classes=2, epochs=12),
            device="cpu",
        )
        *_, last = trainer.run()
        assert isinstance(last, DoneEvent)
        losses = [epoch["generator"] for epoch in trainer.history]
        assert losses[-1] < losses[0]
        return DCGMM.from_trainer(trainer, (GLASS, GLASS))

    def test_each_class_gets_its_own_colour(self, fitted: DCGMM) -> None:
        masks = cells(2, 2)
        unseen, truth = (painted(masks, *lab, seed=2) for lab in (SOURCE, REFERENCE))
        result = fitted.transform(tensor(unseen)).permute(0, 2, 3, 1).numpy() * 255
        assert np.abs(result - truth).mean() < 0.1 * np.abs(unseen.astype(float) - truth).mean()

    def test_which_one_gaussian_cannot(self) -> None:
        source, reference = (painted(cells(6, n), *lab, seed=n) for n, lab in enumerate((SOURCE, REFERENCE)))
        trainer = MixtureTrainer(
            *(seen(side) for side in (source, reference)),
            settings=MixtureSettings(classes=1, epochs=1),
            device="cpu",
        )
        list(trainer.run())
        masks = cells(2, 2)
        unseen, truth = (painted(masks, *lab, seed=2) for lab in (SOURCE, REFERENCE))
        single = DCGMM.from_trainer(trainer, (GLASS, GLASS))
        result = single.transform(tensor(unseen)).permute(0, 2, 3, 1).numpy() * 255
        assert np.abs(result - truth).mean() > 0.2 * np.abs(unseen.astype(float) - truth).mean()

    def test_patches_without_stain_are_refused(self) -> None:
        glass = np.full((2, 32, 32, 3), 250, np.uint8)
        some = painted(cells(2, 0), *SOURCE, seed=0)[:, :32, :32]
        with pytest.raises(TrainingError, match="show no stain"):
            MixtureTrainer(seen(glass), seen(some), MixtureSettings(), device="cpu")


class TestCycle:
    SETTINGS = CycleSettings(
        epochs=12, crop_px=64, width=8, blocks=1, discriminator_width=16, learning_rate=1e-3
    )

    def patches(self) -> TrainingPatches:
        source = painted(cells(16, 0), *SOURCE, seed=0)
        return TrainingPatches(source, painted(cells(16, 1), *REFERENCE, seed=1))

    @pytest.mark.parametrize("identity_weight", [0.0, 5.0])
    def test_learns_the_colours_of_the_other_lab_from_other_pictures(self, identity_weight: float) -> None:
        settings = self.SETTINGS.model_copy(update={"identity_weight": identity_weight})
        trainer = CycleTrainer(self.patches(), settings, device="cpu")
        list(trainer.run())
        masks = cells(4, 2)
        unseen, truth = (painted(masks, *lab, seed=2) for lab in (SOURCE, REFERENCE))
        method = StainGAN(trainer.generator, width=8, blocks=1)
        result = method.transform(tensor(unseen)).permute(0, 2, 3, 1).numpy() * 255
        assert trainer.history[-1]["cycle"] < 0.5 * trainer.history[0]["cycle"]
        for where in (masks, ~masks):
            raw, left = (
                np.linalg.norm(side[where].mean(0) - truth[where].mean(0)) for side in (unseen, result)
            )
            assert left < 0.5 * raw

    def test_tells_steps_epochs_and_the_end(self) -> None:
        settings = self.SETTINGS.model_copy(update={"epochs": 2})
        events = list(CycleTrainer(self.patches(), settings, device="cpu").run())
        assert [event.step for event in events if isinstance(event, StepEvent)] == list(range(1, 33))
        strips = [event.preview for event in events if isinstance(event, EpochEvent)]
        assert [strip.shape for strip in strips] == [(SIDE, 3 * SIDE, 3)] * 2
        assert isinstance(events[-1], DoneEvent)

    def test_twice_is_the_same(self) -> None:
        settings = self.SETTINGS.model_copy(update={"epochs": 1})
        one, other = (CycleTrainer(self.patches(), settings, device="cpu") for _ in range(2))
        list(one.run())
        torch.manual_seed(5)
        list(other.run())
        for key, value in one.generator.state_dict().items():
            torch.testing.assert_close(value, other.generator.state_dict()[key], rtol=0, atol=0)

    def test_divergence_is_said(self) -> None:
        settings = self.SETTINGS.model_copy(update={"learning_rate": 1e30})
        with pytest.raises(TrainingError, match=r"diverged at step \d+; .* a learning_rate below"):
            list(CycleTrainer(self.patches(), settings, device="cpu").run())

    def test_patches_too_small_for_the_discriminator_are_refused(self) -> None:
        tiny = TrainingPatches(*[np.zeros((2, 24, 24, 3), np.uint8)] * 2)
        with pytest.raises(TrainingError, match="at least 32 px"):
            CycleTrainer(tiny, self.SETTINGS, device="cpu")
