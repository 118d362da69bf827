"""The classical methods beside other people's: the same formulae must give the same pictures.

Two kinds of comparison. *The same pixels* gives both the same whole image and the same white, so that only
the method itself can differ. *As users run them* lets each choose its own pixels and white: ours leaves
empty glass out and measures its colour, where torchstain takes 240 or 255 and a threshold. Macenko is not
compared so: these images show no empty glass, and what white is decides over half of his picture. Nor is
Vahadane: StainTools learns from all tissue and ours from its dense pixels, and on these two images their
eosins are 7 and 13 degrees apart.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from napari_stainxfer import fit
from napari_stainxfer.methods import stain_vectors
from napari_stainxfer.methods.concentrations import sparse
from napari_stainxfer.methods.pixelwise import PixelwiseMethod
from napari_stainxfer.methods.tissue_colours import TissueColours
from napari_stainxfer.slides import Slide

spams = pytest.importorskip("spams", reason="run by `tox run -e peers`")
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


class TestVahadane:
    """Beside SPAMS, with which the paper and StainTools learn the two vectors; StainTools's arguments."""

    @pytest.fixture(scope="class")
    def learned(self, images: tuple[np.ndarray, np.ndarray]) -> list[tuple[np.ndarray, ...]]:
        """For each image densities of the pixels that ours looks at, SPAMS's vectors and ours."""
        found = []
        for image in images:
            density = np.log(255 / np.maximum(image.reshape(-1, 3), 1.0)).clip(1e-6)
            dense = density[density.mean(axis=1) > stain_vectors.DENSE]
            dictionary = spams.trainDL(
                X=np.asfortranarray(dense.T), K=2, lambda1=0.1, mode=2, modeD=0,
                posAlpha=True, posD=True, verbose=False, iter=5000,
            ).T  # fmt: skip
            theirs = stain_vectors.unit(dictionary[np.argsort(-dictionary[:, 0])])
            ours = stain_vectors.vahadane(density)
            assert ours is not None
            found.append((dense, theirs, ours))
        return found

    def test_the_same_vectors(self, learned: list[tuple[np.ndarray, ...]]) -> None:
        """Of the first image a tenth of a degree apart; the second has two minima, see below."""
        _, theirs, ours = learned[0]
        apart = np.degrees(np.arccos((theirs * ours).sum(axis=1).clip(-1, 1)))
        print(f"vahadane, the same pixels: {apart.round(2)} degrees from SPAMS's")
        assert (apart < 0.5).all()

    def test_ours_is_no_worse_an_answer(self, learned: list[tuple[np.ndarray, ...]]) -> None:
        for dense, theirs, ours in learned:
            costs = self._cost(dense, theirs), self._cost(dense, ours)
            print(f"vahadane's cost: SPAMS {costs[0]:.6f}, ours {costs[1]:.6f}")
            assert costs[1] <= costs[0] * 1.0001

    @staticmethod
    def _cost(density: np.ndarray, stains: np.ndarray, penalty: float = 0.1) -> float:
        """What both make least: half the squared error and the weighted L1 norm, a pixel."""
        given, vectors = torch.from_numpy(density), torch.from_numpy(np.ascontiguousarray(stains))
        codes = sparse(given, vectors, penalty)
        error = 0.5 * (given - codes @ vectors).square().sum(dim=1)
        return float((error + penalty * codes.sum(dim=1)).mean())


def test_reinhard_as_users_run_it(images: tuple[np.ndarray, np.ndarray]) -> None:
    """Ours leaves out what no patch covers and takes every so many-th pixel: a few levels."""
    result = theirs("reinhard", *images)
    off = apart(as_users_run_it("reinhard", *images), result)
    print(f"reinhard, as users run it: {off:.2f} grey levels apart")
    assert off < 5
