"""``stainxfer evaluate``: a user's own two images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_stainxfer.cli.app import app
from napari_stainxfer.errors import OutputError, SlideError
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


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


def no_json(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def evaluate(*arguments: object) -> dict[str, float]:
    return json.loads(run(*arguments, "--json").splitlines()[-1], parse_constant=no_json)


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
    assert found["psnr"] is None  # infinite, which JSON cannot say


def test_for_people_the_numbers_stand_with_how_to_read_them(files: Path) -> None:
    lines = run(files / "lab1.png", files / "lab1.png", "--mask", files / "mask.png").splitlines()
    shown = {name: rest.split(maxsplit=1) for name, rest in (line.split(maxsplit=1) for line in lines)}
    assert shown["psnr"] == ["inf", "(from 0 dB, higher is better)"]
    assert shown["ssim"] == ["1", "(-1 to 1, higher is better)"]
    assert shown["delta_e"] == shown["delta_e_in_mask"] == ["0", "(0 to 120, lower is better)"]
    assert shown["hue_error_in_mask"] == ["0", "(0 to 180 degrees, lower is better)"]
    assert shown["mask_share"] == ["0.05"]


def test_small_images_are_measured_by_what_fits(files: Path, tmp_path: Path) -> None:
    for lab in ("lab1", "lab2"):
        Image.fromarray(pixels(files / f"{lab}.png")[:8, :8]).save(tmp_path / f"{lab}.png")
    found = evaluate(tmp_path / "lab2.png", tmp_path / "lab1.png", "--lpips")
    assert {"delta_e", "psnr"} < set(found)
    assert not {"ssim", "ms_ssim", "lpips_alex", "lpips_vgg"} & set(found)


def test_a_palette_mask_is_read_by_its_indices(files: Path, tmp_path: Path) -> None:
    palette = Image.fromarray((pixels(files / "mask.png") > 0).astype(np.uint8)).convert("P")
    palette.putpalette([255, 255, 255, 0, 0, 0])
    palette.save(tmp_path / "palette.png")
    sides = files / "lab2.png", files / "lab1.png"
    assert evaluate(*sides, "--mask", tmp_path / "palette.png") == evaluate(
        *sides, "--mask", files / "mask.png"
    )


def test_the_picture_shows_where(files: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "difference.png"
    assert evaluate(files / "lab2.png", files / "lab1.png", "-o", target)["output"] == str(target)
    drawn = pixels(target)[..., :3].astype(int)
    same = tmp_path / "same.png"
    evaluate(files / "lab1.png", files / "lab1.png", "-o", same)
    right = (slice(None), slice(2 * drawn.shape[1] // 3, None))
    assert np.abs(drawn[right] - pixels(same)[..., :3][right].astype(int)).mean() > 10


def test_the_picture_is_what_its_ending_says(files: Path, tmp_path: Path) -> None:
    for name, kind in (("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.JPEG", "JPEG")):
        evaluate(files / "lab2.png", files / "lab1.png", "-o", tmp_path / name)
        with Image.open(tmp_path / name) as drawn:
            assert drawn.format == kind


@pytest.mark.parametrize(("name", "sentence"), [("", "is a folder"), ("x.xyz", "does not end in .png")])
def test_a_picture_that_cannot_be_written_is_refused_before_the_work(
    name: str, sentence: str, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("it was computed")

    monkeypatch.setattr("napari_stainxfer.evaluation.comparing.compare", never)
    with pytest.raises(OutputError, match=sentence):
        evaluate(files / "lab2.png", files / "lab1.png", "-o", tmp_path / name)
    assert list(tmp_path.iterdir()) == []


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


def test_what_is_compared_is_not_written_over(files: Path) -> None:
    before = (files / "lab1.png").read_bytes()
    for output in ("lab1.png", "lab2.png", "mask.png"):
        with pytest.raises(OutputError, match="one of the images that are compared"):
            run(files / "lab1.png", files / "lab2.png", "--mask", files / "mask.png", "-o", files / output)
    assert (files / "lab1.png").read_bytes() == before
