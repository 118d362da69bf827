"""The networks that are trained: two generators and the discriminator."""

from __future__ import annotations

from torch import nn

from napari_stainxfer.models.batch_norm import (
    batch_norms,
    fold_batch_norm,
    restate_batch_norm,
    settle_batch_norm,
)
from napari_stainxfer.models.colour_cubic import CubicColourMap, cubic_terms
from napari_stainxfer.models.cycle import (
    CycleDiscriminator,
    CycleGenerator,
    fix_instance_norm,
    settle_instance_norm,
)
from napari_stainxfer.models.hrnet import HRNetGenerator
from napari_stainxfer.models.johnson import JohnsonGenerator
from napari_stainxfer.models.patchgan import PatchDiscriminator
from napari_stainxfer.models.responsibility import ResponsibilityNetwork
from napari_stainxfer.models.ring_filter import RingFilter, ring_kernels
from napari_stainxfer.models.start import Start, StartedGenerator, optical_density

GENERATORS: dict[str, type[HRNetGenerator] | type[JohnsonGenerator]] = {
    "hrnet": HRNetGenerator,
    "johnson": JohnsonGenerator,
}


def make_generator(name: str, *, width: int | None = None, started: bool = False) -> nn.Module:
    """Make an untrained generator, of its own default width if none is given.

    Parameters
    ----------
    name
        A key of ``GENERATORS``.
    width
        Feature maps at full resolution.
    started
        Whether it is to start from measured colours and sharpness, see :class:`StartedGenerator`.

    Raises
    ------
    KeyError
        For a name that is not in ``GENERATORS``; the message lists those that are.
    """
    if name not in GENERATORS:
        raise KeyError(f"no generator is called {name!r}; there are {', '.join(GENERATORS)}")
    network = GENERATORS[name]() if width is None else GENERATORS[name](width=width)
    return StartedGenerator(network) if started else network


__all__ = [
    "GENERATORS",
    "CubicColourMap",
    "CycleDiscriminator",
    "CycleGenerator",
    "HRNetGenerator",
    "JohnsonGenerator",
    "PatchDiscriminator",
    "ResponsibilityNetwork",
    "RingFilter",
    "Start",
    "StartedGenerator",
    "batch_norms",
    "cubic_terms",
    "fix_instance_norm",
    "fold_batch_norm",
    "make_generator",
    "optical_density",
    "restate_batch_norm",
    "ring_kernels",
    "settle_batch_norm",
    "settle_instance_norm",
]
