"""Methods fitted on several slides of a lab: lists of them, and a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_stainxfer import fit
from napari_stainxfer.errors import SlideError, StainTransferError
from napari_stainxfer.methods import Model, patch_fitting
from napari_stainxfer.methods.dcgmm import stained_patches
from napari_stainxfer.pairing import suggest_pairs
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import RGB, Box, Slide
from napari_stainxfer.training import StainedPatches


def pixels(lab: str, seed: int) -> RGB:
    return phantom_slide(lab, seed=seed, size_px=(1024, 1024)).read_region_at(Box(0, 0, 1024, 1024), mpp=1.0)


def slides(lab: str) -> list[Slide]:
    return [Slide.from_array(pixels(lab, seed), mpp=1.0, name=f"{lab} {seed}") for seed in (1, 2)]


@pytest.mark.parametrize("method", ["dcgmm", "staingan", "nst-ad-hrnet"])
def test_trained_methods_take_lists(method: str) -> None:
    model = fit(slides("lab1"), slides("lab2"), method=method, epochs=1, device="cpu")
    assert [one.name for one in model.card.references] == ["lab1 1", "lab1 2"]
    assert [one.name for one in model.card.sources] == ["lab2 1", "lab2 2"]


def test_every_patch_is_seen_over_the_glass_of_its_own_slide() -> None:
    patches = np.stack([pixels("lab2", 1)[:64, :64]] * 2)
    glass = np.array([[250, 250, 250], [225, 225, 225]], np.float32)
    together = stained_patches(patches, glass)
    for number in (0, 1):
        alone = stained_patches(patches[number : number + 1], glass[number : number + 1])
        assert together.colours[number].equal(alone.colours[0])
    assert together.colours[1, ..., 0].mean() < together.colours[0, ..., 0].mean()


def test_a_fit_hands_every_patch_the_glass_of_its_own_slide(monkeypatch: pytest.MonkeyPatch) -> None:
    def lit(lab: str, seed: int, glass: int) -> Slide:
        seen = pixels(lab, seed).astype(np.float32)
        brightest = np.percentile(seen, 99, axis=(0, 1))
        return Slide.from_array((seen / brightest * glass).clip(0, 255).astype(np.uint8), mpp=1.0)

    greys = (245, 225)
    sources, references = ([lit(lab, seed, greys[seed]) for seed in (0, 1)] for lab in ("lab2", "lab1"))
    pairs = suggest_pairs(references, sources)
    handed: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []

    def watched(patches: RGB, glass: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> StainedPatches:
        handed.append(glass)
        return stained_patches(patches, glass)

    monkeypatch.setattr(patch_fitting, "stained_patches", watched)
    fit(references, sources, method="dcgmm", pairs=pairs, epochs=1, device="cpu")
    for side, glass in zip(("source", "reference"), handed, strict=True):
        on = [getattr(pair, side).slide for pair in pairs.pairs]
        assert {*on} == {0, 1}
        np.testing.assert_allclose(glass.mean(axis=1), [greys[slide] for slide in on], atol=6)


def test_a_mixture_is_the_same_with_the_same_seed_and_another_with_another() -> None:
    def states(seed: int) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        model = fit(slides("lab1")[0], slides("lab2")[0], method="dcgmm", epochs=1, seed=seed, device="cpu")
        return {name: value.numpy() for name, value in model.method.state()[0].items()}

    first, again, other = states(0), states(0), states(1)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    folder = tmp_path / "lab2"
    folder.mkdir()
    for seed in (1, 2):
        Image.fromarray(pixels("lab2", seed)).save(folder / f"slide{seed}.png")
    (folder / "notes.txt").write_text("no slide")
    (folder / ".slide3.png").write_bytes(b"a half of a download")
    return folder


def test_a_folder_is_the_slides_in_it(lab: Path) -> None:
    def fitted(sources: object) -> Model:
        return fit(slides("lab1"), sources, method="reinhard", source_mpp=1.0)  # type: ignore[arg-type]

    folder = fitted(lab)
    assert [one.name for one in folder.card.sources] == ["slide1.png", "slide2.png"]
    listed = fitted([lab / "slide1.png", lab / "slide2.png"])
    image = pixels("lab2", 1)[:64, :64]
    np.testing.assert_array_equal(folder.transform(image), listed.transform(image))


def test_a_folder_without_slides_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no slide")
    with pytest.raises(StainTransferError, match="is a folder without slides"):
        fit(tmp_path, slides("lab2"), method="reinhard")


def test_one_slide_of_a_folder_that_is_broken_is_named(lab: Path) -> None:
    (lab / "slide2.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    with pytest.raises(SlideError, match=r"slide2\.png"):
        fit(slides("lab1"), lab, method="reinhard", source_mpp=1.0)
