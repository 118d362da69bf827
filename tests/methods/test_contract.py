"""What every method owes its user, whatever it is; a new one joins by its name in ``METHODS``."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_stainxfer import fit
from napari_stainxfer.errors import NoTissueError, TrainingError
from napari_stainxfer.methods import METHODS, Model, load, slide_glass
from napari_stainxfer.methods.fitting import fit_stream
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import Box, Slide
from napari_stainxfer.training import MeasureEvent, NoticeEvent

MEASURED = [name for name, record in METHODS.items() if record.fitted_on == "tissue"]
TRAINED = [name for name in METHODS if name not in MEASURED]
QUICK = {"epochs": 1}
every_method = pytest.mark.parametrize("name", METHODS)
measured_methods = pytest.mark.parametrize("name", MEASURED)

SIZE = (640, 640)
sides = st.integers(1, 150)


@cache
def slide(lab: str = "lab1", seed: int = 0) -> Slide:
    """A phantom as an array, so that reading it costs nothing."""
    made = phantom_slide(lab, seed=seed, size_px=SIZE)
    return Slide.from_array(made.read_region(Box(0, 0, *SIZE)), mpp=0.5, name=made.name)


@cache
def model(name: str) -> Model:
    """From lab 2 to lab 1; trained methods for one epoch."""
    return fit(slide(), slide("lab2", 1), method=name, **(QUICK if name in TRAINED else {}))


def picture(height: int, width: int, top: int = 200, left: int = 200) -> np.ndarray:
    """A part of the source slide, tissue and lumens."""
    return slide("lab2", 1).read_region(Box(top, left, height, width))


def assert_alike(one: np.ndarray, other: np.ndarray) -> None:
    """Equal but for rounding: never more than one level, in at most one value of a thousand (or one)."""
    apart = np.abs(one.astype(int) - other.astype(int))
    assert apart.max() <= 1
    assert (apart > 0).sum() <= max(1, apart.size // 1000)


@every_method
class TestApplying:
    @given(shape=st.tuples(sides, sides), tile_px=st.integers(20, 200), top=st.integers(0, 400))
    @settings(max_examples=5, deadline=None)
    def test_tiles_do_not_show(self, name: str, shape: tuple[int, int], tile_px: int, top: int) -> None:
        image = picture(*shape, top=top)
        whole = model(name).transform(image, tile_px=512)
        assert whole.shape == image.shape
        assert whole.dtype == np.uint8
        assert_alike(model(name).transform(image, tile_px=tile_px), whole)

    def test_the_picture_changes(self, name: str) -> None:
        image = picture(128, 128)
        assert np.abs(model(name).transform(image).astype(int) - image).mean() > 3

    def test_empty_glass_stays_byte_for_byte(self, name: str) -> None:
        glass = np.array(slide_glass(slide("lab2", 1)))
        noise = np.random.default_rng(0).normal(0, 2, (90, 70, 3))
        image = (glass + noise).round().clip(0, 255).astype(np.uint8)
        np.testing.assert_array_equal(model(name).transform(image), image)

    @pytest.mark.parametrize(
        "colour", [(0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 0, 255), (128, 128, 128)]
    )
    def test_single_colours_stay_single_colours(self, name: str, colour: tuple[int, int, int]) -> None:
        image = np.full((64, 64, 3), colour, np.uint8)
        result = model(name).transform(image)[24:40, 24:40]
        assert (result == result[0, 0]).all()

    def test_the_file_holds_all_of_it(self, name: str, tmp_path: Path) -> None:
        model(name).save(tmp_path / "m")
        again = load(tmp_path / "m")
        assert again.to_bytes() == model(name).to_bytes()
        np.testing.assert_array_equal(
            again.transform(picture(83, 61)), model(name).transform(picture(83, 61))
        )


@measured_methods
class TestMeasuring:
    def test_twice_is_the_same_file(self, name: str) -> None:
        assert fit(slide(), slide("lab2", 1), method=name, seed=1).to_bytes() == model(name).to_bytes()

    def test_a_slide_onto_itself_stays(self, name: str) -> None:
        """But for what the method cannot represent: two stains do not make red cells."""
        image = slide().read_region(Box(200, 200, 256, 256))
        itself = fit(slide(), slide(), method=name).transform(image).astype(int)
        assert np.abs(itself - image).mean() < (5 if name in ("macenko", "nmf", "vahadane") else 1)

    def test_comes_nearer_to_the_reference(self, name: str) -> None:
        """In the mean colour; lab 2's stains are far from those that Ruifrok fixes."""
        if name == "ruifrok":
            pytest.skip("judged on stains that it knows, in test_unmixing.py")
        truth = slide("lab1", 1).read_region(Box(100, 100, 400, 400))
        image = picture(400, 400, 100, 100)
        before, after = (
            np.linalg.norm(side.mean((0, 1)) - truth.mean((0, 1)))
            for side in (image, model(name).transform(image))
        )
        assert after < before

    def test_several_slides_on_both_sides(self, name: str) -> None:
        several = fit([slide(), slide("lab1", 2)], [slide("lab2", 1), slide("lab2", 3)], method=name)
        assert len(several.card.references) == len(several.card.sources) == 2
        assert several.card.pairs == 0
        one, other = (m.transform(picture(128, 128)).astype(int) for m in (several, model(name)))
        assert 0 < np.abs(one - other).mean() < 20

    def test_the_same_slide_twice_counts_as_once(self, name: str) -> None:
        twice = fit([slide(), slide()], [slide("lab2", 1), slide("lab2", 1)], method=name)
        one, other = (m.transform(picture(128, 128)).astype(int) for m in (twice, model(name)))
        assert np.abs(one - other).mean() < 3

    @pytest.mark.parametrize("stained_px", [0, 6, 20, 40])
    @pytest.mark.parametrize("side", ["source", "reference"])
    def test_little_tissue_changes_little(self, name: str, side: str, stained_px: int) -> None:
        few = np.full((400, 400, 3), (240, 238, 241), np.uint8)
        few[200 : 200 + stained_px, 200 : 200 + stained_px] = picture(40, 40)[:stained_px, :stained_px]
        poor = Slide.from_array(few, mpp=1.0, name="poor")
        given = {"reference": slide(), "source": slide("lab2", 1), side: poor}
        if stained_px == 0 and side == "reference":
            with pytest.raises(NoTissueError, match="poor"):
                fit(**given, method=name)
            return
        notices: list[str] = []
        fitted = fit(
            **given,
            method=name,
            on_event=lambda event: notices.append(getattr(event, "message", "")),
        )
        assert any("poor" in notice for notice in notices)
        changed = np.abs(fitted.transform(picture(128, 128)).astype(int) - picture(128, 128)).mean()
        usual = np.abs(model(name).transform(picture(128, 128)).astype(int) - picture(128, 128)).mean()
        assert changed < min(1.0, stained_px**2 / 2000) * usual + 5

    @pytest.mark.parametrize("colour", [(0, 0, 0), (200, 60, 140), (90, 90, 90), (255, 0, 0)])
    @pytest.mark.parametrize("side", ["source", "reference"])
    def test_tissue_of_one_colour_is_survived(
        self, name: str, side: str, colour: tuple[int, int, int]
    ) -> None:
        flat = np.full((300, 300, 3), (240, 238, 241), np.uint8)
        flat[50:250, 50:250] = colour
        given = {"reference": slide(), "source": slide("lab2", 1)}
        given[side] = Slide.from_array(flat, mpp=1.0, name="flat")
        try:
            fitted = fit(**given, method=name)
        except NoTissueError:  # black and grey are no stain
            assert side == "reference"
            assert max(colour) - min(colour) == 0
            return
        assert all(value.isfinite().all() for value in fitted.method.state()[0].values())
        for image in (flat, picture(64, 64)):
            assert fitted.transform(image).shape == image.shape

    def test_a_picture_of_a_few_pixels_is_a_slide_as_well(self, name: str) -> None:
        fitted = fit(slide(), Slide.from_array(picture(20, 25), mpp=0.5), method=name)
        assert fitted.transform(picture(20, 25)).shape == (20, 25, 3)

    def test_progress_without_a_pairing(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        def never(*_: object, **__: object) -> None:
            raise AssertionError("a method that takes no pairs asked for them, or for a network")

        monkeypatch.setattr("napari_stainxfer.methods.neural_fitting.suggest_pairs", never)
        monkeypatch.setattr("napari_stainxfer.methods.neural_fitting.make_extractor", never)
        events = list(fit_stream(slide(), slide("lab2", 1), method=name))
        shares = [event.done / event.total for event in events if isinstance(event, MeasureEvent)]
        assert shares == sorted(shares)
        assert shares[-1] == 1
        assert not any(isinstance(event, NoticeEvent) for event in events)

    @pytest.mark.parametrize(
        ("option", "value"), [("pairs", "pairs.geojson"), ("epochs", 3), ("init", "m"), ("resume", True)]
    )
    def test_what_does_not_apply_is_refused(self, name: str, option: str, value: object) -> None:
        with pytest.raises(TrainingError, match=f"{name} measures .* leave out {option}"):
            fit(slide(), slide("lab2", 1), method=name, **{option: value})

    def test_its_numbers_in_another_methods_file_are_refused(self, name: str, tmp_path: Path) -> None:
        from napari_stainxfer.methods.pixelwise import PixelwiseMethod

        tensors, _ = model(name).method.state()
        with pytest.raises(ValueError, match="not the numbers"):
            PixelwiseMethod.from_state({**tensors, "more": next(iter(tensors.values()))}, {"recipe": name})
        broken = {key: value * float("nan") for key, value in tensors.items()}
        with pytest.raises(ValueError, match="finite"):
            PixelwiseMethod.from_state(broken, {"recipe": name})
