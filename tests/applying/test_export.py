"""Whole-slide export: seamless, flat in what it leaves behind, and faithful to its source."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_stainxfer.applying import ExportProgress, normalize_slide
from napari_stainxfer.errors import MissingResolutionError, NotEnoughMemoryError, NoTissueError, SlideError
from napari_stainxfer.methods import Model, ModelCard, SlideFacts, slide_glass
from napari_stainxfer.methods.neural import NeuralStyle
from napari_stainxfer.models import HRNetGenerator
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import Box, Slide, open_slide, write_pyramid

SIZE = (1301, 1107)


@pytest.fixture(scope="module")
def model() -> Model:
    """A generator with random weights everywhere, so that every pixel depends on its surroundings."""
    torch.manual_seed(0)
    generator = HRNetGenerator(width=4)
    torch.nn.init.normal_(generator.residual.weight, std=0.3)
    card = ModelCard(
        method="nst-ad-hrnet",
        package_version="0",
        mpp=1.0,
        patch_px=256,
        pairs=0,
        references=(SlideFacts(name="lab1", fingerprint="01", mpp=0.5),),
        sources=(SlideFacts(name="x", fingerprint="02", mpp=0.5, tissue_colour=(150.0, 90.0, 160.0)),),
        settings={"seed": 3, "epochs": 2},
    )
    return Model(NeuralStyle(generator.eval(), name="hrnet", width=4), card)


@pytest.fixture(scope="module")
def slide() -> Slide:
    return phantom_slide("lab3", seed=2, size_px=SIZE)


@pytest.fixture(scope="module")
def whole(model: Model, slide: Slide) -> np.ndarray:
    pixels = slide.read_region(Box(0, 0, *SIZE))
    return model.transform(pixels, mpp=slide.mpp, glass=slide_glass(slide), tile_px=4096)


def test_tiles_equal_the_whole(model: Model, slide: Slide, whole: np.ndarray, tmp_path: Path) -> None:
    out = normalize_slide(model, slide, tmp_path / "out.ome.tif", compression="lossless", device="cpu")
    with open_slide(out) as written:
        assert written.shape == SIZE
        pixels = written.read_region(Box(0, 0, *SIZE))
    difference = np.abs(pixels.astype(int) - whole)
    # a convolution over another window may sum in another order: the last bit, on few pixels
    assert difference.max() <= 1
    assert (difference > 0).mean() < 1e-3


def test_region_equals_the_same_part_of_the_whole(
    model: Model, slide: Slide, whole: np.ndarray, tmp_path: Path
) -> None:
    box = Box(201, 333, 617, 555)
    out = normalize_slide(
        model, slide, tmp_path / "part.tif", region=box, compression="lossless", device="cpu"
    )
    with open_slide(out) as written:
        pixels = written.read_region(Box(0, 0, box.height, box.width))
    part = whole[box.y : box.y + box.height, box.x : box.x + box.width]
    assert np.abs(pixels.astype(int) - part).max() <= 1


def test_empty_glass_is_kept_byte_for_byte(model: Model, slide: Slide, whole: np.ndarray) -> None:
    corner = slide.read_region(Box(0, 0, 60, 60))
    assert corner.min() > 200, "the phantom's corner is expected to be empty glass"
    assert np.array_equal(whole[:60, :60], corner)
    assert not np.array_equal(whole, slide.read_region(Box(0, 0, *SIZE)))


def test_facts_and_provenance_are_kept(model: Model, slide: Slide, tmp_path: Path) -> None:
    out = normalize_slide(model, slide, tmp_path / "out.ome.tif", device="cpu")
    with open_slide(out) as written:
        assert written.mpp == pytest.approx(slide.mpp)
        assert written.magnification == slide.magnification
        told = written.provenance
    assert told["software"] == f"napari-stainxfer {version('napari-stainxfer')}"
    assert told["model_sha256"] == model.hash()
    assert (told["source"], told["source_fingerprint"]) == (slide.name, slide.fingerprint())
    assert (told["source_mpp"], told["region"], told["compression"]) == (slide.mpp, [0, 0, *SIZE], "jpeg 90")
    assert told["distance_to_learned"] == pytest.approx(model.card.distance_of(slide))
    assert told["model"]["method"] == model.card.method
    assert told["model"]["package_version"] == model.card.package_version
    assert told["model"]["settings"] == model.card.settings
    assert told["model"]["settings"]["seed"] == 3
    assert [one["name"] for one in told["model"]["references"]] == ["lab1"]


def test_too_little_memory_for_a_tile_is_one_sentence(
    model: Model, slide: Slide, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> np.ndarray:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(model, "transform_window", full)
    with pytest.raises(NotEnoughMemoryError, match="close other programs"):
        normalize_slide(model, slide, tmp_path / "out.tif", device="cpu")
    assert list(tmp_path.iterdir()) == []


def test_progress_ends_at_the_last_tile(model: Model, slide: Slide, tmp_path: Path) -> None:
    seen: list[ExportProgress] = []
    normalize_slide(model, slide, tmp_path / "out.tif", device="cpu", on_progress=seen.append)
    assert [progress.done_tiles for progress in seen] == list(range(1, 10))
    assert seen[-1].total_tiles == 9
    assert seen[-1].seconds_left == pytest.approx(0)


def test_cancelled_export_leaves_nothing_and_can_be_run_again(
    model: Model, slide: Slide, tmp_path: Path
) -> None:
    def stop(progress: ExportProgress) -> None:
        if progress.done_tiles == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        normalize_slide(model, slide, tmp_path / "out.ome.tif", device="cpu", on_progress=stop)
    assert list(tmp_path.iterdir()) == []
    assert normalize_slide(model, slide, tmp_path / "out.ome.tif", device="cpu").exists()


def test_a_slide_without_tissue_is_refused(model: Model, tmp_path: Path) -> None:
    blank = Slide.from_array(np.full((600, 600, 3), 244, np.uint8), mpp=0.5, name="blank.png")
    with pytest.raises(NoTissueError, match=r"blank\.png shows no tissue"):
        normalize_slide(model, blank, tmp_path / "out.tif")
    assert list(tmp_path.iterdir()) == []


def test_slide_without_resolution_is_refused(model: Model, tmp_path: Path) -> None:
    blank = Slide.from_array(np.full((64, 64, 3), 200, np.uint8))
    with pytest.raises(MissingResolutionError, match=r"for example --mpp 0\.5 for"):
        normalize_slide(model, blank, tmp_path / "out.tif")


def test_a_path_and_a_plain_tuple_are_as_good(model: Model, slide: Slide, tmp_path: Path) -> None:
    pixels = slide.read_region(Box(0, 0, 512, 512))
    write_pyramid(tmp_path / "s.tif", [pixels], shape=(512, 512), mpp=slide.mpp, compression="lossless")
    box = (100, 150, 64, 96)
    outs = [
        normalize_slide(model, given, tmp_path / name, region=region, compression="lossless", device="cpu")
        for given, name, region in (
            (tmp_path / "s.tif", "a.tif", box),
            (str(tmp_path / "s.tif"), "b.tif", Box(*box)),
        )
    ]
    with open_slide(outs[0]) as one, open_slide(outs[1]) as other:
        assert one.shape == other.shape == (64, 96)
        assert np.array_equal(one.overview(), other.overview())


@pytest.mark.parametrize("region", [Box(0, 0, 9999, 10), Box(-1, 0, 10, 10), Box(0, 0, 0, 10)])
def test_region_outside_the_slide_is_refused(model: Model, slide: Slide, tmp_path: Path, region: Box) -> None:
    with pytest.raises(SlideError, match="level-0 pixels"):
        normalize_slide(model, slide, tmp_path / "out.tif", region=region)


def test_output_beyond_reach_is_refused(model: Model, slide: Slide, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(SlideError):
        normalize_slide(model, slide, blocked / "out.tif", device="cpu")
