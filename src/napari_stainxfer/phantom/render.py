"""From stain to pixels: Beer-Lambert light, then the scanner."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_stainxfer.phantom.labs import Lab
from napari_stainxfer.phantom.noise import Floats, hashed, mix

_SHARPEN_UM = 0.5


def halo_px(lab: Lab, mpp: float) -> int:
    """Pixels around a region that its colours depend on."""
    if not lab.sharpen:
        return _radius(lab.focus_um / mpp)
    return _radius(lab.focus_um / mpp) + _radius(_SHARPEN_UM / mpp)


def _radius(sigma_px: float) -> int:
    return 0 if sigma_px < 0.15 else int(np.ceil(3 * sigma_px))


def transmit(lab: Lab, stains: Floats) -> Floats:
    """Light passing the section, in [0, 1]: (H, W, 3) from concentrations (3, H, W)."""
    amounts = []
    for c, scale, gamma in zip(stains, lab.scale, lab.gamma, strict=True):
        powered = c if gamma == 1 else np.power(c, np.float32(gamma))
        amounts.append(powered * np.float32(-np.log(10) * scale * lab.thickness))
    out = np.empty((3, *stains.shape[1:]), np.float32)
    for channel, (h, e, r) in enumerate(lab.stain_matrix.T):
        np.exp(amounts[0] * h + amounts[1] * e + amounts[2] * r, out=out[channel])
    return out


def expose(lab: Lab, stains: Floats, top: int, left: int, mpp: float, halo: int) -> NDArray[np.uint8]:
    """Scan a region: uint8 (H, W, 3) from concentrations that carry ``halo`` extra pixels on each side.

    ``top`` and ``left`` are the pixel position of the region itself: sensor noise is a hash of the
    position, so any window sees the same noise.
    """
    light = transmit(lab, stains)
    if _radius(lab.focus_um / mpp):
        light = _blur(light, lab.focus_um / mpp)
    r, g, b = light
    bent = []
    for row, tone in zip(lab.response, lab.tone, strict=True):
        if sorted(row) == [0, 0, 1]:
            mixed = (r, g, b)[row.index(1)]
        else:
            mixed = np.float32(row[0]) * r + np.float32(row[1]) * g + np.float32(row[2]) * b
        bent.append(mixed if tone == 1 else np.power(np.clip(mixed, 0, 1), np.float32(tone)))
    if lab.sharpen and _radius(_SHARPEN_UM / mpp):
        bent = [c + np.float32(lab.sharpen) * (c - _blur(c[None], _SHARPEN_UM / mpp)[0]) for c in bent]
    inner = np.s_[halo : light.shape[1] - halo, halo : light.shape[2] - halo]
    bent = [c[inner] for c in bent]
    h, w = bent[0].shape
    out = np.empty((h, w, 3), np.float32)
    for k, (c, white) in enumerate(zip(bent, lab.white, strict=True)):
        out[..., k] = c * np.float32(white)
    if lab.noise:
        _grain(lab, out, top, left)
    return np.clip(out + np.float32(0.5), 0, 255).astype(np.uint8)


def _blur(planes: Floats, sigma_px: float) -> Floats:
    return np.stack(
        [
            gaussian_filter(p, sigma_px, mode="nearest", radius=_radius(sigma_px), output=np.float32)
            for p in planes
        ]
    )


def _grain(lab: Lab, out: Floats, top: int, left: int) -> None:
    """Add sensor noise: a sum of four hashed bytes, close to normal with deviation 147.8."""
    h, w, _ = out.shape
    y = np.arange(top, top + h, dtype=np.int64)[:, None]
    x = np.arange(left, left + w, dtype=np.int64)[None, :]
    bits = hashed(zlib.crc32(lab.name.encode()), y, x)
    for k, white in enumerate(lab.white):
        parts = bits.view(np.uint8).reshape(h, w, 4)
        total = parts[..., 0].astype(np.float32) + parts[..., 1] + parts[..., 2] + parts[..., 3]
        # loudest at mid grey: dark pixels catch few photons, and glass is next to saturation
        light = np.clip(out[..., k] * np.float32(1 / white), 0, 1)
        spread = np.sqrt(light * (np.float32(1.03) - light)) * np.float32(lab.noise / 147.8 / 0.515)
        out[..., k] += (total - np.float32(510)) * spread
        if k < 2:
            bits = mix(bits + np.uint32(0x9E3779B9))
