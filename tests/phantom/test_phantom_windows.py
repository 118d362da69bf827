"""Any part of a phantom can be rendered alone."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_stainxfer.phantom import LABS, Tissue, mask_region, phantom_slide, render, stain_region
from napari_stainxfer.phantom.blocks import BLOCK_PX
from napari_stainxfer.phantom.render import expose, halo_px
from napari_stainxfer.slides import Box

TISSUE = Tissue(3, (2048, 2048))
BIG = Box(770, 500, 300, 420)


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 299), st.integers(0, 419), st.data())
def test_a_window_equals_the_crop_of_a_larger_one(y: int, x: int, data: st.DataObject) -> None:
    h = data.draw(st.integers(1, BIG.height - y))
    w = data.draw(st.integers(1, BIG.width - x))
    window = Box(BIG.y + y, BIG.x + x, h, w)
    lab = LABS["lab7"]
    whole = render(TISSUE, lab, BIG)
    np.testing.assert_array_equal(render(TISSUE, lab, window), whole[y : y + h, x : x + w])
    crop = np.s_[y : y + h, x : x + w]
    np.testing.assert_array_equal(
        stain_region(TISSUE, window), stain_region(TISSUE, BIG)[:, y : y + h, x : x + w]
    )
    for name in ("glomeruli", "nuclei", "red_cells", "tissue"):
        np.testing.assert_array_equal(
            getattr(mask_region(TISSUE, window), name), getattr(mask_region(TISSUE, BIG), name)[crop]
        )


def test_a_slide_pickles_and_reads_the_same() -> None:
    slide = phantom_slide("lab2", seed=5, size_px=(1500, 1700))
    copy = pickle.loads(pickle.dumps(slide))
    box = Box(500, 600, 70, 80)
    np.testing.assert_array_equal(copy.read_region(box), slide.read_region(box))
    assert copy.mpp == 0.5


@pytest.mark.parametrize("name", ["lab1", "lab7", "lab8"])
def test_blur_and_sharpening_leave_no_seam_between_blocks(name: str) -> None:
    """A region exposed in one piece across four blocks is what the four blocks show."""
    lab = LABS[name]
    halo, side = halo_px(lab, 0.5), BLOCK_PX
    y = x = 4 * BLOCK_PX + BLOCK_PX // 2
    stains, _ = TISSUE.patch(y - halo, x - halo, (side + 2 * halo, side + 2 * halo), 0.5)
    whole = expose(lab, stains, y, x, 0.5, halo).astype(int)
    error = np.abs(render(TISSUE, lab, Box(y, x, side, side)).astype(int) - whole)
    assert error.max() <= 1
    assert error.mean() < 1e-3
