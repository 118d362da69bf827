"""ImageNet's weights for the backbone, from a file or downloaded once."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from napari_stainxfer.errors import MissingWeightsError
from napari_stainxfer.features.weights import download_weights, read_state_dict

WEIGHTS_URL = "https://download.pytorch.org/models/resnet50-0676ba61.pth"
# Only the first eight digits of the file's sha256 are published: they are part of its name.
WEIGHTS_SHA256_PREFIX = "0676ba61"
IMAGENET = "imagenet"
_CLASSIFIER = "fc."


def load_backbone(backbone: nn.Module, weights: str | Path) -> str:
    """Load torchvision's ResNet50 weights without the classifier; returns the name of their file.

    Parameters
    ----------
    weights
        A file, or ``imagenet`` for the published one, downloaded on first use and checked.

    Raises
    ------
    MissingWeightsError
        If there is no file, none can be downloaded, or it does not hold these weights.
    """
    path = _downloaded() if str(weights) == IMAGENET else Path(weights)
    state = read_state_dict(path)
    kept = {name: tensor for name, tensor in state.items() if not name.startswith(_CLASSIFIER)}
    try:
        backbone.load_state_dict(kept)
    except RuntimeError:
        raise MissingWeightsError(
            f"{path} does not hold the weights of ResNet50 as torchvision names them; give {WEIGHTS_URL}."
        ) from None
    return path.name


def _downloaded() -> Path:
    try:
        return download_weights(WEIGHTS_URL, WEIGHTS_SHA256_PREFIX)
    except OSError as error:
        raise MissingWeightsError(
            f"ImageNet's weights could not be downloaded ({error}); download {WEIGHTS_URL} by hand and "
            "give its path, or train without them."
        ) from error
