"""Import what training, preview and export need before they need it, so that the window is not held then.

Torch brings hundreds of thousands of objects, some of them only when the first optimiser is made. Python's
garbage collector looks at every object there is once their number has grown by a quarter, and keeps the
interpreter locked for a third of a second meanwhile, whichever thread made it grow.
"""

from __future__ import annotations

import gc
from threading import Event, Lock

_ONE_AT_A_TIME = Lock()
_DONE = Event()


def is_warm() -> bool:
    """Whether everything is imported."""
    return _DONE.is_set()


def warm_up() -> None:
    """Import; call it in a thread while the docks open. Only the first call does anything."""
    with _ONE_AT_A_TIME:
        if is_warm():
            return
        watched = gc.isenabled()
        gc.disable()
        try:
            _import()
        finally:
            gc.collect()  # once now, and then not before there are a quarter more objects
            if watched:
                gc.enable()
        _DONE.set()


def _import() -> None:
    import torch

    import napari_stainxfer.applying
    import napari_stainxfer.methods.fitting  # noqa: F401

    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.zeros(1)
    torch.optim.Adam([weight]).step()  # imports much of torch on its first use
