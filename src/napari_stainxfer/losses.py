"""Equations 1 to 7 of the paper, one function each.

Two readings of the equations are offered where the printed one is hard to train with:

``scale``
    ``"printed"`` is the sum as written. Its size depends on the extractor, the layer and the patch, so a
    weight that suits VGG19 at 512 px is off by orders of magnitude elsewhere. ``"relative"`` divides the
    content term by the energy of the input's features around their mean and each style term by the
    squared norm of the reference's Gram matrix: neither then depends on the scale of an extractor's features.
``form``
    Equations 5 and 6 as printed, ``log(1 - D(r)) + log(D(t))`` and ``log(1 - D(t))``, have no lower bound
    (a sure discriminator sends them to minus infinity), and the generator's vanishes in gradient just
    where the generator is worst. ``"non-saturating"`` is Goodfellow's form with the same fixed point.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Scale = Literal["relative", "printed"]
Form = Literal["non-saturating", "printed"]
_TINY = 1e-8


def content_loss(input_features: Tensor, output_features: Tensor, *, scale: Scale = "relative") -> Tensor:
    """Equation 1: half the squared distance of two feature maps.

    Parameters
    ----------
    input_features, output_features
        (N, C, H, W), of the input image ``p`` and of the transformed image ``t``.
    scale
        ``"printed"``: the mean over the batch of the printed sum. ``"relative"``: divided by the input
        features' energy around their channel means, so that 1/2 means "as far as a flat image".
    """
    p, t = input_features.float(), output_features.float()
    squared = (p - t).square()
    if scale == "printed":
        return 0.5 * squared.sum(dim=(1, 2, 3)).mean()
    energy = (p - p.mean(dim=(2, 3), keepdim=True)).square().mean(dim=(1, 2, 3))
    return 0.5 * (squared.mean(dim=(1, 2, 3)) / (energy + _TINY)).mean()


def gram_matrix(features: Tensor) -> Tensor:
    """Equation 2, divided by the number of locations.

    The printed sum over locations overflows half precision at the first layer; the mean, computed in
    single precision whatever the input, holds the same numbers times the known ``M_l``.

    Parameters
    ----------
    features
        (N, C, H, W).

    Returns
    -------
    Tensor
        (N, C, C), float32.
    """
    with torch.autocast(features.device.type, enabled=False):
        flat = features.float().flatten(2)
        gram: Tensor = flat @ flat.transpose(1, 2) / flat.shape[2]
        return gram


def style_layer_loss(
    reference: Tensor, output: Tensor, *, locations: int, scale: Scale = "relative"
) -> Tensor:
    """Equation 3: squared distance of two Gram matrices at one layer.

    Parameters
    ----------
    reference, output
        (N, C, C) from :func:`gram_matrix`.
    locations
        ``M_l``, the number of locations of the layer's feature map; used by ``"printed"`` only.
    scale
        ``"printed"``: ``1 / (N_l M_l)`` times the sum over the unnormalised matrices, averaged over the
        batch. ``"relative"``: divided by the squared norm of the reference's matrix.
    """
    squared = (reference - output).square().sum(dim=(1, 2))
    if scale == "printed":
        return (squared * (locations / reference.shape[1])).mean()  # (M_l^2 squared) / (N_l M_l)
    return (squared / (reference.square().sum(dim=(1, 2)) + _TINY)).mean()


def style_loss(
    reference: Mapping[str, Tensor],
    output: Mapping[str, Tensor],
    *,
    weights: Mapping[str, float] | None = None,
    scale: Scale = "relative",
) -> Tensor:
    """Equation 4: the weighted sum of equation 3 over the layers.

    Parameters
    ----------
    reference
        Gram matrices of the reference image by layer name (computed once, see :func:`gram_matrix`).
    output
        Feature maps (N, C, H, W) of the transformed image by layer name.
    weights
        ``w_l`` by layer name; every missing one is the paper's 1.
    """
    terms = [
        (weights or {}).get(layer, 1.0)
        * style_layer_loss(
            gram, gram_matrix(output[layer]), locations=output[layer][0, 0].numel(), scale=scale
        )
        for layer, gram in reference.items()
    ]
    return torch.stack(terms).sum()


def discriminator_loss(
    reference_logits: Tensor, output_logits: Tensor, *, form: Form = "non-saturating"
) -> Tensor:
    """Equation 5: what the discriminator minimises, averaged over patches.

    Parameters
    ----------
    reference_logits, output_logits
        Logits of real reference patches ``r`` and of transformed patches ``t``; ``D`` is their sigmoid.
    form
        ``"printed"``: ``log(1 - D(r)) + log(D(t))``. ``"non-saturating"``: ``-log(D(r)) - log(1 - D(t))``.
    """
    r, t = reference_logits.float(), output_logits.float()
    if form == "printed":
        return F.logsigmoid(-r).mean() + F.logsigmoid(t).mean()
    return F.softplus(-r).mean() + F.softplus(t).mean()


def adversarial_loss(output_logits: Tensor, *, form: Form = "non-saturating") -> Tensor:
    """Equation 6: what the generator minimises to fool the discriminator, averaged over patches.

    ``form="printed"``: ``log(1 - D(t))``. ``"non-saturating"``: ``-log(D(t))``.
    """
    t = output_logits.float()
    return F.logsigmoid(-t).mean() if form == "printed" else F.softplus(-t).mean()


def generator_loss(
    adversarial: Tensor,
    content: Tensor,
    style: Tensor,
    *,
    adversarial_weight: float,
    content_weight: float,
    style_weight: float,
) -> Tensor:
    """Equation 7: the weighted sum of equations 6, 1 and 4."""
    return adversarial_weight * adversarial + content_weight * content + style_weight * style


def colour_loss(goal: Tensor, weight: Tensor, output: Tensor) -> Tensor:
    """Weighted squared distance of colours from their goals; not in the paper.

    Divided by the goals' variance in each image, so that it is relative like the others: with weights of 1,
    1 means "as far as a flat image".

    Parameters
    ----------
    goal, output
        Images (N, 3, H, W).
    weight
        Of every pixel, (N, 1, H, W).
    """
    goal, output = goal.float(), output.float()
    variance = (goal - goal.mean(dim=(2, 3), keepdim=True)).square().mean(dim=(1, 2, 3))
    distance = (weight * (output - goal).square()).mean(dim=(1, 2, 3))
    return (distance / (variance + _TINY)).mean()
