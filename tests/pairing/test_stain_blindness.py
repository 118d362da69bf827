"""Descriptors find the same tissue whichever lab stained it; plain colour does not."""

from __future__ import annotations

import numpy as np
import pytest

from napari_stainxfer.features import make_extractor
from napari_stainxfer.pairing import describe, standardise
from napari_stainxfer.patches import Patch, PatchSettings, patch_grid, read_patch
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import Slide

SIZE = (3584, 3584)
LABS = ("lab2", "lab3", "lab4", "lab5", "lab6", "lab7", "lab8")


@pytest.fixture(scope="module")
def reference() -> Slide:
    return phantom_slide("lab1", seed=4, size_px=SIZE)


@pytest.fixture(scope="module")
def patches(reference: Slide) -> list[Patch]:
    found = patch_grid(reference, PatchSettings(patch_px=192))
    assert len(found) >= 40
    return found


@pytest.fixture(scope="module")
def descriptors(reference: Slide, patches: list[Patch]) -> np.ndarray:
    return describe([reference], patches, extractor=make_extractor())


def _first_choice(mine: np.ndarray, theirs: np.ndarray) -> float:
    """Share of patches whose first choice on the other side is the same tissue."""
    mine, theirs = standardise(mine, theirs)
    return float((np.argmax(mine @ theirs.T, axis=1) == np.arange(len(mine))).mean())


def _colours(slide: Slide, patches: list[Patch]) -> np.ndarray:
    """The plain alternative: means, deviations and histograms of RGB."""
    rows = []
    for patch in patches:
        pixels = read_patch(slide, patch).reshape(-1, 3) / 255
        bars = [np.histogram(channel, 16, (0, 1))[0] / len(pixels) for channel in pixels.T]
        rows.append(np.concatenate([pixels.mean(axis=0), pixels.std(axis=0), *bars]))
    return np.array(rows, dtype=np.float32)


@pytest.mark.parametrize("lab", LABS)
def test_true_partner_is_the_first_choice(
    lab: str, reference: Slide, patches: list[Patch], descriptors: np.ndarray
) -> None:
    """Both ways round, against chance and against plain colour, which gets each lab's mean taken out too.

    ``pytest -rP`` shows the numbers.
    """
    other = phantom_slide(lab, seed=4, size_px=SIZE)
    found = describe([other], patches, extractor=make_extractor())
    ours = min(_first_choice(found, descriptors), _first_choice(descriptors, found))
    colours = [_colours(slide, patches) for slide in (other, reference)]
    plain = _first_choice(*colours)
    centred = _first_choice(*(rows - rows.mean(axis=0) for rows in colours))
    chance = 1 / len(patches)
    print(f"{lab}: ours {ours:.2f}, plain {plain:.2f}, centred {centred:.2f}, chance {chance:.2f}")
    assert ours >= 0.9
    assert plain < 0.5
    assert centred < ours


@pytest.mark.parametrize("lab", ["lab2", "lab5", "lab7"])
def test_first_choice_holds_when_the_sides_hold_different_mixtures(
    lab: str, patches: list[Patch], descriptors: np.ndarray
) -> None:
    """A third of the patches, the densest, look for their partners among all."""
    other = phantom_slide(lab, seed=4, size_px=SIZE)
    densest = np.argsort([read_patch(other, patch).mean() for patch in patches])[: len(patches) // 3]
    found = describe([other], [patches[index] for index in densest], extractor=make_extractor())
    mine, theirs = standardise(found, descriptors)
    assert (np.argmax(mine @ theirs.T, axis=1) == densest).mean() >= 0.8
