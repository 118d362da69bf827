"""What the generator is compared with: computed once where it never changes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_stainxfer.features import FeatureExtractor
from napari_stainxfer.losses import colour_moments, gram_matrix


@dataclass(frozen=True)
class Targets:
    """The fixed side of equations 1, 3 and 5 for a batch of N pairs.

    Attributes
    ----------
    content
        Feature maps (N, C, h, w) of the source patches by content layer.
    grams
        Gram matrices (N, C, C) of the reference patches by style layer.
    colour
        Mean (N, 3) and covariance (N, 3, 3) of the reference patches' pixels.
    """

    content: dict[str, Tensor]
    grams: dict[str, Tensor]
    colour: tuple[Tensor, Tensor]

    def take(self, index: Tensor) -> Targets:
        """The targets of some pairs."""
        return Targets(
            {layer: features[index] for layer, features in self.content.items()},
            {layer: gram[index] for layer, gram in self.grams.items()},
            (self.colour[0][index], self.colour[1][index]),
        )


@torch.no_grad()
def compute_targets(
    extractor: FeatureExtractor, source: Tensor, reference: Tensor, *, batch_size: int = 4
) -> Targets:
    """Run the extractor over pairs (N, 3, H, W), a few at a time so that memory stays flat."""
    contents, grams = [], []
    for some_source, some_reference in zip(
        torch.split(source, batch_size), torch.split(reference, batch_size), strict=True
    ):
        contents.append(extractor(some_source, extractor.content_layers))
        style = extractor(some_reference, extractor.style_layers)
        grams.append({layer: gram_matrix(features) for layer, features in style.items()})
    return Targets(_join(contents), _join(grams), colour_moments(reference))


def _join(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {layer: torch.cat([part[layer] for part in parts]) for layer in parts[0]}
