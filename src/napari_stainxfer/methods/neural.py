"""The paper's method in use: a trained generator, frozen."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from napari_stainxfer.models import StartedGenerator, fold_batch_norm, make_generator
from napari_stainxfer.training import Trainer, autocast, resolve_device


class NeuralStyle:
    """A trained generator as a :class:`StainMethod`; of all four settings of the paper.

    Parameters
    ----------
    generator
        Trained, with its batch norm settled.
    name, width
        What :func:`make_generator` needs to build its like.
    """

    def __init__(self, generator: nn.Module, *, name: str, width: int | None) -> None:
        self._weights = {key: value.detach().cpu().clone() for key, value in generator.state_dict().items()}
        self._name, self._width = name, width
        self._started = isinstance(generator, StartedGenerator)
        self._network = fold_batch_norm(copy.deepcopy(generator)).requires_grad_(False)
        # read from a file it is laid out otherwise than after a training, which moves the last digits
        self._network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._device = next(generator.parameters()).device
        self.halo_px: int = generator.reach_px  # type: ignore[assignment]
        self.align_px: int = generator.align_px  # type: ignore[assignment]

    @classmethod
    def from_trainer(cls, trainer: Trainer) -> NeuralStyle:
        """Freeze what a training has reached."""
        settings = trainer.settings
        return cls(trainer.generator, name=settings.recipe.generator, width=settings.generator_width)

    @classmethod
    def from_state(cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> NeuralStyle:
        """Build again what :meth:`state` gave."""
        generator = make_generator(
            settings["generator"], width=settings["width"], started=settings["started"]
        )
        generator.load_state_dict(dict(tensors))
        return cls(generator, name=settings["generator"], width=settings["width"])

    @property
    def weights(self) -> Mapping[str, Tensor]:
        """The generator's own weights, to start another training from."""
        return self._weights

    def state(self) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
        """See :class:`StainMethod`."""
        return self._weights, {"generator": self._name, "width": self._width, "started": self._started}

    def to(self, device: str) -> NeuralStyle:
        """See :class:`StainMethod`."""
        self._device = resolve_device(device)
        self._network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self

    @torch.inference_mode()
    def transform(self, image: Tensor) -> Tensor:
        """See :class:`StainMethod`."""
        moved = image.to(self._device).contiguous(memory_format=torch.channels_last)
        with autocast(self._device):
            output: Tensor = self._network(moved)
        return output.float().cpu()
