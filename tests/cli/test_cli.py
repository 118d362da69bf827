"""The command line as a user meets it: verbs end to end, and one sentence for every mistake."""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_stainxfer import fit, load, normalize_slide, open_slide, phantom_slide
from napari_stainxfer.cli.app import app
from napari_stainxfer.cli.console import Bar
from napari_stainxfer.cli.options import parse_region
from napari_stainxfer.errors import DivergedError, StainTransferError, TrainingError
from napari_stainxfer.methods import METHODS
from napari_stainxfer.methods.fitting import fit_stream
from napari_stainxfer.slides import Box, Slide, write_pyramid
from napari_stainxfer.training import Event, NoticeEvent, StepEvent


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "napari_stainxfer", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def results(*arguments: object) -> dict[str, object]:
    """Run in this process, which saves importing torch again, and read the last line as JSON."""
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.fixture(scope="module")
def model(slides: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("model") / "m.safetensors"
    mpp = ("--reference-mpp", 0.5, "--source-mpp", 0.5)
    answer = results("train", *slides, "-o", out, "--epochs", 1, "--device", "cpu", *mpp)
    assert answer["model"] == str(out)
    assert answer["pairs"] == load(out).card.pairs
    assert [path.name for path in out.parent.iterdir()] == ["m.safetensors"], "the checkpoint is gone"
    return out


def test_info(slides: tuple[Path, Path]) -> None:
    answer = results("info", slides[0], "--mpp", 0.25)
    assert (answer["height_px"], answer["width_px"], answer["mpp"]) == (1536, 1536, 0.25)
    assert answer["levels"] == ["1536 x 1536"]
    assert answer["computed_levels"] == ["768 x 768"]


def test_pairs_are_written_and_trained_on(slides: tuple[Path, Path], tmp_path: Path) -> None:
    mpp = ("--reference-mpp", 0.5, "--source-mpp", 0.5)
    answer = results("pair", *slides, "-o", tmp_path / "p.geojson", *mpp)
    assert json.loads((tmp_path / "p.geojson").read_text())["type"] == "FeatureCollection"
    trained = results(
        "train", *slides, "-o", tmp_path / "m.safetensors", "--pairs", tmp_path / "p.geojson",
        "--epochs", 1, "--device", "cpu", *mpp,
    )  # fmt: skip
    assert trained["pairs"] == answer["pairs"]


def test_same_seed_gives_the_same_file(model: Path, slides: tuple[Path, Path], tmp_path: Path) -> None:
    mpp = ("--reference-mpp", 0.5, "--source-mpp", 0.5)
    results("train", *slides, "-o", tmp_path / "m.safetensors", "--epochs", 1, "--device", "cpu", *mpp)
    assert (tmp_path / "m.safetensors").read_bytes() == model.read_bytes()


def test_apply_one_slide_and_a_region(model: Path, slides: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.ome.tif"
    answer = results(
        "apply", model, slides[1], "-o", out, "--mpp", 0.5, "--region", "100,200,300,400", "--device", "cpu"
    )
    assert answer["outputs"] == [str(out)]
    with open_slide(out) as slide:
        assert slide.shape == (300, 400)
        assert slide.mpp == pytest.approx(0.5)


def test_apply_several_slides_into_a_folder(model: Path, slides: tuple[Path, Path], tmp_path: Path) -> None:
    results("apply", model, *slides, "-o", tmp_path / "out", "--mpp", 0.5, "--region", "0,0,64,64")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["lab1.ome.tif", "lab3.ome.tif"]


def test_a_slide_that_cannot_be_used_does_not_keep_the_others_from_being_written(
    model: Path, slides: tuple[Path, Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.svs"
    broken.write_text("this is not a slide")
    where = ["-o", tmp_path / "out", "--mpp", 0.5, "--region", "0,0,64,64"]
    done = run("apply", model, slides[0], broken, slides[1], *where, "--json")
    assert done.returncode == 2
    assert "broken.svs" in done.stderr
    assert "1 of 3 slides were not written" in done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer["failed"] == [str(broken)]
    assert [Path(output).name for output in answer["outputs"]] == ["lab1.ome.tif", "lab3.ome.tif"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["lab1.ome.tif", "lab3.ome.tif"]
    # the model learned from lab 3, and lab 1 is unlike it
    assert "lab1.png is unlike what this model learned from" in " ".join(done.stderr.split())
    assert answer["distances_to_learned"][str(slides[1])] < 1 < answer["distances_to_learned"][str(slides[0])]


def test_starting_from_a_model(model: Path, slides: tuple[Path, Path], tmp_path: Path) -> None:
    mpp = ("--reference-mpp", 0.5, "--source-mpp", 0.5)
    out = tmp_path / "m.safetensors"
    results("train", *slides, "-o", out, "--init", model, "--epochs", 1, "--device", "cpu", *mpp)
    assert out.read_bytes() != model.read_bytes()


def _mistakes(folder: Path) -> dict[str, tuple[list[object], str]]:
    blank, text, grey = folder / "blank.png", folder / "text.svs", folder / "grey.png"
    Image.fromarray(np.full((600, 600, 3), 245, np.uint8)).save(blank)
    text.write_text("this is not a slide")
    Image.fromarray(np.full((64, 64), 120, np.uint8)).save(grey)
    train = ["-o", folder / "m.safetensors", "--reference-mpp", 0.5, "--source-mpp", 0.5]
    return {
        "missing file": (["info", folder / "nothing.svs"], "nothing.svs"),
        "directory": (["info", folder], str(folder)),
        "not an image": (["info", text], "text.svs"),
        "grey": (["info", grey], "grey.png"),
        "no resolution": (["train", blank, blank, "-o", folder / "m.safetensors"], "--reference-mpp"),
        "no tissue": (["train", blank, blank, *train], "tissue"),
        "unknown method": (["train", blank, blank, *train, "--method", "magic"], "nst-ad-hrnet"),
        "unknown backbone": (["train", blank, blank, *train, "--backbone", "foo"], "efficientnet_lite0"),
        "output below a file": (["train", blank, blank, "-o", text / "x" / "m.safetensors"], "text.svs"),
        "demo below a file": (["demo", "-o", text / "x"], "text.svs"),
        "unknown device": (["train", blank, blank, *train, "--device", "abacus"], "cpu"),
        "model is a folder": (["train", blank, blank, "-o", folder], "give the model a name"),
        "output is a png": (["apply", folder / "m", blank, "-o", folder / "o.png"], "rename o.png"),
        "no model": (["apply", folder / "m.safetensors", blank, "-o", folder / "o.tif"], "stainxfer train"),
        "not a model": (["apply", text, blank, "-o", folder / "o.tif"], "text.svs"),
    }


@pytest.mark.parametrize(
    "mistake",
    ["missing file", "directory", "not an image", "grey", "no resolution", "no tissue", "unknown method",
     "unknown device", "no model", "not a model",
     "unknown backbone", "output below a file", "demo below a file", "model is a folder",
     "output is a png"],
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_exit_code_2(mistake: str, tmp_path: Path) -> None:
    arguments, says = _mistakes(tmp_path)[mistake]
    done = run(*arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert says in done.stderr.replace("\n", "")
    assert done.stdout == ""


def test_ctrl_c_stops_between_steps_and_resume_goes_on_as_if_never_stopped(
    model: Path, slides: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m.safetensors"
    arguments = ["train", *slides, "-o", out, "--epochs", 1, "--device", "cpu"]
    arguments += ["--reference-mpp", 0.5, "--source-mpp", 0.5]
    handler = signal.getsignal(signal.SIGINT)

    def press_at_the_second_step(self: Bar, event: object) -> None:
        if isinstance(event, StepEvent) and event.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(Bar, "training", press_at_the_second_step)
        with pytest.raises(StainTransferError, match="--resume"):
            CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert signal.getsignal(signal.SIGINT) is handler
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors.checkpoint"]
    results(*arguments, "--resume")
    assert out.read_bytes() == model.read_bytes()


def test_a_number_given_for_files_that_say_nothing_leaves_the_others_as_they_are(
    model: Path, slides: tuple[Path, Path], tmp_path: Path
) -> None:
    known = tmp_path / "known.tif"
    pixels = np.asarray(Image.open(slides[1]))
    write_pyramid(known, [pixels[:512, :512]], shape=(512, 512), mpp=0.4)
    arguments = [
        "apply",
        model,
        known,
        slides[1],
        "-o",
        tmp_path / "out",
        "--mpp",
        0.5,
        "--region",
        "0,0,64,64",
    ]
    done = run(*arguments, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    told = " ".join(done.stderr.split())
    assert "known.tif says itself that it has 0.4 um/px, which is taken; --mpp 0.5 is for files" in told
    assert "lab3.png says itself" not in told
    for name, mpp in (("known", 0.4), ("lab3", 0.5)):
        with open_slide(tmp_path / "out" / f"{name}.ome.tif") as slide:
            assert slide.mpp == pytest.approx(mpp)


def test_training_takes_a_files_own_resolution_and_says_so(slides: tuple[Path, Path]) -> None:
    known = [Slide.from_array(np.asarray(Image.open(path)), mpp=0.5, name=path.name) for path in slides]
    notices: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, NoticeEvent):
            notices.append(event.message)

    model = fit(*known, method="reinhard", source_mpp=0.25, reference_mpp=0.5, on_event=listen)
    assert model.card.sources[0].mpp == 0.5
    (told,) = (notice for notice in notices if "says itself" in notice)
    assert told.startswith("lab3.png says itself that it has 0.5 um/px")
    assert "--source-mpp 0.25" in told


def test_several_slides_do_not_go_into_one_file(
    model: Path, slides: tuple[Path, Path], tmp_path: Path
) -> None:
    with pytest.raises(StainTransferError, match="folder"):
        CliRunner().invoke(
            app, ["apply", str(model), *map(str, slides), "-o", str(tmp_path / "o.tif")],
            catch_exceptions=False,
        )  # fmt: skip


def test_a_slide_is_never_written_onto_itself(model: Path, tmp_path: Path) -> None:
    slide = tmp_path / "slide.tif"
    Image.fromarray(np.full((64, 64, 3), 200, np.uint8)).save(slide)
    before = slide.read_bytes()
    with pytest.raises(StainTransferError, match="itself"):
        CliRunner().invoke(app, ["apply", str(model), str(slide), "-o", str(slide)], catch_exceptions=False)
    assert slide.read_bytes() == before


def test_region_is_four_numbers() -> None:
    assert parse_region("1,2,3,4") == Box(1, 2, 3, 4)
    for wrong in ("1,2,3", "a,b,c,d", "1,2,3,4,5"):
        with pytest.raises(StainTransferError, match="level-0 pixels"):
            parse_region(wrong)


def test_every_option_of_a_verb_is_a_keyword_of_the_core() -> None:
    """What the command line can ask for, the Python functions can too, under the same names."""
    ours = {"output", "as_json", "model", "slides", "mpp"}
    core = {
        "train": {*inspect.signature(fit_stream).parameters},
        "apply": {*inspect.signature(normalize_slide).parameters},
    }
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.callback.__name__
        if name in core:
            asked = {*inspect.signature(command.callback).parameters} - ours
            assert asked <= core[name], f"stainxfer {name} asks for {asked - core[name]}"
    assert "on_event" in inspect.signature(fit).parameters


def test_the_help_names_every_method() -> None:
    shown = " ".join(CliRunner().invoke(app, ["train", "--help"], env={"COLUMNS": "200"}).output.split())
    assert all(name in shown for name in METHODS)


def test_gui_without_napari_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_stainxfer.cli.looking.find_spec", lambda name: None)
    with pytest.raises(StainTransferError, match=r"pip install 'napari-stainxfer\[napari\]'"):
        CliRunner().invoke(app, ["gui"], catch_exceptions=False)


def test_a_divergence_keeps_the_last_good_weights_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = fit(*(phantom_slide(lab, 0, (512, 512)) for lab in ("lab1", "lab2")), method="reinhard")

    def diverge(*_: object, **__: object) -> None:
        error = DivergedError("Training diverged at step 30; try less.")
        error.model = good
        raise error

    monkeypatch.setattr("napari_stainxfer.methods.fitting.fit", diverge)
    with pytest.raises(TrainingError, match=r"try less\. The last good weights are kept in .*last-good"):
        app(["train", "a.tif", "b.tif", "-o", str(tmp_path / "m.safetensors")], standalone_mode=False)
    assert [path.name for path in tmp_path.iterdir()] == ["m.last-good.safetensors"]
    assert load(tmp_path / "m.last-good.safetensors").hash() == good.hash()
