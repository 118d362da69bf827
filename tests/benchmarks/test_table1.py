"""The first table: its pairs, its parts, its files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from napari_stainxfer import fit
from napari_stainxfer.benchmarks import table1
from napari_stainxfer.benchmarks.pairs_report import write_table1
from napari_stainxfer.benchmarks.scanner_pairs import folder_pairs, phantom_pairs
from napari_stainxfer.benchmarks.table1 import Table1Run, run_table1
from napari_stainxfer.cli.app import app
from napari_stainxfer.errors import SlideError, StainTransferError
from napari_stainxfer.methods import Model
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import RGB, Box


def tissue(lab: str, seed: int, side: int = 420) -> RGB:
    return phantom_slide(lab, seed=seed, size_px=(1024, 1024)).read_region_at(Box(0, 0, 1024, 1024), mpp=1.0)[
        :side, :side
    ]


def save(image: RGB, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


@pytest.fixture(scope="module")
def mitos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four frames in the layout of MITOS-ATYPIA-14; the second scanner looks 7 px lower and 5 px left."""
    folder = tmp_path_factory.mktemp("mitos")
    for number in range(4):
        aperio, hamamatsu = (tissue(lab, number) for lab in ("lab2", "lab1"))
        save(aperio[0:400, 10:410], folder / "A03" / "frames" / "x20" / f"A03_0{number}A.png")
        save(hamamatsu[7:407, 5:405], folder / "H03" / "frames" / "x20" / f"H03_0{number}A.png")
        # quarters of the same field: were they taken too, methods were judged on what they were fitted on
        save(aperio[0:200, 10:210], folder / "A03" / "frames" / "x40" / f"A03_0{number}Aa.png")
        save(hamamatsu[7:207, 5:205], folder / "H03" / "frames" / "x40" / f"H03_0{number}Aa.png")
    return folder


