"""Empty glass is given back byte for byte, and tissue is not taken for glass."""

from __future__ import annotations

from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest
import torch

from napari_stainxfer.methods import Model, slide_glass
from napari_stainxfer.methods.background import HALO_PX, stained
from napari_stainxfer.slides import Slide

Make = Callable[..., Model]
GLASS = (243.0, 240.0, 245.0)


def noisy(colour: tuple[float, float, float], sigma: float, side: int = 256, seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, sigma, (side, side, 3))
    return (np.asarray(colour) + noise).round().clip(0, 255).astype(np.uint8)


def as_jpeg(image: np.ndarray, level: int) -> np.ndarray:
    decoded: np.ndarray = imagecodecs.jpeg8_decode(imagecodecs.jpeg8_encode(image, level=level))
    return decoded


@pytest.fixture(params=["hrnet", "johnson"])
def model(request: pytest.FixtureRequest, make_model: Make) -> Model:
    return make_model(request.param)


class TestGlassStays:
    @pytest.mark.parametrize("sigma", [0.0, 1.0, 2.0, 3.0])
    def test_with_the_noise_of_a_scanner(self, model: Model, sigma: float) -> None:
        glass = noisy(GLASS, sigma)
        np.testing.assert_array_equal(model.transform(glass, tile_px=128), glass)

    @pytest.mark.parametrize("level", [50, 75, 90])
    def test_with_the_noise_of_jpeg(self, model: Model, level: int) -> None:
        glass = as_jpeg(noisy(GLASS, 3.0), level)
        np.testing.assert_array_equal(model.transform(glass), glass)

    def test_where_a_scanner_filled_in_pure_white(self, model: Model) -> None:
        blank = np.full((96, 96, 3), 255, np.uint8)
        np.testing.assert_array_equal(model.transform(blank), blank)
        blank[:48] = GLASS
        np.testing.assert_array_equal(model.transform(blank), blank)

    def test_by_the_glass_of_the_slide_not_of_the_model(self, model: Model) -> None:
        """Dull glass of another slide would pass for pale stain."""
        dull = noisy((221.0, 215.0, 218.0), 1.0, side=96)
        assert (model.transform(dull) != dull).any()
        np.testing.assert_array_equal(model.transform(dull, glass=(221.0, 215.0, 218.0)), dull)

    def test_next_to_tissue(self, model: Model) -> None:
        """Glass further from stain than the ramp looks is untouched; stain is the network's, whole."""
        picture = noisy(GLASS, 1.5, side=160)
        middle = np.s_[60:100, 60:100]
        picture[middle] = noisy((170.0, 90.0, 150.0), 10.0, side=40)
        result = model.transform(picture, tile_px=64)
        near = np.s_[60 - HALO_PX : 100 + HALO_PX, 60 - HALO_PX : 100 + HALO_PX]
        far = np.ones(picture.shape[:2], bool)
        far[near] = False
        np.testing.assert_array_equal(result[far], picture[far])
        image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        network = model.method.transform(image)[0].permute(1, 2, 0).clamp(0, 1).mul(255).numpy()
        assert np.abs(result[middle] - network[middle]).max() < 0.6

    def test_a_black_or_blank_tile_gives_no_nonsense(self, model: Model) -> None:
        for value in (0, 1, 128, 254, 255):
            result = model.transform(np.full((32, 32, 3), value, np.uint8))
            assert result.shape == (32, 32, 3)
            assert result.dtype == np.uint8


class TestStained:
    def test_nothing_on_glass_all_on_the_palest_eosin(self) -> None:
        for colour, expected in ((GLASS, 0.0), ((240.0, 215.0, 232.0), 0.3), ((235.0, 195.0, 220.0), 1.0)):
            image = torch.tensor(colour)[None, :, None, None].expand(1, 3, 40, 40) / 255
            weight = stained(image, GLASS)
            assert weight.shape == (1, 1, 40, 40)
            assert weight.max() - weight.min() < 1e-5
            assert weight.max().item() == pytest.approx(expected, abs=0.1)

    def test_looks_no_further_than_it_says(self) -> None:
        image = torch.tensor(GLASS)[None, :, None, None].repeat(1, 1, 64, 64) / 255
        image[0, :, 30, 33] = 0.2
        touched = stained(image, GLASS)[0, 0].nonzero() - torch.tensor([30, 33])
        assert touched.abs().max() == HALO_PX

    def test_is_a_smooth_share(self) -> None:
        picture = noisy(GLASS, 1.0, side=80)
        picture[:, 40:] = (150, 80, 140)
        image = torch.from_numpy(picture).permute(2, 0, 1)[None].float() / 255
        weight = stained(image, GLASS)[0, 0]
        assert weight[:, :31].max() == 0
        assert weight[:, 40:].min() == pytest.approx(1)
        assert weight.diff(dim=1).abs().max() < 0.2


def _glass(overview: np.ndarray) -> tuple[float, float, float]:
    return slide_glass(Slide.from_array(overview, mpp=1.0))


class TestSlideGlass:
    def test_colour_of_the_bright_outside_tissue(self) -> None:
        overview = noisy(GLASS, 2.0)
        overview[:80] = (150, 80, 140)
        overview[80:120] = 255  # not scanned
        overview[120:140] = (20, 20, 20)  # the slide's edge
        assert _glass(overview) == pytest.approx(GLASS, abs=0.6)

    def test_all_padding_or_no_glass_at_all(self) -> None:
        white = np.full((64, 64, 3), 255, np.uint8)
        assert _glass(white) == (255.0, 255.0, 255.0)
        assert _glass(white // 3) == (255.0, 255.0, 255.0)

    def test_a_few_stray_pixels_do_not_outvote_the_padding(self) -> None:
        overview = np.full((64, 64, 3), 255, np.uint8)
        overview[0, :10] = 200
        assert _glass(overview) == (255.0, 255.0, 255.0)

    def test_gives_plain_numbers_for_the_card(self) -> None:
        assert all(type(value) is float for value in _glass(noisy(GLASS, 2.0)))
