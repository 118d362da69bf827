"""The second table on labs a few images small: what is measured, kept, resumed and refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from napari_stainxfer.benchmarks.circumstances import surroundings
from napari_stainxfer.benchmarks.lab_images import (
    content_hash,
    folder_examples,
    folder_labs,
    mask_like,
    phantom_labs,
    read_example,
)
from napari_stainxfer.benchmarks.lab_report import write_table2
from napari_stainxfer.benchmarks.lab_scores import MEAN, RAW, WORST, Failure, Score, distance_left, summarise
from napari_stainxfer.benchmarks.lab_settings import Table2Run
from napari_stainxfer.benchmarks.table2 import Part, run_table2
from napari_stainxfer.cli.app import app
from napari_stainxfer.errors import (
    ModelFileError,
    NoTissueError,
    OutputError,
    SlideError,
    StainTransferError,
    TrainingError,
)
from napari_stainxfer.methods import Model
from napari_stainxfer.methods.fitting import fit
from napari_stainxfer.pairing import load_pairs
from napari_stainxfer.phantom import LABS
from napari_stainxfer.segmentation import SegmenterEvent, SegmenterSettings, SegmenterStep, load_segmenter
from napari_stainxfer.slides import Slide
from napari_stainxfer.training import Event

TINY = SegmenterSettings(width=16, crop_px=64, steps=60, batch_size=4, learning_rate=4e-3)
COLOURS = {"lab1": ((225, 170, 200), (140, 100, 170)), "lab2": ((200, 200, 150), (110, 150, 60))}


def draw_lab(folder: Path, lab: str, count: int = 4, side: int = 192) -> None:
    """Discs on a ground with glass at the top, and masks of the discs; every lab in its own colours."""
    ground, ink = COLOURS[lab]
    (folder / lab).mkdir(parents=True)
    rows, columns = np.mgrid[:side, :side]
    for number in range(count):
        random = np.random.default_rng((number, len(lab)))
        image = np.full((side, side, 3), ground, float)
        mask = np.zeros((side, side), bool)
        for y in (56, 110, 160):
            x = random.integers(30, side - 30)
            mask |= (rows - y) ** 2 + (columns - x) ** 2 < random.integers(16, 22) ** 2
        image[mask] = ink
        image[:20] = 244
        noisy = np.clip(image + random.normal(0, 5, image.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / lab / f"field{number}.png")
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / lab / f"field{number}_mask.png")


class Listening:
    """Notes what a run tells."""

    def __init__(self, stop_at: str = "") -> None:
        self.parts: list[Part] = []
        self.left: list[float | None] = []
        self.failures: list[Failure] = []
        self.steps = 0
        self._stop_at = stop_at

    def part(self, part: Part, done: int, total: int, seconds_left: float | None) -> None:
        self.parts.append(part)
        self.left.append(seconds_left)
        if part.method == self._stop_at:
            raise KeyboardInterrupt

    def training(self, event: Event) -> None:
        pass

    def segmenter(self, event: SegmenterEvent) -> None:
        self.steps += isinstance(event, SegmenterStep)

    def failed(self, failure: Failure) -> None:
        self.failures.append(failure)


@pytest.fixture(scope="module")
def labs_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labs")
    for lab in COLOURS:
        draw_lab(folder, lab)
    return folder


RUN = Table2Run(data="toy", segmenter=TINY)


@pytest.fixture(scope="module")
def finished(
    labs_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Score], list[Listening]]:
    """A run that is stopped before its last part, and then goes on."""
    folder, labs = tmp_path_factory.mktemp("table2"), folder_labs(labs_folder, 2.0)
    stopped, resumed = Listening(stop_at="reinhard"), Listening()
    options = {"methods": ["reinhard"], "seeds": [0], "device": "cpu"}
    with pytest.raises(KeyboardInterrupt):
        run_table2(labs, folder, RUN, listener=stopped, **options)
    return folder, run_table2(labs, folder, RUN, listener=resumed, **options), [stopped, resumed]


def test_another_labs_colours_defeat_the_segmenter_and_a_transfer_helps(
    finished: tuple[Path, list[Score], list[Listening]],
) -> None:
    scores = {(score.lab, score.method): score.dice for score in finished[1]}
    assert list(scores) == [("lab1", RAW), ("lab2", RAW), ("lab2", "reinhard")]
    assert scores["lab1", RAW] > 0.9
    assert scores["lab2", RAW] < 0.7
    assert scores["lab2", "reinhard"] > scores["lab2", RAW] + 0.2


def test_a_run_that_was_stopped_goes_on_where_it_was(
    finished: tuple[Path, list[Score], list[Listening]],
) -> None:
    stopped, resumed = finished[2]
    assert [part.method for part in stopped.parts] == [RAW, RAW, "reinhard"]
    assert [part.method for part in resumed.parts] == ["reinhard"]
    assert (stopped.steps, resumed.steps) == (60, 0)
    assert stopped.left == [None, None, None]  # reinhard has not been timed


def test_what_is_kept_is_whole(finished: tuple[Path, list[Score], list[Listening]]) -> None:
    folder, scores, _ = finished
    names = {path.name for path in (folder / "seed0").iterdir()}
    assert names == {
        "segmenter.safetensors",
        *(f"lab{k}-raw.{suffix}" for k in (1, 2) for suffix in ("json", "png")),
        *(f"lab2-reinhard.{suffix}" for suffix in ("json", "png", "safetensors", "seconds")),
    }
    kept = Score.model_validate_json((folder / "seed0" / "lab2-reinhard.json").read_text())
    assert kept == scores[-1]
    assert kept.model_bytes > 0
    with Image.open(folder / "seed0" / "lab1-raw.png") as image:
        pixels = np.asarray(image)
    assert (pixels == (0, 0, 0)).all(axis=2).any()
    assert (pixels == (60, 255, 0)).all(axis=2).any()


def test_a_folder_keeps_to_one_run(
    finished: tuple[Path, list[Score], list[Listening]], labs_folder: Path
) -> None:
    other = RUN.model_copy(update={"preset": "paper"})
    with pytest.raises(StainTransferError, match="other data or settings"):
        run_table2(
            folder_labs(labs_folder, 2.0), finished[0], other, methods=[], seeds=[0], listener=Listening()
        )


def test_a_folder_notices_that_images_or_masks_were_replaced(
    finished: tuple[Path, list[Score], list[Listening]], tmp_path: Path
) -> None:
    for lab in COLOURS:
        draw_lab(tmp_path, lab, count=2, side=64)
    before = content_hash(folder_labs(tmp_path, 2.0))
    assert len(before) == 16
    assert content_hash(folder_labs(tmp_path, 2.0)) == before
    assert content_hash(folder_labs(tmp_path, 1.0)) != before
    image, mask = (tmp_path / "lab2" / f"field1{end}.png" for end in ("", "_mask"))
    held = image.read_bytes()
    image.write_bytes((tmp_path / "lab2" / "field0.png").read_bytes())
    assert content_hash(folder_labs(tmp_path, 2.0)) != before
    image.write_bytes(held)
    Image.fromarray(np.eye(64, dtype=np.uint8)).save(mask)
    assert content_hash(folder_labs(tmp_path, 2.0)) != before
    for field in ("images", "given_hash"):
        with pytest.raises(StainTransferError, match="other data or settings"):
            RUN.model_copy(update={field: "0123456789abcdef"}).keep(finished[0])


def test_a_run_that_an_older_version_noted_goes_on(tmp_path: Path) -> None:
    (tmp_path / "seed0").mkdir()
    (tmp_path / "seed0" / "lab1-raw.json").touch()
    older = RUN.model_dump_json(exclude={"images", "given_hash"})
    (tmp_path / "run.json").write_text(older, encoding="utf-8")
    RUN.keep(tmp_path)
    assert (tmp_path / "run.json").read_text(encoding="utf-8") == older


def test_a_run_that_measured_nothing_is_replaced(tmp_path: Path) -> None:
    RUN.model_copy(update={"weights": "imagenet"}).keep(tmp_path)
    (tmp_path / "seed0").mkdir()
    RUN.keep(tmp_path)
    assert Table2Run.model_validate_json((tmp_path / "run.json").read_text(encoding="utf-8")) == RUN
    (tmp_path / "seed0" / "segmenter.safetensors").touch()
    with pytest.raises(StainTransferError, match="other data or settings"):
        RUN.model_copy(update={"weights": "imagenet"}).keep(tmp_path)


def test_a_damaged_score_is_a_sentence_that_names_it(labs_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "seed0").mkdir()
    (tmp_path / "seed0" / "lab1-raw.json").write_text('{"lab": "la', encoding="utf-8")
    with pytest.raises(StainTransferError, match=r"lab1-raw\.json is damaged .* delete it") as caught:
        run_table2(folder_labs(labs_folder, 2.0), tmp_path, RUN, methods=[], seeds=[0], listener=Listening())
    assert type(caught.value) is StainTransferError


def test_a_method_that_fails_for_a_lab_leaves_the_others_alone(
    finished: tuple[Path, list[Score], list[Listening]],
    labs_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = folder_labs(labs_folder, 2.0)
    labs = [first, second, second._replace(name="lab3")]
    options = {
        "methods": ["histogram", "reinhard"],
        "seeds": [0],
        "device": "cpu",
        "given": load_segmenter(finished[0] / "seed0" / "segmenter.safetensors"),
    }
    asked: list[str] = []

    def fails_second(reference: object, source: object, *, method: str, **others: object) -> Model:
        asked.append(method)
        if len(asked) == 2:
            raise NoTissueError("There is too little tissue; give more.")
        return fit(reference, source, method=method)

    monkeypatch.setattr("napari_stainxfer.benchmarks.table2.fit", fails_second)
    listening = Listening()
    scores = run_table2(labs, tmp_path, RUN, listener=listening, **options)
    (failure,) = listening.failures
    assert (failure.lab, failure.method, failure.seed) == ("lab2", "reinhard", 0)
    assert [(one.lab, one.method) for one in scores if one.method == "reinhard"] == [("lab3", "reinhard")]
    answer = write_table2(tmp_path, scores, RUN, listening.failures)
    assert "histogram, mean" in answer
    assert not {"reinhard, mean", "reinhard, worst lab", "reinhard, distance left"} & answer.keys()
    text = Path(answer["md"]).read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if line.startswith("| reinhard"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert [cell == "–" for cell in cells] == [False, True, True, False, True, True, True, True]
    assert text.endswith(f"\nNot possible:\n\n- lab2, reinhard, seed 0: {failure.why}\n")
    numbers = json.loads(Path(answer["json"]).read_text(encoding="utf-8"))
    assert numbers["failed"] == [failure.model_dump()]
    assert "--methods histogram,reinhard" in numbers["facts"]["command"]
    again = Listening()
    assert len(run_table2(labs, tmp_path, RUN, listener=again, **options)) == len(scores) + 1
    assert again.parts == [Part(0, "lab2", "reinhard")]
    assert not again.failures


def test_what_cannot_be_written_ends_the_run(
    finished: tuple[Path, list[Score], list[Listening]],
    labs_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: Model, path: Path) -> None:
        raise ModelFileError(f"Cannot write {path}.")

    monkeypatch.setattr(Model, "save", refuse)
    with pytest.raises(ModelFileError, match="Cannot write"):
        run_table2(
            folder_labs(labs_folder, 2.0),
            tmp_path,
            RUN,
            methods=["reinhard"],
            seeds=[0],
            given=load_segmenter(finished[0] / "seed0" / "segmenter.safetensors"),
            device="cpu",
            listener=Listening(),
        )


def test_an_unknown_method_is_refused_before_anything_is_done(labs_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(StainTransferError, match="No method is called 'magic'"):
        run_table2(
            folder_labs(labs_folder, 2.0), tmp_path, RUN, methods=["magic"], seeds=[0], listener=Listening()
        )
    assert not list(tmp_path.iterdir())


def results(*arguments: object) -> dict[str, object]:
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_the_verb_writes_table_numbers_and_pictures(
    finished: tuple[Path, list[Score], list[Listening]], labs_folder: Path, tmp_path: Path
) -> None:
    trained = finished[0] / "seed0" / "segmenter.safetensors"
    command = ("bench", "table2", "--data", labs_folder, "--mpp", 2.0, "--methods", "reinhard,histogram")
    given = tmp_path / "segmenter.safetensors"
    given.write_bytes(trained.read_bytes())
    command = (*command, "--seeds", "0,1", "--segmenter", given, "--device", "cpu", "-o", tmp_path / "out")
    answer = results(*command)
    by_hand = {(score.lab, score.method): score.dice for score in finished[1]}
    assert answer["lab1, raw"] == pytest.approx(by_hand["lab1", RAW], abs=1e-3)
    assert answer["reinhard, mean"] == pytest.approx(by_hand["lab2", "reinhard"], abs=1e-3)
    assert answer["reinhard, distance left"] < 0.7
    lines = Path(str(answer["md"])).read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("| Dice, higher is better | lab1 | lab2 | mean | worst lab |")
    assert [line.split("|")[1].strip() for line in lines[2:5]] == [RAW, "reinhard", "histogram"]
    assert "±" in lines[2]
    numbers = json.loads(Path(str(answer["json"])).read_text())
    assert len(numbers["dice"]["reinhard"]["lab2"]) == 2
    assert numbers["facts"]["seeds"] == [0, 1]
    told = f"--data {labs_folder.name} --methods reinhard,histogram --seeds 0,1 --mpp 2.0 --preset quick"
    assert (
        numbers["facts"]["command"]
        == f"stainxfer bench table2 {told} --segmenter segmenter.safetensors -o DIR"
    )
    with Image.open(str(answer["png"])) as panel:
        assert panel.width > panel.height > 400
    written = (tmp_path / "out" / "seed1" / "lab2-reinhard.json").stat().st_mtime_ns
    assert results(*command) == answer
    assert (tmp_path / "out" / "seed1" / "lab2-reinhard.json").stat().st_mtime_ns == written
    twice = {"reinhard,histogram": "reinhard, histogram,reinhard,", "0,1": "0,1,0"}
    assert results(*(twice.get(str(word), word) for word in command)) == answer
    assert json.loads(Path(str(answer["json"])).read_text())["dice"] == numbers["dice"]
    other = load_segmenter(given)
    other.network.backbone.conv1.weight.data += 1
    other.save(given)
    with pytest.raises(StainTransferError, match="other data or settings"):
        results(*command)


def test_the_verb_tells_what_is_not_possible(
    finished: tuple[Path, list[Score], list[Listening]],
    labs_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_sides: object, **_options: object) -> Model:
        raise NoTissueError("There is too little tissue; give more.")

    monkeypatch.setattr("napari_stainxfer.benchmarks.table2.fit", fails)
    trained = finished[0] / "seed0" / "segmenter.safetensors"
    words = ("bench", "table2", "--data", labs_folder, "--mpp", 2.0, "--methods", "reinhard")
    words = (*words, "--segmenter", trained, "--device", "cpu", "-o", tmp_path)
    done = CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "lab2, reinhard: not possible: There is too little tissue; give more." in done.output
    assert "| reinhard | – | – | – | – |" in (tmp_path / "table2.md").read_text(encoding="utf-8")


def test_what_the_verb_refuses(finished: tuple[Path, list[Score], list[Listening]], tmp_path: Path) -> None:
    trained = finished[0] / "seed0" / "segmenter.safetensors"

    def refused(*options: object) -> str:
        with pytest.raises(StainTransferError) as caught:
            CliRunner().invoke(
                app, [*map(str, ("bench", "table2", "-o", tmp_path, *options))], catch_exceptions=False
            )
        return str(caught.value)

    assert "give them as 0,1,2" in refused("--segmenter", trained, "--seeds", "a")
    assert "is not trained" in refused("--segmenter", trained, "--steps", 3)
    assert "There is no segmenter" in refused("--segmenter", tmp_path / "none.safetensors")
    assert "There is no folder" in refused("--data", tmp_path / "none")


def test_the_verb_trains_a_segmenter_on_a_folder(labs_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "s.safetensors"
    answer = results(
        *(
            "segmenter",
            "--data",
            labs_folder / "lab1",
            "--mpp",
            2.0,
            "--steps",
            1,
            "-o",
            out,
            "--device",
            "cpu",
        )
    )
    assert answer["images"] == 4
    assert load_segmenter(out).card.settings == SegmenterSettings(steps=1)


def test_a_segmenter_that_could_not_be_written_is_not_trained(
    labs_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(*_arguments: object, **_options: object) -> None:
        raise AssertionError("nothing is to be trained")

    monkeypatch.setattr("napari_stainxfer.segmentation.train_segmenter", train)
    (tmp_path / "file").touch()
    words = ["segmenter", "--data", str(labs_folder / "lab1"), "--mpp", "2"]
    with pytest.raises(TrainingError, match=r"is a folder; give the segmenter a name"):
        CliRunner().invoke(app, [*words, "-o", str(tmp_path)], catch_exceptions=False)
    with pytest.raises(OutputError, match="choose another place"):
        CliRunner().invoke(app, [*words, "-o", str(tmp_path / "file" / "s")], catch_exceptions=False)


ON = {"threads": 1, "device": "cpu", "processor": "abacus"}


def score(lab: str, method: str, dice: float, seed: int = 0) -> Score:
    return Score(lab=lab, method=method, seed=seed, dice=dice, seconds=1, fit_seconds=4, **ON)


def test_mean_and_worst_leave_the_first_lab_out() -> None:
    scores = [
        score("lab1", RAW, 0.9),
        score("lab2", RAW, 0.1),
        score("lab3", RAW, 0.5),
        score("lab2", "reinhard", 0.6),
        score("lab3", "reinhard", 0.7),
    ]
    table = summarise(scores)
    assert list(table) == [RAW, "reinhard"]
    assert list(table[RAW]) == ["lab1", "lab2", "lab3", MEAN, WORST]
    assert table[RAW][MEAN] == [pytest.approx(0.3)]
    assert table["reinhard"][WORST] == [0.6]
    assert distance_left(table, "lab1", "reinhard") == pytest.approx(0.25 / 0.6)
    two_seeds = summarise([*scores, *(one.model_copy(update={"seed": 1, "dice": 0.9}) for one in scores)])
    assert two_seeds[RAW]["lab2"] == [0.1, 0.9]
    assert two_seeds[RAW][WORST] == [0.1, 0.9]


def test_nothing_is_left_of_a_distance_that_was_never_there(tmp_path: Path) -> None:
    for raw in (0.5, 0.6):
        scores = [score("lab1", RAW, 0.5), score("lab2", RAW, raw), score("lab2", "reinhard", 0.7)]
        assert distance_left(summarise(scores), "lab1", "reinhard") is None
        (tmp_path / "seed0").mkdir(exist_ok=True)
        for one in scores:
            Image.new("RGB", (8, 8)).save(tmp_path / "seed0" / f"{one.lab}-{one.method}.png")
        answer = write_table2(tmp_path, scores, RUN)
        assert "reinhard, mean" in answer
        assert "reinhard, distance left" not in answer
        assert json.loads(Path(answer["json"]).read_text())["distance_left"] == {"reinhard": None}


def test_a_method_without_a_value_for_a_lab_has_no_mean() -> None:
    scores = [score(lab, RAW, 0.5, seed) for seed in (0, 1) for lab in ("lab1", "lab2", "lab3")]
    scores += [score("lab2", "reinhard", 0.6, seed) for seed in (0, 1)]
    scores += [score("lab3", "reinhard", 0.7, 1)]
    assert summarise(scores)["reinhard"] == {"lab2": [0.6, 0.6], "lab3": [0.7]}
    scores += [score("lab3", "reinhard", 0.7, 0)]
    assert summarise(scores)["reinhard"][WORST] == [0.6, 0.6]


def test_a_table_names_the_code_and_the_days_of_its_scores(
    finished: tuple[Path, list[Score], list[Listening]], tmp_path: Path
) -> None:
    now = surroundings()
    (tmp_path / "seed0").mkdir()
    scores = finished[1]
    for one in scores:
        assert (one.code, one.date) == (now["versions"]["napari-stainxfer"], now["date"])
        Image.new("RGB", (8, 8)).save(tmp_path / "seed0" / f"{one.lab}-{one.method}.png")

    def told(*noted: tuple[str, str]) -> tuple[str, str]:
        changed = [
            one.model_copy(update={"code": code, "date": date})
            for one, (code, date) in zip(scores, noted, strict=True)
        ]
        write_table2(tmp_path, changed, RUN)
        facts = json.loads((tmp_path / "table2.json").read_text())["facts"]
        return facts["versions"]["napari-stainxfer"], facts["date"]

    one, other = ("0.1, commit a", "2020-01-02"), ("0.1, commit b", "2020-01-03")
    assert told(one, other, one) == ("0.1, commit a; 0.1, commit b", "2020-01-02; 2020-01-03")
    assert told(one, one, ("", "")) == ("not noted; 0.1, commit a", "not noted; 2020-01-02")
    assert told(*[("", "")] * 3) == (now["versions"]["napari-stainxfer"], now["date"])


def test_labs_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("lab10", "lab2", "lab1"):
        (tmp_path / name).symlink_to(tmp_path / "same")
    draw = tmp_path / "drawn"
    draw_lab(draw, "lab1", count=3, side=64)
    (draw / "lab1").rename(tmp_path / "same")
    draw.rmdir()
    names = [lab.name for lab in folder_labs(tmp_path, 2.0)]
    assert names == ["lab1", "lab2", "lab10", "same"]


def test_images_are_halved_in_the_order_of_their_names_or_as_the_folders_say(tmp_path: Path) -> None:
    for lab in COLOURS:
        draw_lab(tmp_path, lab, count=3, side=64)
    first, second = folder_labs(tmp_path, 2.0)
    assert [one.slide.name for one in first.taught] == ["field0.png", "field1.png"]
    assert [one.slide.name for one in first.judged] == ["field2.png"]
    assert not second.taught
    assert len(second.fitted) == 2
    for part, numbers in (("test", "0"), ("train", "12")):
        (tmp_path / "lab2" / part).mkdir()
        for number in numbers:
            for path in (tmp_path / "lab2").glob(f"field{number}*"):
                path.rename(tmp_path / "lab2" / part / path.name)
    assert [one.slide.name for one in folder_labs(tmp_path, 2.0)[1].judged] == ["field0.png"]


def test_files_that_know_their_resolution_keep_it(tmp_path: Path) -> None:
    for lab in COLOURS:
        draw_lab(tmp_path, lab, count=2, side=64)
    path = tmp_path / "lab1" / "field0.png"
    with Image.open(path) as image:
        image.save(path, dpi=(12700, 12700))  # 2 um/px
    first, second = folder_labs(tmp_path, 1.0)
    assert [one.slide.mpp for one in (*first.taught, *first.judged)] == [pytest.approx(2.0), 1.0]
    assert [slide.mpp for slide in second.fitted] == [1.0]
    for lab in COLOURS:
        for number in (0, 1):
            path = tmp_path / lab / f"field{number}.png"
            with Image.open(path) as image:
                image.save(path, dpi=(12700, 12700))
    for mpp in (0.0, -1.0):  # although no file needs it
        with pytest.raises(SlideError, match=r"give --mpp from 0\.05 to 100"):
            folder_labs(tmp_path, mpp)
        with pytest.raises(SlideError, match=r"give --mpp from 0\.05 to 100"):
            folder_examples(tmp_path / "lab1", 2.0, mpp)


def test_a_mask_may_carry_a_word_after_its_name(tmp_path: Path) -> None:
    draw_lab(tmp_path, "lab1", count=1, side=64)
    mask = tmp_path / "lab1" / "field0_mask.png"
    mask.rename(mask.with_name("field0_mask_tuft.png"))
    (example,) = folder_examples(tmp_path / "lab1", 2.0, 2.0)
    assert example.image.shape == (64, 64, 3)
    assert example.mask.any()


def test_a_mask_may_be_larger_than_pillow_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw_lab(tmp_path, "lab1", count=1, side=64)
    field = tmp_path / "lab1" / "field0.png"
    with Image.open(field) as image:
        image.save(field.with_suffix(".tif"))  # as an image so large has to be
    field.unlink()
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    (example,) = folder_examples(tmp_path / "lab1", 2.0, 2.0)
    assert example.mask.any()


def test_labs_that_cannot_be_read_are_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StainTransferError, match="There is no folder"):
        folder_labs(tmp_path / "none")
    for lab in COLOURS:
        draw_lab(tmp_path, lab, count=2, side=64)
    with pytest.raises(StainTransferError, match="--mpp"):
        folder_labs(tmp_path)
    mask = tmp_path / "lab2" / "field1_mask.png"
    mask.write_bytes(b"no image")
    with pytest.raises(SlideError, match="cannot be read as a mask"):
        folder_labs(tmp_path, 2.0)
    Image.fromarray(np.zeros((10, 10), np.uint8)).save(mask)
    with pytest.raises(SlideError, match="they must agree"):
        folder_labs(tmp_path, 2.0)
    mask.unlink()
    with pytest.raises(StainTransferError, match="needs one mask"):
        folder_labs(tmp_path, 2.0)
    (tmp_path / "lab2" / "field1.png").unlink()
    with pytest.raises(StainTransferError, match="too few images"):
        folder_labs(tmp_path, 2.0)


def test_a_lab_without_glomeruli_to_judge_by_is_refused(labs_folder: Path, tmp_path: Path) -> None:
    first, second = folder_labs(labs_folder, 2.0)
    empty = tuple(one._replace(mask=np.zeros_like(one.mask)) for one in second.judged)
    with pytest.raises(StainTransferError, match="judged images of lab2"):
        run_table2(
            [first, second._replace(judged=empty)], tmp_path, RUN, methods=[], seeds=[0], listener=Listening()
        )


def test_what_is_trained_is_given_the_same_pairs_and_goes_on_from_its_checkpoint(
    finished: tuple[Path, list[Score], list[Listening]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    def note(reference: object, source: object, **options: object) -> Model:
        given.append(options)
        return fit(reference, source, method="reinhard")

    monkeypatch.setattr("napari_stainxfer.benchmarks.table2.fit", note)
    (tmp_path / "seed0").mkdir()
    checkpoint = tmp_path / "seed0" / "lab2-nst-hrnet.checkpoint"  # of a run that was stopped
    checkpoint.write_bytes(b"")
    run_table2(
        [lab._replace(judged=lab.judged[:1]) for lab in phantom_labs(1024)[:2]],
        tmp_path,
        Table2Run(data="phantom", segmenter=TINY, epochs=3),
        methods=["nst-hrnet", "staingan", "reinhard"],
        seeds=[0],
        given=load_segmenter(finished[0] / "seed0" / "segmenter.safetensors"),
        device="cpu",
        listener=Listening(),
    )
    one, other, measured = given
    assert one["pairs"] == other["pairs"] == load_pairs(tmp_path / "lab2-pairs.geojson", *_fitted(1024))
    assert (one["epochs"], one["resume"], other["resume"]) == (3, True, False)
    assert not checkpoint.exists()
    assert measured.keys() == {"method", "seed", "device", "on_event"}


def _fitted(size_px: int) -> list[tuple[Slide, ...]]:
    return [lab.fitted for lab in phantom_labs(size_px)[:2]]


def test_the_phantoms_labs_share_no_tissue_between_learning_and_judging() -> None:
    labs = phantom_labs(1024)
    assert [lab.name for lab in labs] == list(LABS)

    def tissue(slides: object) -> set[int]:
        return {slide.provenance["phantom"]["seed"] for slide in slides}

    fitted = [tissue(lab.fitted) for lab in labs]
    assert len(set.union(*fitted)) == 8
    judged = [tissue(one.slide for one in lab.judged) for lab in labs]
    assert all(seeds == judged[0] for seeds in judged)
    assert not judged[0] & (set.union(*fitted) | tissue(one.slide for one in labs[0].taught))


def test_image_and_mask_stay_together_when_scaled() -> None:
    labelled = phantom_labs(1024)[0].judged[0]
    assert labelled.mask.shape == (256, 256)
    example = read_example(labelled, 1.0, 4.0)
    assert example.image.shape == (128, 128, 3)
    assert example.mask.shape == (128, 128)
    half = np.zeros((8, 8), bool)
    half[:, 4:] = True
    np.testing.assert_array_equal(mask_like(half, np.zeros((4, 4, 3), np.uint8)), half[::2, ::2])
