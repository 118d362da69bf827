"""Cutting patches: the grid on one slide, and the plan for both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from napari_stainxfer.errors import MissingResolutionError, NoTissueError
from napari_stainxfer.patches import Patch, PatchSettings, patch_grid, plan_patches, read_patch
from napari_stainxfer.slides import Box, Slide, open_slide

EOSIN = np.array((205, 120, 165), np.int16)


def section(height: int, width: int, mpp: float | None = 1.0, *, margin: int = 0, name: str = "a") -> Slide:
    """A rectangle of grainy tissue with a margin of glass."""
    image = np.full((height, width, 3), 245, np.uint8)
    inner = image[margin : height - margin, margin : width - margin]
    grain = np.random.default_rng(0).integers(-20, 21, (*inner.shape[:2], 1), np.int16)
    inner[:] = EOSIN + grain
    return Slide.from_array(image, mpp=mpp, name=name)


@given(
    height=st.integers(40, 400), width=st.integers(40, 400), px=st.integers(32, 90), mpp=st.floats(0.3, 2.5)
)
@settings(max_examples=40, deadline=None)
def test_patches_lie_inside_never_overlap_and_are_deterministic(
    height: int, width: int, px: int, mpp: float
) -> None:
    slide = section(height, width, mpp, margin=8)
    asked = PatchSettings(patch_px=px, mpp=1.0, min_tissue=0.2)
    patches = patch_grid(slide, asked)
    covered = np.zeros(slide.shape, int)
    for patch in patches:
        y, x, h, w = patch.box
        assert min(y, x) >= 0
        assert y + h <= height
        assert x + w <= width
        covered[y : y + h, x : x + w] += 1
        assert patch.tissue >= 0.2
        assert read_patch(slide, patch).shape == (px, px, 3)
    assert covered.max(initial=0) <= 1
    assert patch_grid(slide, asked) == patches


def test_grid_fills_a_slide_that_is_all_tissue() -> None:
    assert len(patch_grid(section(256, 320), PatchSettings(patch_px=64))) == 4 * 5


def test_origin_is_where_most_patches_fit() -> None:
    """Tissue of exactly two patches, off the grid that starts in the corner."""
    image = np.full((200, 300, 3), 245, np.uint8)
    image[33:97, 97:225] = EOSIN
    patches = patch_grid(Slide.from_array(image, mpp=1.0), PatchSettings(patch_px=64, min_tissue=0.6))
    assert len(patches) == 2


def test_patches_with_ink_are_left_out() -> None:
    slide = section(256, 256)
    image = slide.read_region(Box(0, 0, 256, 256)).copy()
    image[30:50, :] = (40, 150, 120)
    patches = patch_grid(Slide.from_array(image, mpp=1.0), PatchSettings(patch_px=64))
    assert {patch.box.y for patch in patches} == {64, 128, 192}


def test_read_patch_takes_the_square_inside_a_box_that_is_none() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, 45:155] = 200
    patch = Patch(Box(0, 0, 100, 200), 50)
    pixels = read_patch(Slide.from_array(image, mpp=1.0), patch)
    assert pixels.shape == (50, 50, 3)
    assert (pixels == 200).all()


def test_slides_of_different_um_per_px_give_the_same_size() -> None:
    """The same tissue scanned twice as fine: boxes twice as large, patches alike."""
    coarse = section(400, 400, 1.0)
    fine = Slide.from_array(coarse.read_region(Box(0, 0, 400, 400)).repeat(2, 0).repeat(2, 1), mpp=0.5)
    plan = plan_patches([coarse], [fine], PatchSettings(patch_px=64, count=30))
    assert (plan.patch_px, plan.mpp, plan.notice) == (64, 1.0, None)
    assert [patch.box for patch in plan.sources] == [
        Box(*(2 * value for value in patch.box)) for patch in plan.references
    ]
    for reference, source in zip(plan.references, plan.sources, strict=True):
        difference = read_patch(coarse, reference).astype(int) - read_patch(fine, source)
        assert np.abs(difference).mean() < 3  # of the grain's 12: the rest is antialiasing


def test_plan_counts_all_slides_of_a_side() -> None:
    whole, halves = section(512, 256), [section(256, 256), section(256, 256)]
    plan = plan_patches([whole], halves, PatchSettings(patch_px=64, count=32))
    assert plan.notice is None
    assert [patch.slide for patch in plan.sources] == [0] * 16 + [1] * 16


@pytest.mark.parametrize(
    ("side_px", "mpp", "expected"),
    [
        (2600, 1.0, (512, 1.0)),
        (2000, 1.0, (384, 1.0)),
        (1400, 1.0, (256, 1.0)),
        (1400, 0.8, (256, 0.8)),
        (1100, 0.9, (192, 0.9)),
        (640, 1.0, (128, 1.0)),
    ],
)
def test_small_slides_get_smaller_then_finer_then_tiny_patches(
    side_px: int, mpp: float, expected: tuple[int, float]
) -> None:
    large, small = section(2600, 2600, mpp), section(side_px, side_px, mpp)
    plan = plan_patches([large], [small])
    assert (plan.patch_px, plan.mpp) == expected
    assert min(len(plan.references), len(plan.sources)) >= 20
    if expected == (512, 1.0):
        assert plan.notice is None
    else:
        assert plan.notice is not None
        assert f"{expected[0]} px at {expected[1]:.3g} um/px instead of 512 px at 1 um/px" in plan.notice


def test_either_side_can_be_the_small_one() -> None:
    large, small = section(1400, 1400), section(700, 700)
    one, other = plan_patches([large], [small]), plan_patches([small], [large])
    assert (one.patch_px, one.mpp) == (other.patch_px, other.mpp) == (128, 1.0)
    assert one.references == other.sources


def test_too_little_tissue_is_said_and_used_all_the_same() -> None:
    plan = plan_patches([section(400, 400)], [section(1400, 1400)])
    assert len(plan.references) == 9
    assert plan.notice is not None
    assert "the reference has 9 patches of 20" in plan.notice


def test_coarse_scan_is_never_read_finer_than_it_is() -> None:
    plan = plan_patches([section(1400, 1400, 2.0)], [section(1400, 1400, 0.5)])
    assert plan.mpp == 2.0
    assert plan.notice is not None


def test_blank_slide_and_missing_resolution_say_what_to_do() -> None:
    blank = Slide.from_array(np.full((600, 600, 3), 240, np.uint8), mpp=1.0, name="blank.svs")
    with pytest.raises(NoTissueError, match=r"found in blank\.svs"):
        plan_patches([section(600, 600)], [blank])
    with pytest.raises(MissingResolutionError, match=r"for example --source-mpp 0\.5 for"):
        plan_patches([section(600, 600)], [section(600, 600, None)])


def test_settings_are_frozen_and_refuse_unknown_fields() -> None:
    with pytest.raises(ValidationError):
        PatchSettings(patch_size=3)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        PatchSettings().patch_px = 3  # type: ignore[misc]


def test_real_pair_gets_a_common_scale(real_data: Path) -> None:
    reference = open_slide(real_data / "wsi" / "CMU-1-Small-Region.svs")
    source = open_slide(real_data / "wsi" / "TCGA-CR-7395-01A-01-TS1.svs", mpp=0.5)
    plan = plan_patches([reference], [source])
    assert plan.patch_px == 256
    assert plan.mpp == pytest.approx(0.5, abs=0.002)
    assert min(len(plan.references), len(plan.sources)) >= 20
    for slide, patches in ((reference, plan.references), (source, plan.sources)):
        for patch in patches[::9]:
            assert read_patch(slide, patch).shape == (256, 256, 3)
