"""What a training starts from: the measured sharpness, and both parts together."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from napari_stainxfer.models import RingFilter, Start, StartedGenerator, make_generator
from napari_stainxfer.training.sharpness_start import measure_sharpness
from napari_stainxfer.training.start import measure_start


def tissue(seed: int, *, blur_px: float = 0, noise: float = 0, size: int = 128) -> Tensor:
    """Pictures (4, 3, size, size) of specks of all sizes; the same of them for a seed, under other optics."""
    random = np.random.default_rng(seed)
    light = np.full((4, size, size), 0.6)
    for spread in (1.0, 2.0, 4.0, 8.0):
        specks = gaussian_filter(random.normal(size=light.shape), (0, spread, spread))
        light += 0.06 * specks / specks.std()
    seen = gaussian_filter(light, (0, blur_px, blur_px)) if blur_px else light
    grain = np.random.default_rng((seed, 1)).normal(0, noise, seen.shape)
    return torch.from_numpy(seen + grain).float()[:, None].repeat(1, 3, 1, 1).clamp(0, 1)


def measured(source: Tensor, reference: Tensor) -> RingFilter:
    sharpness = RingFilter()
    measure_sharpness(sharpness, source, reference)
    return sharpness


def error(image: Tensor, truth: Tensor) -> float:
    return float((image - truth).square().mean().sqrt())


class TestSharpness:
    @pytest.mark.parametrize(("of_source", "of_reference"), [(0.8, 0.0), (0.0, 0.8), (1.2, 0.6)])
    def test_another_focus_is_undone_on_other_tissue(self, of_source: float, of_reference: float) -> None:
        """The source shows other tissue than the reference, and is judged on a third."""
        sharpness = measured(tissue(0, blur_px=of_source), tissue(1, blur_px=of_reference))
        image, truth = tissue(2, blur_px=of_source), tissue(2, blur_px=of_reference)
        assert error(sharpness(image), truth) < 0.5 * error(image, truth)

    def test_the_same_focus_stays_as_it_is(self) -> None:
        image = tissue(2)
        sharpened = measured(tissue(0), tissue(1))(image)
        assert error(sharpened, image) < 0.25 * error(tissue(2, blur_px=0.5), image)

    def test_noise_is_not_taken_for_sharpness(self) -> None:
        """Neither the source's, which would be sharpened, nor the reference's, which would sharpen it."""
        image, truth = tissue(2, blur_px=1), tissue(2)
        noisy = tissue(2, blur_px=1, noise=0.05)
        clean = measured(tissue(0, blur_px=1), tissue(1))
        careful = measured(tissue(0, blur_px=1, noise=0.05), tissue(1))
        assert error(careful(noisy), truth) < min(error(clean(noisy), truth), error(noisy, truth))
        of_noisy_reference = measured(tissue(0, blur_px=1), tissue(1, blur_px=1, noise=0.05))
        assert error(of_noisy_reference(image), image) < 0.2 * error(image, truth)

    def test_even_areas_keep_their_light(self) -> None:
        sharpness = measured(tissue(0, blur_px=1), tissue(1))
        even = torch.full((1, 3, 32, 48), 0.7)
        torch.testing.assert_close(sharpness(even), even)
        assert sharpness.shares.sum().item() == pytest.approx(1, abs=1e-6)

    def test_small_and_single_coloured_squares_are_no_trouble(self) -> None:
        grey, image = torch.full((2, 3, 64, 64), 0.5), tissue(0, size=64)
        for source, reference in ((grey, image), (image, grey), (grey, grey)):
            assert torch.equal(measured(source, reference).shares, RingFilter().shares)
        small = measured(tissue(0, blur_px=1, size=16), tissue(1, size=16))
        assert small.shares.isfinite().all()


class TestStart:
    def test_both_parts_are_measured_and_the_same_again(self) -> None:
        source, reference = (
            tissue(0, blur_px=1) * 0.7,
            tissue(1) * torch.tensor([0.9, 0.6, 0.8])[:, None, None],
        )
        truth = tissue(2) * torch.tensor([0.9, 0.6, 0.8])[:, None, None]
        starts = Start(), Start()
        for start in starts:
            measure_start(start, source, reference)
        image = tissue(2, blur_px=1) * 0.7
        assert torch.equal(starts[0](image), starts[1](image))
        blurred = starts[0].recolour(image)
        assert error(starts[0](image), truth) < 0.7 * error(blurred, truth) < 0.3 * error(image, truth)

    @pytest.mark.parametrize("name", ["hrnet", "johnson"])
    def test_a_generator_is_shown_what_it_made(self, name: str) -> None:
        generator = make_generator(name, width=4, started=True).eval()
        assert isinstance(generator, StartedGenerator)
        image = torch.rand(1, 3, 64, 64) * 0.6 + 0.1
        torch.testing.assert_close(generator.start(image), image)  # not measured yet
        generator.start.colours.coefficients[:, 0] += 0.1
        torch.testing.assert_close(generator.start(image), image + 0.1)
        assert torch.equal(generator(image), generator.network(generator.start(image)))
        assert not [part for part, _ in generator.named_parameters() if part.startswith("start")]

    def test_clear_glass_is_neither_coloured_nor_sharpened_by_its_noise(self) -> None:
        """Where red was stretched four times, for a strongly pink slide, specks of glass came out cyan."""
        start = Start()
        start.colours.coefficients[0, 1] *= 4
        start.sharpness.shares.copy_(torch.tensor([3.0, -2.0, 0.0, 0.0]))
        noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        glass = (243 + 3 * noise) / 255
        assert torch.equal(start(glass), glass)
        tissue = torch.full((1, 3, 1, 1), 0.35)
        assert start(tissue)[0, 0] < 0.1

    def test_looks_no_further_than_it_says(self) -> None:
        start = Start()
        start.sharpness.shares.copy_(torch.tensor([2.0, -2.0, 0.5, 0.5]))
        image = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0)) * 0.6
        changed = image.clone()
        changed[..., 20, 20] = 1.0
        rows, columns = (start(changed) != start(image)).any(1)[0].nonzero().T
        for places in (rows, columns):
            assert 20 - start.reach_px == places.min()
            assert places.max() == 20 + start.reach_px
