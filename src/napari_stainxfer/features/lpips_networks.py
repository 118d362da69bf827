"""AlexNet and VGG16 as the feature extractors of LPIPS (Zhang et al., CVPR 2018).

The layers are the five after whose ReLU LPIPS compares; the weights are ImageNet's, as torchvision has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from napari_stainxfer.errors import MissingWeightsError
from napari_stainxfer.features.extractor import FeatureExtractor
from napari_stainxfer.features.weights import cached_path, download_weights, read_state_dict


class _Convolution(NamedTuple):
    """One convolution of a network; ``position`` is its place in torchvision's ``features``."""

    position: int
    channels: tuple[int, int]
    kernel: int = 3
    stride: int = 1
    pool: int = 0
    layer: str = ""


class _Network(NamedTuple):
    """A network's convolutions and its weights; only the first digits of their sha256 are published."""

    url: str
    sha256_prefix: str
    convolutions: tuple[_Convolution, ...]


def _vgg16() -> tuple[_Convolution, ...]:
    convolutions, position, inside = [], 0, 3
    for scale, (outside, count) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), start=1):
        for index in range(count):
            pool = 2 if scale > 1 and index == 0 else 0
            layer = f"relu{scale}" if index == count - 1 else ""
            convolutions.append(_Convolution(position, (inside, outside), pool=pool, layer=layer))
            inside, position = outside, position + 2
        position += 1
    return tuple(convolutions)


LPIPS_NETWORKS = {
    "alex": _Network(
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        "7be5be79",
        (
            _Convolution(0, (3, 64), 11, 4, layer="relu1"),
            _Convolution(3, (64, 192), 5, pool=3, layer="relu2"),
            _Convolution(6, (192, 384), pool=3, layer="relu3"),
            _Convolution(8, (384, 256), layer="relu4"),
            _Convolution(10, (256, 256), layer="relu5"),
        ),
    ),
    "vgg": _Network("https://download.pytorch.org/models/vgg16-397923af.pth", "397923af", _vgg16()),
}
LPIPS_LAYERS = ("relu1", "relu2", "relu3", "relu4", "relu5")


def make_lpips_network(name: str, weights: Path | None = None) -> FeatureExtractor:
    """Build the extractor from a local file, or from the official one, downloaded once.

    Parameters
    ----------
    name
        ``alex`` or ``vgg``.
    weights
        torchvision's file; by default it is downloaded.

    Raises
    ------
    MissingWeightsError
        If there is no file and none can be downloaded, or it does not hold these weights.
    """
    network = LPIPS_NETWORKS[name]
    path = weights or fetch(network.url, network.sha256_prefix)
    state = read_state_dict(path)
    try:
        stages = _stages(network.convolutions, state)
    except (KeyError, RuntimeError):
        raise MissingWeightsError(
            f"{path} does not hold the weights of LPIPS's {name}; give {network.url}."
        ) from None
    return FeatureExtractor(
        f"lpips-{name}",
        stages,
        content_layers=(),
        style_layers=LPIPS_LAYERS,
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )


def fetch(url: str, sha256_prefix: str) -> Path:
    """Download a file of LPIPS once.

    Raises
    ------
    MissingWeightsError
        If it cannot be downloaded, or is not that file; it says where one from elsewhere is looked for.
    """
    try:
        return download_weights(url, sha256_prefix)
    except OSError as error:
        raise MissingWeightsError(
            f"LPIPS's weights could not be downloaded ({error}); download {url} by hand and save it "
            f"as {cached_path(url)} (from Python, its path can be given instead), or use the distance "
            "on EfficientNet-Lite0, whose weights are installed with this package."
        ) from error


def _stages(convolutions: tuple[_Convolution, ...], state: Mapping[str, Tensor]) -> dict[str, nn.Module]:
    stages: dict[str, nn.Module] = {}
    waiting: list[nn.Module] = []
    for each in convolutions:
        conv = nn.Conv2d(*each.channels, each.kernel, stride=each.stride, padding=each.kernel // 2)
        if each.stride > 1:
            conv.padding = (2, 2)  # AlexNet's first convolution, as torchvision has it
        conv.load_state_dict({part: state[f"features.{each.position}.{part}"] for part in ("weight", "bias")})
        waiting += [*([nn.MaxPool2d(each.pool, 2)] if each.pool else []), conv, nn.ReLU()]
        if each.layer:
            stages[each.layer] = nn.Sequential(*waiting)
            waiting = []
    return stages
