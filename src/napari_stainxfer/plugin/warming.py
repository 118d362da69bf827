"""Import what training, preview and export need before they need it, so that the window is not held then.

Torch brings hundreds of thousands of objects, some of them only when the first optimiser is made. Python's
garbage collector looks at every object there is once their number has grown by a quarter, and keeps the
interpreter locked for a third of a second meanwhile, whichever thread made it grow. So what is there after
the import is put out of its sight, and given back to it when a layer, a dock or the viewer goes.
"""

from __future__ import annotations

import ctypes
import gc
import os
from importlib.util import find_spec
from pathlib import Path
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
            gc.freeze()
            if watched:
                gc.enable()
        _DONE.set()


def thaw() -> None:
    """Let the collector see everything again; call it when something large goes."""
    gc.unfreeze()


def _import() -> None:
    _load_library()
    import torch

    import napari_stainxfer.applying
    import napari_stainxfer.methods.fitting  # noqa: F401

    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.zeros(1)
    torch.optim.Adam([weight]).step()  # imports much of torch on its first use


def _load_library() -> None:
    """Load torch's library before the import does, which keeps the interpreter locked for half a second.

    What ctypes calls runs without that lock. Where there is no such function or file, the import loads it.
    """
    found = find_spec("torch")
    if os.name != "posix" or found is None or found.origin is None:
        return
    load = getattr(ctypes.CDLL(None), "dlopen", None)
    if load is None:
        return
    load.restype = ctypes.c_void_p
    for name, mode in (("libtorch_global_deps", os.RTLD_GLOBAL), ("libtorch_cpu", os.RTLD_LOCAL)):
        for library in (Path(found.origin).parent / "lib").glob(f"{name}.*"):
            load(os.fsencode(library), ctypes.c_int(os.RTLD_NOW | mode))
