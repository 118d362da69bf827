"""Pyramids that we write: whole or not at all, and the same everywhere they are opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import openslide
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_stainxfer.errors import SlideError
from napari_stainxfer.slides import Box, PyramidWriter, open_slide, write_pyramid
from napari_stainxfer.slides.virtual import area_average

Pixels = NDArray[np.uint8]
ENDINGS = ["slide.tif", "slide.ome.tif"]
PROVENANCE = {"model": "abc123", "settings": {"epochs": 3, "shape": [1, 2]}, "source": "Größe µm.svs"}


def cut(rgb: Pixels, tile_px: int = 512) -> Iterator[Pixels]:
    for y in range(0, rgb.shape[0], tile_px):
        for x in range(0, rgb.shape[1], tile_px):
            yield rgb[y : y + tile_px, x : x + tile_px]


def blobs(height: int, width: int, seed: int = 0) -> Pixels:
    """Smooth colours, such as JPEG was made for."""
    coarse = np.random.default_rng(seed).integers(90, 256, (-(-height // 16), -(-width // 16), 3), np.uint8)
    return np.kron(coarse, np.ones((16, 16, 1), np.uint8))[:height, :width]


@pytest.fixture(scope="module")
def icc(real_data: Path) -> bytes:
    with open_slide(real_data / "wsi/TCGA-CR-7395-01A-01-TS1.svs") as slide:
        assert slide.icc_profile
        return slide.icc_profile


@pytest.mark.parametrize("name", ENDINGS)
@given(
    height=st.integers(1, 150),
    width=st.integers(1, 150),
    tile_px=st.sampled_from([16, 32, 48, 160]),
    seed=st.integers(0, 9),
)
@settings(max_examples=25, deadline=None)
def test_lossless_round_trip_is_exact(
    tmp_path_factory: pytest.TempPathFactory, name: str, height: int, width: int, tile_px: int, seed: int
) -> None:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    path = tmp_path_factory.mktemp("round") / name
    write_pyramid(
        path, cut(rgb, tile_px), shape=(height, width), mpp=0.5, compression="lossless", tile_px=tile_px
    )
    with open_slide(path) as slide:
        assert slide.shape == (height, width)
        assert np.array_equal(slide.read_region(Box(0, 0, height, width)), rgb)
        expected = rgb
        for number in range(1, slide.real_levels):
            expected = area_average(expected, 2)
            shape = slide.levels[number].shape
            assert shape == expected.shape[:2]
            assert np.array_equal(slide.read_level(Box(0, 0, *shape), number), expected)
        assert max(slide.levels[slide.real_levels - 1].shape) <= max(tile_px, 1)


@pytest.mark.parametrize("name", ENDINGS)
@pytest.mark.parametrize("compression", ["jpeg", "lossless"])
def test_what_is_written_comes_back(tmp_path: Path, name: str, compression: str, icc: bytes) -> None:
    rgb = blobs(1300, 1111)
    path = write_pyramid(
        tmp_path / name,
        cut(rgb),
        shape=(1300, 1111),
        mpp=0.4990,
        magnification=20,
        icc_profile=icc,
        provenance=PROVENANCE,
        compression=compression,
    )
    assert [entry.name for entry in tmp_path.iterdir()] == [name]
    with open_slide(path) as slide:
        assert slide.mpp == 0.499
        assert slide.magnification == 20
        assert slide.icc_profile == icc
        assert slide.provenance == PROVENANCE
        assert slide.vendor == "napari-stainxfer"
        assert [level.downsample for level in slide.levels] == [1, 2, 4]
        assert slide.real_levels == 3
        assert not slide.associated_images
        assert np.abs(slide.read_region(Box(0, 0, 1300, 1111)).astype(int) - rgb).mean() < 1.5


@pytest.mark.parametrize("name", ENDINGS)
def test_unknown_facts_stay_unknown(tmp_path: Path, name: str) -> None:
    path = write_pyramid(tmp_path / name, [blobs(40, 30)], shape=(40, 30), mpp=None)
    with open_slide(path) as slide:
        assert slide.mpp is None
        assert slide.magnification is None
        assert slide.icc_profile is None
        assert slide.provenance == {}


@pytest.mark.parametrize("compression", ["jpeg", "lossless"])
def test_openslide_sees_every_level_of_a_tif(tmp_path: Path, compression: str, icc: bytes) -> None:
    rgb = blobs(1300, 1111)
    path = write_pyramid(
        tmp_path / "slide.tif",
        cut(rgb),
        shape=(1300, 1111),
        mpp=0.25,
        icc_profile=icc,
        compression=compression,
    )
    with openslide.OpenSlide(path) as slide:
        assert slide.level_dimensions == ((1111, 1300), (556, 650), (278, 325))
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.25)
        assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(0.25)
        assert slide.color_profile is not None
        assert slide.color_profile.tobytes() == icc
        theirs = np.asarray(slide.read_region((300, 400), 0, (256, 200)).convert("RGB")).astype(int)
        assert np.abs(theirs - rgb[400:600, 300:556]).mean() < (1.5 if compression == "jpeg" else 1e-9)


def test_openslide_opens_an_ome_tif(tmp_path: Path) -> None:
    rgb = blobs(700, 600)
    path = write_pyramid(
        tmp_path / "slide.ome.tif", cut(rgb), shape=(700, 600), mpp=0.25, compression="lossless"
    )
    with openslide.OpenSlide(path) as slide:
        assert slide.dimensions == (600, 700)
        assert np.array_equal(np.asarray(slide.read_region((0, 0), 0, (600, 700)).convert("RGB")), rgb)


@pytest.mark.parametrize("name", ENDINGS)
def test_tifffile_sees_a_bigtiff_pyramid_in_tiles(tmp_path: Path, name: str) -> None:
    rgb = blobs(1100, 700)
    path = write_pyramid(
        tmp_path / name, cut(rgb, 256), shape=(1100, 700), mpp=0.25, compression="lossless", tile_px=256
    )
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_bigtiff
        assert tiff.is_ome is name.endswith(".ome.tif")
        (series,) = tiff.series
        assert series.axes == "YXS"
        assert [level.shape for level in series.levels] == [
            (1100, 700, 3),
            (550, 350, 3),
            (275, 175, 3),
            (138, 88, 3),
        ]
        assert all(level.keyframe.tile == (256, 256) for level in series.levels)
        assert np.array_equal(series.asarray(), rgb)


def test_ome_xml_says_what_the_schema_asks_for(tmp_path: Path) -> None:
    path = write_pyramid(
        tmp_path / "s.ome.tif",
        cut(blobs(700, 600)),
        shape=(700, 600),
        mpp=0.25,
        magnification=40,
        provenance=PROVENANCE,
    )
    with tifffile.TiffFile(path) as tiff:
        xml = tiff.ome_metadata
        assert len(tiff.pages) == 1
        assert len(tiff.pages.first.subifds) == 1
    assert xml is not None
    root = ElementTree.fromstring(xml)
    ome = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"
    assert root.tag == f"{ome}OME"
    # The schema fixes this order.
    assert [child.tag for child in root] == [
        f"{ome}{tag}" for tag in ("Instrument", "Image", "StructuredAnnotations")
    ]
    image = root.find(f"{ome}Image")
    assert image is not None
    tags = ("InstrumentRef", "ObjectiveSettings", "Pixels", "AnnotationRef")
    assert [child.tag for child in image] == [f"{ome}{tag}" for tag in tags]
    pixels = image.find(f"{ome}Pixels")
    assert pixels is not None
    assert pixels.attrib["PhysicalSizeX"] == "0.25"
    assert pixels.attrib["PhysicalSizeXUnit"] == "µm"
    assert (pixels.attrib["SizeX"], pixels.attrib["SizeY"]) == ("600", "700")
    assert [child.tag for child in pixels] == [f"{ome}Channel", f"{ome}TiffData"]
    ids = {
        element.attrib["ID"]
        for element in root.iter()
        if not element.tag.endswith(("Ref", "ObjectiveSettings")) and "ID" in element.attrib
    }
    references = {e.attrib["ID"] for e in root.iter() if e.tag.endswith(("Ref", "ObjectiveSettings"))}
    assert references <= ids


def test_edge_tiles_do_not_ring(tmp_path: Path) -> None:
    """A white slide that ends inside a tile stays white up to its last pixel."""
    white = np.full((530, 519, 3), 243, np.uint8)
    path = write_pyramid(tmp_path / "white.tif", cut(white), shape=(530, 519), mpp=0.5, quality=50)
    with open_slide(path) as slide:
        for number in range(slide.real_levels):
            level = slide.read_level(Box(0, 0, *slide.levels[number].shape), number)
            assert np.abs(level.astype(int) - 243).max() <= 1


def test_jpeg_keeps_colour_at_full_resolution(tmp_path: Path) -> None:
    """Columns of haematoxylin and eosin one pixel wide would blend to one colour with halved chroma."""
    stripes = np.empty((64, 64, 3), np.uint8)
    stripes[:, ::2], stripes[:, 1::2] = (90, 70, 150), (230, 130, 170)
    path = write_pyramid(tmp_path / "stripes.tif", [stripes], shape=(64, 64), mpp=0.5, quality=90)
    with open_slide(path) as slide:
        assert np.abs(slide.read_region(Box(0, 0, 64, 64)).astype(int) - stripes).mean() < 4


def test_lower_levels_keep_the_mean(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8)
    path = write_pyramid(
        tmp_path / "noise.tif", cut(rgb, 64), shape=(1024, 1024), mpp=1, compression="lossless", tile_px=64
    )
    with open_slide(path) as slide:
        last = slide.read_level(Box(0, 0, 64, 64), 4)
        assert abs(last.mean() - rgb.mean()) < 1


@pytest.mark.parametrize("name", ENDINGS)
def test_an_older_file_stays_until_the_new_one_is_whole(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"older")
    writer = PyramidWriter(path, shape=(64, 96), mpp=0.5, tile_px=64)
    with writer:
        writer.add(np.zeros((64, 64, 3), np.uint8))
        assert path.read_bytes() == b"older"
        writer.add(np.zeros((64, 32, 3), np.uint8))
        assert path.read_bytes() == b"older"
    assert open_slide(path).shape == (64, 96)


def test_tiles_must_fit(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    tile = np.zeros((64, 64, 3), np.uint8)
    with pytest.raises(ValueError, match=r"needs a uint8 tile of \(64, 32, 3\) next"):
        write_pyramid(path, [tile, tile], shape=(64, 96), mpp=0.5, tile_px=64)
    with pytest.raises(ValueError, match="no more tiles"):
        write_pyramid(path, [tile, tile], shape=(64, 64), mpp=0.5, tile_px=64)
    with pytest.raises(ValueError, match="not complete"):
        write_pyramid(path, [tile], shape=(64, 128), mpp=0.5, tile_px=64)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("keyword", "value", "words"),
    [
        ("tile_px", 100, "multiple of 16"),
        ("quality", 0, "1 to 100"),
        ("compression", "webp", "jpeg, lossless"),
        ("shape", (0, 5), "one pixel"),
        ("mpp", 0.0, "positive number"),
    ],
)
def test_settings_are_checked(tmp_path: Path, keyword: str, value: object, words: str) -> None:
    arguments: dict[str, object] = {"shape": (64, 64), "mpp": 0.5, keyword: value}
    with pytest.raises(ValueError, match=words):
        PyramidWriter(tmp_path / "slide.tif", **arguments)


def test_a_strange_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match=r"slide.png must end in .ome.tif or .tif"):
        PyramidWriter(tmp_path / "slide.png", shape=(64, 64), mpp=0.5)


@pytest.mark.parametrize("name", ENDINGS)
def test_provenance_that_json_cannot_hold_is_refused_at_once(tmp_path: Path, name: str) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        PyramidWriter(tmp_path / name, shape=(64, 64), mpp=0.5, provenance={"mask": np.zeros(3)})


def test_a_tile_that_is_a_view_of_a_larger_window_is_written(tmp_path: Path) -> None:
    window = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    view = window[16:80, 16:80]
    for compression in ("jpeg", "lossless"):
        out = write_pyramid(
            tmp_path / f"{compression}.tif",
            [view],
            shape=(64, 64),
            mpp=0.5,
            tile_px=64,
            compression=compression,
        )
        with open_slide(out) as slide:
            assert slide.shape == (64, 64)
