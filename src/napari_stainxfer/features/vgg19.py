"""VGG19 to conv5_1 as a feature extractor: the paper's.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition" (2014).
A layer is named by its convolution and taken after its ReLU, as in the network of Gatys et al. (2016),
where the ReLU works in place. Content is the paper's conv2_2. The paper does not say which layers its
style loss compares; these are the five of Gatys et al.: the first convolution of each scale.
"""

from __future__ import annotations

import os
from pathlib import Path

from torch import nn

from napari_stainxfer.errors import MissingWeightsError
from napari_stainxfer.features.extractor import FeatureExtractor
from napari_stainxfer.features.weights import download_weights, read_state_dict

WEIGHTS_URL = "https://download.pytorch.org/models/vgg19-dcbb9e9d.pth"
# Only the first eight digits of the file's sha256 are published: they are part of its name.
WEIGHTS_SHA256_PREFIX = "dcbb9e9d"
WEIGHTS_VARIABLE = "STAINXFER_VGG19"

# Output channels and number of convolutions of each scale, up to conv5_1.
_SCALES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 1))


def make_vgg19(weights: Path | None = None) -> FeatureExtractor:
    """Build the extractor from a local file, or from the official one, downloaded once.

    Parameters
    ----------
    weights
        torchvision's ``vgg19-dcbb9e9d.pth``; by default the file that the environment variable
        ``STAINXFER_VGG19`` names, or else the downloaded one.

    Raises
    ------
    MissingWeightsError
        If there is no file and none can be downloaded, or it does not hold these weights.
    """
    path = _find_weights(weights)
    state = read_state_dict(path)
    stages: dict[str, nn.Module] = {}
    in_channels = 3
    # Position of the convolution in torchvision's `features`, where ReLU and pooling count as well.
    position = 0
    try:
        for scale, (out_channels, convolutions) in enumerate(_SCALES, start=1):
            for index in range(1, convolutions + 1):
                conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
                conv.load_state_dict(
                    {part: state[f"features.{position}.{part}"] for part in ("weight", "bias")}
                )
                pool = [nn.MaxPool2d(2)] if scale > 1 and index == 1 else []
                stages[f"conv{scale}_{index}"] = nn.Sequential(*pool, conv, nn.ReLU(inplace=True))
                in_channels = out_channels
                position += 2
            position += 1
    except (KeyError, RuntimeError) as error:
        raise MissingWeightsError(
            f"{path} does not hold VGG19 weights; download {WEIGHTS_URL} and give its path, "
            "or use the efficientnet_lite0 extractor."
        ) from error
    return FeatureExtractor(
        "vgg19",
        stages,
        content_layers=("conv2_2",),
        style_layers=("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )


def _find_weights(weights: Path | None) -> Path:
    if weights is not None:
        return Path(weights)
    if from_environment := os.environ.get(WEIGHTS_VARIABLE):
        return Path(from_environment)
    try:
        return download_weights(WEIGHTS_URL, WEIGHTS_SHA256_PREFIX)
    except OSError as error:
        raise MissingWeightsError(
            f"The VGG19 weights could not be downloaded ({error}); download {WEIGHTS_URL} by hand and give "
            f"its path (weights=, or the environment variable {WEIGHTS_VARIABLE}), or use the "
            "efficientnet_lite0 extractor, whose weights are installed with this package."
        ) from error
