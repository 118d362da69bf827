"""Eight labs on one tissue."""

from __future__ import annotations

import numpy as np
import pytest
from pydantic import ValidationError

from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.phantom import (
    LABS,
    Lab,
    Tissue,
    mask_region,
    phantom_masks,
    phantom_slide,
    render,
    stain_region,
    write_phantom,
)
from napari_stainxfer.slides import Box, open_slide

TISSUE = Tissue(8, (3000, 3000))
FIELD = Box(1300, 1200, 384, 384)


def density(lab: Lab, box: Box = FIELD) -> np.ndarray:
    rgb = render(TISSUE, lab, box).astype(np.float32)
    return -np.log10(np.maximum(rgb, 1) / np.array(lab.white, np.float32))


def test_there_are_eight_labs_of_unit_stains() -> None:
    assert list(LABS) == [f"lab{k}" for k in range(1, 9)]
    for lab in LABS.values():
        np.testing.assert_allclose(np.linalg.norm(lab.stain_matrix, axis=1), 1, rtol=1e-6)
        assert lab == Lab.model_validate(lab.model_dump())


@pytest.mark.parametrize("name", [n for n in LABS if n != "lab1"])
def test_the_same_tissue_has_the_same_structure_in_two_labs(name: str) -> None:
    ours, other = density(LABS["lab1"]).sum(axis=2), density(LABS[name]).sum(axis=2)
    assert np.corrcoef(ours.ravel(), other.ravel())[0, 1] > 0.6


def test_the_labs_look_different() -> None:
    colours = np.array([render(TISSUE, lab, FIELD).mean(axis=(0, 1)) for lab in LABS.values()])
    away = np.linalg.norm(colours - colours[0], axis=1)
    assert set(np.argsort(away)[1:3]) == {3, 5}  # labs 4 and 6 are the mild ones
    assert away[1] > 2 * away[[3, 5]].max()  # lab 2 is far off
    for k in range(8):
        apart = np.linalg.norm(np.delete(colours, k, axis=0) - colours[k], axis=1)
        assert apart.min() > 6


@pytest.mark.parametrize("name", ["lab1", "lab5", "lab8"])
def test_an_ideal_scanner_obeys_beer_and_lambert(name: str) -> None:
    lab = LABS[name].ideal()
    c = stain_region(TISSUE, FIELD).astype(np.float64)
    powered = np.stack([s * p**g for p, s, g in zip(c, lab.scale, lab.gamma, strict=True)])
    expected = 255 * 10 ** -(lab.thickness * np.einsum("khw,kc->hwc", powered, lab.stain_matrix))
    np.testing.assert_allclose(render(TISSUE, lab, FIELD), expected, atol=0.51)


@pytest.mark.parametrize("name", list(LABS))
def test_true_stain_vectors_can_be_recovered_from_ideal_pixels(name: str) -> None:
    """Least squares on optical density with the known amounts gives each vector back within half a degree."""
    lab = LABS[name].ideal()
    box = Box(1300, 1200, 640, 640)
    od = -np.log10(np.maximum(render(TISSUE, lab, box).astype(np.float64), 1) / 255)
    c = stain_region(TISSUE, box).reshape(3, -1).T ** np.array(lab.gamma)
    bright = od.max(axis=2).ravel() < 1.2
    found = np.linalg.lstsq(c[bright], od.reshape(-1, 3)[bright], rcond=None)[0]
    cosine = (found * lab.stain_matrix).sum(axis=1) / np.linalg.norm(found, axis=1)
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 0.5


def test_noise_and_focus_do_what_they_say() -> None:
    plain = LABS["lab1"].model_copy(update={"sharpen": 0.0, "noise": 0.0, "focus_um": 0.0})
    blurred = plain.model_copy(update={"focus_um": 1.5})
    noisy = plain.model_copy(update={"noise": 6.0})
    a, b, c = (render(TISSUE, lab, FIELD).astype(np.float32) for lab in (plain, blurred, noisy))
    assert np.abs(np.diff(b, axis=0)).mean() < 0.5 * np.abs(np.diff(a, axis=0)).mean()
    np.testing.assert_allclose(b.mean(), a.mean(), atol=0.5)
    mid = (a > 110) & (a < 150)
    assert 5.0 < (c - a)[mid].std() < 7.0
    assert abs((c - a)[mid].mean()) < 0.3


def test_bad_labs_are_refused() -> None:
    with pytest.raises(ValidationError, match="sum to 1"):
        Lab(name="x", response=((1, 0.2, 0), (0, 1, 0), (0, 0, 1)))
    with pytest.raises(ValidationError, match="optical densities"):
        Lab(name="x", eosin=(0, 0, 0))
    with pytest.raises(StainTransferError, match="choose one of lab1"):
        phantom_slide("lab9")


def test_a_slide_reads_what_render_gives_at_every_level() -> None:
    slide = phantom_slide("lab3", seed=8, size_px=(3000, 3000))
    assert slide.mpp == 0.5
    assert [level.shape for level in slide.levels] == [(3000, 3000), (1500, 1500), (750, 750)]
    box = Box(1200, 1300, 128, 64)
    for level, mpp in enumerate((0.5, 1.0, 2.0)):
        f = 2**level
        small = Box(box.y // f, box.x // f, box.height // f, box.width // f)
        np.testing.assert_array_equal(
            slide.read_region(box, level=level), render(TISSUE, LABS["lab3"], small, mpp)
        )
    slide.require_brightfield()


def test_masks_by_seed_are_those_of_the_slide() -> None:
    by_seed = phantom_masks(8, FIELD, size_px=(3000, 3000))
    np.testing.assert_array_equal(by_seed.nuclei, mask_region(TISSUE, FIELD).nuclei)
    assert by_seed.glomeruli.shape == (FIELD.height, FIELD.width)


def test_a_written_phantom_opens_and_looks_the_same(tmp_path) -> None:
    path = write_phantom(tmp_path / "phantom.ome.tif", "lab4", seed=2, size_px=(600, 700), quality=95)
    with open_slide(path) as slide:
        assert slide.shape == (600, 700)
        assert slide.mpp == pytest.approx(0.5)
        assert slide.provenance["phantom"] == {"lab": "lab4", "seed": 2}
        truth = phantom_slide("lab4", seed=2, size_px=(600, 700)).read_region(Box(0, 0, 600, 700))
        error = np.abs(slide.read_region(Box(0, 0, 600, 700)).astype(int) - truth)
        assert error.mean() < 5