class TestPairs:
    def test_mitos_frames_are_registered(self, mitos: Path) -> None:
        pairs = folder_pairs(mitos, mpp=1.0)
        assert len(pairs.sources) == len(pairs.references) == len(pairs.fields) == 2
        assert [field.name for field in pairs.fields] == ["A03_01A", "A03_03A"]
        for number, field in zip((1, 3), pairs.fields, strict=True):
            np.testing.assert_array_equal(field.source, tissue("lab2", number)[7:400, 10:405])
            np.testing.assert_array_equal(field.truth, tissue("lab1", number)[7:400, 10:405])

    def test_their_resolution_is_known(self, mitos: Path) -> None:
        pairs = folder_pairs(mitos)
        assert pairs.sources[0].mpp == 0.491
        assert pairs.mpp == 1.0
        assert pairs.fields[0].source.shape == (round(393 * 0.491), round(395 * 0.491), 3)
        # a model of finer patches than the judged pixels is shown the frame as it is
        assert pairs.given_mpp == 0.491
        assert pairs.fields[0].given.shape == (393, 395, 3)

    def test_two_folders_of_the_same_names_and_another_scale(self, tmp_path: Path) -> None:
        for number in range(2):
            save(tissue("lab2", number, 400), tmp_path / "source" / f"{number}.png")
            larger = Image.fromarray(tissue("lab1", number, 400)).resize((440, 440))
            save(np.asarray(larger), tmp_path / "reference" / f"{number}.png")
        pairs = folder_pairs(tmp_path, mpp=1.0)
        assert pairs.fields[0].source.shape == pairs.fields[0].truth.shape
        assert np.abs(pairs.fields[0].truth.astype(int) - tissue("lab1", 1, 400)).mean() < 12

    def test_frames_of_several_slides_are_divided_by_slide(self, mitos: Path, tmp_path: Path) -> None:
        for slide in ("03", "04", "05"):
            for letter in "AH":
                for number in (0, 1):
                    frame = mitos / f"{letter}03/frames/x20/{letter}03_0{number}A.png"
                    folder = tmp_path / f"{letter}{slide}" / "frames" / "x20"
                    folder.mkdir(parents=True, exist_ok=True)
                    (folder / f"{letter}{slide}_0{number}A.png").write_bytes(frame.read_bytes())
        pairs = folder_pairs(tmp_path, mpp=1.0)
        assert [slide.name for slide in pairs.sources] == [
            "A03_00A.png",
            "A03_01A.png",
            "A05_00A.png",
            "A05_01A.png",
        ]
        assert [field.name for field in pairs.fields] == ["A04_00A", "A04_01A"]

    def test_two_frames_of_one_name_are_refused(self, mitos: Path, tmp_path: Path) -> None:
        for folder in ("a/x20", "b/x20"):
            save(tissue("lab2", 0, 400), tmp_path / folder / "A03_00A.png")
        with pytest.raises(StainTransferError, match="have one name"):
            folder_pairs(tmp_path, mpp=1.0)

    def test_files_that_know_their_resolution_keep_it(self, tmp_path: Path) -> None:
        for side, lab in (("source", "lab2"), ("reference", "lab1")):
            (tmp_path / side).mkdir()
            tifffile.imwrite(
                tmp_path / side / "one.tif",
                tissue(lab, 0, 400),
                photometric="rgb",
                resolution=(20_000, 20_000),
                resolutionunit="CENTIMETER",
            )
        assert folder_pairs(tmp_path, mpp=0.25).sources[0].mpp == pytest.approx(0.5)
        with pytest.raises(SlideError, match="No scan has 0 um/px"):
            folder_pairs(tmp_path, mpp=0)

    def test_a_single_pair_is_halved(self, tmp_path: Path) -> None:
        for side, lab in (("source", "lab2"), ("reference", "lab1")):
            save(tissue(lab, 0, 400), tmp_path / side / "one.png")
        pairs = folder_pairs(tmp_path, mpp=1.0)
        np.testing.assert_array_equal(pairs.fields[0].source, tissue("lab2", 0, 400)[:, 200:])
        assert pairs.sources[0].shape == (400, 200)

    def test_the_phantom_judges_other_tissue(self) -> None:
        pairs = phantom_pairs(2048)
        assert len(pairs.fields) == 1
        field = pairs.fields[0]
        assert field.source.shape == field.truth.shape == (512, 512, 3)
        assert field.red_cells is not None
        red = field.truth[field.red_cells].mean(0)
        assert red[0] > 1.5 * red[1]
        for slide in (*pairs.sources, *pairs.references):
            assert "-12" not in slide.name

    def test_what_is_no_pair_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(StainTransferError, match="There is no folder"):
            folder_pairs(tmp_path / "missing")
        with pytest.raises(StainTransferError, match="holds no pairs"):
            folder_pairs(tmp_path)
        save(tissue("lab2", 0, 400), tmp_path / "source" / "one.png")
        save(tissue("lab1", 0, 400)[:200], tmp_path / "reference" / "one.png")
        with pytest.raises(SlideError, match="different proportions"):
            folder_pairs(tmp_path, mpp=1.0)
        save(np.roll(tissue("lab1", 0, 400), 90, axis=0), tmp_path / "reference" / "one.png")
        with pytest.raises(SlideError, match="does not lie on"):
            folder_pairs(tmp_path, mpp=1.0)
        save(tissue("lab1", 0, 400), tmp_path / "reference" / "one.png")
        with pytest.raises(StainTransferError, match="does not say its um/px; give it as --mpp"):
            folder_pairs(tmp_path)


