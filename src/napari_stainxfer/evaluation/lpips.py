"""LPIPS itself: the perceptual distance with weights fitted to people's judgements."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_stainxfer.errors import MissingWeightsError
from napari_stainxfer.evaluation.shapes import RGB, same_shape
from napari_stainxfer.features import LPIPS_LAYERS, fetch, make_lpips_network, read_state_dict

_LINEAR_URL = "https://github.com/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/{}.pth"
_LINEAR_SHA256 = {
    "alex": "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    "vgg": "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
}
LEAST_PX = 32


class LPIPS:
    """LPIPS version 0.1 (Zhang et al., CVPR 2018), on AlexNet or VGG16.

    At five layers the features are scaled to unit length over the channels; their squared difference is
    weighted for each channel, averaged over locations and summed over the layers. 0 for equal images; few
    pairs of pictures are more than 1 apart.

    Parameters
    ----------
    network
        ``alex`` or ``vgg``.
    weights, linear
        torchvision's file of the network, and LPIPS's own of the channels' weights; each is downloaded once
        and its hash checked where it is not given.

    Raises
    ------
    MissingWeightsError
        When a file is missing and cannot be downloaded, or holds something else.
    """

    def __init__(
        self, network: str = "alex", *, weights: Path | None = None, linear: Path | None = None
    ) -> None:
        self._extractor = make_lpips_network(network, weights)
        path = linear or fetch(_LINEAR_URL.format(network), _LINEAR_SHA256[network])
        state = read_state_dict(path)
        try:
            self._linear = [state[f"lin{number}.model.1.weight"][0] for number in range(len(LPIPS_LAYERS))]
        except KeyError:
            raise MissingWeightsError(
                f"{path} does not hold LPIPS's weights of the channels; give {_LINEAR_URL.format(network)}."
            ) from None

    @torch.inference_mode()
    def __call__(self, image: RGB, truth: RGB) -> float:
        """Distance of two uint8 (H, W, 3) images of the same size, at least 32 px a side."""
        same_shape(image, truth)
        if min(image.shape[:2]) < LEAST_PX:
            raise ValueError(f"LPIPS needs images of at least {LEAST_PX} px a side, not {image.shape[:2]}")
        pair = torch.from_numpy(np.stack([image, truth])).permute(0, 3, 1, 2).float() / 255
        found = self._extractor(pair, LPIPS_LAYERS)
        layers = zip(found.values(), self._linear, strict=True)
        return float(sum(_weighted_difference(features, weights) for features, weights in layers))


def _weighted_difference(features: Tensor, weights: Tensor) -> float:
    unit = features / (features.square().sum(dim=1, keepdim=True).sqrt() + 1e-10)
    return float(((unit[0] - unit[1]).square() * weights).sum(dim=0).mean())
