"""A fitted method with its card: what users hold, save and load."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from napari_stainxfer import weights_file
from napari_stainxfer.errors import ModelFileError, SlideError
from napari_stainxfer.methods import background, resolution
from napari_stainxfer.methods.card import ModelCard
from napari_stainxfer.methods.protocol import StainMethod
from napari_stainxfer.methods.windows import Window, tile_boxes, window
from napari_stainxfer.slides import Box
from napari_stainxfer.slides.source import MPP_MAX, MPP_MIN
from napari_stainxfer.weights_file import FileKind

_KIND = FileKind("model", 4, "stainxfer train")

TILE_PX = 512
"""Side of the tiles in which images are computed."""


class MethodRecord(NamedTuple):
    """Where a method lives, imported only when it is needed, and what fits it.

    ``fitted_on`` is ``pairs`` for a training on pairs of patches, ``patches`` for a training on the same
    patches that does not use which belong together, and ``tissue`` for measuring the tissue of each side by
    itself.
    """

    name: str
    module: str
    attribute: str
    fitted_on: Literal["pairs", "patches", "tissue"]


_TRAINED = ("nst", "nst-ad", "nst-hrnet", "nst-ad-hrnet")
_UNPAIRED = {"dcgmm": "DCGMM", "staingan": "StainGAN", "staingan-identity": "StainGAN"}
_MEASURED = ("histogram", "reinhard", "ruifrok", "nmf", "macenko", "vahadane")

METHODS: dict[str, MethodRecord] = {
    **{
        name: MethodRecord(name, "napari_stainxfer.methods.neural", "NeuralStyle", "pairs")
        for name in _TRAINED
    },
    **{
        name: MethodRecord(name, f"napari_stainxfer.methods.{attribute.lower()}", attribute, "patches")
        for name, attribute in _UNPAIRED.items()
    },
    **{
        name: MethodRecord(name, "napari_stainxfer.methods.pixelwise", "PixelwiseMethod", "tissue")
        for name in _MEASURED
    },
}


class Model:
    """A fitted stain transfer.

    Attributes
    ----------
    method
        The fitted method.
    card
        What it is and what it was fitted on.
    """

    def __init__(self, method: StainMethod, card: ModelCard) -> None:
        self.method, self.card = method, card

    def __repr__(self) -> str:
        """Name, resolution and the slides it saw."""
        from_, to = (
            ", ".join(slide.name for slide in side) for side in (self.card.sources, self.card.references)
        )
        return f"<Model {self.card.method} at {self.card.mpp:g} um/px: {from_ or '?'} -> {to or '?'}>"

    def to(self, device: str) -> Model:
        """Compute on ``auto``, ``cpu``, ``cuda`` or ``mps``; returns itself."""
        self.method.to(device)
        return self

    def transform(
        self,
        image: NDArray[np.uint8],
        *,
        mpp: float | None = None,
        glass: background.Glass | None = None,
        tile_px: int = TILE_PX,
    ) -> NDArray[np.uint8]:
        """Give an image the reference's stain.

        Parameters
        ----------
        image
            uint8 (H, W, 3), sRGB.
        mpp
            um/px of the image, 0.05 to 100; by default that of ``card.mpp``. A network sees finer pixels
            averaged and coarser ones interpolated to about ``card.mpp``, and its change is added to them.
        glass
            The slide's empty glass (R, G, B), 0 to 255, see :func:`slide_glass`; by default that of the
            slides the model was fitted on. Empty glass is given back byte for byte.
        tile_px
            Side of the tiles it is computed in; the result does not depend on it.

        Returns
        -------
        uint8 (H, W, 3)

        Raises
        ------
        SlideError
            When the image is not uint8 (H, W, 3), or ``mpp`` is not what a scan can have or, for a network,
            more than four times ``card.mpp``.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise SlideError(
                f"transform needs a uint8 RGB image of shape (height, width, 3), not {image.dtype} of shape "
                f"{image.shape}; convert it first."
            )
        if mpp is not None and not MPP_MIN <= mpp <= MPP_MAX:
            raise SlideError(f"No scan has {mpp:g} um/px; give a number from {MPP_MIN:g} to {MPP_MAX:g}.")
        out = np.empty_like(image)
        for box in tile_boxes((image.shape[0], image.shape[1]), tile_px):
            cut = self.window(box, (image.shape[0], image.shape[1]), mpp=mpp)
            y, x, height, width = cut.read
            pixels = image[y : y + height, x : x + width][cut.rows][:, cut.columns]
            out[_slices(box)] = self.transform_window(pixels, mpp=mpp, glass=glass)[cut.keep]
        return out

    def window(self, box: Box, shape: tuple[int, int], *, mpp: float | None = None) -> Window:
        """What to read of an image of (height, width) at ``mpp`` um/px for :meth:`transform_window`."""
        scale = resolution.scale_of(self.method, self.card.mpp, mpp)
        return window(
            box,
            shape,
            halo_px=max(resolution.halo_px(self.method, scale), background.HALO_PX),
            align_px=resolution.align_px(self.method, scale),
        )

    def transform_window(
        self, pixels: NDArray[np.uint8], *, mpp: float | None = None, glass: background.Glass | None = None
    ) -> NDArray[np.uint8]:
        """Transform a window whose halo is already there; what lies within the halo is not exact."""
        image = (
            torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(2, 0, 1)[None].float() / 255
        )
        weight = background.stained(image, glass or self.card.glass)
        if not weight.any():
            return pixels
        scale = resolution.scale_of(self.method, self.card.mpp, mpp)
        mixed = torch.lerp(image, resolution.transform(self.method, image, scale), weight)
        result: NDArray[np.uint8] = (
            mixed.clamp_(0, 1).mul_(255).round_().byte()[0].permute(1, 2, 0).contiguous().numpy()
        )
        return result

    def to_bytes(self) -> bytes:
        """The model file's content: safetensors weights with the card as JSON metadata."""
        tensors, state = self.method.state()
        card = self.card.model_copy(update={"method_state": dict(state)})
        return weights_file.to_bytes(_KIND, card.model_dump_json(), tensors)

    def hash(self) -> str:
        """SHA-256 of the model file, for provenance."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def save(self, path: str | Path) -> None:
        """Write the one model file, whole or not at all."""
        weights_file.write(path, self.to_bytes())


def load(path: str | Path) -> Model:
    """Read a model file.

    Raises
    ------
    ModelFileError
        When the file is missing, damaged, not a model, or from a version that this one cannot read.
    """
    text, tensors = weights_file.read(path, _KIND)
    try:
        card = ModelCard.model_validate_json(text)
        record = METHODS[card.method]
        method_class = getattr(import_module(record.module), record.attribute)
        return Model(method_class.from_state(tensors, card.method_state), card)
    except (KeyError, TypeError, ValueError, RuntimeError):  # pydantic raises ValueErrors
        raise ModelFileError(f"{path} is damaged or of another version; train it again.") from None


def _slices(box: Box) -> tuple[slice, slice]:
    return slice(box.y, box.y + box.height), slice(box.x, box.x + box.width)
