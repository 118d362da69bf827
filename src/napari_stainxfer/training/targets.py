"""What the generator is compared with: computed once where it never changes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_stainxfer.features import FeatureExtractor
from napari_stainxfer.losses import gram_matrix
from napari_stainxfer.training.colour_goals import ColourGoals, colour_goals


@dataclass(frozen=True)
class Targets:
    """The fixed side of equations 1 and 3 and of the colour loss, for N pairs.

    Attributes
    ----------
    content
        Feature maps (N, C, h, w) of the source patches by content layer.
    grams
        Gram matrices (N, C, C) wanted of the transformed patches by style layer.
    goals
        Colour goals of the source patches, where training uses them.
    """

    content: dict[str, Tensor]
    grams: dict[str, Tensor]
    goals: ColourGoals | None

    def take(self, index: Tensor) -> Targets:
        """The targets of some pairs."""
        return Targets(
            {layer: features[index] for layer, features in self.content.items()},
            {layer: gram[index] for layer, gram in self.grams.items()},
            None if self.goals is None else self.goals.take(index),
        )


class TargetMaker:
    """Makes targets, for which it has to see all pairs once.

    Parameters
    ----------
    extractor
        The frozen network.
    source, reference
        All pairs, (N, 3, H, W) in [0, 1]; the source as the generator is shown it.
    shared_style
        Share of the mean Gram matrices of all reference patches in each pair's, 0 to 1.
    with_goals
        Whether to measure the colour goals, which takes seconds.
    batch_size
        Patches at a time, so that memory stays flat.

    Attributes
    ----------
    goals
        Colour goals of all pairs, if measured.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        source: Tensor,
        reference: Tensor,
        *,
        shared_style: float = 0.0,
        with_goals: bool = True,
        batch_size: int = 4,
    ) -> None:
        self._extractor, self._batch_size = extractor, batch_size
        self._shared_style = shared_style
        self._source, self._grams = source, self._grams_of(reference)
        self._mean_grams = {layer: gram.mean(dim=0) for layer, gram in self._grams.items()}
        self.goals = colour_goals(source, reference) if with_goals else None
        self._of_all: Targets | None = None

    def of_pairs(self, index: Tensor) -> Targets:
        """Targets of some of the pairs; those of all are computed when first asked for."""
        if self._of_all is None:
            self._of_all = self._targets(self._source, self._grams, self.goals)
        return self._of_all.take(index)

    def of_images(self, source: Tensor, reference: Tensor, goals: ColourGoals | None) -> Targets:
        """Targets of pairs that have been turned, and their colour goals with them."""
        return self._targets(source, self._grams_of(reference), goals)

    @torch.no_grad()
    def _grams_of(self, reference: Tensor) -> dict[str, Tensor]:
        parts = []
        for some in torch.split(reference, self._batch_size):
            features = self._extractor(some, self._extractor.style_layers)
            parts.append({layer: gram_matrix(maps) for layer, maps in features.items()})
        return _joined(parts)

    @torch.no_grad()
    def _targets(self, source: Tensor, grams: dict[str, Tensor], goals: ColourGoals | None) -> Targets:
        content = [
            self._extractor(some, self._extractor.content_layers)
            for some in torch.split(source, self._batch_size)
        ]
        shared = {
            layer: torch.lerp(gram, self._mean_grams[layer].expand_as(gram), self._shared_style)
            for layer, gram in grams.items()
        }
        return Targets(_joined(content), shared, goals)


def _joined(parts: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    return {layer: torch.cat([part[layer] for part in parts]) for layer in parts[0]}
