"""Every measure by its name: what it needs, which way is better, within its span."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_stainxfer.evaluation import LPIPS_METRICS, METRICS, Compared, Metric, measure_all, measure_set


def picture(seed: int, side: int = 192) -> np.ndarray:
    """Smooth and stained."""
    smooth = gaussian_filter(np.random.default_rng(seed).normal(size=(side, side, 3)), (3, 3, 0))
    return (150 + 400 * smooth).clip(30, 230).astype(np.uint8)


def compared(image: np.ndarray, truth: np.ndarray) -> Compared:
    marked = np.zeros(image.shape[:2], bool)
    marked[20:60, 20:60] = True
    return Compared(image, truth=truth, source=truth, red_cells=marked, background=marked)


OFFLINE = {name for name, metric in METRICS.items() if metric.of == "image"} - set(LPIPS_METRICS)


@pytest.mark.parametrize("name", sorted(OFFLINE))
class TestEveryMetric:
    def test_equal_images_are_the_best_there_is(self, name: str) -> None:
        metric, one = METRICS[name], picture(0)
        best, worse = metric(compared(one, one)), metric(compared(one, picture(1)))
        assert best == pytest.approx(metric.span[0] if metric.better == "lower" else metric.span[1], abs=1e-5)
        assert worse is not None
        assert worse > best if metric.better == "lower" else worse < best
        assert metric.span[0] <= worse <= metric.span[1]

    def test_a_little_wrong_is_better_than_very_wrong(self, name: str) -> None:
        truth = picture(0).astype(int)
        noise = np.random.default_rng(3).normal(size=truth.shape) * [1.0, 0.3, -0.6]
        little, much = (
            METRICS[name](
                compared((truth + scale * noise).clip(0, 255).astype(np.uint8), truth.astype(np.uint8))
            )
            for scale in (4, 40)
        )
        if name == "red_cell_hue":  # of a mean colour: noise without a mean does nothing to it
            turned = truth.astype(np.uint8)[..., ::-1]
            little, much = 0.0, METRICS[name](compared(turned, truth.astype(np.uint8)))
        assert little is not None
        assert much is not None
        assert little < much if METRICS[name].better == "lower" else little > much

    def test_without_what_it_needs_it_says_nothing(self, name: str) -> None:
        image = picture(0)
        assert METRICS[name](Compared(image)) is None
        for needed in METRICS[name].needs:
            assert METRICS[name](compared(image, image)._replace(**{needed: None})) is None

    def test_an_empty_mask_is_no_mask(self, name: str) -> None:
        image, nothing = picture(0), np.zeros((192, 192), bool)
        masks = [need for need in METRICS[name].needs if need in ("red_cells", "background")]
        value = METRICS[name](compared(image, image)._replace(**dict.fromkeys(masks, nothing)))
        assert (value is None) == bool(masks)


def test_all_that_can_be_taken() -> None:
    image, truth = picture(0), picture(1)
    assert set(measure_all(Compared(image))) == set()
    assert set(measure_all(compared(image, truth))) == OFFLINE
    small = measure_all(compared(image[:100, :100], truth[:100, :100]))
    assert set(small) == OFFLINE - {"ms_ssim"}  # five scales do not fit
    assert all(math.isfinite(value) for value in small.values())


def test_what_an_image_is_too_small_for_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    image, truth = picture(0), picture(1)
    for side, missing in ((8, {"ssim", "ms_ssim"}), (11, {"ms_ssim"}), (175, {"ms_ssim"}), (176, set())):
        found = measure_all(Compared(image[:side], truth=truth[:side], source=truth[:side]))
        assert set(found) == OFFLINE - {"red_cell_hue", "background_change"} - missing
        assert all(math.isfinite(value) for value in found.values())
    for name in LPIPS_METRICS:
        monkeypatch.setitem(METRICS, name, METRICS[name]._replace(measure=lambda _: 0.5))
    for side, taken in ((31, set()), (32, set(LPIPS_METRICS))):
        found = measure_all(Compared(image[:, :side], truth=truth[:, :side]), lpips=LPIPS_METRICS)
        assert set(found) & set(LPIPS_METRICS) == taken


def test_every_metric_says_how_to_read_it() -> None:
    assert METRICS["red_cell_hue"].in_words() == "0 to 180 degrees, lower is better"
    assert METRICS["ssim"].in_words() == "-1 to 1, higher is better"
    assert METRICS["psnr"].in_words() == "from 0 dB, higher is better"


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_every_metric_says_where_it_comes_from(metric: Metric) -> None:
    assert metric.title
    assert metric.source
    assert metric.span[0] < metric.span[1]


@pytest.mark.parametrize("name", METRICS)
def test_the_page_of_the_measures_says_the_same(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "measures.md").read_text(encoding="utf-8")
    row = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
    span, _, better = METRICS[name].in_words().partition(", ")
    assert [cell.strip() for cell in row.split("|")][4:6] == [span, better.removesuffix(" is better")]


def test_dice_is_a_metric_of_masks() -> None:
    one, half = np.ones((4, 4), bool), np.eye(4, dtype=bool)
    assert METRICS["dice"].measure(one, one) == METRICS["dice"].span[1]
    assert METRICS["dice"].measure(one, half) == pytest.approx(2 * 4 / (16 + 4))


def test_a_set_is_spread_when_its_images_differ() -> None:
    dark, light = picture(0) // 2, picture(1)
    assert measure_set([dark]) == {}
    assert measure_set([dark, dark])["nmi_spread"] == 0
    assert measure_set([dark, light])["nmi_spread"] > 0
