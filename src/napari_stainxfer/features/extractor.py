"""What every frozen feature extractor has in common."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import torch
from torch import Tensor, nn


class FeatureExtractor(nn.Module):
    """A pre-trained network run as a chain of named stages, never trained.

    Parameters
    ----------
    name
        The name it is made by.
    stages
        Stage modules by layer name, in the order in which they run.
    content_layers, style_layers
        The layers that the content and the style losses compare.
    mean, std
        Of the RGB values in [0, 1] that the weights were trained with; applied inside.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str,
        stages: Mapping[str, nn.Module],
        *,
        content_layers: tuple[str, ...],
        style_layers: tuple[str, ...],
        mean: Sequence[float],
        std: Sequence[float],
    ) -> None:
        super().__init__()
        self.name = name
        self.content_layers = content_layers
        self.style_layers = style_layers
        self.stages = nn.ModuleDict(stages)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1))
        self.requires_grad_(False)
        self.eval()
        # Measured on CPU: a quarter faster forward and backward than the default layout.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def layers(self) -> tuple[str, ...]:
        """Every layer that can be asked for, shallowest first."""
        return tuple(self.stages)

    def train(self, mode: bool = True) -> FeatureExtractor:  # noqa: ARG002
        """Stay in inference mode: the extractor is frozen, whatever holds it."""
        super().train(False)
        return self

    def forward(self, x: Tensor, layers: Collection[str] | None = None) -> dict[str, Tensor]:
        """Features of RGB images, computed no further than the deepest layer asked for.

        Parameters
        ----------
        x
            Float RGB (N, 3, H, W) in [0, 1].
        layers
            Names out of `layers`; by default those of content and style.

        Returns
        -------
        dict
            Features (N, C, h, w) by layer name, shallowest first.

        Raises
        ------
        ValueError
            If a layer does not exist.
        """
        wanted = set(self.content_layers + self.style_layers if layers is None else layers)
        unknown = sorted(wanted - set(self.stages))
        if unknown:
            known = ", ".join(self.stages)
            raise ValueError(f"{self.name} has no layer {', '.join(unknown)}; its layers are {known}")
        found: dict[str, Tensor] = {}
        x = ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        for layer, stage in self.stages.items():
            if len(found) == len(wanted):
                break
            x = stage(x)
            if layer in wanted:
                found[layer] = x
        return found
