"""A side of ``train`` and ``pair`` may be a folder with the slides of a lab."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_stainxfer import load, phantom_slide
from napari_stainxfer.cli.app import app
from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.slides import Box, write_pyramid

MPP = ("--reference-mpp", 1.0, "--source-mpp", 1.0)
SIDE = 768


def call(*arguments: object) -> tuple[dict[str, object], str]:
    """The results, and what was told besides them."""
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout.splitlines()[-1]), " ".join(done.stderr.split())


def pixels(lab: str, seed: int) -> np.ndarray:
    whole = phantom_slide(lab, seed=seed, size_px=(2 * SIDE, 2 * SIDE))
    return whole.read_region_at(Box(0, 0, 2 * SIDE, 2 * SIDE), mpp=1.0)


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two folders of two PNG files each, which know nothing of um/px."""
    folders = []
    for lab in ("lab1", "lab3"):
        folders.append(tmp_path_factory.mktemp(lab))
        for seed in (1, 2):
            Image.fromarray(pixels(lab, seed)).save(folders[-1] / f"{lab}_{seed}.png")
    return folders[0], folders[1]


def names(path: object) -> tuple[list[str], list[str]]:
    """Of the slides of both sides that a model was fitted on."""
    card = load(str(path)).card
    return [slide.name for slide in card.references], [slide.name for slide in card.sources]


def test_a_folder_on_one_side(labs: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "m.safetensors"
    answer, _ = call("train", labs[0], labs[1] / "lab3_1.png", "-o", out, "--method", "macenko", *MPP)
    assert (answer["references"], answer["sources"]) == (2, 1)
    assert names(out) == (["lab1_1.png", "lab1_2.png"], ["lab3_1.png"])


def test_pairs_of_two_folders_are_written_and_trained_on(labs: tuple[Path, Path], tmp_path: Path) -> None:
    pairs, out = tmp_path / "p.geojson", tmp_path / "m.safetensors"
    suggested, _ = call("pair", *labs, "-o", pairs, *MPP)
    assert (suggested["references"], suggested["sources"]) == (2, 2)
    text = pairs.read_text()
    assert all(name in text for name in ("lab1_1.png", "lab1_2.png", "lab3_1.png", "lab3_2.png"))
    how = ("--epochs", 1, "--device", "cpu", *MPP)
    trained, _ = call("train", *labs, "-o", out, "--pairs", pairs, *how)
    assert trained["pairs"] == suggested["pairs"]
    assert (trained["references"], trained["sources"]) == (2, 2)
    assert [path.name for path in tmp_path.glob("*.checkpoint")] == [], "the checkpoint is gone"
    with pytest.raises(StainTransferError, match="not among the reference slides"):
        call("train", labs[0] / "lab1_1.png", labs[1], "-o", out, "--pairs", pairs, *how)


def test_what_is_no_slide_is_passed_over(labs: tuple[Path, Path], tmp_path: Path) -> None:
    """Notes, half a download, a model of an earlier day, and masks beside their images."""
    lab = shutil.copytree(labs[1], tmp_path / "lab")
    for name in ("notes.txt", ".lab3_9.png", "m.safetensors"):
        (lab / name).write_text("no slide")
    (lab / "older").mkdir()
    shutil.copy(lab / "lab3_1.png", lab / "older")
    Image.fromarray(np.full((SIDE, SIDE), 255, np.uint8)).save(lab / "lab3_1_mask.png")
    Image.fromarray(np.full((SIDE, SIDE, 3), 255, np.uint8)).save(lab / "lab3_2_mask_glomeruli.png")
    out = tmp_path / "m.safetensors"
    call("train", labs[0], lab, "-o", out, "--method", "reinhard", *MPP)
    assert names(out)[1] == ["lab3_1.png", "lab3_2.png"]


@pytest.mark.parametrize("verb", ["train", "pair"])
@pytest.mark.parametrize("side", [0, 1])
def test_a_folder_without_slides_is_a_sentence(
    labs: tuple[Path, Path], tmp_path: Path, verb: str, side: int
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "notes.txt").write_text("no slide")
    given = [*labs]
    given[side] = empty
    with pytest.raises(StainTransferError, match=r"empty is a folder without slides; give a slide, or"):
        call(verb, *given, "-o", tmp_path / "out", *MPP)
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


@pytest.mark.parametrize("verb", ["train", "pair"])
def test_files_that_say_their_resolution_keep_it_and_are_named(
    labs: tuple[Path, Path], tmp_path: Path, verb: str
) -> None:
    lab = shutil.copytree(labs[1], tmp_path / "lab")
    write_pyramid(lab / "known.tif", [pixels("lab3", 3)[:512, :512]], shape=(512, 512), mpp=0.8)
    how = ("--method", "reinhard") if verb == "train" else ()
    _, told = call(verb, labs[0], lab, "-o", tmp_path / "out", *how, *MPP)
    assert "known.tif says itself that it has 0.8 um/px, which is taken; --source-mpp 1 is for files" in told
    assert "png says itself" not in told


def test_a_folder_of_dicom_files_is_one_slide(
    labs: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As itself, and in the folder of its lab; what reads it is replaced, for it is an extra."""
    from napari_stainxfer.slides import sides
    from napari_stainxfer.slides.slide import Slide

    lab = tmp_path / "lab"
    (lab / "scan").mkdir(parents=True)
    (lab / "scan" / "level0.dcm").write_text("read by the extra")
    shutil.copy(labs[1] / "lab3_1.png", lab)

    def opened(path: Path) -> Slide:
        return Slide.from_array(pixels("lab3", 2), mpp=1.0, name=path.name)

    monkeypatch.setattr(sides, "open_slide", opened)
    for given, found in ((lab, ["lab3_1.png", "scan"]), (lab / "scan", ["scan"])):
        out = tmp_path / "m.safetensors"
        call("train", labs[0], given, "-o", out, "--method", "reinhard", *MPP)
        assert names(out)[1] == found


def test_the_help_says_that_a_folder_will_do() -> None:
    for verb in ("train", "pair"):
        shown = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200"}).output
        assert sum("folder" in line for line in shown.splitlines()) >= 2, verb
