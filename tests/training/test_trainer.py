"""One training: who is trained when, what is computed once, and that a seed decides everything."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from napari_stainxfer import losses as eq
from napari_stainxfer.errors import TrainingError
from napari_stainxfer.features import FeatureExtractor
from napari_stainxfer.losses import gram_matrix
from napari_stainxfer.training import (
    RECIPES,
    DoneEvent,
    EpochEvent,
    StepEvent,
    Trainer,
    TrainingPatches,
    TrainingSettings,
    resolve_device,
)
from napari_stainxfer.training.colour_goals import pooled

Make = Callable[..., Trainer]


@pytest.fixture
def make(pairs: TrainingPatches, tiny_extractor: FeatureExtractor) -> Make:
    def factory(patches: TrainingPatches = pairs, **changes: object) -> Trainer:
        tiny = {"epochs": 2, "batch_size": 2, "generator_width": 4, "discriminator_width": 4} | changes
        return Trainer(patches, TrainingSettings(**tiny), device="cpu", extractor=tiny_extractor)

    return factory


def state(network: nn.Module) -> dict[str, Tensor]:
    return copy.deepcopy(network.state_dict())


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in one.keys() | other.keys())


class TestEvents:
    def test_steps_epochs_and_the_end(self, make: Make) -> None:
        trainer = make()
        events = list(trainer.run())
        assert [type(event) for event in events] == [*[StepEvent] * 3, EpochEvent] * 2 + [DoneEvent]
        steps = [event for event in events if isinstance(event, StepEvent)]
        assert [event.step for event in steps] == [1, 2, 3, 4, 5, 6]
        assert {event.total_steps for event in steps} == {6}
        assert [event.epoch for event in steps] == [0, 0, 0, 1, 1, 1]
        assert steps[-1].seconds_left == 0 < steps[0].seconds_left
        epochs = [event for event in events if isinstance(event, EpochEvent)]
        for epoch, event in enumerate(epochs):
            for name, mean in event.losses.items():
                assert mean == pytest.approx(
                    np.mean([step.losses[name] for step in steps if step.epoch == epoch])
                )
        assert [event.losses for event in epochs] == trainer.history
        assert not trainer.generator.training

    def test_the_preview_is_source_transformed_reference(self, make: Make, pairs: TrainingPatches) -> None:
        trainer = make()
        *_, last, _ = trainer.run()
        assert isinstance(last, EpochEvent)
        left, middle, right = np.split(last.preview, 3, axis=1)
        np.testing.assert_array_equal(left, pairs.source[0])
        np.testing.assert_array_equal(right, pairs.reference[0])
        with torch.no_grad():
            output = (
                trainer.generator(trainer.batches.source[:1])[0].clamp(0, 1).mul(255).permute(1, 2, 0).numpy()
            )
        assert np.abs(middle - output).max() < 0.6

    @pytest.mark.parametrize("method", RECIPES)
    def test_every_method_lowers_its_loss(self, make: Make, method: str) -> None:
        trainer = make(method=method, epochs=8)
        list(trainer.run())
        assert trainer.history[-1]["generator"] < 0.9 * trainer.history[0]["generator"]
        adversarial = RECIPES[method].adversarial
        assert ("discriminator" in trainer.history[0]) == adversarial == ("adversarial" in trainer.history[0])

    def test_with_the_embedded_extractor(self, pairs: TrainingPatches) -> None:
        trainer = Trainer(pairs, TrainingSettings(epochs=4), device="cpu")
        assert trainer.extractor.name == "efficientnet_lite0"
        list(trainer.run())
        first, last = trainer.history[0], trainer.history[-1]
        assert last["style"] < first["style"]
        assert last["generator"] < first["generator"]


class TestTargets:
    def test_computed_once_and_equal_to_fresh_ones(
        self, make: Make, tiny_extractor: FeatureExtractor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        trainer = make()
        list(trainer.run())
        maker = trainer.batches._targets
        assert maker is not None
        kept = maker.of_pairs(torch.arange(5))
        mean = {
            layer: gram_matrix(features).mean(dim=0)
            for layer, features in tiny_extractor(trainer.batches.reference).items()
        }
        for pair in range(5):
            index = torch.tensor([pair])
            features = tiny_extractor(trainer.start(trainer.batches.source[index]))
            for layer, content in kept.take(index).content.items():
                assert torch.allclose(content, features[layer], atol=1e-5)
            features = tiny_extractor(trainer.batches.reference[index])
            for layer, gram in kept.take(index).grams.items():
                mixed = 0.5 * gram_matrix(features[layer]) + 0.5 * mean[layer]
                assert torch.allclose(gram, mixed, rtol=1e-4, atol=1e-6)
        assert kept.content.keys() == set(tiny_extractor.content_layers)
        assert kept.grams.keys() == set(tiny_extractor.style_layers)

    @pytest.mark.parametrize(("augment", "passes"), [(False, 6 + 2 * 3), (True, 3 * 6 + 3)])
    def test_the_extractor_runs_no_more_than_needed(
        self, make: Make, tiny_extractor: FeatureExtractor, augment: bool, passes: int
    ) -> None:
        """Once a step for the output; the five pairs, two by two, once; when turned, again each step, and the
        references once for their mean style."""
        seen: list[int] = []
        hook = tiny_extractor.register_forward_hook(lambda module, args, output: seen.append(1))
        list(make(augment=augment).run())
        hook.remove()
        assert len(seen) == passes

    def test_turned_pairs_are_turned_alike_and_anew(self, make: Make) -> None:
        """Where both sides are the same picture, they must stay so in every turn."""
        trainer = make(augment=True)
        batches = trainer.batches
        batches.reference = batches.source
        pictures = []
        for epoch in range(8):
            (batch,) = batches.of_step(epoch, 0)
            source, reference = batch.source, batch.reference
            assert torch.equal(source, reference)
            upright = batches.source[batches.squares(epoch, 0)]
            assert torch.equal(source.flatten().sort().values, upright.flatten().sort().values)
            pictures.append(source)
        assert len({picture.numpy().tobytes() for picture in pictures}) > 3

    @pytest.mark.parametrize("augment", [False, True])
    def test_the_papers_losses_alone_measure_no_colour_map(
        self, make: Make, augment: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for measure in ("targets.colour_goals", "trainer.measure_start"):  # calling either would fail
            monkeypatch.setattr(f"napari_stainxfer.training.{measure}", None)
        trainer = make(augment=augment, colour_weight=0, start="input")
        list(trainer.run())
        assert "colour" not in trainer.history[-1]


class TestRandomness:
    @pytest.mark.parametrize("augment", [False, True])
    def test_the_seed_decides_everything(self, make: Make, augment: bool) -> None:
        first, again, other = (make(seed=seed, augment=augment) for seed in (3, 3, 4))
        torch.manual_seed(1)
        list(first.run())
        torch.manual_seed(2)
        list(again.run())
        list(other.run())
        assert same(state(first.generator), state(again.generator))
        assert same(state(first.discriminator), state(again.discriminator))
        assert first.history == again.history
        assert not same(state(first.generator), state(other.generator))

    def test_leaves_the_callers_random_state_alone(self, make: Make) -> None:
        torch.manual_seed(5)
        expected = torch.rand(1)
        torch.manual_seed(5)
        list(make().run())
        assert torch.equal(torch.rand(1), expected)

    def test_every_pair_is_seen_once_an_epoch_in_another_order(self, make: Make) -> None:
        trainer = make()
        orders = [
            torch.cat([trainer.batches.squares(epoch, position) for position in range(3)]).tolist()
            for epoch in range(6)
        ]
        assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
        assert len(set(map(tuple, orders))) > 3


class TestSquares:
    @pytest.mark.parametrize(
        ("side_px", "of_each", "cut_px"), [(32, 1, 32), (40, 1, 32), (24, 4, 16), (16, 4, 16)]
    )
    def test_patches_are_cut_into_the_fewest(
        self, pairs: TrainingPatches, side_px: int, of_each: int, cut_px: int
    ) -> None:
        squares = pairs.cut(side_px)
        assert squares.source.shape == squares.reference.shape == (5 * of_each, cut_px, cut_px, 3)
        for whole, parts in ((pairs.source, squares.source), (pairs.reference, squares.reference)):
            np.testing.assert_array_equal(parts[0], whole[0, :cut_px, :cut_px])
            np.testing.assert_array_equal(parts[-1], whole[-1, -cut_px:, -cut_px:])

    def test_every_square_is_seen_once_in_as_many_epochs_as_a_patch_has_squares(self, make: Make) -> None:
        batches = make(square_px=16).batches
        assert batches.steps_per_epoch == 3
        epochs = [torch.cat([batches.squares(epoch, step) for step in range(3)]) for epoch in range(4)]
        for seen in epochs:
            assert sorted((seen // 4).tolist()) == [0, 1, 2, 3, 4], "one square of every pair"
            assert len(set((seen % 4).tolist())) > 1, "not everywhere the same corner"
        assert sorted(torch.cat(epochs).tolist()) == list(range(20))


class TestAlternation:
    """While one network is trained the other is frozen (the paper, section 3.1)."""

    def test_gradients_are_those_of_each_ones_own_loss(self, make: Make) -> None:
        trainer = make(settle_after=0)
        list(trainer.run())  # away from the starting point, where most gradients are zero
        trainer.step = 5
        generator, discriminator = (
            copy.deepcopy(network) for network in (trainer.generator, trainer.discriminator)
        )
        discriminator.requires_grad_(True)
        trainer._train_step(1, 2)
        (batch,) = trainer.batches.of_step(1, 2)
        source, reference, targets = batch.source, batch.reference, trainer.batches.targets(batch)

        output = generator.eval()(source)
        judged = eq.discriminator_loss(discriminator(reference), discriminator(output.detach()))
        expected = torch.autograd.grad(judged, list(discriminator.parameters()))
        for parameter, gradient in zip(trainer.discriminator.parameters(), expected, strict=True):
            assert torch.allclose(parameter.grad, gradient, rtol=1e-3, atol=1e-6)

        features = trainer.extractor(output)
        loss = eq.generator_loss(
            eq.adversarial_loss(trainer.discriminator(output)),  # the one that has just moved
            eq.content_loss(targets.content["shallow"], features["shallow"]),
            eq.style_loss(targets.grams, features),
            adversarial_weight=trainer.settings.adversarial_weight,
            content_weight=trainer.settings.content_weight,
            style_weight=trainer.settings.style_weight,
        ) + trainer.settings.colour_weight * eq.colour_loss(*targets.goals, pooled(output))
        expected = torch.autograd.grad(loss, list(generator.parameters()))
        for parameter, gradient in zip(trainer.generator.parameters(), expected, strict=True):
            assert torch.allclose(parameter.grad, gradient, rtol=1e-3, atol=1e-5)

    def test_only_the_one_whose_turn_it_is_moves(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        trainer, turns = make(), []
        networks = {"generator": trainer.generator, "discriminator": trainer.discriminator}

        def watched(name: str) -> None:
            optimiser = getattr(trainer, f"{name}_optimiser")
            step = optimiser.step

            def watch() -> None:
                before = {
                    part: [value.detach().clone() for value in network.parameters()]
                    for part, network in networks.items()
                }
                step()
                moved = {
                    part
                    for part, network in networks.items()
                    if not all(map(torch.equal, before[part], network.parameters()))
                }
                turns.append((name, moved))

            monkeypatch.setattr(optimiser, "step", watch)

        watched("generator")
        watched("discriminator")
        list(trainer.run())
        assert turns == [("discriminator", {"discriminator"}), ("generator", {"generator"})] * 6

    @pytest.mark.parametrize("method", ["nst", "nst-hrnet"])
    def test_without_adversary_the_discriminator_never_moves(self, make: Make, method: str) -> None:
        trainer = make(method=method)
        before = state(trainer.discriminator)
        list(trainer.run())
        assert same(before, state(trainer.discriminator))

    def test_the_discriminator_learns_to_tell(self, make: Make) -> None:
        trainer = make(epochs=12, discriminator_lr=1e-2, generator_lr=1e-9, anneal=False, start="input")
        list(trainer.run())
        assert trainer.history[-1]["discriminator"] < 0.5 * trainer.history[0]["discriminator"]

    def test_the_extractor_never_changes(self, make: Make, tiny_extractor: FeatureExtractor) -> None:
        before = state(tiny_extractor)
        list(make().run())
        assert same(before, state(tiny_extractor))
        assert not tiny_extractor.training
        assert all(value.grad is None for value in tiny_extractor.parameters())


class TestRates:
    def test_fall_along_a_cosine_or_stay(self, make: Make) -> None:
        for anneal in (True, False):
            trainer = make(anneal=anneal, generator_lr=1e-3, discriminator_lr=1e-5)
            rates = [
                trainer.generator_optimiser.param_groups[0]["lr"]
                for event in trainer.run()
                if isinstance(event, StepEvent)
            ]
            fall = 0.5 * (1 + np.cos(np.pi * np.arange(6) / 6)) if anneal else np.ones(6)
            np.testing.assert_allclose(rates, 1e-3 * fall)
            assert trainer.discriminator_optimiser.param_groups[0]["lr"] == pytest.approx(1e-5 * fall[-1])

    def test_the_papers_preset(self) -> None:
        """Section 3.3: 50 epochs, batches of 4, Adam at 1e-3 and 1e-5, VGG19, style weights 1."""
        paper = TrainingSettings.preset("paper")
        assert (paper.epochs, paper.batch_size, paper.extractor) == (50, 4, "vgg19")
        assert (paper.generator_lr, paper.discriminator_lr, paper.anneal) == (1e-3, 1e-5, False)
        assert paper.colour_weight == paper.shared_style == 0
        assert paper.start == "input"
        assert TrainingSettings.preset("quick", epochs=3, seed=None) == TrainingSettings(epochs=3)

    @pytest.mark.parametrize("wrong", [{"epochs": 0}, {"generator_lr": 0}, {"method": "gan"}, {"lr": 1}])
    def test_wrong_settings_are_refused(self, wrong: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            TrainingSettings(**wrong)


class TestWrongPatches:
    @pytest.mark.parametrize(
        "side",
        [
            np.zeros((2, 32, 32, 3)),
            np.zeros((2, 32, 32), np.uint8),
            np.zeros((2, 32, 32, 4), np.uint8),
            np.zeros((2, 30, 30, 3), np.uint8),
            np.zeros((2, 32, 30, 3), np.uint8),
            np.zeros((2, 32, 64, 3), np.uint8),
            np.zeros((2, 8, 8, 3), np.uint8),
            np.zeros((0, 32, 32, 3), np.uint8),
        ],
        ids=["float", "grey", "rgba", "off-grid", "off-grid-width", "oblong", "too-small", "none"],
    )
    def test_are_refused_in_a_sentence(self, side: np.ndarray) -> None:
        with pytest.raises(TrainingError, match="Training needs"):
            TrainingPatches(side, side)

    def test_as_many_on_both_sides(self) -> None:
        with pytest.raises(TrainingError, match="as many source as reference"):
            TrainingPatches(np.zeros((2, 16, 16, 3), np.uint8), np.zeros((3, 16, 16, 3), np.uint8))

    def test_the_smallest_and_a_single_one_train(self, make: Make) -> None:
        random = np.random.default_rng(0)
        source, reference = random.integers(0, 256, (2, 1, 16, 16, 3), dtype=np.uint8)
        source.flags.writeable = False
        trainer = make(TrainingPatches(source, reference), batch_size=4)
        assert isinstance(list(trainer.run())[-1], DoneEvent)


def test_devices() -> None:
    assert resolve_device("cpu").type == "cpu"
    assert resolve_device("auto").type in ("cpu", "cuda", "mps")
    with pytest.raises(TrainingError, match="unknown; use auto, cpu, cuda or mps"):
        resolve_device("abacus")
    if not torch.cuda.is_available():
        with pytest.raises(TrainingError, match="no cuda device"):
            resolve_device("cuda:1")


def test_the_generator_is_judged_by_the_discriminator_that_has_just_moved(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alternating means one after the other: not two gradients taken from the same old weights."""
    trainer = make(method="nst-ad-hrnet", epochs=1, discriminator_lr=1e-2)
    before = [parameter.detach().clone() for parameter in trainer.discriminator.parameters()]
    moved: list[bool] = []
    terms = trainer._objective.generator_terms

    def watched(*arguments: object) -> dict[str, torch.Tensor]:
        now = trainer.discriminator.parameters()
        moved.append(any(not torch.equal(a, b) for a, b in zip(before, now, strict=True)))
        return terms(*arguments)

    monkeypatch.setattr(trainer._objective, "generator_terms", watched)
    next(trainer.run())
    assert moved == [True]
