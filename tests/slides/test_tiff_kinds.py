"""Layouts and metadata of TIFF files, on files written here (docs/formats.md says which)."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import openslide
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image
from skimage.color import rgb2ycbcr

from napari_stainxfer.slides import Box, open_slide
from napari_stainxfer.slides.ome import read_ome
from napari_stainxfer.slides.virtual import area_average

RGB = np.random.default_rng(1).integers(0, 256, (300, 421, 3), np.uint8)


def everything(path: Path, level: int = 0) -> NDArray[np.uint8]:
    with open_slide(path) as slide:
        return slide.read_level(Box(0, 0, *slide.levels[level].shape), level)


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"rowsperstrip": 7},
        {"rowsperstrip": 300},
        {"tile": (64, 128)},
        {"compression": "lzw", "predictor": True},
        {"compression": "zlib", "tile": (64, 64)},
        {"compression": "zstd", "rowsperstrip": 16},
        {"compression": "jpeg2000", "tile": (128, 128)},
        {"bigtiff": True, "tile": (64, 64)},
        {"byteorder": ">", "rowsperstrip": 9},
    ],
)
def test_one_level_of_any_layout(tmp_path: Path, layout: dict[str, object]) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, RGB, photometric="rgb", **layout)
    assert np.array_equal(everything(path), RGB)


@pytest.mark.parametrize("layout", [{}, {"rowsperstrip": 7}, {"tile": (64, 128), "compression": "zlib"}])
def test_planes_stored_one_after_another(tmp_path: Path, layout: dict[str, object]) -> None:
    path = tmp_path / "slide.tif"
    planes = np.moveaxis(RGB, -1, 0)
    tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate", **layout)
    assert np.array_equal(everything(path), RGB)


@pytest.mark.parametrize(("kind", "premultiplied"), [("unassalpha", False), ("assocalpha", True)])
def test_alpha_is_composited_onto_white(tmp_path: Path, kind: str, premultiplied: bool) -> None:
    alpha = np.linspace(0, 255, 300 * 421).reshape(300, 421, 1).astype(np.uint8)
    opacity = alpha / 255
    stored = np.rint(RGB * opacity).astype(np.uint8) if premultiplied else RGB
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, np.concatenate([stored, alpha], -1), photometric="rgb", extrasamples=[kind])
    expected = RGB * opacity + 255 * (1 - opacity)
    assert np.abs(everything(path) - expected).max() <= 1
    assert (everything(path)[0, 0] == 255).all()


def test_tiles_that_were_left_out_are_white(tmp_path: Path) -> None:
    tile = RGB[:128, :128]
    path = tmp_path / "sparse.tif"
    tiles = iter([tile, None, None, tile])
    layout = {"tile": (128, 128), "compression": "zlib"}
    tifffile.imwrite(path, tiles, shape=(256, 256, 3), dtype=np.uint8, photometric="rgb", **layout)
    pixels = everything(path)
    assert np.array_equal(pixels[:128, :128], tile)
    assert np.array_equal(pixels[128:, 128:], tile)
    assert (pixels[:128, 128:] == 255).all()


def test_subsampled_jpeg_is_decoded_as_tifffile_does(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, RGB, photometric="rgb", compression="jpeg", tile=(64, 64), subsampling=(2, 2))
    assert np.array_equal(everything(path), tifffile.imread(path))


def test_aperio_jpeg2000_in_ycbcr(tmp_path: Path) -> None:
    """Compression 33003 stores YCbCr, and its decoder leaves it so."""
    smooth = np.kron(RGB[:16, :16], np.ones((16, 16, 1), np.uint8))
    ycbcr = np.clip(np.rint(_full_range_ycbcr(smooth)), 0, 255).astype(np.uint8)
    data = imagecodecs.jpeg2k_encode(ycbcr, level=0, mct=False, codecformat="j2k")
    path = tmp_path / "slide.svs"
    tifffile.imwrite(
        path,
        iter([data]),
        shape=(256, 256, 3),
        dtype=np.uint8,
        tile=(256, 256),
        photometric="rgb",
        compression=33003,
        description="Aperio Image Library v10\r\n256x256 (256x256) J2K/YUV16 Q=70|AppMag = 40|MPP = 0.2500",
        metadata=None,
    )
    assert np.abs(everything(path).astype(int) - smooth).max() <= 2
    with openslide.OpenSlide(path) as reference:
        theirs = np.asarray(reference.read_region((0, 0), 0, (256, 256)).convert("RGB")).astype(int)
    assert np.abs(everything(path) - theirs).mean() < 1
    with open_slide(path) as slide:
        assert (slide.mpp, slide.magnification, slide.vendor) == (0.25, 40, "aperio")


def _full_range_ycbcr(rgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    """JPEG's YCbCr uses 0 to 255, where skimage's uses the studio range."""
    studio: NDArray[np.float64] = rgb2ycbcr(rgb)
    return (studio - [16, 128, 128]) / [219 / 255, 224 / 255, 224 / 255] + [0, 128, 128]


@pytest.mark.parametrize("reduced", [True, False])
@pytest.mark.parametrize("factor", [2, 4])
def test_plain_pyramid_in_the_main_chain(tmp_path: Path, reduced: bool, factor: int) -> None:
    path = tmp_path / "pyramid.tif"
    levels = [RGB, area_average(RGB, factor)]
    with tifffile.TiffWriter(path) as tiff:
        for number, level in enumerate(levels):
            kind = 1 if number and reduced else 0
            tiff.write(level, photometric="rgb", tile=(64, 64), subfiletype=kind, metadata=None)
    with open_slide(path) as slide:
        assert slide.real_levels == 2
        assert slide.levels[1].downsample == factor
        assert not slide.associated_images
    assert np.array_equal(everything(path, 1), levels[1])


def test_reduced_pages_with_a_step_of_eight(tmp_path: Path) -> None:
    path = tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(RGB, photometric="rgb", tile=(64, 64), metadata=None)
        tiff.write(area_average(RGB, 8), photometric="rgb", tile=(16, 16), subfiletype=1, metadata=None)
        tiff.write(RGB[:50, :200], photometric="rgb", tile=(16, 16), subfiletype=1, metadata=None)
    with open_slide(path) as slide:
        assert slide.real_levels == 2
        assert [level.downsample for level in slide.levels if not level.virtual] == [1, 8]
        (other,) = slide.associated_images.values()
        assert np.array_equal(other, RGB[:50, :200])


def test_ome_tiff_of_others_with_subifds(tmp_path: Path) -> None:
    path = tmp_path / "slide.ome.tif"
    metadata = {"axes": "YXS", "PhysicalSizeX": 250.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 250.0}
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(RGB, photometric="rgb", tile=(64, 64), subifds=1, metadata=metadata)
        tiff.write(area_average(RGB, 2), photometric="rgb", tile=(64, 64), subfiletype=1)
    with open_slide(path) as slide:
        assert slide.real_levels == 2
        assert slide.mpp == pytest.approx(0.25)
        assert slide.vendor == "ome"
        assert slide.provenance == {}


@pytest.mark.parametrize(
    ("resolution", "unit", "mpp"),
    [
        ((20000, 20000), "CENTIMETER", 0.5),
        ((50800, 50800), "INCH", 0.5),
        ((72, 72), "INCH", None),
        ((96, 96), "INCH", None),
        ((300, 300), "INCH", None),
        ((1, 1), "NONE", None),
    ],
)
def test_um_per_px_from_resolution_tags(
    tmp_path: Path, resolution: tuple[int, int], unit: str, mpp: float | None
) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, RGB, photometric="rgb", resolution=resolution, resolutionunit=unit)
    with open_slide(path) as slide:
        assert slide.mpp == (None if mpp is None else pytest.approx(mpp))
    assert open_slide(path, mpp=0.33).mpp == 0.33


def test_um_per_px_from_imagej(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, RGB, imagej=True, resolution=(4, 4), metadata={"unit": "um"})
    assert open_slide(path).mpp == pytest.approx(0.25)


@pytest.mark.parametrize(("dpi", "mpp"), [((50800, 50800), 0.5), ((72, 72), None)])
def test_um_per_px_of_a_png(tmp_path: Path, dpi: tuple[int, int], mpp: float | None) -> None:
    path = tmp_path / "image.png"
    Image.fromarray(RGB).save(path, dpi=dpi)
    with open_slide(path) as slide:
        assert slide.mpp == (None if mpp is None else pytest.approx(mpp, rel=1e-3))
        assert np.array_equal(slide.read_region(Box(0, 0, 300, 421)), RGB)


def test_philips_metadata(tmp_path: Path) -> None:
    spacing = "".join(
        '<DataObject ObjectType="PixelDataRepresentation"><Attribute Name="DICOM_PIXEL_SPACING">'
        f'"{mm}" "{mm}"</Attribute></DataObject>'
        for mm in (0.000227, 0.000454)
    )
    xml = (
        '<?xml version="1.0" encoding="UTF-8" ?><DataObject ObjectType="DPUfsImport">'
        '<Attribute Name="X"><Array>'
        f"{spacing}</Array></Attribute></DataObject>"
    )
    path = tmp_path / "philips.tiff"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(
            RGB, photometric="rgb", tile=(64, 64), description=xml, software="Philips DP v1.0", metadata=None
        )
        tiff.write(area_average(RGB, 2), photometric="rgb", tile=(64, 64), metadata=None)
    with open_slide(path) as slide:
        assert slide.vendor == "philips"
        assert slide.mpp == pytest.approx(0.227)
        assert slide.real_levels == 2


def test_leica_metadata(tmp_path: Path) -> None:
    """The macro comes first in such a file, and the slide is the larger image."""
    xml = (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'
        '<collection name="c" sizeX="1" sizeY="1"><image name="macro">'
        '<pixels sizeX="60" sizeY="50"><dimension sizeX="60" sizeY="50" r="0" ifd="0"/></pixels>'
        '<view sizeX="60000" sizeY="50000" offsetX="0" offsetY="0"/></image>'
        '<image name="scan"><pixels sizeX="421" sizeY="300">'
        '<dimension sizeX="421" sizeY="300" r="0" ifd="1"/>'
        '<dimension sizeX="106" sizeY="75" r="1" ifd="2"/></pixels>'
        '<view sizeX="210500" sizeY="150000" offsetX="0" offsetY="0"/>'
        "<scanSettings><objectiveSettings><objective>20</objective></objectiveSettings>"
        "<illuminationSettings><illuminationSource>brightfield</illuminationSource></illuminationSettings>"
        "</scanSettings></image></collection></scn>"
    )
    path = tmp_path / "slide.scn"
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        tiff.write(RGB[:50, :60], photometric="rgb", tile=(64, 64), description=xml, metadata=None)
        tiff.write(RGB, photometric="rgb", tile=(64, 64), metadata=None)
        tiff.write(area_average(RGB, 4), photometric="rgb", tile=(64, 64), metadata=None)
    with open_slide(path) as slide:
        assert slide.vendor == "leica"
        assert slide.shape == (300, 421)
        assert slide.real_levels == 2
        assert slide.mpp == pytest.approx(0.5)
        assert slide.magnification == 20
        assert list(slide.associated_images) == ["macro"]


def test_ventana_metadata(tmp_path: Path) -> None:
    xml = b'<iScan Magnification="40" ScanRes="0.25" UnitNumber="1"></iScan>'
    path = tmp_path / "slide.bif"
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        tiff.write(
            RGB[:50, :60],
            photometric="rgb",
            description="Label_Image",
            extratags=[(700, 1, len(xml), xml, True)],
            metadata=None,
        )
        for number, level in enumerate((RGB, area_average(RGB, 2))):
            tiff.write(
                level,
                photometric="rgb",
                tile=(64, 64),
                description=f"level={number} mag={40 >> number} quality=95",
                metadata=None,
            )
    with open_slide(path) as slide:
        assert slide.vendor == "ventana"
        assert slide.shape == (300, 421)
        assert slide.real_levels == 2
        assert (slide.mpp, slide.magnification) == (0.25, 40)
        assert list(slide.associated_images) == ["label"]


def test_akoya_metadata(tmp_path: Path) -> None:
    xml = (
        '<?xml version="1.0" encoding="utf-16"?><PerkinElmer-QPI-ImageDescription><ImageType>FullResolution'
        "</ImageType><Objective>20x</Objective></PerkinElmer-QPI-ImageDescription>"
    )
    path = tmp_path / "slide.qptiff"
    with tifffile.TiffWriter(path) as tiff:
        tiff.write(
            RGB,
            photometric="rgb",
            tile=(64, 64),
            description=xml.replace(' encoding="utf-16"', ""),
            software="PerkinElmer-QPI",
            resolution=(20000, 20000),
            resolutionunit="CENTIMETER",
            metadata=None,
        )
    with open_slide(path) as slide:
        assert slide.vendor == "akoya"
        assert slide.mpp == pytest.approx(0.5)
        assert slide.magnification == 20


def test_metadata_that_cannot_be_parsed_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "slide.svs"
    description = "Aperio Image Library v10\r\n421x300|AppMag = many|MPP = |ICC Profile = ?"
    tifffile.imwrite(path, RGB, photometric="rgb", tile=(64, 64), description=description, metadata=None)
    with open_slide(path) as slide:
        assert slide.vendor == "aperio"
        assert slide.mpp is None
        assert slide.magnification is None


@pytest.mark.parametrize(("unit", "mpp"), [("µm", 0.25), ("nm", 0.00025), ("mm", 250), ("pixel", None)])
def test_ome_units(unit: str, mpp: float | None) -> None:
    xml = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">'
        f'<Pixels PhysicalSizeX="0.25" PhysicalSizeXUnit="{unit}"/></Image></OME>'
    )
    assert read_ome(xml, 0).get("mpp") == (None if mpp is None else pytest.approx(mpp))


def test_a_slide_under_the_wrong_ending_opens(tmp_path: Path) -> None:
    path = tmp_path / "slide.jpg"
    tifffile.imwrite(path, RGB, photometric="rgb")
    assert np.array_equal(everything(path), RGB)
