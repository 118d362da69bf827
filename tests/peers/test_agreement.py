"""The classical methods beside other people's: the same formulae must give the same pictures.

Two kinds of comparison. *The same pixels* gives both the same whole image and the same white, so that only
the method itself can differ. *As users run them* lets each choose its own pixels and white: ours leaves empty
glass out and measures its colour, where the others take 240 or 255 and a threshold.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_stainxfer import fit
from napari_stainxfer.methods.pixelwise import PixelwiseMethod
from napari_stainxfer.methods.tissue_colours import TissueColours
from napari_stainxfer.slides import Slide

torchstain = pytest.importorskip("torchstain", reason="run by `tox run -e peers`")
staintools = pytest.importorskip("torch_staintools.normalizer", reason="run by `tox run -e peers`")

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def images(real_data: Path) -> tuple[np.ndarray, np.ndarray]:
    """Source and target of different stain, uint8."""
    folder = real_data / "pair_torchstain"
    source, target = (
        np.asarray(Image.open(folder / f"{name}.png").convert("RGB")) for name in ("source", "target")
    )
    return source, target


def same_pixels(name: str, source: np.ndarray, target: np.ndarray, white: float) -> np.ndarray:
    """Ours on the very pixels and white that the other takes; ours adds one to both, hence white - 1."""
    sides = (TissueColours(image.reshape(-1, 3), np.full(3, white - 1.0)) for image in (source, target))
    tensor = torch.from_numpy(source.copy()).permute(2, 0, 1)[None].float() / 255
    return PixelwiseMethod.fitted(name, *sides).transform(tensor)[0].permute(1, 2, 0).numpy() * 255


def as_users_run_it(name: str, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    reference, own = (Slide.from_array(image, mpp=1.0) for image in (target, source))
    return fit(reference, own, method=name).transform(source)


def theirs(name: str, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """torchstain's Macenko and Reinhard, torch-staintools' Vahadane."""
    if name == "vahadane":
        tensors = [
            torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 255 for image in (source, target)
        ]
        normalizer = staintools.NormalizerBuilder.build("vahadane", rng=0)
        normalizer.fit(tensors[1])
        with torch.no_grad():
            return normalizer(tensors[0])[0].permute(1, 2, 0).numpy() * 255
    normalizers = torchstain.normalizers
    if name == "macenko":
        normalizer = normalizers.MacenkoNormalizer(backend="numpy")
        normalizer.fit(target)
        return np.asarray(normalizer.normalize(source, stains=False)[0])
    normalizer = normalizers.ReinhardNormalizer(backend="numpy")
    normalizer.fit(target)
    return np.asarray(normalizer.normalize(source))


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference in grey levels."""
    return float(np.abs(one.astype(float) - other).mean())


@pytest.mark.parametrize(
    ("name", "white", "most"), [("reinhard", 256, 1), ("macenko", 240, 1), ("vahadane", 256, 1)]
)
def test_the_same_pixels(images: tuple[np.ndarray, np.ndarray], name: str, white: float, most: float) -> None:
    off, change = (
        apart(same_pixels(name, *images, white), theirs(name, *images)),
        apart(images[0], theirs(name, *images)),
    )
    print(f"{name}, the same pixels: {off:.2f} grey levels apart; it changes the image by {change:.1f}")
    assert off < most


@pytest.mark.parametrize(("name", "most"), [("reinhard", 1), ("macenko", 1), ("vahadane", 1)])
def test_as_users_run_them(images: tuple[np.ndarray, np.ndarray], name: str, most: float) -> None:
    off, change = (
        apart(as_users_run_it(name, *images), theirs(name, *images)),
        apart(images[0], theirs(name, *images)),
    )
    print(f"{name}, as users run it: {off:.2f} grey levels apart; it changes the image by {change:.1f}")
    assert off < most
