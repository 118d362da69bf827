"""The demo from its first slide to its report."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from napari_stainxfer import load, open_slide
from napari_stainxfer.demo import run_demo


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "made"
    results = run_demo(folder, size_px=1536, device="cpu")
    name = "colour difference (delta E 2000)"
    assert results[f"{name}, after"] < 0.5 * results[f"{name}, before"]
    assert Path(results["report"]) == folder / "report.html"
    return folder


def test_everything_that_it_names_is_there_and_opens(folder: Path) -> None:
    page = (folder / "report.html").read_text(encoding="utf-8")
    for picture in ("overview.png", "fields.png", "losses.png"):
        assert f'src="{picture}"' in page
        with Image.open(folder / picture) as image:
            image.verify()
    with open_slide(folder / "source.ome.tif") as source, open_slide(folder / "normalised.ome.tif") as out:
        assert out.shape == source.shape == (1536, 1536)
        assert out.provenance["model_sha256"] == load(folder / "model.safetensors").hash()


def test_nothing_else_is_left_behind(folder: Path) -> None:
    slides = {"reference.ome.tif", "source.ome.tif", "normalised.ome.tif"}
    pictures = {"overview.png", "fields.png", "losses.png"}
    assert {path.name for path in folder.iterdir()} == {
        *slides,
        *pictures,
        "model.safetensors",
        "report.html",
    }