class TestRun:
    def test_raw_and_methods_in_files_and_again_from_them(self, mitos: Path, tmp_path: Path) -> None:
        command = ["bench", "table1", "--data", str(mitos), "--mpp", "1.0", "-o", str(tmp_path), "--json"]
        command += ["--methods", "reinhard,dcgmm", "--seeds", "0,1", "--epochs", "1"]
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
        content = json.loads((tmp_path / "table1.json").read_text())
        assert list(content["table"]) == ["raw", "reinhard", "dcgmm"]
        assert len(content["table"]["reinhard"]["delta_e"]) == 2  # fields
        assert len(content["table"]["dcgmm"]["delta_e"]) == 4  # fields by seeds
        assert content["table"]["raw"]["structure"] == pytest.approx([1, 1])
        assert np.mean(content["table"]["reinhard"]["delta_e"]) < np.mean(content["table"]["raw"]["delta_e"])
        assert all(value > 0 for value in content["table"]["dcgmm"]["mpx_per_second"])
        facts = content["facts"]
        methods = "--methods reinhard,dcgmm --seeds 0,1 --mpp 1.0 --preset quick --epochs 1"
        assert facts["command"] == f"stainxfer bench table1 --data {mitos.name} {methods} -o DIR"
        assert facts["epochs"] == {"dcgmm": [1]}
        assert facts["device"] == ["cpu"]
        (of_dcgmm, _) = (one for one in content["results"] if one["method"] == "dcgmm")
        assert of_dcgmm["settings"]["epochs"] == 1
        lines = (tmp_path / "table1.md").read_text().splitlines()
        assert lines[0].startswith("| | perceptual distance (Lite0) ↓ | CIE delta E 2000 ↓ | SSIM ↑")
        assert [line.split("|")[1].strip() for line in lines[2:5]] == ["raw", "reinhard", "dcgmm"]
        assert len({line.count("|") for line in lines[:5]}) == 1
        with Image.open(tmp_path / "table1.png") as panel:
            assert panel.width > panel.height > 300
        kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "seed0").glob("*.json")}
        assert CliRunner().invoke(app, command).exit_code == 0
        assert kept == {path: path.stat().st_mtime_ns for path in (tmp_path / "seed0").glob("*.json")}

    def test_stopped_it_goes_on(self, mitos: Path, tmp_path: Path) -> None:
        pairs, run = folder_pairs(mitos, mpp=1.0), Table1Run(data="mitos")
        told: list[str] = []

        def stop_at_the_third(name: str, done: int, total: int, left: float | None) -> None:
            assert total == 3
            assert (left is None) == (done == 0)
            told.append(name)
            if done == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            run_table1(
                pairs, tmp_path, run, methods=["reinhard", "histogram"], seeds=[0], on_part=stop_at_the_third
            )
        assert told == ["raw, seed 0", "reinhard, seed 0", "histogram, seed 0"]
        told.clear()
        results = run_table1(
            pairs,
            tmp_path,
            run,
            methods=["reinhard", "histogram"],
            seeds=[0],
            on_part=lambda name, *_: told.append(name),
        )
        assert told == ["histogram, seed 0"]
        assert [result.method for result in results] == ["raw", "reinhard", "histogram"]

    def test_equal_images_give_json_that_others_read(self, mitos: Path, tmp_path: Path) -> None:
        pairs = folder_pairs(mitos, mpp=1.0)
        same = tuple(field._replace(truth=field.source) for field in pairs.fields)
        run = Table1Run(data="mitos")
        results = run_table1(pairs._replace(fields=same), tmp_path, run, methods=[], seeds=[0])
        write_table1(tmp_path, results, run)

        def refuse(name: str) -> float:
            raise AssertionError(f"{name} is no JSON")

        for path in (tmp_path / "table1.json", tmp_path / "seed0" / "raw.json"):
            json.loads(path.read_text(), parse_constant=refuse)
        assert "| inf |" in (tmp_path / "table1.md").read_text()
        assert run_table1(pairs, tmp_path, run, methods=[], seeds=[0])[0].values["psnr"] == [np.inf, np.inf]

    def test_another_runs_folder_is_refused(self, mitos: Path, tmp_path: Path) -> None:
        pairs = folder_pairs(mitos, mpp=1.0)
        run_table1(pairs, tmp_path, Table1Run(data="mitos"), methods=[], seeds=[0])
        with pytest.raises(StainTransferError, match="other data or settings"):
            run_table1(pairs, tmp_path, Table1Run(data="phantom"), methods=[], seeds=[0])

    def test_replaced_frames_are_another_run(self, mitos: Path, tmp_path: Path) -> None:
        data, output = tmp_path / "data", tmp_path / "out"
        shutil.copytree(mitos, data)
        command = ["bench", "table1", "--data", str(data), "--mpp", "1.0", "-o", str(output), "--methods"]
        assert CliRunner().invoke(app, [*command, "reinhard"]).exit_code == 0
        for path in data.rglob("A*.png"):
            save(255 - np.asarray(Image.open(path)) // 2, path)
        result = CliRunner().invoke(app, [*command, "reinhard"])
        assert isinstance(result.exception, StainTransferError)
        assert "other data or settings" in str(result.exception)

    def test_a_run_that_failed_at_once_does_not_block_the_folder(self, mitos: Path, tmp_path: Path) -> None:
        Table1Run(data="elsewhere").keep(tmp_path)
        run_table1(folder_pairs(mitos, mpp=1.0), tmp_path, Table1Run(data="mitos"), methods=[], seeds=[0])
        assert Table1Run(data="mitos") == Table1Run.model_validate_json((tmp_path / "run.json").read_text())

    def test_a_damaged_result_is_told(self, mitos: Path, tmp_path: Path) -> None:
        pairs, run = folder_pairs(mitos, mpp=1.0), Table1Run(data="mitos")
        run_table1(pairs, tmp_path, run, methods=[], seeds=[0])
        (tmp_path / "seed0" / "raw.json").write_text("{")
        with pytest.raises(StainTransferError, match=r"raw\.json is damaged"):
            run_table1(pairs, tmp_path, run, methods=[], seeds=[0])

    def test_a_method_that_is_not_possible_leaves_the_others(self, tmp_path: Path) -> None:
        data, output = tmp_path / "data", tmp_path / "out"
        for side, lab in (("source", "lab2"), ("reference", "lab1")):
            for number in range(2):
                save(tissue(lab, number, 100), data / side / f"{number}.png")
        command = [
            "bench",
            "table1",
            "--data",
            str(data),
            "--mpp",
            "1.0",
            "-o",
            str(output),
            "--seeds",
            "0,0",
        ]
        result = CliRunner().invoke(app, [*command, "--methods", "dcgmm, histogram", "--epochs", "1"])
        assert result.exit_code == 0, result.output
        assert "dcgmm, seed 0: not possible: No tissue for a single patch was found in 0.png" in " ".join(
            result.output.split()
        )
        content = json.loads((output / "table1.json").read_text())
        assert list(content["table"]) == ["raw", "histogram"]
        assert len(content["table"]["histogram"]["delta_e"]) == 1
        (failed,) = content["failed"]
        assert failed["method"] == "dcgmm"
        assert "--methods histogram,dcgmm" in content["facts"]["command"]
        assert f"- dcgmm, seed 0: {failed['why']}" in (output / "table1.md").read_text()

    def test_staingan_gets_the_time_of_the_papers_method_as_soon_as_there_is_one(
        self, mitos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[float] = []

        def two(seconds: float, train: object) -> int:
            asked.append(seconds)
            return 2

        def hasty(*sides: object, method: str, epochs: int | None, **options: object) -> Model:
            return fit(*sides, method=method, epochs=epochs or 1, **options)

        monkeypatch.setattr(table1, "epochs_in", two)
        monkeypatch.setattr(table1, "fit", hasty)
        pairs, run = folder_pairs(mitos, mpp=1.0), Table1Run(data="mitos")
        _, alone = run_table1(pairs, tmp_path, run, methods=["staingan"], seeds=[0])
        assert (alone.seconds_given, asked) == (None, [])
        both = ["staingan", "nst-ad-hrnet"]
        _, ours, theirs = run_table1(pairs, tmp_path, run, methods=both, seeds=[0])
        assert (ours.method, theirs.method) == ("nst-ad-hrnet", "staingan")
        assert asked == [ours.fit_seconds] == [theirs.seconds_given]
        assert theirs.settings["epochs"] == 2
        _, again = run_table1(pairs, tmp_path, run, methods=["staingan"], seeds=[0])
        assert (again, len(asked)) == (theirs, 1)

    def test_an_unknown_method_is_refused_before_anything_is_done(self, mitos: Path, tmp_path: Path) -> None:
        with pytest.raises(StainTransferError, match="No method is called 'lenin'"):
            run_table1(
                folder_pairs(mitos, mpp=1.0),
                tmp_path / "new",
                Table1Run(data="mitos"),
                methods=["lenin"],
                seeds=[0],
            )
        assert not (tmp_path / "new").exists()
