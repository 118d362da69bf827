"""From two real slides to one normalised slide, with the two commands of the README."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage.color import rgb2lab
from typer.testing import CliRunner

from napari_stainxfer import open_slide
from napari_stainxfer.cli.app import app
from napari_stainxfer.methods import tile_boxes
from napari_stainxfer.patches import tissue_mask
from napari_stainxfer.slides import Box, Slide


def _run(*arguments: object) -> None:
    done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output


def _tissue_lab(slide: Slide) -> np.ndarray:
    return rgb2lab(slide.overview())[tissue_mask(slide)]


@pytest.fixture(scope="module")
def paths(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Reference, source, and the whole source normalised, trained just as a user does without options."""
    reference = real_data / "wsi" / "CMU-1-Small-Region.svs"
    source = real_data / "wsi" / "TCGA-CR-7395-01A-01-TS1.svs"
    folder = tmp_path_factory.mktemp("real")
    model, out = folder / "m.safetensors", folder / "out.ome.tif"
    _run("train", reference, source, "--source-mpp", 0.5, "-o", model, "--device", "cpu")
    _run("apply", model, source, "--mpp", 0.5, "-o", out, "--compression", "lossless", "--device", "cpu")
    return reference, source, out


def test_the_stain_becomes_the_references(paths: tuple[Path, Path, Path]) -> None:
    with (
        open_slide(paths[0]) as reference,
        open_slide(paths[1], mpp=0.5) as source,
        open_slide(paths[2]) as out,
    ):
        wanted, before, after = (_tissue_lab(slide).mean(axis=0) for slide in (reference, source, out))
    left = np.linalg.norm(after - wanted) / np.linalg.norm(before - wanted)
    print(f"{left:.2f} of the mean tissue colour's distance (CIE Lab) to the reference is left")
    assert left < 0.5


def test_structure_and_size_are_the_sources(paths: tuple[Path, Path, Path]) -> None:
    with open_slide(paths[1], mpp=0.5) as source, open_slide(paths[2]) as out:
        assert out.shape == source.shape
        assert out.mpp == pytest.approx(0.5)
        assert out.icc_profile == source.icc_profile
        before, after = (rgb2lab(slide.overview())[..., 0] for slide in (source, out))
    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.85


def test_bright_places_within_tissue_keep_their_colour(paths: tuple[Path, Path, Path]) -> None:
    with open_slide(paths[1], mpp=0.5) as source, open_slide(paths[2]) as out:
        bright = changed = 0
        for box in tile_boxes(source.shape, 1024):
            before, after = (slide.read_region(box).astype(int) for slide in (source, out))
            clear = before.min(axis=-1) > 215
            bright += int(clear.sum())
            changed += int((np.abs(after - before).max(axis=-1)[clear] > 10).sum())
    print(f"{changed / bright:.1%} of the pixels brighter than 215 change by more than 10 grey levels")
    assert changed < 0.05 * bright


def test_empty_glass_is_untouched(paths: tuple[Path, Path, Path]) -> None:
    corner = Box(0, 0, 512, 512)
    with open_slide(paths[1], mpp=0.5) as source, open_slide(paths[2]) as out:
        assert np.array_equal(source.read_region(corner), out.read_region(corner))
