"""Whether a slide looks like what a model learned from."""

from __future__ import annotations

import numpy as np
import pytest

from napari_stainxfer.methods import ModelCard, SlideFacts
from napari_stainxfer.methods.familiarity import FAR, caution, colour_distance, distance_to, tissue_colour
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import Slide


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
