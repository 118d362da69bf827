"""Import what training, preview and export need before they need it, so that the window is not held then.

Torch brings hundreds of thousands of objects, some of them only when the first optimiser is made. Python's
garbage collector looks at every object there is once their number has grown by a quarter, and keeps the
interpreter locked for a third of a second meanwhile, whichever thread made it grow.
"""

from __future__ import annotations

import gc
import sys
from functools import cache
from pathlib import Path


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


def keep_triton_out(maps: Path = Path("/proc/self/maps")) -> None:
    """Make Triton look absent where Mesa has drawn: call it before torch is imported.

    Torch for CUDA brings Triton, and the first optimiser imports it. Triton has an LLVM of its own, and
    beside the one that Mesa's drivers have loaded by then the whole process dies. Nothing here needs Triton.
    """
    try:
        loaded = "libLLVM" in maps.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux, where Triton does not come with torch
        return
    if loaded:
        sys.modules.setdefault("triton", None)  # type: ignore[arg-type]


def _import() -> None:
    keep_triton_out()
    import torch

    import napari_stainxfer.applying
    import napari_stainxfer.methods.fitting  # noqa: F401

    weight = torch.nn.Parameter(torch.zeros(1))
    weight.grad = torch.zeros(1)
    torch.optim.Adam([weight]).step()  # imports much of torch on its first use
