"""The numbers of what is in view: alike at every zoom, and told against the references."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari", reason="napari is not installed")

from napari_stainxfer import fit
from napari_stainxfer.applying import Preview
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.plugin.view_numbers import Goals, numbers_of_view
from napari_stainxfer.slides import Box, Slide

SIZE = (4096, 4096)


@pytest.fixture(scope="module")
def reference() -> Slide:
    return phantom_slide("lab1", 0, SIZE)


@pytest.fixture(scope="module")
def preview(reference: Slide) -> Preview:
    """Computed at the finest level in the middle of the slide, and everywhere at the coarsest."""
    source = phantom_slide("lab2", 1, SIZE)
    preview = Preview(fit(reference, source, method="reinhard"), source)
    for level in (len(source.levels) - 1, 0):
        side = SIZE[0] >> level
        preview.look_at(level, Box(side // 4, side // 4, side // 2, side // 2))
        for _ in preview.serve():
            pass
    return preview


def test_no_further_from_the_reference_seen_closely(reference: Slide, preview: Preview) -> None:
    goals: Goals = {}
    coarsest = len(preview.levels) - 1
    assert preview.slide.levels[coarsest].downsample >= 4
    found = []
    for level in (0, coarsest):
        side = round(SIZE[0] / preview.slide.levels[level].downsample)
        box = Box(side // 4, side // 4, side // 2, side // 2)
        found.append(numbers_of_view(preview, level, box, [reference], goals))
    close, far = found
    assert close.distance_after < 0.5 * close.distance_before
    assert abs(close.distance_after - far.distance_after) < 2
    np.testing.assert_allclose(close.after, far.after, atol=6)
    assert list(goals) == [reference.fingerprint()]


def test_beside_the_slide_there_is_nothing(reference: Slide, preview: Preview) -> None:
    assert numbers_of_view(preview, 0, Box(-900, 0, 500, 500), [reference], {}) is None


def test_a_sliver_and_no_reference(preview: Preview) -> None:
    found = numbers_of_view(preview, 0, Box(2000, 1000, 5, 2000), [], {})
    assert 0 < found.tissue <= 1
    assert found.distance_before is found.distance_after is None
