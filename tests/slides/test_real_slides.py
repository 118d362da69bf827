"""Slides that scanners made."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openslide
import pytest

from napari_stainxfer.errors import MissingResolutionError, SlideError
from napari_stainxfer.slides import Box, open_slide

APERIO_JPEG = "wsi/CMU-1-Small-Region.svs"
APERIO_JPEG2000 = "wsi/TCGA-CR-7395-01A-01-TS1.svs"
HAMAMATSU = "wsi/fluorescence_dapi_3968x4864.ndpi"


def test_aperio_jpeg_facts(real_data: Path) -> None:
    with open_slide(real_data / APERIO_JPEG) as slide:
        assert slide.vendor == "aperio"
        assert slide.shape == (2967, 2220)
        assert slide.mpp == pytest.approx(0.499)
        assert slide.magnification == 20
        assert slide.icc_profile is None
        assert slide.real_levels == 1
        assert [level.downsample for level in slide.levels] == [1, 2, 4]
        assert set(slide.associated_images) == {"thumbnail", "label", "macro"}
        assert slide.associated_images["macro"].shape == (431, 1280, 3)
        slide.require_brightfield()


def test_aperio_jpeg2000_facts(real_data: Path) -> None:
    with open_slide(real_data / APERIO_JPEG2000) as slide:
        assert slide.shape == (3567, 4443)
        assert slide.mpp is None
        assert slide.real_levels == 2
        assert slide.levels[1].shape == (1783, 2221)
        assert slide.levels[1].downsample == 2
        assert slide.icc_profile is not None
        assert len(slide.icc_profile) == 3144
        with pytest.raises(MissingResolutionError, match=r"TCGA-CR-7395-01A-01-TS1.svs .* --source-mpp 0.5"):
            slide.require_mpp("--source-mpp")
        slide.require_brightfield()
    assert open_slide(real_data / APERIO_JPEG2000, mpp=0.5).require_mpp() == 0.5


def test_hamamatsu_fluorescence_opens_but_is_refused(real_data: Path) -> None:
    with open_slide(real_data / HAMAMATSU) as slide:
        assert slide.vendor == "hamamatsu"
        assert slide.mpp == pytest.approx(0.2282, abs=1e-4)
        assert slide.magnification == 40
        assert slide.real_levels == 4
        with pytest.raises(SlideError, match=r"not a brightfield slide .*DAPI"):
            slide.require_brightfield()


@pytest.mark.parametrize("name", [APERIO_JPEG, APERIO_JPEG2000, HAMAMATSU])
def test_pixels_are_those_of_openslide(real_data: Path, name: str) -> None:
    reference = openslide.OpenSlide(real_data / name)
    slide = open_slide(real_data / name)
    for level in range(slide.real_levels):
        height, width = slide.levels[level].shape
        d = slide.levels[level].downsample
        box = Box(int(height / 3 * d), int(width / 3 * d), int(300 * d), int(280 * d))
        ours = slide.read_region(box, level=level).astype(int)
        y, x = round(box.y / d), round(box.x / d)
        theirs = np.asarray(reference.read_region((0, 0), level, (x + 280, y + 300)).convert("RGB"))[y:, x:]
        assert ours.shape == theirs.shape
        # JPEG decoders may round colour conversion and chroma upsampling differently.
        assert np.abs(ours - theirs).mean() < 1.0


def test_threads_read_what_one_thread_reads(real_data: Path) -> None:
    slide = open_slide(real_data / APERIO_JPEG)
    boxes = [Box(y, x, 300, 300) for y in range(0, 2700, 250) for x in range(0, 2000, 250)]
    alone = [open_slide(real_data / APERIO_JPEG).read_region(box) for box in boxes]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(slide.read_region, boxes))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_a_pickled_slide_opens_again(real_data: Path) -> None:
    slide = open_slide(real_data / APERIO_JPEG2000, mpp=0.5)
    copy = pickle.loads(pickle.dumps(slide))
    assert copy.mpp == 0.5
    assert copy.fingerprint() == slide.fingerprint()
    assert copy.fingerprint() != open_slide(real_data / APERIO_JPEG).fingerprint()


def test_dask_pyramid_is_the_slide(real_data: Path) -> None:
    slide = open_slide(real_data / APERIO_JPEG)
    pyramid = slide.dask_pyramid()
    assert [array.shape for array in pyramid] == [(*level.shape, 3) for level in slide.levels]
    assert np.array_equal(pyramid[0][100:700, 50:900].compute(), slide.read_region(Box(100, 50, 600, 850)))
    assert np.array_equal(pyramid[2].compute(), slide.read_region(Box(0, 0, *slide.shape), level=2))
