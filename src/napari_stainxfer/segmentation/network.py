"""ResNet50-FCN: a score for every pixel from three scales of the backbone.

Long, Shelhamer and Darrell, "Fully Convolutional Networks for Semantic Segmentation" (2015), the form FCN-8s:
a hidden layer and scores at 1/32, scores at 1/16 and 1/8 of the resolution, added on the way up. The paper in
whose second table such a network stands names no form; this one needs no dilated stage and is four times
cheaper.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_stainxfer.segmentation.resnet50 import ResNet50

ALIGN_PX = 32
"""The coarsest stage has one position for so many pixels a side."""
HALO_PX = 288
"""How far a score looks: 491 px wide up to the coarsest scores, one position more to interpolate them."""

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class ResNet50FCN(nn.Module):
    """One score (logit) a pixel.

    Parameters
    ----------
    width
        Of the backbone.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.backbone = ResNet50(width)
        eighth, sixteenth, coarsest = self.backbone.out_channels[1:]
        self.head = nn.Sequential(
            nn.Conv2d(coarsest, coarsest // 4, 3, padding=1, bias=False),
            nn.BatchNorm2d(coarsest // 4),
            nn.ReLU(inplace=True),
            nn.Conv2d(coarsest // 4, 1, 1),
        )
        self.score16 = nn.Conv2d(sixteenth, 1, 1)
        self.score8 = nn.Conv2d(eighth, 1, 1)
        # what ImageNet's weights were trained with
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> Tensor:
        """(N, 3, H, W) in [0, 1] to scores (N, 1, H, W); H and W are multiples of 32."""
        eighth, sixteenth, coarsest = self.backbone((image - self.mean) / self.std)
        scores = self.score16(sixteenth) + _enlarged(self.head(coarsest), 2)
        scores = self.score8(eighth) + _enlarged(scores, 2)
        return _enlarged(scores, 8)


def _enlarged(scores: Tensor, factor: int) -> Tensor:
    return F.interpolate(scores, scale_factor=float(factor), mode="bilinear", align_corners=False)
