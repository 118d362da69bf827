"""The pairs that a training sees."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_stainxfer.errors import TrainingError

_LEAST_PX = 16  # what one verdict of the discriminator sees


@dataclass(frozen=True)
class TrainingPatches:
    """Paired patches.

    Attributes
    ----------
    source, reference
        uint8 (N, S, S, 3); ``source[i]`` is paired with ``reference[i]``. S is a multiple of 4, at least 16.
    """

    source: NDArray[np.uint8]
    reference: NDArray[np.uint8]

    def __post_init__(self) -> None:
        for side in (self.source, self.reference):
            square = side.ndim == 4 and side.shape[3] == 3 and side.shape[1] == side.shape[2]
            if side.dtype != np.uint8 or not square or side.shape[1] % 4 or side.shape[1] < _LEAST_PX:
                raise TrainingError(
                    f"Training needs square uint8 RGB patches whose side is a multiple of 4 px and at least "
                    f"{_LEAST_PX} px, not {side.dtype} of shape {side.shape}."
                )
        if self.source.shape != self.reference.shape or not len(self.source):
            raise TrainingError("Training needs at least one pair, and as many source as reference patches.")

    def cut(self, side_px: int) -> TrainingPatches:
        """Cut every patch into the fewest equal squares whose side is at most ``side_px``, rounded to 4 px.

        The squares of patch ``i`` lie one after the other, and both sides are cut alike. What is left at the
        right and lower edges, at most a few pixels, is dropped.
        """
        across = -(-self.source.shape[1] // side_px)
        side = self.source.shape[1] // across // 4 * 4

        def squares(patches: NDArray[np.uint8]) -> NDArray[np.uint8]:
            kept = patches[:, : across * side, : across * side]
            grid = kept.reshape(len(patches), across, side, across, side, 3)
            return grid.transpose(0, 1, 3, 2, 4, 5).reshape(-1, side, side, 3)

        return TrainingPatches(squares(self.source), squares(self.reference))

    def fingerprint(self) -> str:
        """Tells one set of pairs from another, so that a checkpoint is not resumed on the wrong one."""
        digest = hashlib.sha256(self.source.tobytes())
        digest.update(self.reference.tobytes())
        return digest.hexdigest()


def to_tensor(patches: NDArray[np.uint8], device: torch.device) -> Tensor:
    """Patches uint8 (N, S, S, 3) as float (N, 3, S, S) in [0, 1]."""
    tensor = torch.tensor(patches).permute(0, 3, 1, 2).to(device).float().div_(255)
    return tensor.contiguous(memory_format=torch.channels_last)


def random_stream(*key: int) -> torch.Generator:
    """A source of randomness that depends on its key alone."""
    return torch.Generator().manual_seed(
        int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> 1)
    )


def turned(images: Tensor, random: torch.Generator) -> Tensor:
    """One of the eight turns and mirrorings of a square."""
    turns, mirror = (
        torch.randint(4, (1,), generator=random).item(),
        torch.rand(1, generator=random).item() < 0.5,
    )
    images = torch.rot90(images, int(turns), dims=(2, 3))
    return images.flip(3) if mirror else images
