"""Which device to compute on, and how."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from napari_stainxfer.errors import TrainingError


def resolve_device(name: str = "auto") -> torch.device:
    """Turn ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps`` into a device that is there.

    Raises
    ------
    TrainingError
        When the named device is unknown or not present.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise TrainingError(f"Device {name!r} is unknown; use auto, cpu, cuda or mps.") from None
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not present.get(device.type, False):
        raise TrainingError(f"This machine has no {device.type} device that torch can use; use --device cpu.")
    return device


def autocast(device: torch.device) -> AbstractContextManager[object]:
    """Bfloat16 on CUDA, where it is fast; single precision elsewhere."""
    if device.type == "cuda":
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def is_out_of_memory(error: Exception) -> bool:
    """Whether a device had too little memory; only CUDA's allocator has an error class of its own."""
    told = str(error).lower()
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return "out of memory" in told or "allocate memory" in told
