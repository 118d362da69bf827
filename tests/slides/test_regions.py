"""Reading by rectangle, level and resolution, against plain numpy and whole-image references."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from skimage.transform import resize

from napari_stainxfer.errors import MissingResolutionError
from napari_stainxfer.slides import Box, Facts, PixelSource, Slide, open_slide, write_pyramid
from napari_stainxfer.slides.memory import ArraySource

NOISE = np.random.default_rng(2).integers(0, 256, (257, 331, 3), np.uint8)


def tissue(height: int, width: int) -> NDArray[np.uint8]:
    """A smooth picture, pink and violet, with structure of about ten pixels."""
    y, x = np.mgrid[:height, :width]
    wave = 0.5 + 0.25 * np.sin(y / 7.3) * np.cos(x / 9.1) + 0.25 * np.sin((x + 2 * y) / 23)
    return np.rint(np.stack([235 - 90 * wave, 200 - 120 * wave, 225 - 60 * wave], -1)).astype(np.uint8)


@given(
    y=st.integers(-300, 400), x=st.integers(-400, 500), height=st.integers(1, 700), width=st.integers(1, 900)
)
@settings(deadline=None)
def test_outside_is_white(y: int, x: int, height: int, width: int) -> None:
    padded = np.full((1600, 2000, 3), 255, np.uint8)
    padded[400:657, 500:831] = NOISE
    region = Slide.from_array(NOISE).read_region(Box(y, x, height, width))
    assert np.array_equal(region, padded[400 + y : 400 + y + height, 500 + x : 500 + x + width])


def test_reading_does_not_share_memory_with_the_slide() -> None:
    slide = Slide.from_array(NOISE.copy())
    slide.read_region(Box(0, 0, 9, 9))[:] = 0
    assert np.array_equal(slide.read_region(Box(0, 0, 9, 9)), NOISE[:9, :9])


@pytest.mark.parametrize("shape", [(700, 2100), (4100, 130), (2049, 17)])
def test_virtual_levels_are_area_averages(shape: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    slide = Slide.from_array(rgb)
    assert slide.real_levels == 1
    assert max(slide.levels[-1].shape) <= 1024 < max(slide.levels[-2].shape)
    for number, level in enumerate(slide.levels):
        factor = 2**number
        assert level.downsample == factor
        pad = [(0, -shape[0] % factor), (0, -shape[1] % factor), (0, 0)]
        blocks = np.pad(rgb.astype(float), pad, constant_values=np.nan)
        height, width = blocks.shape[0] // factor, blocks.shape[1] // factor
        expected = np.nanmean(blocks.reshape(height, factor, width, factor, 3), axis=(1, 3))
        assert level.shape == expected.shape[:2]
        read = slide.read_level(Box(0, 0, *level.shape), number)
        assert np.abs(read - expected).max() <= 0.51


def test_region_of_a_level_starts_where_level_0_does(tmp_path: Path) -> None:
    rgb = tissue(1200, 900)
    tiles = [rgb[y : y + 256, x : x + 256] for y in range(0, 1200, 256) for x in range(0, 900, 256)]
    path = write_pyramid(
        tmp_path / "s.tif", tiles, shape=(1200, 900), mpp=0.5, compression="lossless", tile_px=256
    )
    with open_slide(path) as slide:
        region = slide.read_region(Box(401, 300, 200, 400), level=1)
        assert region.shape == (100, 200, 3)
        assert np.array_equal(region, slide.read_level(Box(round(401 / 2), 150, *region.shape[:2]), 1))


@pytest.mark.parametrize("mpp", [0.5, 0.6, 1.0, 1.37, 2.0, 4.0])
@pytest.mark.parametrize("levels", ["virtual", "written"])
def test_any_resolution_is_a_resize_of_the_whole(tmp_path: Path, mpp: float, levels: str) -> None:
    rgb = tissue(1200, 1000)
    slide = Slide.from_array(rgb, mpp=0.5)
    if levels == "written":
        tiles = [rgb[y : y + 256, x : x + 256] for y in range(0, 1200, 256) for x in range(0, 1000, 256)]
        slide = open_slide(
            write_pyramid(
                tmp_path / "s.tif", tiles, shape=(1200, 1000), mpp=0.5, compression="lossless", tile_px=256
            )
        )
    size = (round(1200 * 0.5 / mpp), round(1000 * 0.5 / mpp))
    read = slide.read_region_at(Box(0, 0, 1200, 1000), mpp=mpp)
    assert read.shape == (*size, 3)
    reference = resize(rgb, size, order=1, anti_aliasing=mpp > 0.5, preserve_range=True)
    assert np.abs(read - reference).mean() < 1.5


@given(
    row=st.integers(-1, 4), column=st.integers(-1, 4), step=st.sampled_from([0.5, 1.0, 1.25, 2.0, 2.5, 4.0])
)
@settings(deadline=None, max_examples=40)
def test_pieces_join_without_a_seam(row: int, column: int, step: float) -> None:
    """A piece read alone equals the same piece of the whole, whatever lies around it."""
    side = 100
    slide = Slide.from_array(tissue(600, 500), mpp=0.25)
    whole = slide.read_region_at(Box(-side, -side, 700, 600), mpp=0.25 * step)
    piece = slide.read_region_at(Box(row * side, column * side, side, side), mpp=0.25 * step)
    size = round(side / step)
    top, left = round((row + 1) * side / step), round((column + 1) * side / step)
    assert np.abs(piece.astype(int) - whole[top : top + size, left : left + size]).max() <= 1


def test_glass_stays_white_and_edges_do_not_ring() -> None:
    rgb = np.full((400, 400, 3), 245, np.uint8)
    rgb[100:300, 100:300] = (120, 40, 130)
    read = Slide.from_array(rgb, mpp=0.25).read_region_at(Box(0, 0, 400, 400), mpp=0.61)
    assert read.max() <= 245
    assert (read[:30] == 245).all()


def test_fine_detail_is_averaged_not_aliased() -> None:
    board = np.where(np.indices((512, 512)).sum(0) % 2, 255, 1).astype(np.uint8)[..., None].repeat(3, -1)
    for mpp in (0.55, 1.0, 1.3, 3.1):
        read = Slide.from_array(board, mpp=0.25).read_region_at(Box(0, 0, 512, 512), mpp=mpp)
        assert read[4:-4, 4:-4].std() < 6, mpp


def test_resolution_needs_um_per_px() -> None:
    slide = Slide.from_array(NOISE, name="biopsy.png")
    with pytest.raises(MissingResolutionError, match=r"biopsy\.png does not say .* --mpp 0\.5"):
        slide.read_region_at(Box(0, 0, 9, 9), mpp=1.0)


@pytest.mark.parametrize("box", [Box(0, 0, 0, 5), Box(0, 0, 5, -1)])
def test_an_empty_region_is_a_mistake(box: Box) -> None:
    with pytest.raises(ValueError, match="positive height and width"):
        Slide.from_array(NOISE).read_region(box)


@pytest.mark.parametrize("max_px", [100, 331, 5000])
def test_overview_fits(max_px: int) -> None:
    overview = Slide.from_array(NOISE).overview(max_px)
    assert max(overview.shape) == min(max_px, 331)
    assert abs(overview.mean() - NOISE.mean()) < 1.5


def test_overview_is_the_slide_made_small() -> None:
    rgb = tissue(1501, 1003)
    overview = Slide.from_array(rgb).overview(500)
    expected = np.asarray(Image.fromarray(rgb).resize((334, 500), Image.Resampling.BOX))
    assert overview.shape == expected.shape
    assert np.abs(overview.astype(int) - expected).mean() < 1


class Drawn:
    """A source that draws what it is asked for."""

    shapes = ((5000, 3000),)
    facts = Facts(vendor="drawn", mpp=0.5)

    def __init__(self) -> None:
        self.associated: dict[str, object] = {}
        self.largest = 0

    def read(self, level: int, y: int, x: int, height: int, width: int) -> NDArray[np.uint8]:
        self.largest = max(self.largest, height * width)
        rows, columns = np.arange(y, y + height)[:, None], np.arange(x, x + width)
        out = np.empty((height, width, 3), np.uint8)
        out[..., 0], out[..., 1] = rows % 251, columns % 241
        out[..., 2] = (rows % 113).astype(np.uint8) + (columns % 127).astype(np.uint8)
        return out

    def close(self) -> None:
        pass


def test_distant_levels_get_virtual_ones_between() -> None:
    """An overview between two distant levels must not be made of all of level 0 at once."""

    class Distant(Drawn):
        shapes = ((16000, 9600), (250, 150))

    source = Distant()
    slide = Slide(source, name="distant")
    assert [level.downsample for level in slide.levels] == [1, 4, 16, 64]
    assert [level.virtual for level in slide.levels] == [False, True, True, False]
    region = slide.read_region(Box(8000, 4800, 1600, 1600), level=2)
    assert region.shape == (100, 100, 3)
    expected = source.read(0, 8000, 4800, 1600, 1600).reshape(100, 16, 100, 16, 3).mean((1, 3))
    assert np.abs(region - expected).max() <= 0.51
    source.largest = 0
    slide.read_region_at(Box(0, 0, 5000, 5000), mpp=0.5 * 30)
    assert 0 < source.largest <= 4096 * 1024


def test_a_slide_can_be_made_of_any_source() -> None:
    source = Drawn()
    assert isinstance(source, PixelSource)
    slide = Slide(source, name="drawn")
    assert slide.mpp == 0.5
    assert tuple(slide.read_region(Box(300, 700, 1, 1))[0, 0]) == (
        300 % 251,
        700 % 241,
        300 % 113 + 700 % 127,
    )
    slide.overview()
    assert source.largest < 2_000_000
    assert Slide(Drawn(), name="again").fingerprint() == slide.fingerprint()


def test_an_array_slide_survives_pickling() -> None:
    slide = Slide.from_array(NOISE, mpp=0.7, name="array")
    copy = pickle.loads(pickle.dumps(slide))
    assert (copy.name, copy.mpp, copy.fingerprint()) == ("array", 0.7, slide.fingerprint())


def test_fingerprint_sees_pixels_and_shape() -> None:
    other = NOISE.copy()
    other[140, 170] ^= 1
    prints = {Slide.from_array(a).fingerprint() for a in (NOISE, other, np.ascontiguousarray(NOISE[:, :-1]))}
    assert len(prints) == 3
    assert all(len(p) == 16 for p in prints)


def test_an_array_has_one_level() -> None:
    with pytest.raises(IndexError, match="one level"):
        ArraySource(NOISE, Facts()).read(1, 0, 0, 1, 1)
