"""Training crops: drawn at random, turned, mirrored, and changed in colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_stainxfer.segmentation.settings import SegmenterSettings

_TO_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


class Example(NamedTuple):
    """An image, uint8 (H, W, 3), at the um/px of the segmenter, and where its glomeruli are, bool (H, W)."""

    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]


class Crops:
    """Draws batches of crops.

    Parameters
    ----------
    examples
        None smaller than a crop; an image counts by its area.
    """

    def __init__(self, examples: Sequence[Example], settings: SegmenterSettings) -> None:
        self._settings = settings
        self._examples = examples
        self._random = np.random.default_rng(settings.seed)
        areas = np.array([example.mask.size for example in examples], float)
        inside = np.array([example.mask.sum() for example in examples], float)
        self._by_area = areas / areas.sum()
        self._by_mask = inside / inside.sum()
        self._marked = [np.flatnonzero(example.mask) for example in examples]

    def batch(self) -> tuple[Tensor, Tensor]:
        """Images (N, 3, S, S) in [0, 1], changed in colour, and masks (N, 1, S, S) of 0 and 1."""
        images, masks = zip(*(self._crop() for _ in range(self._settings.batch_size)), strict=True)
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255
        truth = torch.from_numpy(np.stack(masks))[:, None].float()
        return self._recoloured(pixels), truth

    def _crop(self) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        side, draw = self._settings.crop_px, self._random
        centred = draw.random() < self._settings.centred
        which = draw.choice(len(self._examples), p=self._by_mask if centred else self._by_area)
        example = self._examples[which]
        room = np.array(example.mask.shape) - side
        if centred:
            point = np.unravel_index(draw.choice(self._marked[which]), example.mask.shape)
            shift = draw.integers(-side // 3, side // 3 + 1, 2)
            y, x = np.clip(np.array(point) - side // 2 + shift, 0, room)
        else:
            y, x = draw.integers(0, room + 1)
        cut = np.s_[y : y + side, x : x + side]
        turns = int(draw.integers(4))
        image, mask = np.rot90(example.image[cut], turns), np.rot90(example.mask[cut], turns)
        if draw.random() < 0.5:
            image, mask = image[:, ::-1], mask[:, ::-1]
        return np.ascontiguousarray(image), np.ascontiguousarray(mask)

    def _recoloured(self, pixels: Tensor) -> Tensor:
        """Each crop by itself: brightness, contrast, saturation and hue."""
        return torch.stack([recolour(one, *self._change()) for one in pixels])

    def _change(self) -> tuple[float, float, float, float]:
        s, draw = self._settings, self._random
        return (
            draw.uniform(-s.brightness, s.brightness),
            1 + draw.uniform(-s.contrast, s.contrast),
            1 + draw.uniform(-s.saturation, s.saturation),
            draw.uniform(-s.hue, s.hue),
        )


def recolour(image: Tensor, brightness: float, contrast: float, saturation: float, hue: float) -> Tensor:
    """Change the colours of an image (3, H, W) in [0, 1].

    Parameters
    ----------
    brightness
        Added.
    contrast
        Factor on the distance from the image's mean grey.
    saturation
        Factor on the distance from each pixel's grey.
    hue
        Whole turns of the plane of chroma.
    """
    image = (image + brightness).clamp(0, 1)
    mean = (_TO_YIQ[0] @ image.flatten(1)).mean()
    image = (mean + contrast * (image - mean)).clamp(0, 1)
    turn = torch.tensor(2 * torch.pi * hue)
    chroma = saturation * torch.tensor(
        [[torch.cos(turn), -torch.sin(turn)], [torch.sin(turn), torch.cos(turn)]]
    )
    change = torch.eye(3)
    change[1:, 1:] = chroma
    matrix = torch.linalg.inv(_TO_YIQ) @ change @ _TO_YIQ
    changed: Tensor = (matrix @ image.flatten(1)).clamp(0, 1).view_as(image)
    return changed
