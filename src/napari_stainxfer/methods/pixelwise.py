"""Methods that map each pixel by itself with numbers measured on tissue: their one class in use.

Each such method is a module of two functions. ``measure`` makes a few numbers of the tissue of both sides,
``apply`` maps pixels by them. Here they become a :class:`StainMethod` whose state is those numbers: what was
measured once is the same for every tile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_stainxfer.methods import histogram, reinhard, unmixing
from napari_stainxfer.methods.tissue_colours import TissueColours
from napari_stainxfer.training import resolve_device

Numbers = Mapping[str, NDArray[np.float64]]


class PixelwiseRecipe(NamedTuple):
    """How a method measures, from source and reference, and how it maps pixels."""

    measure: Callable[[TissueColours, TissueColours], Numbers]
    apply: Callable[[Tensor, Mapping[str, Tensor]], Tensor]
    shapes: Mapping[str, tuple[int, ...]]


RECIPES: dict[str, PixelwiseRecipe] = {
    "histogram": PixelwiseRecipe(histogram.measure, histogram.apply, histogram.SHAPES),
    "reinhard": PixelwiseRecipe(reinhard.measure, reinhard.apply, reinhard.SHAPES),
    **{
        name: PixelwiseRecipe(
            partial(unmixing.measure, model), partial(unmixing.apply, model), unmixing.shapes(model)
        )
        for name, model in unmixing.MODELS.items()
    },
}


class PixelwiseMethod:
    """A fitted classical method as a :class:`StainMethod`.

    Parameters
    ----------
    name
        Of its recipe.
    numbers
        What it measured.

    Raises
    ------
    ValueError
        When these are not the numbers of that recipe, or not all of them are finite.
    """

    halo_px: int = 0
    align_px: int = 1

    def __init__(self, name: str, numbers: Mapping[str, Tensor]) -> None:
        self._name, self._recipe = name, RECIPES[name]
        if {key: tuple(value.shape) for key, value in numbers.items()} != dict(self._recipe.shapes):
            raise ValueError(f"these are not the numbers of {name}: {sorted(numbers)}")
        if not all(value.isfinite().all() for value in numbers.values()):
            raise ValueError(f"not all numbers of {name} are finite")
        self._state = {key: value.detach().cpu().float() for key, value in numbers.items()}
        self._numbers, self._device = dict(self._state), torch.device("cpu")

    @classmethod
    def fitted(cls, name: str, source: TissueColours, reference: TissueColours) -> PixelwiseMethod:
        """Measure both sides."""
        numbers = RECIPES[name].measure(source, reference)
        return cls(name, {key: torch.from_numpy(np.asarray(value)) for key, value in numbers.items()})

    @classmethod
    def from_state(cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> PixelwiseMethod:
        """Build again what :meth:`state` gave."""
        return cls(settings["recipe"], tensors)

    def state(self) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
        """See :class:`StainMethod`."""
        return self._state, {"recipe": self._name}

    def to(self, device: str) -> PixelwiseMethod:
        """See :class:`StainMethod`."""
        self._device = resolve_device(device)
        self._numbers = {key: value.to(self._device) for key, value in self._state.items()}
        return self

    @torch.inference_mode()
    def transform(self, image: Tensor) -> Tensor:
        """See :class:`StainMethod`."""
        return self._recipe.apply(image.to(self._device), self._numbers).cpu()
