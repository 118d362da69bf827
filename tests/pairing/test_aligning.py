"""Partners are moved onto the very same tissue where it is there, and stay where it is not."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_stainxfer.pairing import PairingSettings, suggest_pairs
from napari_stainxfer.pairing.aligning import SameTissue
from napari_stainxfer.pairing.ranking import PartnerRanking
from napari_stainxfer.patches import Patch, PatchSettings, patch_grid
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import Box, Slide

SIDE, PX, MPP = 2560, 256, 0.5


def scan(lab: str, tissue: int, *, cut: tuple[int, int] = (0, 0)) -> Slide:
    """A slide of which a scanner left out the first rows and columns."""
    slide = phantom_slide(lab, seed=tissue, size_px=(SIDE, SIDE))
    pixels = slide.read_region(Box(*cut, SIDE - cut[0], SIDE - cut[1]))
    return Slide.from_array(pixels, mpp=MPP, name=f"{lab} {tissue} {cut}")


@pytest.fixture(scope="module")
def source() -> Slide:
    return scan("lab2", 3)


@pytest.fixture(scope="module")
def same_tissue(source: Slide) -> SameTissue:
    """In another stain, and as a second reference other tissue."""
    return SameTissue([scan("lab1", 3), scan("lab1", 8)], [source])


@settings(deadline=None, max_examples=15)
@given(moved=st.tuples(*2 * [st.integers(-PX // 2, PX // 2)]), place=st.tuples(*2 * [st.integers(300, 1900)]))
def test_the_same_tissue_is_found_within_half_a_patch(
    same_tissue: SameTissue, moved: tuple[int, int], place: tuple[int, int]
) -> None:
    here = Patch(Box(*place, PX, PX), PX // 2)
    near = here._replace(box=Box(place[0] + moved[0], place[1] + moved[1], PX, PX), tissue=0.7)
    found, correlation = same_tissue.find(here, near)
    assert np.abs(np.subtract(found.box, here.box)).max() <= 4
    assert found._replace(box=near.box) == near
    assert 0.85 <= correlation <= 1


def test_other_tissue_is_not(source: Slide, same_tissue: SameTissue) -> None:
    grid = patch_grid(source, PatchSettings(patch_px=PX // 2))
    for here, there in pairwise(grid):
        assert same_tissue.find(here, there._replace(slide=1)) is None


def test_without_reach_only_the_place_itself_is_looked_at(same_tissue: SameTissue) -> None:
    here = Patch(Box(900, 1100, PX, PX), PX // 2)
    found, _ = same_tissue.find(here, here, reach=0)
    assert found == here
    assert same_tissue.find(here, here._replace(box=Box(900, 1140, PX, PX)), reach=0) is None


def test_a_patch_at_the_edge_stays_inside(same_tissue: SameTissue) -> None:
    here = Patch(Box(SIDE - PX, SIDE - PX, PX, PX), PX // 2)
    for corner in [(SIDE - PX, SIDE - PX), (SIDE - PX - 90, SIDE - PX)]:
        found, _ = same_tissue.find(here, here._replace(box=Box(*corner, PX, PX)))
        assert found.box.y + PX <= SIDE
        assert found.box.x + PX <= SIDE


def test_two_scans_cut_otherwise_give_pairs_of_the_same_tissue(source: Slide) -> None:
    """The grids of both lie elsewhere on the tissue, by 100 and 60 px of 256."""
    cut = (100, 60)
    pairs = suggest_pairs(
        scan("lab1", 3, cut=cut), source, PatchSettings(patch_px=PX // 2), PairingSettings(count=12)
    )
    off = np.array([np.subtract(pair.reference.box, pair.source.box)[:2] for pair in pairs.pairs]) + cut
    exact = np.abs(off).max(axis=1) <= 4
    print(f"{exact.mean():.2f} of the pairs show the same tissue")
    assert exact.mean() >= 0.5
    assert [pair.score >= 0.85 for pair in pairs.pairs] == exact.tolist()


def test_the_same_tissue_comes_first_after_a_click(source: Slide) -> None:
    cut, clicked = (100, 60), Patch(Box(900, 1100, PX, PX), PX // 2)
    ranking = PartnerRanking([scan("lab1", 3, cut=cut)], [source], patch_px=PX // 2, mpp=1.0)
    found = ranking.best(clicked, k=12)
    (best, score), *others = found
    assert np.abs(np.subtract(best.box[:2], (900 - cut[0], 1100 - cut[1]))).max() <= 4
    assert score == max(score for _, score in found) >= 0.85
    assert ranking.score(clicked, best) == pytest.approx(score, abs=0.05)
    assert len(others) == 11
