"""Reference patches for one source patch that a person chose."""

from __future__ import annotations

import numpy as np
import pytest

from napari_stainxfer.errors import NoTissueError
from napari_stainxfer.pairing.ranking import PartnerRanking
from napari_stainxfer.patches import Patch, PatchSettings, patch_grid
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import Box, Slide

PX, MPP = 128, 1.0


@pytest.fixture(scope="module")
def ranking() -> PartnerRanking:
    """The same tissue in the stain of two labs."""
    reference, source = (phantom_slide(lab, seed=3, size_px=(2048, 2048)) for lab in ("lab1", "lab2"))
    return PartnerRanking([reference], [source], patch_px=PX, mpp=MPP)


def test_the_true_partner_in_another_stain_is_among_the_first(ranking: PartnerRanking) -> None:
    reference = phantom_slide("lab1", seed=3, size_px=(2048, 2048))
    patches = patch_grid(reference, PatchSettings(patch_px=PX, mpp=MPP))[::5]
    first = 0
    for patch in patches:
        found = ranking.best(patch)
        assert len(found) == 5
        scores = [score for _, score in found]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
        assert patch.box in [candidate.box for candidate, _ in found]
        first += found[0][0].box == patch.box
    assert first >= 0.8 * len(patches)


def test_the_score_of_two_patches_is_that_of_the_ranking(ranking: PartnerRanking) -> None:
    patch = Patch(Box(700, 700, 256, 256), PX)
    (best, score), *_, (worst, low) = ranking.best(patch, k=10)
    assert ranking.score(patch, best) == pytest.approx(score, abs=0.05)
    assert ranking.score(patch, worst) == pytest.approx(low, abs=0.1)
    assert ranking.best(patch, k=10) == ranking.best(patch, k=10)


def test_the_size_is_planned_where_no_pairs_ask_for_one() -> None:
    slides = [phantom_slide(lab, seed=3, size_px=(2048, 2048)) for lab in ("lab1", "lab2")]
    told: list[float] = []
    ranking = PartnerRanking(slides[:1], slides[1:], on_progress=told.append)
    assert ranking.patch_px < 512
    assert str(ranking.patch_px) in ranking.notice
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1)


def test_no_tissue_is_said() -> None:
    blank = Slide.from_array(np.full((800, 800, 3), 245, np.uint8), mpp=1.0, name="blank")
    with pytest.raises(NoTissueError, match="blank"):
        PartnerRanking([blank], [phantom_slide("lab2", size_px=(2048, 2048))])
    with pytest.raises(NoTissueError, match="blank"):
        PartnerRanking([blank], [phantom_slide("lab2", size_px=(2048, 2048))], patch_px=128, mpp=1.0)
