"""What is not a slide gets one sentence that says so."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_stainxfer.errors import SlideError
from napari_stainxfer.slides import Box, Facts, Slide, open_slide
from napari_stainxfer.slides.memory import ArraySource

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 4), np.uint8)
REAL = [
    "wsi/CMU-1-Small-Region.svs",
    "wsi/TCGA-CR-7395-01A-01-TS1.svs",
    "wsi/fluorescence_dapi_3968x4864.ndpi",
]


def refusal(path: Path) -> str:
    with pytest.raises(SlideError) as caught, open_slide(path) as slide:
        slide.read_region(Box(0, 0, *slide.shape))
    message = str(caught.value)
    assert "\n" not in message
    assert "Traceback" not in message
    assert path.name in message
    return message


def test_missing_file(tmp_path: Path) -> None:
    assert "there is no file" in refusal(tmp_path / "slide.svs")


def test_folder_without_slides(tmp_path: Path) -> None:
    assert "folder without DICOM files" in refusal(tmp_path)


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "slide.svs").touch()
    assert "is empty" in refusal(tmp_path / "slide.svs")


@pytest.mark.parametrize("name", ["slide.svs", "slide.png", "slide.docx", "slide"])
def test_text(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("Dear colleague, " * 40)
    assert "not a" in refusal(tmp_path / name)


@pytest.mark.parametrize(
    ("words", "pixels", "arguments"),
    [
        ("16-bit", NOISE[..., :3].astype(np.uint16), {"photometric": "rgb"}),
        ("8-bit whole numbers", NOISE[..., :3].astype(np.float32), {"photometric": "rgb"}),
        ("grey", NOISE[..., 0], {"photometric": "minisblack"}),
        ("CMYK", NOISE, {"photometric": "separated"}),
        ("palette", NOISE[..., 0], {"photometric": "palette", "colormap": np.zeros((3, 256), np.uint16)}),
        ("1-bit", NOISE[..., 0] > 9, {"photometric": "minisblack"}),
        ("separate channels", np.moveaxis(NOISE, -1, 0), {"photometric": "minisblack", "ome": True}),
    ],
)
def test_tiff_of_another_kind(
    tmp_path: Path, words: str, pixels: np.ndarray, arguments: dict[str, object]
) -> None:
    path = tmp_path / ("slide.ome.tif" if arguments.pop("ome", False) else "slide.tif")
    metadata = {"axes": "CYX"} if path.name.endswith(".ome.tif") else None
    tifffile.imwrite(path, pixels, metadata=metadata, **arguments)
    assert words in refusal(path)


@pytest.mark.parametrize(
    ("words", "mode", "name"),
    [
        ("grey", "L", "a.png"),
        ("grey", "LA", "a.png"),
        ("palette", "P", "a.png"),
        ("CMYK", "CMYK", "a.jpg"),
        ("black and white", "1", "a.png"),
    ],
)
def test_image_of_another_kind(tmp_path: Path, words: str, mode: str, name: str) -> None:
    Image.fromarray(NOISE[..., :3]).convert(mode).save(tmp_path / name)
    assert words in refusal(tmp_path / name)


def test_16_bit_png(tmp_path: Path) -> None:
    Image.fromarray(NOISE[..., 0].astype(np.uint16)).save(tmp_path / "a.png")
    assert "16-bit" in refusal(tmp_path / "a.png")


@pytest.mark.parametrize("channels", [3, 4])
def test_16_bit_colour_png(tmp_path: Path, channels: int) -> None:
    """Pillow opens one as 8-bit, without a word."""
    wide = NOISE[..., :channels].astype(np.uint16) * 257
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(wide))
    assert "is 16-bit, but a slide must be 8-bit RGB" in refusal(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_image_cut_short(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    Image.fromarray(NOISE[..., :3]).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "cut short" in refusal(path)


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5, 0.8])
def test_real_slide_cut_short(real_data: Path, tmp_path: Path, name: str, fraction: float) -> None:
    data = (real_data / name).read_bytes()
    path = tmp_path / Path(name).name
    path.write_bytes(data[: int(len(data) * fraction)])
    assert "cut short" in refusal(path)


def test_own_pyramid_cut_short(tmp_path: Path) -> None:
    """The tags lie before the pixels here, so that only the pixels are missing."""
    path = tmp_path / "slide.tif"
    rgb = np.tile(NOISE[..., :3], (8, 8, 1))
    tifffile.imwrite(path, rgb, tile=(128, 128), photometric="rgb", compression="zlib")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "is cut short" in refusal(path)


def test_damaged_tile(tmp_path: Path) -> None:
    path = tmp_path / "slide.tif"
    tifffile.imwrite(path, NOISE[..., :3], tile=(64, 64), photometric="rgb", compression="jpeg")
    with tifffile.TiffFile(path) as tiff:
        start = tiff.pages.first.dataoffsets[0]
    data = bytearray(path.read_bytes())
    data[start : start + 20] = bytes(20)
    path.write_bytes(data)
    assert "is damaged: a tile cannot be decoded" in refusal(path)


@pytest.mark.parametrize(
    "rgb",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((8, 8, 3), np.uint16),
        np.zeros((0, 8, 3), np.uint8),
    ],
)
def test_array_of_another_kind(rgb: np.ndarray) -> None:
    with pytest.raises(SlideError, match="uint8"):
        Slide.from_array(rgb)


@pytest.mark.parametrize("mpp", [0, -0.5, 0.002, 353.0, float("nan"), float("inf")])
def test_impossible_resolution(mpp: float) -> None:
    with pytest.raises(SlideError, match=r"cannot have .* um/px; give one from 0\.05 to 100"):
        Slide.from_array(NOISE[..., :3], mpp=mpp)


@pytest.mark.parametrize("mpp", [0.002, 353.0])
def test_impossible_resolution_in_a_file_counts_as_none(tmp_path: Path, mpp: float) -> None:
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as tiff:
        tiff.write(NOISE[..., :3], photometric="rgb", metadata={"PhysicalSizeX": mpp, "axes": "YXS"})
    with open_slide(tmp_path / "a.ome.tif") as slide:
        assert slide.mpp is None


@pytest.mark.parametrize(("own", "taken"), [(None, 0.5), (0.25, 0.25)])
def test_a_given_resolution_fills_in_what_is_missing(own: float | None, taken: float) -> None:
    slide = Slide.from_array(NOISE[..., :3], mpp=own)
    assert slide.with_missing_mpp(0.5).mpp == taken
    assert slide.with_missing_mpp(None).mpp == own


def test_dark_field_is_not_brightfield() -> None:
    dark = np.zeros((600, 600, 3), np.uint8)
    dark[200:300, 200:300] = (40, 60, 250)
    with pytest.raises(SlideError, match="dark and there is no glass"):
        Slide.from_array(dark).require_brightfield()


def test_black_surroundings_and_dense_tissue_are_brightfield() -> None:
    scan = np.zeros((600, 600, 3), np.uint8)
    scan[250:350, 250:450] = 240
    scan[280:320, 280:400] = (150, 60, 140)
    Slide.from_array(scan).require_brightfield()
    Slide.from_array(np.full((300, 300, 3), (110, 40, 120), np.uint8)).require_brightfield()


def test_a_fluorescence_field_is_believed_unless_there_is_glass() -> None:
    facts = Facts(fluorescence="its file names the channel X")
    dim = np.full((300, 300, 3), 90, np.uint8)
    with pytest.raises(SlideError, match="its file names the channel X"):
        Slide(ArraySource(dim, facts), name="dim").require_brightfield()
    dim[:60, :100] = 235
    Slide(ArraySource(dim, facts), name="glass").require_brightfield()


def test_a_closed_slide_says_so(real_data: Path) -> None:
    slide = open_slide(real_data / REAL[0])
    slide.close()
    with pytest.raises(SlideError, match="was closed"):
        slide.read_region(Box(0, 0, 10, 10))
