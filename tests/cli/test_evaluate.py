"""``stainxfer evaluate``: a user's own two images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_stainxfer.cli.app import app
from napari_stainxfer.errors import SlideError
from napari_stainxfer.evaluation import colour_difference, hue_error
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import Box


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for lab in ("lab1", "lab2"):
        pixels = phantom_slide(lab, seed=0, size_px=(1024, 1024)).read_region(Box(300, 300, 240, 200))
        Image.fromarray(pixels).save(folder / f"{lab}.png")
    Image.fromarray(pixels[:100]).save(folder / "short.png")
    mask = np.zeros((240, 200), np.uint8)
    mask[50:90, 60:120] = 255
    Image.fromarray(mask).save(folder / "mask.png")
    Image.fromarray(mask * 0).save(folder / "empty.png")
    Image.fromarray(mask[:100]).save(folder / "small.png")
    (folder / "text.png").write_text("no image")
    return folder


def evaluate(*arguments: object) -> dict[str, float]:
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments), "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout.splitlines()[-1])


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_the_numbers_are_those_of_python(files: Path) -> None:
    one, other = files / "lab2.png", files / "lab1.png"
    mask = pixels(files / "mask.png") > 0
    found = evaluate(one, other, "--mask", files / "mask.png")
    assert found["compared_px"] == "240 x 200"
    assert found["delta_e"] == pytest.approx(colour_difference(pixels(one), pixels(other)), abs=1e-3)
    assert found["delta_e_in_mask"] == pytest.approx(
        colour_difference(pixels(one), pixels(other), mask), abs=1e-3
    )
    assert found["hue_error_in_mask"] == pytest.approx(hue_error(pixels(one), pixels(other), mask), abs=1e-3)
    assert found["mask_share"] == pytest.approx(mask.mean(), abs=1e-3)
    assert "background_change" not in found


def test_the_same_image_differs_nowhere(files: Path) -> None:
    found = evaluate(files / "lab1.png", files / "lab1.png")
    assert found["delta_e"] == found["perceptual_distance"] == 0
    assert found["ssim"] == found["structure"] == 1


def test_the_picture_shows_where(files: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "difference.png"
    assert evaluate(files / "lab2.png", files / "lab1.png", "-o", target)["output"] == str(target)
    drawn = pixels(target)[..., :3].astype(int)
    same = tmp_path / "same.png"
    evaluate(files / "lab1.png", files / "lab1.png", "-o", same)
    right = (slice(None), slice(2 * drawn.shape[1] // 3, None))
    assert np.abs(drawn[right] - pixels(same)[..., :3][right].astype(int)).mean() > 10


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["lab1.png", "short.png"], "only images of the same field and size can be compared"),
        (["lab1.png", "missing.png"], "missing.png"),
        (["text.png", "lab1.png"], "text.png"),
        (["lab1.png", "lab2.png", "--mask", "small.png"], "they must agree"),
        (["lab1.png", "lab2.png", "--mask", "empty.png"], "Nothing is marked"),
        (["lab1.png", "lab2.png", "--mask", "text.png"], "cannot be read as a mask"),
    ],
)
def test_what_is_wrong_is_one_sentence(files: Path, arguments: list[str], sentence: str) -> None:
    given = [word if word.startswith("--") else files / word for word in arguments]
    with pytest.raises(SlideError, match=sentence):
        evaluate(*given)
