"""LPIPS on random weights of the published shapes, beside its definition computed step by step."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import numpy as np
import pooch
import pytest
import requests
import torch
from torch.nn import functional as F

from napari_stainxfer.errors import MissingWeightsError
from napari_stainxfer.evaluation import LPIPS, Compared, measure_all
from napari_stainxfer.evaluation.lpips import _LINEAR_SHA256
from napari_stainxfer.features import lpips_networks
from napari_stainxfer.features.lpips_networks import LPIPS_NETWORKS
from napari_stainxfer.features.weights import cached_path

ALEX = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
VGG = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256), 14: (256, 256)}
VGG |= {17: (512, 256), 19: (512, 512), 21: (512, 512), 24: (512, 512), 26: (512, 512), 28: (512, 512)}
CHANNELS = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}


@pytest.fixture(scope="module", params=["alex", "vgg"])
def files(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path, Path]:
    """Name, network's file and linear file."""
    name, random = request.param, torch.Generator().manual_seed(0)
    shapes = ALEX if name == "alex" else {place: (*shape, 3) for place, shape in VGG.items()}
    state = {}
    for place, (outside, inside, kernel) in shapes.items():
        weight = torch.randn(outside, inside, kernel, kernel, generator=random)
        state[f"features.{place}.weight"] = weight * (2 / (inside * kernel**2)) ** 0.5
        state[f"features.{place}.bias"] = 0.1 * torch.randn(outside, generator=random)
    linear = {
        f"lin{number}.model.1.weight": torch.rand(1, channels, 1, 1, generator=random)
        for number, channels in enumerate(CHANNELS[name])
    }
    folder = tmp_path_factory.mktemp(name)
    torch.save(state, folder / "network.pth")
    torch.save(linear, folder / "linear.pth")
    return name, folder / "network.pth", folder / "linear.pth"


def pictures() -> list[np.ndarray]:
    return [np.random.default_rng(seed).integers(0, 256, (80, 97, 3)).astype(np.uint8) for seed in (0, 1)]


def by_the_book(name: str, network: Path, linear: Path) -> float:
    """Through torchvision's list of layers: convolution, ReLU and pooling each at its place."""
    state, weights = (torch.load(path, weights_only=True) for path in (network, linear))
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    taps = (1, 4, 7, 9, 11) if name == "alex" else (3, 8, 15, 22, 29)
    pools = {2: 3, 5: 3} if name == "alex" else {4: 2, 9: 2, 16: 2, 23: 2}
    features = []
    for picture in pictures():
        x = ((torch.from_numpy(picture) / 255 - mean) / std).permute(2, 0, 1)[None]
        found = []
        for place in range(taps[-1] + 1):
            if f"features.{place}.weight" in state:
                weight, bias = (state[f"features.{place}.{part}"] for part in ("weight", "bias"))
                first = name == "alex" and place == 0
                padding = 2 if first else weight.shape[-1] // 2
                x = F.conv2d(x, weight, bias, stride=4 if first else 1, padding=padding)
            elif place in pools:
                x = F.max_pool2d(x, pools[place], 2)
            else:
                x = F.relu(x)
            if place in taps:
                found.append((x / x.norm(dim=1, keepdim=True))[0])
        features.append(found)
    total = 0.0
    for number, (one, other) in enumerate(zip(*features, strict=True)):
        # where nothing responds, 0 / 0: no difference
        squared = (one - other).nan_to_num().square()
        total += float((squared * weights[f"lin{number}.model.1.weight"][0]).sum(0).mean())
    return total


def test_as_the_paper_defines_it(files: tuple[str, Path, Path]) -> None:
    name, network, linear = files
    measured = LPIPS(name, weights=network, linear=linear)(*pictures())
    assert measured == pytest.approx(by_the_book(name, network, linear), rel=1e-4)
    assert measured > 0.1


def test_equal_images_are_0_and_order_does_not_matter(files: tuple[str, Path, Path]) -> None:
    name, network, linear = files
    distance, (one, other) = LPIPS(name, weights=network, linear=linear), pictures()
    assert distance(one, one) == 0
    assert distance(one, other) == pytest.approx(distance(other, one))


def test_too_small_or_of_different_size_is_refused(files: tuple[str, Path, Path]) -> None:
    name, network, linear = files
    distance, (one, other) = LPIPS(name, weights=network, linear=linear), pictures()
    with pytest.raises(ValueError, match="at least 32 px"):
        distance(one[:20], other[:20])
    with pytest.raises(ValueError, match="shape"):
        distance(one[:60], other)


def test_other_files_are_refused(files: tuple[str, Path, Path], tmp_path: Path) -> None:
    name, network, linear = files
    with pytest.raises(MissingWeightsError, match="does not hold the weights"):
        LPIPS(name, weights=linear, linear=linear)
    with pytest.raises(MissingWeightsError, match="weights of the channels"):
        LPIPS(name, weights=network, linear=network)
    with pytest.raises(MissingWeightsError, match="no weights file"):
        LPIPS(name, weights=tmp_path / "missing", linear=linear)


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing can be downloaded, and the cache is the empty folder that this gives."""

    def refuse(*_: object, **__: object) -> object:
        def download(*_: object) -> None:
            raise requests.ConnectionError

        return download

    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / name)
    monkeypatch.setattr(pooch, "HTTPDownloader", refuse)
    return tmp_path / "napari-stainxfer"


def test_a_failed_download_says_what_to_do(offline: Path) -> None:
    with pytest.raises(MissingWeightsError, match=r"cannot be reached.*or use the distance on") as caught:
        LPIPS("alex")
    assert f"by hand and save it as {offline / 'alexnet-owt-7be5be79.pth'} " in str(caught.value)
    assert list(offline.iterdir()) == []


def test_files_that_were_put_where_it_says_are_taken_offline(
    files: tuple[str, Path, Path], offline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, network, linear = files
    prefixes = [hashlib.sha256(path.read_bytes()).hexdigest()[:8] for path in (network, linear)]
    monkeypatch.setitem(LPIPS_NETWORKS, name, LPIPS_NETWORKS[name]._replace(sha256_prefix=prefixes[0]))
    monkeypatch.setitem(_LINEAR_SHA256, name, prefixes[1])
    for path in (network, linear):  # as somebody without a network would go on, sentence by sentence
        with pytest.raises(MissingWeightsError, match="by hand") as caught:
            LPIPS(name)
        shutil.copy(path, re.findall(r"save it as (\S+)", str(caught.value))[0])
    assert LPIPS(name)(*pictures()) > 0


def test_another_file_in_the_cache_is_named(files: tuple[str, Path, Path], offline: Path) -> None:
    name, network, _ = files
    place = cached_path(LPIPS_NETWORKS[name].url)
    place.parent.mkdir()
    shutil.copy(network, place)
    with pytest.raises(MissingWeightsError, match=f"{place} is damaged or another file.*delete it"):
        LPIPS(name)
    place.unlink()
    with pytest.raises(MissingWeightsError, match="could not be downloaded"):
        LPIPS(name)


def test_it_is_taken_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("nothing is downloaded unasked")

    monkeypatch.setattr(lpips_networks, "download_weights", never)
    image, truth = pictures()
    assert not {"lpips_alex", "lpips_vgg"} & set(measure_all(Compared(image, truth=truth)))
