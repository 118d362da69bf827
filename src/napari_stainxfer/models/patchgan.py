"""The discriminator: a PatchGAN that judges 16 x 16 pixels at a time (Isola et al., CVPR 2017)."""

from __future__ import annotations

from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """Three convolutions by DCGAN's guidelines, each output seeing exactly 16 x 16 pixels.

    With 4 x 4 kernels and one stride of 2 the field grows 4, 10, 16: Isola's C64-C128 layout.

    DCGAN (Radford et al., 2015): strided convolutions instead of pooling, leaky ReLU of slope 0.2, no
    normalisation in the first and the last layer, weights drawn from N(0, 0.02). As in the paper,
    instance norm takes the place of batch norm.

    Parameters
    ----------
    width
        Feature maps of the first layer; doubled in the second.

    Notes
    -----
    Takes float tensors (N, 3, H, W) in [0, 1] and gives logits (N, 1, h, w), one per patch; the
    probability ``D`` of equations 5 and 6 is their sigmoid.
    """

    receptive_field_px = 16

    def __init__(self, *, width: int = 32) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(width, 2 * width, 4, padding=1),
            nn.InstanceNorm2d(2 * width, affine=True),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(2 * width, 1, 4, padding=1),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, 0.0, 0.02)

    def forward(self, image: Tensor) -> Tensor:
        """Logits: positive where a patch looks like the reference stain."""
        logits: Tensor = self.body(image)
        return logits
