"""Two small slides."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from napari_stainxfer import phantom_slide
from napari_stainxfer.slides import Box


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two small pieces of phantom as PNG files, which know nothing of um/px."""
    folder = tmp_path_factory.mktemp("slides")
    paths = []
    for lab, seed in (("lab1", 1), ("lab3", 2)):
        pixels = phantom_slide(lab, seed=seed, size_px=(1536, 1536)).read_region(Box(0, 0, 1536, 1536))
        paths.append(folder / f"{lab}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths[0], paths[1]
