"""The brick that every generator is built from."""

from __future__ import annotations

from torch import nn


class ConvUnit(nn.Sequential):
    """Convolution, batch norm, ReLU (the paper, section 3.3, "Implementation Details").

    Parameters
    ----------
    in_channels, out_channels
        Feature maps in and out.
    kernel
        Odd side of the square kernel; the convolution keeps the size (divided by ``stride``).
    stride
        1, or 2 to halve the resolution.
    relu
        Off only for the second convolution of a residual block.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int = 3, stride: int = 1, *, relu: bool = True
    ) -> None:
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(out_channels),
        ]
        if relu:
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)
