"""The two readers that come as extras."""

from __future__ import annotations

import builtins
import shutil
import sys
from pathlib import Path

import numpy as np
import openslide
import pytest

from napari_stainxfer.errors import MissingDependencyError, SlideError
from napari_stainxfer.slides import Box, Slide, open_slide
from napari_stainxfer.slides.openslide_backend import OpenSlideSource

DICOM = [
    ("wsi/camelyon_level_jpeg_1152x700.dcm", (700, 1152)),
    ("wsi/camelyon_level_jpeg2000_1696x812.dcm", (812, 1696)),
]


@pytest.mark.parametrize(("name", "shape"), DICOM)
def test_a_dicom_file_is_what_openslide_sees(real_data: Path, name: str, shape: tuple[int, int]) -> None:
    reference = openslide.OpenSlide(real_data / name)
    with open_slide(real_data / name) as slide:
        assert slide.vendor == "dicom"
        assert slide.shape == shape
        assert slide.mpp == pytest.approx(28.969)
        slide.require_brightfield()
        box = Box(200, 130, 333, 555)
        theirs = np.asarray(reference.read_region((130, 200), 0, (555, 333)).convert("RGB")).astype(int)
        ours = slide.read_region(box).astype(int)
        assert ours.std() > 5
        assert np.abs(ours - theirs).mean() < 1.0


def test_a_folder_with_one_dicom_slide_opens(real_data: Path, tmp_path: Path) -> None:
    shutil.copy(real_data / DICOM[0][0], tmp_path / "level0.dcm")
    with open_slide(tmp_path) as folder, open_slide(real_data / DICOM[0][0]) as file:
        assert folder.fingerprint() == file.fingerprint()


def test_dicom_that_does_not_say_where_its_tiles_go_is_refused(real_data: Path) -> None:
    with pytest.raises(SlideError, match=r"pen_marked.*\.dcm is not a complete DICOM slide"):
        open_slide(real_data / "wsi/pen_marked_tiled_sparse_3236x2638.dcm")


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.95])
def test_dicom_cut_short_is_refused(real_data: Path, tmp_path: Path, fraction: float) -> None:
    data = (real_data / DICOM[0][0]).read_bytes()
    path = tmp_path / "cut.dcm"
    path.write_bytes(data[: int(len(data) * fraction)])
    with pytest.raises(SlideError, match=r"damaged|not a complete"), open_slide(path) as slide:
        slide.read_region(Box(0, 0, *slide.shape))


def test_openslide_source_reads_what_tifffile_reads(real_data: Path) -> None:
    path = real_data / "wsi/TCGA-CR-7395-01A-01-TS1.svs"
    ours, theirs = open_slide(path), Slide(OpenSlideSource(path), name="other")
    with ours, theirs:
        assert theirs.vendor == "aperio"
        assert theirs.icc_profile == ours.icc_profile
        assert [level.shape for level in theirs.levels] == [level.shape for level in ours.levels]
        assert theirs.associated_images["thumbnail"].shape == ours.associated_images["thumbnail"].shape
        for level in range(2):
            # Only a corner of zero is a whole pixel of both levels to OpenSlide.
            box = Box(0, 0, 1600, 1200)
            difference = ours.read_level(box, level).astype(int) - theirs.read_level(box, level)
            assert np.abs(difference).mean() < 1.0


def test_not_what_its_ending_says(tmp_path: Path) -> None:
    for name, words in (("a.mrxs", "cannot be opened by OpenSlide"), ("a.dcm", "not a complete DICOM slide")):
        (tmp_path / name).write_text("no slide at all " * 20)
        with pytest.raises(SlideError, match=words):
            open_slide(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "package", "extra"), [("a.dcm", "wsidicom", "dicom"), ("a.mrxs", "openslide", "openslide")]
)
def test_a_missing_reader_is_named_with_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str, extra: str
) -> None:
    (tmp_path / name).write_bytes(b"x" * 200)
    for module in [
        m for m in sys.modules if m.split(".")[0] == package or m.endswith(("slides.dicom", "_backend"))
    ]:
        monkeypatch.delitem(sys.modules, module)
    real_import = builtins.__import__

    def without(name: str, *args: object, **kwargs: object) -> object:
        if name.split(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real_import(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingDependencyError, match=rf'pip install "napari-stainxfer\[{extra}\]"'):
        open_slide(tmp_path / name)
