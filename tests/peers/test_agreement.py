"""The classical methods beside other people's: the same formulae must give the same pictures.

Two kinds of comparison. *The same pixels* gives both the same whole image and the same white, so that only
the method itself can differ. *As users run them* lets each choose its own pixels and white: ours leaves
empty glass out and measures its colour, where torchstain takes 240 or 255 and a threshold. Macenko is not
compared so: these images show no empty glass, and what white is decides over half of his picture.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_stainxfer import fit
from napari_stainxfer.methods import stain_vectors
from napari_stainxfer.methods.pixelwise import PixelwiseMethod
from napari_stainxfer.methods.tissue_colours import TissueColours
from napari_stainxfer.slides import Slide

torchstain = pytest.importorskip("torchstain", reason="run by `tox run -e peers`")

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
    """torchstain's picture."""
    made = {"macenko": "MacenkoNormalizer", "reinhard": "ReinhardNormalizer"}[name]
    normalizer = getattr(torchstain.normalizers, made)(backend="numpy")
    normalizer.fit(target)
    given = {"stains": False} if name == "macenko" else {}
    result = normalizer.normalize(source, **given)
    return np.asarray(result[0] if name == "macenko" else result)


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """Mean difference in grey levels."""
    return float(np.abs(one.astype(float) - other).mean())


@pytest.mark.parametrize(
    ("name", "white", "most"),
    [
        # it cuts grey levels off where ours are not rounded: half a level
        pytest.param("reinhard", 256, 1, id="reinhard"),
        # half a level again; and ours takes what is brighter than white as white when it measures strengths
        pytest.param("macenko", 240, 2, id="macenko"),
    ],
)
def test_the_same_pixels(images: tuple[np.ndarray, np.ndarray], name: str, white: float, most: float) -> None:
    result = theirs(name, *images)
    off, change = apart(same_pixels(name, *images, white), result), apart(images[0], result)
    print(f"{name}, the same pixels: {off:.2f} grey levels apart; it changes the image by {change:.1f}")
    assert off < most < change / 5


def test_macenkos_vectors(images: tuple[np.ndarray, np.ndarray]) -> None:
    """The very same ones: one rule, one threshold."""
    for image in images:
        normalizer = torchstain.normalizers.MacenkoNormalizer(backend="numpy")
        normalizer.fit(image)
        found = stain_vectors.macenko(np.log(240 / (image.reshape(-1, 3) + 1.0)).clip(0))
        assert found is not None
        np.testing.assert_allclose(found, normalizer.HERef.T, atol=1e-6)


def test_reinhard_as_users_run_it(images: tuple[np.ndarray, np.ndarray]) -> None:
    """Ours leaves out what no patch covers and takes every so many-th pixel: a few levels."""
    result = theirs("reinhard", *images)
    off = apart(as_users_run_it("reinhard", *images), result)
    print(f"reinhard, as users run it: {off:.2f} grey levels apart")
    assert off < 5
