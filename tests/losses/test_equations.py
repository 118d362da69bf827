"""Equations 1 to 7 against the printed sums, written out in loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_stainxfer import losses as eq

Array = NDArray[np.float64]


def random(*shape: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def tensor(values: Array) -> Tensor:
    return torch.from_numpy(values).float()


def literal_content(p: Array, t: Array) -> float:
    """Equation 1; features by map i and location j."""
    total = 0.0
    for i in range(p.shape[0]):
        for j in range(p.shape[1]):
            total += (p[i, j] - t[i, j]) ** 2
    return total / 2


def literal_gram(features: Array) -> Array:
    """Equation 2."""
    maps, locations = features.shape
    gram = np.zeros((maps, maps))
    for i in range(maps):
        for k in range(maps):
            for j in range(locations):
                gram[i, k] += features[i, j] * features[k, j]
    return gram


def literal_style(r: Array, t: Array) -> float:
    """Equation 3, with its factor 1 / (N_l M_l)."""
    maps, locations = t.shape
    gram_r, gram_t = literal_gram(r), literal_gram(t)
    total = 0.0
    for i in range(maps):
        for k in range(maps):
            total += (gram_r[i, k] - gram_t[i, k]) ** 2
    return total / (maps * locations)


class TestContent:
    def test_equation_1(self) -> None:
        p, t = random(3, 4, 5, 6, seed=0), random(3, 4, 5, 6, seed=1)
        literal = np.mean([literal_content(*(side[n].reshape(4, 30) for side in (p, t))) for n in range(3)])
        assert float(eq.content_loss(tensor(p), tensor(t), scale="printed")) == pytest.approx(literal)

    def test_relative_is_a_half_for_a_flat_picture_whatever_the_extractor(self) -> None:
        p = tensor(random(2, 4, 9, 9, seed=0)) + 3
        flat = p.mean(dim=(2, 3), keepdim=True).expand_as(p)
        for gain in (1e-2, 1, 1e3):
            assert float(eq.content_loss(gain * p, gain * flat)) == pytest.approx(0.5, rel=1e-3)

    @pytest.mark.parametrize("scale", ["printed", "relative"])
    def test_nothing_lost_nothing_to_pay(self, scale: eq.Scale) -> None:
        p = tensor(random(2, 4, 5, 5, seed=0))
        assert float(eq.content_loss(p, p.clone(), scale=scale)) == 0

    @pytest.mark.parametrize("scale", ["printed", "relative"])
    def test_descent_leads_back_to_the_input(self, scale: eq.Scale) -> None:
        p, t = (tensor(random(1, 2, 4, 4, seed=seed)) for seed in (0, 1))
        t.requires_grad_()
        eq.content_loss(p, t, scale=scale).backward()
        assert torch.equal(t.grad.sign(), (t - p).detach().sign())

    def test_a_blank_input_is_no_division_by_zero(self) -> None:
        blank = torch.ones(1, 2, 3, 3)
        assert float(eq.content_loss(blank, blank)) == 0
        assert eq.content_loss(blank, torch.zeros(1, 2, 3, 3)).isfinite()


class TestStyle:
    def test_equation_2(self) -> None:
        features = random(2, 3, 4, 5, seed=2)
        gram = eq.gram_matrix(tensor(features)).numpy() * 20  # its printed sum has M_l = 20 locations
        for n in range(2):
            np.testing.assert_allclose(
                gram[n], literal_gram(features[n].reshape(3, 20)), rtol=1e-4, atol=1e-5
            )

    def test_equation_3(self) -> None:
        r, t = random(2, 3, 4, 5, seed=3), random(2, 3, 4, 5, seed=4)
        literal = np.mean([literal_style(*(side[n].reshape(3, 20) for side in (r, t))) for n in range(2)])
        loss = eq.style_layer_loss(
            eq.gram_matrix(tensor(r)), eq.gram_matrix(tensor(t)), locations=20, scale="printed"
        )
        assert loss.item() == pytest.approx(literal, rel=1e-5)

    @pytest.mark.parametrize("weights", [None, {"deep": 0.25}, {"shallow": 3.0, "deep": 0.0}])
    def test_equation_4(self, weights: dict[str, float] | None) -> None:
        shapes = {"shallow": (3, 8, 6), "deep": (5, 4, 3)}
        r = {layer: random(1, *shape, seed=5) for layer, shape in shapes.items()}
        t = {layer: random(1, *shape, seed=6) for layer, shape in shapes.items()}
        literal = sum(
            (weights or {}).get(layer, 1.0)
            * literal_style(*(side[layer].reshape(maps, height * width) for side in (r, t)))
            for layer, (maps, height, width) in shapes.items()
        )
        grams = {layer: eq.gram_matrix(tensor(features)) for layer, features in r.items()}
        loss = eq.style_loss(
            grams, {layer: tensor(value) for layer, value in t.items()}, weights=weights, scale="printed"
        )
        assert loss.item() == pytest.approx(literal, rel=1e-5)

    def test_relative_does_not_depend_on_the_extractors_scale_or_the_patch_size(self) -> None:
        r, t = random(1, 3, 8, 8, seed=7), random(1, 3, 8, 8, seed=8)
        losses = [
            float(
                eq.style_loss(
                    {"layer": eq.gram_matrix(tensor(gain * np.tile(r, (1, 1, tiles, tiles))))},
                    {"layer": tensor(gain * np.tile(t, (1, 1, tiles, tiles)))},
                )
            )
            for gain, tiles in ((1.0, 1), (1e-1, 1), (1e2, 1), (1.0, 4))
        ]
        assert losses == pytest.approx([losses[0]] * 4, rel=1e-3)
        flat = eq.style_loss({"layer": eq.gram_matrix(tensor(r))}, {"layer": torch.zeros(1, 3, 8, 8)})
        assert float(flat) == pytest.approx(1.0)

    @pytest.mark.parametrize("scale", ["printed", "relative"])
    def test_descent_leads_to_the_references_style(self, scale: eq.Scale) -> None:
        grams = {"layer": eq.gram_matrix(tensor(random(1, 3, 6, 6, seed=9)))}
        t = tensor(random(1, 3, 6, 6, seed=10)).requires_grad_()
        before = eq.style_loss(grams, {"layer": t}, scale=scale)
        (gradient,) = torch.autograd.grad(before, t)
        step = 1e-3 * before.item() / gradient.square().sum().item()
        assert eq.style_loss(grams, {"layer": (t - step * gradient).detach()}, scale=scale) < before

    def test_gram_matrices_are_safe_in_half_precision(self) -> None:
        """The largest half is 65504: a printed sum, and even one product, would overflow."""
        features = torch.full((1, 2, 64, 64), 6e4, dtype=torch.float16)
        features[:, 1] *= -0.5
        expected = torch.tensor([[[3.6e9, -1.8e9], [-1.8e9, 0.9e9]]])
        for dtype in (torch.float16, torch.bfloat16):
            gram = eq.gram_matrix(features.to(dtype))
            assert gram.dtype == torch.float32
            assert torch.allclose(gram, expected, rtol=0.01)
        printed = eq.style_layer_loss(gram, torch.zeros_like(gram), locations=64 * 64, scale="printed")
        assert printed.isfinite()

    def test_autocast_does_not_round_gram_matrices(self) -> None:
        features = tensor(random(1, 4, 16, 16, seed=11))
        exact = eq.gram_matrix(features)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert torch.equal(eq.gram_matrix(features), exact)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


class TestAdversarial:
    def test_equation_5_as_printed(self) -> None:
        r, t = random(1, 1, 3, 4, seed=12), random(1, 1, 3, 4, seed=13)
        literal = 0.0
        for real in r.flat:
            literal += math.log(1 - sigmoid(real)) / r.size
        for output in t.flat:
            literal += math.log(sigmoid(output)) / t.size
        assert float(eq.discriminator_loss(tensor(r), tensor(t), form="printed")) == pytest.approx(literal)

    def test_equation_5_non_saturating(self) -> None:
        r, t = random(1, 1, 3, 4, seed=12), random(1, 1, 3, 4, seed=13)
        literal = 0.0
        for real in r.flat:
            literal -= math.log(sigmoid(real)) / r.size
        for output in t.flat:
            literal -= math.log(1 - sigmoid(output)) / t.size
        assert float(eq.discriminator_loss(tensor(r), tensor(t))) == pytest.approx(literal)

    def test_equation_6(self) -> None:
        t = random(2, 1, 3, 4, seed=14)
        printed = sum(math.log(1 - sigmoid(output)) for output in t.flat) / t.size
        stable = sum(-math.log(sigmoid(output)) for output in t.flat) / t.size
        assert float(eq.adversarial_loss(tensor(t), form="printed")) == pytest.approx(printed)
        assert float(eq.adversarial_loss(tensor(t))) == pytest.approx(stable)

    def test_values_where_the_discriminator_cannot_tell(self) -> None:
        """D = 1/2 everywhere is the fixed point of both forms: a verdict shared by both sides stays there."""
        for form, disc, adv in (
            ("non-saturating", 2 * math.log(2), math.log(2)),
            ("printed", -2 * math.log(2), -math.log(2)),
        ):
            shared = torch.zeros(1, 1, 2, 2, requires_grad=True)
            loss = eq.discriminator_loss(shared, shared, form=form)
            (gradient,) = torch.autograd.grad(loss, shared)
            assert loss.item() == pytest.approx(disc)
            assert eq.adversarial_loss(shared, form=form).item() == pytest.approx(adv)
            assert gradient.abs().max() < 1e-7

    def test_the_printed_form_has_no_floor_and_the_default_has(self) -> None:
        for sure in (1e2, 1e4, 1e6):
            real, fake = torch.full((1, 1, 2, 2), sure), torch.full((1, 1, 2, 2), -sure)
            assert float(eq.discriminator_loss(real, fake, form="printed")) == pytest.approx(-2 * sure)
            assert float(eq.adversarial_loss(real, form="printed")) == pytest.approx(-sure)
            assert float(eq.discriminator_loss(real, fake)) == pytest.approx(0)
            assert float(eq.adversarial_loss(real)) == pytest.approx(0)
            assert float(eq.adversarial_loss(fake)) == pytest.approx(sure)

    @pytest.mark.parametrize("form", ["non-saturating", "printed"])
    def test_each_side_pulls_its_way(self, form: eq.Form) -> None:
        real, fake = (tensor(random(1, 1, 3, 3, seed=seed)).requires_grad_() for seed in (15, 16))
        eq.discriminator_loss(real, fake, form=form).backward()
        assert (real.grad < 0).all(), "descent raises the verdict on the reference"
        assert (fake.grad > 0).all(), "and lowers it on the output"
        fake.grad = None
        eq.adversarial_loss(fake, form=form).backward()
        assert (fake.grad < 0).all(), "the generator wants its own raised"

    def test_only_the_default_pulls_a_bad_generator(self) -> None:
        for form, slope in (("non-saturating", -1.0), ("printed", 0.0)):
            caught = torch.tensor([-30.0], requires_grad=True)
            eq.adversarial_loss(caught, form=form).backward()
            assert float(caught.grad) == pytest.approx(slope, abs=1e-6)

    def test_logits_in_half_precision_are_summed_in_single(self) -> None:
        logits = torch.full((1, 1, 300, 300), -60000.0, dtype=torch.float16)
        assert float(eq.adversarial_loss(logits)) == pytest.approx(60000, rel=1e-3)


def test_equation_7() -> None:
    terms = [torch.tensor(value, requires_grad=True) for value in (0.7, 2.0, 5.0)]
    loss = eq.generator_loss(*terms, adversarial_weight=0.1, content_weight=3.0, style_weight=10.0)
    loss.backward()
    assert loss.item() == pytest.approx(0.1 * 0.7 + 3 * 2 + 10 * 5)
    assert [float(term.grad) for term in terms] == pytest.approx([0.1, 3.0, 10.0])


class TestColour:
    def test_literal(self) -> None:
        goal, output, weight = (
            random(2, 3, 7, 5, seed=17),
            random(2, 3, 7, 5, seed=18),
            random(2, 1, 7, 5, seed=19),
        )
        literal = [
            (w * (t - g) ** 2).mean() / ((g - g.mean(axis=(1, 2), keepdims=True)) ** 2).mean()
            for g, w, t in zip(goal, weight, output, strict=True)
        ]
        assert float(eq.colour_loss(*map(tensor, (goal, weight, output)))) == pytest.approx(np.mean(literal))

    def test_zero_at_the_goal_and_one_for_a_flat_image(self) -> None:
        goal, ones = tensor(random(1, 3, 8, 8, seed=20)), torch.ones(1, 1, 8, 8)
        assert float(eq.colour_loss(goal, ones, goal)) == 0
        flat = goal.mean(dim=(2, 3), keepdim=True).expand_as(goal)
        assert float(eq.colour_loss(goal, ones, flat)) == pytest.approx(1)
