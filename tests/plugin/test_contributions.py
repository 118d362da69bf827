"""What the plugin gives to napari: manifest, readers, writer, sample slides."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import dask
import numpy as np
import pytest

pytest.importorskip("napari", reason="napari is not installed")

from npe2 import PluginManifest

from napari_stainxfer.errors import SlideError
from napari_stainxfer.plugin import samples
from napari_stainxfer.plugin.reader import get_reader
from napari_stainxfer.plugin.writer import write_image
from napari_stainxfer.slides import SUFFIXES, Box, Slide, open_slide

pytestmark = pytest.mark.usefixtures("plugin")

SLIDES = [
    ("CMU-1-Small-Region.svs", 0.499, 20.0, "aperio"),
    ("TCGA-CR-7395-01A-01-TS1.svs", None, None, "aperio"),
    ("fluorescence_dapi_3968x4864.ndpi", 0.2282, 40.0, "hamamatsu"),
    ("camelyon_level_jpeg_1152x700.dcm", None, None, "dicom"),
]


@pytest.fixture(scope="module")
def manifest() -> PluginManifest:
    return PluginManifest.from_distribution("napari-stainxfer")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Errors that napari was asked to show."""
    messages: list[str] = []
    monkeypatch.setattr("napari.utils.notifications.show_error", messages.append)
    return messages


def test_every_command_of_the_manifest_exists(manifest: PluginManifest) -> None:
    commands = manifest.contributions.commands
    assert commands
    for command in commands:
        module, _, name = str(command.python_name).partition(":")
        assert callable(getattr(importlib.import_module(module), name))


def test_the_reader_is_offered_for_all_that_opens(manifest: PluginManifest) -> None:
    (reader,) = manifest.contributions.readers
    assert set(reader.filename_patterns) == {f"*{suffix}" for suffix in SUFFIXES}
    assert reader.accepts_directories


def test_starting_napari_with_the_plugin_loads_no_torch() -> None:
    statement = """
import json, sys
from npe2 import PluginManager
manager = PluginManager.instance()
manager.discover()
manager.get_manifest("napari-stainxfer")
import napari_stainxfer.plugin, napari_stainxfer.plugin.reader
napari_stainxfer.plugin.reader.get_reader("slide.svs")
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", statement], check=True, capture_output=True, text=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert "napari_stainxfer.plugin.reader" in loaded
    assert not loaded & {"torch", "scipy", "skimage", "matplotlib", "qtpy", "napari_stainxfer.pairing"}


def test_opening_the_docks_loads_no_torch() -> None:
    statement = """
import json, sys
import napari_stainxfer.plugin.session, napari_stainxfer.plugin.pairs_document
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", statement], check=True, capture_output=True, text=True)
    assert "torch" not in json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("name", "mpp", "magnification", "vendor"), SLIDES)
def test_a_real_slide_becomes_a_lazy_layer_in_micrometres(
    viewer: Any, real_data: Path, name: str, mpp: float | None, magnification: float | None, vendor: str
) -> None:
    path = str(real_data / "wsi" / name)
    (layer,) = viewer.open(path, plugin="napari-stainxfer")
    slide = open_slide(path)
    assert layer.name == name
    assert layer.rgb
    assert layer.multiscale
    assert [level.shape for level in layer.data] == [(*level.shape, 3) for level in slide.levels]
    assert all(dask.is_dask_collection(level) for level in layer.data)
    facts = layer.metadata
    assert facts["path"] == path
    assert facts["vendor"] == vendor
    assert facts["mpp"] == (pytest.approx(slide.mpp) if slide.mpp else None)
    assert facts["magnification"] == slide.magnification
    if vendor != "dicom":
        assert facts["mpp"] == (pytest.approx(mpp, abs=1e-4) if mpp else None)
        assert facts["magnification"] == magnification
    if facts["mpp"] is None:
        assert tuple(layer.scale) == (1, 1)
        assert "shown in pixels" in facts["mpp_note"]
        assert {str(unit) for unit in layer.units} == {"pixel"}
    else:
        assert tuple(layer.scale) == (slide.mpp, slide.mpp)
        assert {str(unit) for unit in layer.units} == {"micrometer"}
    window = Box(300, 200, 10, 20)
    np.testing.assert_array_equal(
        np.asarray(layer.data[0][300:310, 200:220]), slide.read_region(window), strict=True
    )


