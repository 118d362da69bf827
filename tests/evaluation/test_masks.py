"""Masks as people save them, in every kind of file and of any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_stainxfer.errors import SlideError
from napari_stainxfer.evaluation.masks import read_mask

MARKED = np.zeros((30, 40), bool)
MARKED[5:12, 8:33] = True
ONES = MARKED.astype(np.uint8)
NAMES = {
    "bits.png": Image.fromarray(MARKED),
    "indices.png": Image.fromarray(ONES),
    "grey.png": Image.fromarray(ONES * 255),
    "grey16.png": Image.fromarray(ONES.astype(np.uint16) * 256),
    "labels.tif": Image.fromarray(ONES.astype(np.int32) * 70_000),
    "shares.tif": Image.fromarray(ONES.astype(np.float32) / 2),
    "blue.png": Image.fromarray(ONES[..., None] * np.array([0, 0, 9], np.uint8)),
    "opaque.png": Image.fromarray(np.dstack([ONES * 255] * 3 + [np.full_like(ONES, 255)])),
    "grey_opaque.png": Image.fromarray(np.dstack([ONES * 255, np.full_like(ONES, 255)])),
    "inks.tif": Image.fromarray(np.dstack([ONES * 255] * 3)).convert("CMYK"),
}


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_not_0_is_marked(name: str, tmp_path: Path) -> None:
    NAMES[name].save(tmp_path / name)
    found = read_mask(tmp_path / name)
    assert found.dtype == bool
    assert np.array_equal(found, MARKED)


def test_a_palette_image_is_read_by_its_indices(tmp_path: Path) -> None:
    image = Image.fromarray(ONES).convert("P")
    image.putpalette([255, 255, 255, 0, 0, 0])  # what is marked is black, as some programs show it
    image.save(tmp_path / "palette.png")
    assert np.array_equal(read_mask(tmp_path / "palette.png"), MARKED)


@pytest.mark.parametrize("name", ["large.png", "large.tif"])
def test_a_mask_may_be_larger_than_pillow_allows(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(ONES).save(tmp_path / name)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert np.array_equal(read_mask(tmp_path / name), MARKED)
    assert Image.MAX_IMAGE_PIXELS == 100


@pytest.mark.parametrize("kept", [0, 60, 200])
def test_what_is_no_mask_is_refused_in_one_sentence(kept: int, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 40), np.uint8)
    Image.fromarray(noise).save(tmp_path / "mask.png")
    whole = (tmp_path / "mask.png").read_bytes()
    (tmp_path / "mask.png").write_bytes(whole[:kept])
    with pytest.raises(SlideError, match=r"mask\.png cannot be read as a mask \(.+\); save it as PNG"):
        read_mask(tmp_path / "mask.png")
    with pytest.raises(SlideError, match="cannot be read as a mask"):
        read_mask(tmp_path / "missing.png")
