"""A trained segmenter with its card: what is held, saved and loaded."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from napari_stainxfer import weights_file
from napari_stainxfer.errors import ModelFileError, SlideError
from napari_stainxfer.methods.windows import tile_boxes, window
from napari_stainxfer.segmentation.network import ALIGN_PX, HALO_PX, ResNet50FCN
from napari_stainxfer.segmentation.settings import SegmenterSettings
from napari_stainxfer.training import resolve_device
from napari_stainxfer.weights_file import FileKind

_KIND = FileKind("segmenter", 2, "stainxfer segmenter")
TILE_PX = 1024


class SegmenterCard(BaseModel):
    """Everything about a segmenter but its numbers; stored as JSON in its file.

    Attributes
    ----------
    weights
        File that the backbone started from, or ``random``.
    images
        How many it was trained on.
    losses
        Of the training, at most 100 means in a row.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    package_version: str
    settings: SegmenterSettings
    weights: str = "random"
    images: int
    losses: tuple[float, ...] = ()

    @classmethod
    def of(
        cls, settings: SegmenterSettings, weights: str, losses: tuple[float, ...], images: int
    ) -> SegmenterCard:
        """Note what this version trained."""
        return cls(
            package_version=version("napari-stainxfer"),
            settings=settings,
            weights=weights,
            losses=losses,
            images=images,
        )


class Segmenter:
    """Finds glomeruli.

    Attributes
    ----------
    network, card
        The trained network, and what it is.
    """

    def __init__(self, network: ResNet50FCN, card: SegmenterCard) -> None:
        self.network, self.card = network.eval(), card

    def __repr__(self) -> str:
        """Its resolution and where it came from."""
        return f"<Segmenter at {self.card.settings.mpp:g} um/px, from {self.card.weights} weights>"

    def to(self, device: str) -> Segmenter:
        """Compute on ``auto``, ``cpu``, ``cuda`` or ``mps``; returns itself."""
        self.network.to(resolve_device(device))
        return self

    def probability(self, image: NDArray[np.uint8], *, tile_px: int = TILE_PX) -> NDArray[np.float32]:
        """How sure it is of a glomerulus at every pixel, float (H, W) from 0 to 1.

        Parameters
        ----------
        image
            uint8 (H, W, 3) at the um/px of ``card.settings.mpp``; it goes on mirrored past its edges.
        tile_px
            Side of the tiles it is computed in; the result does not depend on it, up to rounding.

        Raises
        ------
        SlideError
            When the image is not uint8 (H, W, 3).
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise SlideError(
                "A segmenter needs a uint8 RGB image of shape (height, width, 3), not "
                f"{image.dtype} of shape {image.shape}; convert it first."
            )
        shape = (image.shape[0], image.shape[1])
        out = np.empty(shape, np.float32)
        place = next(self.network.parameters()).device
        for box in tile_boxes(shape, tile_px):
            cut = window(box, shape, halo_px=HALO_PX, align_px=ALIGN_PX)
            y, x, height, width = cut.read
            pixels = image[y : y + height, x : x + width][cut.rows][:, cut.columns]
            with torch.inference_mode():
                tensor = torch.from_numpy(pixels).permute(2, 0, 1)[None].to(place).float() / 255
                sure = self.network(tensor).sigmoid()[0, 0].cpu().numpy()
            out[box.y : box.y + box.height, box.x : box.x + box.width] = sure[cut.keep]
        return out

    def segment(self, image: NDArray[np.uint8], *, tile_px: int = TILE_PX) -> NDArray[np.bool_]:
        """Where a glomerulus is likelier than not, bool (H, W); see :meth:`probability`."""
        mask: NDArray[np.bool_] = self.probability(image, tile_px=tile_px) > 0.5
        return mask

    def save(self, path: str | Path) -> None:
        """Write the one file, whole or not at all."""
        content = weights_file.to_bytes(_KIND, self.card.model_dump_json(), self.network.state_dict())
        weights_file.write(path, content)


def load_segmenter(path: str | Path) -> Segmenter:
    """Read a segmenter's file.

    Raises
    ------
    ModelFileError
        When the file is missing, damaged, not a segmenter, or from a version that this one cannot read.
    """
    text, tensors = weights_file.read(path, _KIND)
    try:
        card = SegmenterCard.model_validate_json(text)
        network = ResNet50FCN(card.settings.width)
        network.load_state_dict(tensors)
    except (ValueError, RuntimeError):  # pydantic raises ValueErrors
        raise ModelFileError(f"{path} is damaged or of another version; train it again.") from None
    return Segmenter(network, card)
