"""StainGAN in use: a trained generator with fixed statistics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from napari_stainxfer.models import CycleGenerator, fix_instance_norm
from napari_stainxfer.training import autocast, resolve_device


class StainGAN:
    """StainGAN's generator as a :class:`StainMethod` (Shaban et al., ISBI 2019; CycleGAN, Zhu et al., 2017).

    Its instance norms normalise with the statistics of the source's training patches together, not with
    those of each tile, so that the tiles of a slide agree.

    Parameters
    ----------
    generator
        With fixed statistics.
    width, blocks
        What its like is built from.
    """

    def __init__(self, generator: CycleGenerator, *, width: int, blocks: int) -> None:
        self._state = {key: value.detach().cpu().clone() for key, value in generator.state_dict().items()}
        self._shape = {"width": width, "blocks": blocks}
        self._network = generator.eval().requires_grad_(False)
        self._device = next(generator.parameters()).device
        self.halo_px, self.align_px = generator.reach_px, generator.align_px

    @classmethod
    def from_state(cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> StainGAN:
        """Build again what :meth:`state` gave."""
        generator = CycleGenerator(width=settings["width"], blocks=settings["blocks"])
        fix_instance_norm(generator).load_state_dict(dict(tensors))
        return cls(generator, width=settings["width"], blocks=settings["blocks"])

    def state(self) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
        """See :class:`StainMethod`."""
        return self._state, self._shape

    def to(self, device: str) -> StainGAN:
        """See :class:`StainMethod`."""
        self._device = resolve_device(device)
        self._network.to(self._device)
        return self

    @torch.inference_mode()
    def transform(self, image: Tensor) -> Tensor:
        """See :class:`StainMethod`."""
        with autocast(self._device):
            output: Tensor = self._network(image.to(self._device))
        return output.float().cpu()
