"""Import what training, preview and export need before they need it, so that the window is not held then.

Torch brings hundreds of thousands of objects, some of them only when the first optimiser is made. Python's
garbage collector looks at every object there is once their number has grown by a quarter, and keeps the
interpreter locked for a third of a second meanwhile, whichever thread made it grow.
"""

from __future__ import annotations

import gc
from functools import cache


@cache
def warm_up() -> None:
    """Import; call it in a thread while the docks open. Only the first call does anything."""
    watched = gc.isenabled()
    gc.disable()
    try:
        _import()
    finally:
        gc.collect()  # once now, and then not before there are a quarter more objects
        if watched:
            gc.enable()


def _import() -> None:
    import torch

    import napari_stainxfer.applying
    import napari_stainxfer.methods.fitting  # noqa: F401

    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.zeros(1)
    torch.optim.Adam([weight]).step()  # imports much of torch on its first use
