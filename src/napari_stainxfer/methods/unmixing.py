"""Stain normalisation by unmixing: concentrations of two stains, shown in the reference's colours.

Beer and Lambert's law makes the optical density of a pixel the sum of its stains' densities. Ruifrok,
Macenko, Rabinovich (``nmf``) and Vahadane differ in how the stains' colours are found and in how
concentrations are solved for; what follows is the same. The 99th percentile of each concentration over the
tissue is brought to the reference's (Macenko's and Vahadane's rule, used here for all four), and the
picture is put together again with the reference's stain colours and glass.

What two stains cannot make is lost, as in the papers: red cells, pigment and ink turn into mixtures of
haematoxylin and eosin. Ruifrok keeps it, because his matrix is completed by the direction that neither
stain has. And as far as a side has too little tissue to be believed it is kept by all of them, or stains that
nobody measured would take it away.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_stainxfer.methods import stain_vectors
from napari_stainxfer.methods.concentrations import density_over_glass, inverse, sparse, transmitted
from napari_stainxfer.methods.shrinking import shrunk
from napari_stainxfer.methods.tissue_colours import TissueColours

Floats = NDArray[np.float64]


class UnmixingModel(NamedTuple):
    """What tells the four apart.

    Attributes
    ----------
    find
        Stain vectors (2, 3) from optical densities (n, 3), or None where they cannot be found.
    penalty
        Of the concentrations' L1 norm, where they must not be negative; None for plain least squares.
    keeps_rest
        Whether what neither stain explains is kept as it is.
    """

    find: Callable[[Floats], Floats | None]
    penalty: float | None = None
    keeps_rest: bool = False


MODELS: dict[str, UnmixingModel] = {
    "ruifrok": UnmixingModel(lambda _: stain_vectors.fixed(), keeps_rest=True),
    "macenko": UnmixingModel(stain_vectors.macenko),
    "nmf": UnmixingModel(stain_vectors.nmf, penalty=0.0),
    # 0.1 finds the vectors; at every pixel so much would fade pale tissue, and a tenth of it is used
    "vahadane": UnmixingModel(stain_vectors.vahadane, penalty=0.01),
}

_STRONGEST_SCALE = 8.0
_PERCENTILE = 99


def shapes(model: UnmixingModel) -> dict[str, tuple[int, ...]]:
    """Shapes of what :func:`measure` gives."""
    count = 3 if model.keeps_rest else 2
    return {"stains": (2, count, 3), "scale": (count,), "glass": (2, 3), "kept": ()}


def measure(
    model: UnmixingModel, source: TissueColours, reference: TissueColours
) -> dict[str, NDArray[np.float64]]:
    """Stains and glass (source's, reference's), scale of the concentrations, share of the rest that is kept.

    The rest is what the stains cannot make.
    """
    densities = [_density(side) for side in (source, reference)]
    found = [model.find(density) if len(density) else None for density in densities]
    if found[0] is None and found[1] is None:
        found = [stain_vectors.fixed(), stain_vectors.fixed()]
    trusts = source.trust, reference.trust
    stains = [stain_vectors.unit(side) for side in shrunk(found[0], found[1], *trusts)]
    own, wanted = (_strengths(model, *side) for side in zip(densities, stains, strict=True))
    own, wanted = shrunk(own, wanted, *trusts)
    scale = wanted / np.maximum(own, 1e-3)
    scale = scale.clip(1 / _STRONGEST_SCALE, _STRONGEST_SCALE)
    if model.keeps_rest:
        stains = [np.concatenate([side, stain_vectors.unit(np.cross(*side)[None])]) for side in stains]
        scale = np.append(scale, 1.0)
    return {
        "stains": np.stack(stains),
        "scale": scale,
        "glass": np.stack([source.glass, reference.glass]),
        "kept": np.array(1 - min(trusts)),
    }


def _density(side: TissueColours) -> Floats:
    light, glass = torch.from_numpy(side.stained.astype(float)), torch.from_numpy(side.glass)
    density: Floats = density_over_glass(light, glass).clamp_min(0).numpy()
    return density


def _strengths(model: UnmixingModel, density: Floats, stains: Floats) -> Floats | None:
    if not len(density):
        return None
    amounts = _concentrations(model, torch.from_numpy(density), torch.from_numpy(stains))
    strengths: Floats = np.percentile(amounts.numpy(), _PERCENTILE, axis=0)
    return strengths


def _concentrations(model: UnmixingModel, density: Tensor, stains: Tensor) -> Tensor:
    if model.penalty is None:
        return inverse(density, stains)
    return sparse(density, stains, model.penalty)


def apply(model: UnmixingModel, image: Tensor, numbers: Mapping[str, Tensor]) -> Tensor:
    """Unmix (N, 3, H, W) in [0, 1] with the source's stains and mix it with the reference's."""
    count, _, height, width = image.shape
    light = image.permute(0, 2, 3, 1).reshape(-1, 3) * 255
    (own_stains, wanted_stains), (own_glass, wanted_glass) = numbers["stains"], numbers["glass"]
    density = density_over_glass(light, own_glass)
    amounts = _concentrations(model, density, own_stains)
    rest = numbers["kept"] * (density - amounts @ own_stains)
    mixed = transmitted((amounts * numbers["scale"]) @ wanted_stains + rest, wanted_glass) / 255
    return mixed.clamp(0, 1).reshape(count, height, width, 3).permute(0, 3, 1, 2)
