"""What generator and discriminator minimise: equations 5 and 7 on a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_stainxfer import losses as eq
from napari_stainxfer.features import FeatureExtractor
from napari_stainxfer.training.colour_goals import pooled
from napari_stainxfer.training.settings import TrainingSettings
from napari_stainxfer.training.targets import Targets


class Objective:
    """The losses of a training, with the networks that judge.

    Parameters
    ----------
    settings
        Weights and forms of the losses.
    extractor
        The frozen network.
    discriminator
        Frozen but in :meth:`discriminator_gradients`.
    """

    def __init__(
        self, settings: TrainingSettings, extractor: FeatureExtractor, discriminator: nn.Module
    ) -> None:
        self._settings, self._extractor = settings, extractor
        self._discriminator = discriminator.requires_grad_(False)

    def discriminator_gradients(self, reference: Tensor, output: Tensor, share: float) -> float:
        """Add equation 5's gradients, times ``share``, to the discriminator's; returns the loss."""
        self._discriminator.requires_grad_(True)
        loss = eq.discriminator_loss(
            self._discriminator(reference),
            self._discriminator(output),
            form=self._settings.adversarial_form,
        )
        (loss * share).backward()  # type: ignore[no-untyped-call]
        # Frozen again only now: a parameter frozen before the backward pass gets no gradient.
        self._discriminator.requires_grad_(False)
        return loss.item()

    def generator_terms(self, output: Tensor, targets: Targets) -> dict[str, Tensor]:
        """Equation 7 as ``generator``, and its parts by name; the discriminator is frozen."""
        settings, extractor = self._settings, self._extractor
        features = extractor(output, {*extractor.content_layers, *extractor.style_layers})
        content = torch.stack(
            [
                eq.content_loss(fixed, features[layer], scale=settings.scale)
                for layer, fixed in targets.content.items()
            ]
        ).sum()
        style = eq.style_loss(targets.grams, features, scale=settings.scale)
        terms = {"content": content, "style": style}
        adversarial = output.new_zeros(())
        if settings.recipe.adversarial:
            adversarial = eq.adversarial_loss(self._discriminator(output), form=settings.adversarial_form)
            terms["adversarial"] = adversarial
        terms["generator"] = eq.generator_loss(
            adversarial,
            content,
            style,
            adversarial_weight=settings.adversarial_weight,
            content_weight=settings.content_weight,
            style_weight=settings.style_weight,
        )
        if settings.colour_weight:
            assert targets.goals is not None
            terms["colour"] = eq.colour_loss(targets.goals.colours, targets.goals.weights, pooled(output))
            terms["generator"] = terms["generator"] + settings.colour_weight * terms["colour"]
        return terms
