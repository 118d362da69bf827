"""The paper's stain transfer generator: a modified high-resolution network (figure 3, equation 8).

HRNet (Sun et al., CVPR 2019) keeps a full-resolution stream through the whole depth and exchanges
features with coarser ones again and again, so that detail is never thrown away and rebuilt. The paper
adds its input to its output, ``G(p) = p + G'(p)``: the network learns the difference of two stains only.

The paper's figure gives no channel counts that can be read; the widths here (16, 32, 64 at full, half
and quarter resolution) were chosen for speed on a laptop. Wider ones have not been compared yet.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from napari_stainxfer.models.blocks import ConvUnit


class _Fusion(nn.Module):
    """The finest ``targets`` streams each receive the sum of all, brought to their resolution and width."""

    def __init__(self, widths: list[int], *, targets: int) -> None:
        super().__init__()
        self.routes = nn.ModuleList(
            nn.ModuleList(_route(widths, source, target) for source in range(len(widths)))
            for target in range(targets)
        )

    def forward(self, streams: list[Tensor]) -> list[Tensor]:
        fused = []
        for target, routes in enumerate(self.routes):
            assert isinstance(routes, nn.ModuleList)
            total = streams[target]
            for source, route in enumerate(routes):
                if source == target:
                    continue
                moved = route(streams[source])
                if source > target:
                    moved = F.interpolate(moved, scale_factor=2 ** (source - target), mode="nearest")
                total = total + moved
            fused.append(total)
        return fused


def _route(widths: list[int], source: int, target: int) -> nn.Module:
    """Down by strided 3 x 3 convolutions, up by a 1 x 1 convolution before nearest upsampling."""
    if source == target:
        return nn.Identity()
    if source > target:
        return ConvUnit(widths[source], widths[target], kernel=1)
    steps = [ConvUnit(widths[source], widths[source], stride=2) for _ in range(target - source - 1)]
    return nn.Sequential(*steps, ConvUnit(widths[source], widths[target], stride=2))


class _Stage(nn.Module):
    """One convolution per stream, then a fusion, into the full-resolution stream alone if ``last``."""

    def __init__(self, widths: list[int], *, last: bool = False) -> None:
        super().__init__()
        self.streams = nn.ModuleList(ConvUnit(width, width) for width in widths)
        self.fusion = _Fusion(widths, targets=1 if last else len(widths))

    def forward(self, streams: list[Tensor]) -> list[Tensor]:
        fused: list[Tensor] = self.fusion(
            [unit(stream) for unit, stream in zip(self.streams, streams, strict=True)]
        )
        return fused


class HRNetGenerator(nn.Module):
    """Full, half and quarter resolution in parallel, fused after every stage; input added to output.

    Parameters
    ----------
    width
        Feature maps at full resolution; half and quarter resolution have twice and four times as many.
    stages
        Three-stream stages after the two that open the streams.

    Notes
    -----
    Takes and gives float tensors (N, 3, H, W) in [0, 1]; H and W are multiples of ``align_px``. The last
    convolution starts at zero, so an untrained generator returns its input exactly. ``reach_px`` bounds
    how far from a pixel it looks.
    """

    align_px = 4

    def __init__(self, *, width: int = 16, stages: int = 2) -> None:
        super().__init__()
        self.reach_px = 16 + 8 * stages
        widths = [width, 2 * width, 4 * width]
        self.stem = ConvUnit(3, width)
        self.open_half = ConvUnit(width, widths[1], stride=2)
        self.two_streams = _Stage(widths[:2])
        self.open_quarter = ConvUnit(widths[1], widths[2], stride=2)
        self.three_streams = nn.Sequential(
            *(_Stage(widths, last=stage == stages - 1) for stage in range(stages))
        )
        self.gather = ConvUnit(width, width)
        self.residual = nn.Conv2d(width, 3, 1)
        nn.init.zeros_(self.residual.weight)
        assert self.residual.bias is not None
        nn.init.zeros_(self.residual.bias)

    def forward(self, image: Tensor) -> Tensor:
        """Equation 8: the input plus the learned difference, not clipped (clip when leaving [0, 1])."""
        full = self.stem(image)
        full, half = self.two_streams([full, self.open_half(full)])
        (full,) = self.three_streams([full, half, self.open_quarter(half)])
        residual: Tensor = self.residual(self.gather(full))
        return image + residual