def test_reading_decodes_no_pixel(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []
    original = Slide.read_level
    monkeypatch.setattr(Slide, "read_level", lambda *given: read.append(given) or original(*given))
    path = str(real_data / "wsi" / "TCGA-CR-7395-01A-01-TS1.svs")
    ((levels, _, _),) = get_reader(path)(path)
    assert read == []
    np.asarray(levels[0][:100, :100])
    assert [tuple(box)[2:] for _, box, _ in read] == [(100, 100)]


def test_several_files_and_a_folder_become_one_layer_each(
    viewer: Any, real_data: Path, tmp_path: Path
) -> None:
    shutil.copy(real_data / "wsi" / "camelyon_level_jpeg_1152x700.dcm", tmp_path / "level.dcm")
    paths = [str(real_data / "wsi" / SLIDES[0][0]), str(real_data / "wsi" / SLIDES[1][0]), str(tmp_path)]
    viewer.open(paths, plugin="napari-stainxfer")
    assert [layer.name for layer in viewer.layers] == [SLIDES[0][0], SLIDES[1][0], tmp_path.name]
    stacked = get_reader(paths[:2])(paths[:2])
    assert len(stacked) == 2


def test_an_image_file_opens_as_a_slide(viewer: Any, real_data: Path) -> None:
    (layer,) = viewer.open(str(real_data / "pair_torchstain" / "source.png"), plugin="napari-stainxfer")
    assert layer.multiscale
    assert layer.metadata["vendor"] == "png"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.svs", b"", "empty.svs is empty; copy or download it again."),
        ("cut.tif", b"II*\x00\x08\x00\x00\x00", "cut.tif"),
        ("text.svs", b"no slide at all", "text.svs"),
    ],
)
def test_a_bad_file_is_told_in_our_sentence(
    viewer: Any, tmp_path: Path, told: list[str], name: str, content: bytes, said: str
) -> None:
    (tmp_path / name).write_bytes(content)
    viewer.open(str(tmp_path / name), plugin="napari-stainxfer")
    assert list(viewer.layers) == []
    (message,) = told
    assert said in message
    assert message.endswith(".")


def test_a_missing_file_is_told_in_our_sentence(told: list[str], tmp_path: Path) -> None:
    path = str(tmp_path / "gone.svs")
    assert get_reader(path)(path) == [(None,)]
    assert "There is no file" in told[0]


def test_the_reader_leaves_other_files_alone() -> None:
    assert get_reader("notes.txt") is None
    assert get_reader(["slide.svs", "notes.txt"]) is None
    assert get_reader([]) is None


def test_a_layer_is_written_as_a_pyramid_and_keeps_its_facts(
    viewer: Any, real_data: Path, tmp_path: Path
) -> None:
    (layer,) = viewer.open(str(real_data / "wsi" / SLIDES[0][0]), plugin="napari-stainxfer")
    target = tmp_path / "copy.ome.tif"
    assert layer.save(str(target), plugin="napari-stainxfer") == [str(target)]
    with open_slide(target) as copy:
        assert copy.shape == (2967, 2220)
        assert copy.mpp == pytest.approx(0.499)
        assert copy.magnification == 20
        assert copy.real_levels > 1
        window = Box(800, 800, 700, 700)
        was = layer.metadata["slide"].read_region(window).astype(int)
        assert np.abs(copy.read_region(window).astype(int) - was).mean() < 2


def test_what_cannot_be_written_is_told(told: list[str], tmp_path: Path) -> None:
    grey = np.zeros((10, 10), np.uint8)
    assert write_image(str(tmp_path / "a.ome.tif"), grey, {"name": "grey"}) == []
    assert "Grey is not an 8-bit RGB image" in told[0]
    rgb = np.zeros((10, 10, 3), np.uint8)
    assert write_image(str(tmp_path / "no" / "a.ome.tif"), rgb, {"name": "grey"}) == []
    assert "no folder" in told[1]


def test_the_phantoms_are_samples(viewer: Any) -> None:
    reference, source = viewer.open_sample("napari-stainxfer", "phantom")
    assert reference.metadata["vendor"] == source.metadata["vendor"] == "phantom"
    assert reference.name != source.name
    assert len(samples.phantom_labs()) == 8


def test_the_download_is_checked_against_its_hash(
    real_data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import pooch

    served = real_data / "wsi" / SLIDES[0][0]
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / name)

    def download(url: str, output: str, _: Any, content: bytes = served.read_bytes()) -> None:
        assert url == samples.APERIO_URL
        Path(output).write_bytes(content)

    monkeypatch.setattr(pooch.core, "choose_downloader", lambda *_, **__: download)
    ((_, options, _),) = samples.aperio_small_region()
    assert options["name"] == "CMU-1-Small-Region.svs"
    shutil.rmtree(tmp_path / "napari-stainxfer")
    monkeypatch.setattr(
        pooch.core, "choose_downloader", lambda *_, **__: lambda *given: download(*given[:3], content=b"x")
    )
    with pytest.raises(SlideError, match="could not be downloaded"):
        samples.aperio_small_region()
