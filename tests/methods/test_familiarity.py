"""Whether a slide looks like what a model learned from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_stainxfer import open_slide
from napari_stainxfer.methods import ModelCard, SlideFacts
from napari_stainxfer.methods.familiarity import FAR, caution, colour_distance, distance_to, tissue_colour
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import Box, Slide


def slide(lab: str, seed: int) -> Slide:
    return phantom_slide(lab, seed=seed, size_px=(1024, 1024))


@pytest.fixture(scope="module")
def card() -> ModelCard:
    sources = (SlideFacts.of(slide("lab2", 1)), SlideFacts.of(slide("lab3", 1)))
    return ModelCard(method="nst", package_version="0", mpp=1.0, patch_px=256, pairs=0, sources=sources)


@pytest.mark.parametrize("lab", ["lab2", "lab3"])
def test_another_slide_of_a_known_lab_is_near(card: ModelCard, lab: str) -> None:
    distance = card.distance_of(slide(lab, 5))
    assert distance is not None
    assert distance < 3
    assert caution("it", distance) == ""


@pytest.mark.parametrize("lab", ["lab5", "lab7"])
def test_a_lab_that_was_never_seen_is_told(card: ModelCard, lab: str) -> None:
    distance = card.distance_of(slide(lab, 5))
    assert distance is not None
    assert distance > FAR
    assert caution("this.svs", distance).startswith("The tissue of this.svs is unlike")


def test_the_nearest_counts() -> None:
    red, blue = (200.0, 40.0, 40.0), (40.0, 40.0, 200.0)
    assert distance_to([red, None, blue], red) == 0
    assert distance_to([blue], red) == pytest.approx(colour_distance(red, blue))


def test_nothing_to_compare_is_no_distance(card: ModelCard) -> None:
    glass = Slide.from_array(np.full((300, 300, 3), 244, np.uint8), mpp=0.5)
    assert tissue_colour(glass) is None
    assert card.distance_of(glass) is None
    assert card.model_copy(update={"sources": ()}).distance_of(slide("lab2", 1)) is None
    assert caution("it", None) == ""


@pytest.mark.parametrize("corner", [(300, 600), (900, 1700), (1500, 1400)])
def test_a_small_field_of_a_slide_is_near_it(real_data: Path, corner: tuple[int, int]) -> None:
    with open_slide(real_data / "wsi/CMU-1-Small-Region.svs") as whole:
        box = Box(*corner, 512, 512)
        field = Slide.from_array(whole.read_region(box), mpp=whole.require_mpp())
        card = ModelCard(
            method="nst", package_version="0", mpp=1.0, patch_px=256, pairs=0, sources=(SlideFacts.of(whole),)
        )
    distance = card.distance_of(field)
    assert distance is not None
    assert distance < FAR


def test_a_large_slide_is_looked_at_in_a_few_blocks_and_where_it_is_stained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pixels = np.full((6000, 6000, 3), 244, np.uint8)
    pixels[100:5900, 3100:5900] = (180, 90, 150)
    large = Slide.from_array(pixels, mpp=4.0)
    read: list[Box] = []
    read_region_at = Slide.read_region_at

    def noted(self: Slide, box: Box, *, mpp: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        read.append(box)
        return read_region_at(self, box, mpp=mpp)

    monkeypatch.setattr(Slide, "read_region_at", noted)
    assert tissue_colour(large) == pytest.approx((180, 90, 150), abs=1)
    assert len(read) == 24
    assert min(box.x + box.width for box in read) > 3100
    assert max(box.y for box in read) > 5000
