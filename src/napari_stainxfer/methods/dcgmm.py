"""DCGMM in use: each class of tissue takes on the colours that it has in the reference."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_stainxfer.methods.background import STAINED, Glass
from napari_stainxfer.methods.concentrations import density_over_glass, transmitted
from napari_stainxfer.methods.hue_density import from_hue_density, to_hue_density
from napari_stainxfer.models import ResponsibilityNetwork
from napari_stainxfer.training import MixtureTrainer, StainedPatches, resolve_device

_PER_SIDE = ("source", "reference")
_NETWORK = "network."


class DCGMM:
    """Zanjani's deep convolutional Gaussian mixture as a :class:`StainMethod` (MICCAI 2018).

    The network tells from the density around a pixel which class of tissue it belongs to, by shares. In each
    class density and chromatic coordinates are moved and stretched from the source's mean and standard
    deviation to the reference's, and the classes' colours are mixed by the shares.

    Parameters
    ----------
    network
        Fitted.
    numbers
        ``density`` (2,) of the source: mean and standard deviation; ``{source,reference}_mean`` and
        ``_spread`` (K, 3); ``{source,reference}_glass`` (3,), 0 to 255.
    width
        Feature maps of the network.

    Raises
    ------
    ValueError
        When not all numbers are finite.
    """

    align_px: int = 1

    def __init__(self, network: ResponsibilityNetwork, numbers: Mapping[str, Tensor], *, width: int) -> None:
        self._state = {key: value.detach().cpu().float() for key, value in numbers.items()}
        self._state |= {_NETWORK + key: value.cpu().clone() for key, value in network.state_dict().items()}
        if not all(value.isfinite().all() for value in self._state.values()):
            raise ValueError("not all numbers of DCGMM are finite")
        self._settings = {"classes": len(numbers["source_mean"]), "width": width}
        self._network = network.eval().requires_grad_(False)
        self._numbers = {key: value for key, value in self._state.items() if not key.startswith(_NETWORK)}
        self._device = torch.device("cpu")
        self.halo_px = network.reach_px

    @classmethod
    def from_trainer(cls, trainer: MixtureTrainer, glasses: tuple[Glass, Glass]) -> DCGMM:
        """Freeze what a fitting has reached; it may go on. Glass of the source and the reference."""
        numbers = {"density": trainer.densities[0]}
        for side, colours, glass in zip(_PER_SIDE, trainer.colours, glasses, strict=True):
            numbers |= {f"{side}_mean": colours.mean, f"{side}_spread": colours.spread}
            numbers[f"{side}_glass"] = torch.tensor(glass)
        return cls(copy.deepcopy(trainer.network).cpu(), numbers, width=trainer.settings.width)

    @classmethod
    def from_state(cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> DCGMM:
        """Build again what :meth:`state` gave."""
        network = ResponsibilityNetwork(classes=settings["classes"], width=settings["width"])
        network.load_state_dict(
            {key.removeprefix(_NETWORK): value for key, value in tensors.items() if key.startswith(_NETWORK)}
        )
        numbers = {key: value for key, value in tensors.items() if not key.startswith(_NETWORK)}
        return cls(network, numbers, width=settings["width"])

    def state(self) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
        """See :class:`StainMethod`."""
        return self._state, self._settings

    def to(self, device: str) -> DCGMM:
        """See :class:`StainMethod`."""
        self._device = resolve_device(device)
        self._network.to(self._device)
        self._numbers = {key: self._state[key].to(self._device) for key in self._numbers}
        return self

    @torch.inference_mode()
    def transform(self, image: Tensor) -> Tensor:
        """See :class:`StainMethod`."""
        numbers = self._numbers
        light = image.to(self._device).permute(0, 2, 3, 1) * 255
        colours = to_hue_density(density_over_glass(light, numbers["source_glass"]))
        centre, spread = numbers["density"]
        classes = self._network(((colours[..., 0] - centre) / spread)[:, None])
        stretch = numbers["reference_spread"] / numbers["source_spread"]
        shift = numbers["reference_mean"] - numbers["source_mean"] * stretch
        # a mixture of straight lines is the straight line of their mixture
        lines = [torch.einsum("nkhw,kc->nhwc", classes, part) for part in (stretch, shift)]
        moved = colours * lines[0] + lines[1]
        moved[..., 0].clamp_(min=0)
        changed = transmitted(from_hue_density(moved), numbers["reference_glass"]) / 255
        return changed.permute(0, 3, 1, 2).float().cpu()


def stained_patches(patches: NDArray[np.uint8], glass: NDArray[np.float32]) -> StainedPatches:
    """Patches uint8 (N, S, S, 3), over the glass (N, 3) of the slide of each, as a fitting is shown them."""
    density = density_over_glass(torch.tensor(patches).float(), torch.tensor(glass)[:, None, None])
    # STAINED is to the base of ten
    stained = (density.amax(-1) > STAINED * np.log(10)).float()
    return StainedPatches(to_hue_density(density), stained)
