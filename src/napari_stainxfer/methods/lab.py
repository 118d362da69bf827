"""sRGB to CIE L*a*b* and back, on tensors; D65, 2 degrees, as in scikit-image."""

from __future__ import annotations

import torch
from torch import Tensor

# IEC 61966-2-1; rows give X, Y, Z.
_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
_WHITE = (0.95047, 1.0, 1.08883)
_LINEAR_BELOW = 0.008856
_SLOPE, _OFFSET = 7.787, 16 / 116


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] to L in [0, 100] and a, b in about [-110, 110], of the same shape."""
    linear = torch.where(rgb > 0.04045, ((rgb.clamp_min(0) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    ratio = _mixed(linear, rgb.new_tensor(_XYZ)) / rgb.new_tensor(_WHITE)[:, None, None]
    bent = torch.where(
        ratio > _LINEAR_BELOW, ratio.clamp_min(_LINEAR_BELOW) ** (1 / 3), _SLOPE * ratio + _OFFSET
    )
    x, y, z = bent.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """The other way; colours that sRGB does not have are clipped to [0, 1]."""
    lightness, a, b = lab.unbind(1)
    y = (lightness + 16) / 116
    bent = torch.stack([y + a / 500, y, y - b / 200], dim=1)
    ratio = torch.where(bent > _LINEAR_BELOW ** (1 / 3), bent**3, (bent - _OFFSET) / _SLOPE)
    xyz = ratio * lab.new_tensor(_WHITE)[:, None, None]
    linear = _mixed(xyz, torch.linalg.inv(lab.new_tensor(_XYZ, dtype=torch.float64)).to(lab.dtype))
    rgb = torch.where(
        linear > 0.0031308, 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055, 12.92 * linear
    )
    return rgb.clamp(0, 1)


def _mixed(image: Tensor, matrix: Tensor) -> Tensor:
    return torch.stack([(row[:, None, None] * image).sum(1) for row in matrix], dim=1)
