"""ResNet50 without its classifier, under the names of the published weights.

He et al., "Deep Residual Learning for Image Recognition" (2016), with the stride in the 3 x 3 convolution of
a block, as the weights that torchvision publishes want it. Of those weights the classifier (``fc.weight`` and
``fc.bias``, 2,049,000 of 25,557,032 parameters) is dropped; everything else is loaded under its own name.
"""

from __future__ import annotations

from torch import Tensor, nn

BLOCKS = (3, 4, 6, 3)
EXPANSION = 4
"""Output maps of a block by the maps inside it."""


class Bottleneck(nn.Module):
    """1 x 1, 3 x 3 and 1 x 1 convolutions beside a shortcut."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        out_channels = channels * EXPANSION
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = (
            nn.Sequential(
                nn.Conv2d(in_channels, out_channels, 1, stride, bias=False), nn.BatchNorm2d(out_channels)
            )
            if stride > 1 or in_channels != out_channels
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to the block's maps."""
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y)) + self.downsample(x)
        out: Tensor = self.relu(y)
        return out


class ResNet50(nn.Module):
    """The backbone.

    Parameters
    ----------
    width
        Feature maps of the first stage: 64 is the published network.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1)
        self.out_channels = tuple(width * EXPANSION * 2**stage for stage in range(len(BLOCKS)))
        self.layer1 = _stage(width, width, BLOCKS[0], 1)
        self.layer2 = _stage(self.out_channels[0], 2 * width, BLOCKS[1], 2)
        self.layer3 = _stage(self.out_channels[1], 4 * width, BLOCKS[2], 2)
        self.layer4 = _stage(self.out_channels[2], 8 * width, BLOCKS[3], 2)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, Bottleneck):
                nn.init.zeros_(
                    module.bn3.weight
                )  # every block starts as its shortcut, and training is stable

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Maps of the last three stages, at 1/8, 1/16 and 1/32 of the resolution."""
        x = self.layer1(self.maxpool(self.relu(self.bn1(self.conv1(x)))))
        eighth = self.layer2(x)
        sixteenth = self.layer3(eighth)
        return eighth, sixteenth, self.layer4(sixteenth)


def _stage(in_channels: int, channels: int, blocks: int, stride: int) -> nn.Sequential:
    first = Bottleneck(in_channels, channels, stride)
    rest = (Bottleneck(channels * EXPANSION, channels, 1) for _ in range(blocks - 1))
    return nn.Sequential(first, *rest)
