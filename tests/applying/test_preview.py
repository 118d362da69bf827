"""The preview: exact where it says so, never waiting, never growing, and quick to change its mind."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
import torch
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_stainxfer.applying import Preview, TileCache
from napari_stainxfer.applying.tile_cache import Tile
from napari_stainxfer.methods import Model, ModelCard, slide_glass
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import Box, Slide, area_average

SIZE = (1301, 2307)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


class Swapped:
    """Turns the colours over and looks around: a strong change, so that what is missing would show."""

    halo_px, align_px = 8, 4

    def __init__(self, order: tuple[int, int, int]) -> None:
        self._order = list(order)

    def transform(self, image: torch.Tensor) -> torch.Tensor:
        around = torch.nn.functional.avg_pool2d(image, 17, stride=1, padding=8)
        return 0.7 * image[:, self._order] ** 1.3 + 0.3 * around

    def to(self, device: str) -> Swapped:
        return self

    def state(self) -> tuple[dict[str, torch.Tensor], dict[str, object]]:
        return {}, {}


def make_model(order: tuple[int, int, int]) -> Model:
    return Model(Swapped(order), ModelCard(method="nst", package_version="0", mpp=1.0, patch_px=256, pairs=0))


@pytest.fixture(scope="module")
def model() -> Model:
    return make_model((2, 0, 1))


@pytest.fixture(scope="module")
def slide() -> Slide:
    return phantom_slide("lab3", seed=2, size_px=SIZE)


@pytest.fixture(scope="module")
def whole(model: Model, slide: Slide) -> np.ndarray:
    return model.transform(
        slide.read_region(Box(0, 0, *SIZE)), mpp=slide.mpp, glass=slide_glass(slide), tile_px=4096
    )


@pytest.fixture
def preview(model: Model, slide: Slide) -> Preview:
    return Preview(model, slide)


def serve(preview: Preview) -> int:
    return sum(1 for _ in preview.serve())


def cut(pixels: np.ndarray, box: Box) -> np.ndarray:
    return pixels[box.y : box.y + box.height, box.x : box.x + box.width]


def read(preview: Preview, level: int, box: Box) -> np.ndarray:
    return preview.levels[level][box.y : box.y + box.height, box.x : box.x + box.width]


def assert_exact(pixels: np.ndarray, expected: np.ndarray) -> None:
    # a convolution over another window may sum in another order: the last bit, on few pixels
    apart = np.abs(pixels.astype(int) - expected)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-3


class TestExactness:
    @pytest.mark.parametrize("box", [Box(0, 0, 300, 300), Box(517, 640, 257, 600), Box(1000, 2000, 301, 307)])
    def test_full_resolution_is_what_an_export_writes(
        self, preview: Preview, whole: np.ndarray, box: Box
    ) -> None:
        preview.look_at(0, box)
        serve(preview)
        assert_exact(read(preview, 0, box), cut(whole, box))

    def test_half_of_it_is_its_average(self, preview: Preview, slide: Slide, whole: np.ndarray) -> None:
        half = next(n for n, level in enumerate(slide.levels) if level.downsample == 2)
        box = Box(100, 200, 500, 700)
        preview.look_at(half, box)
        serve(preview)
        assert_exact(read(preview, half, box), cut(area_average(whole, 2), box))

    def test_coarser_levels_are_alike(self, preview: Preview, slide: Slide, whole: np.ndarray) -> None:
        last = len(slide.levels) - 1
        factor = int(slide.levels[last].downsample)
        if factor <= 2:
            pytest.skip("the slide has no coarser level")
        preview.look_at(last, Box(0, 0, *slide.levels[last].shape))
        serve(preview)
        exact, before = (
            rgb2lab(area_average(pixels, factor)) for pixels in (whole, slide.read_region(Box(0, 0, *SIZE)))
        )
        shown = rgb2lab(np.asarray(preview.levels[last]))
        assert deltaE_ciede2000(exact, shown).mean() < 0.5 * deltaE_ciede2000(exact, before).mean()

    def test_who_can_wait_gets_exact_pixels_that_nobody_looked_at(
        self, preview: Preview, whole: np.ndarray
    ) -> None:
        box = Box(300, 400, 200, 200)
        assert_exact(preview.levels[0].exact[300:500, 400:600, :3], cut(whole, box))


class TestReading:
    def test_before_anything_is_computed_it_is_white_and_at_once(self, preview: Preview) -> None:
        started = time.perf_counter()
        pixels = np.asarray(preview.levels[0][:1000, :2000])
        assert time.perf_counter() - started < 0.2
        assert (pixels == 255).all()
        assert not preview.ready

    def test_what_is_missing_is_shown_from_a_coarser_level(self, preview: Preview, whole: np.ndarray) -> None:
        preview.look_at(0, Box(0, 0, 10, 10))
        serve(preview)
        assert preview.ready
        box = Box(600, 1000, 256, 256)
        rough = read(preview, 0, box)
        assert np.abs(rough.mean((0, 1)) - cut(whole, box).mean((0, 1))).max() < 12

    def test_reading_computes_nothing(self, preview: Preview, monkeypatch: pytest.MonkeyPatch) -> None:
        preview.look_at(0, Box(0, 0, 256, 256))
        serve(preview)
        monkeypatch.setattr(preview.slide, "read_level", None)
        monkeypatch.setattr(preview, "compute", None)
        assert preview.levels[0][:, :, :].shape == (*SIZE, 3)

    @pytest.mark.parametrize(
        "index",
        [
            np.s_[3:90, 5:300],
            np.s_[10:5, :],
            np.s_[7],
            np.s_[:, -1, :],
            np.s_[..., 0],
            np.s_[::3, 1::7, :2],
            np.s_[-50:, -20:],
        ],
        ids=str,
    )
    def test_is_sliced_like_an_array(self, preview: Preview, index: object) -> None:
        preview.look_at(1, Box(0, 0, *preview.slide.levels[1].shape))
        serve(preview)
        whole = np.asarray(preview.levels[1])
        np.testing.assert_array_equal(preview.levels[1][index], whole[index])

    def test_outside_is_an_index_error(self, preview: Preview) -> None:
        with pytest.raises(IndexError, match="out of bounds"):
            preview.levels[0][SIZE[0]]


class TestPendingWork:
    def test_coarse_comes_first_then_alike_then_exact(
        self, preview: Preview, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        box = Box(0, 0, 512, 512)
        preview.look_at(0, box)
        order = []
        put = preview._cache.put

        def note(key: object, tile: Tile) -> None:
            order.append(tile.exact)
            put(key, tile)

        monkeypatch.setattr(preview._cache, "put", note)
        serving = preview.serve()
        while not preview.ready:
            next(serving)
        assert order == []
        for _ in serving:
            pass
        assert order == [False] * 4 + [True] * 4

    def test_what_left_the_view_is_dropped(self, preview: Preview) -> None:
        preview.look_at(0, Box(0, 0, 1280, 1280))
        assert preview.pending == 25
        serving = preview.serve()
        while not preview.ready:
            next(serving)
        next(serving)
        preview.look_at(0, Box(1100, 2100, 100, 100))
        assert preview.pending == 1
        assert sum(1 for _ in serving) == 2, "one tile, alike and exact"
        assert preview.pending == 0

    def test_a_view_that_is_there_asks_for_nothing(self, preview: Preview) -> None:
        assert preview.look_at(0, Box(0, 0, 256, 256))
        serve(preview)
        assert not preview.look_at(0, Box(10, 10, 100, 100))
        assert preview.look_at(0, Box(10, 10, 300, 100))

    def test_the_middle_of_the_view_is_computed_before_its_corners(self, preview: Preview) -> None:
        preview.look_at(0, Box(0, 0, 768, 768))
        assert preview._next()[1:] == (1, 1)


class TestMemory:
    def test_old_tiles_make_room(self, model: Model, slide: Slide) -> None:
        cache = TileCache(5 * 256 * 256 * 3)
        preview = Preview(model, slide, cache)
        for y in (0, 512, 1024):
            preview.look_at(0, Box(y, 0, 256, 512))
            serve(preview)
            assert cache.nbytes <= 5 * 256 * 256 * 3
        assert preview.look_at(0, Box(0, 0, 256, 256)), "the oldest tiles are gone"
        assert not preview.look_at(0, Box(1024, 0, 256, 512)), "the newest are here"

    def test_a_view_larger_than_the_cache_comes_to_an_end(self, model: Model, slide: Slide) -> None:
        preview = Preview(model, slide, TileCache(2 * 256 * 256 * 3))
        preview.look_at(0, Box(0, 0, 768, 768))
        assert serve(preview) < 60

    def test_two_previews_in_one_cache_do_not_mix(self, slide: Slide, model: Model) -> None:
        cache = TileCache(2**28)
        box = Box(512, 512, 256, 256)
        one, two = Preview(model, slide, cache), Preview(make_model((1, 2, 0)), slide, cache)
        for preview in (one, two):
            preview.look_at(0, box)
            serve(preview)
        assert not np.array_equal(read(one, 0, box), read(two, 0, box))

    def test_an_exact_tile_is_not_replaced_by_one_alike(self) -> None:
        cache = TileCache(1000)
        exact = Tile(np.zeros((4, 4, 3), np.uint8), exact=True)
        cache.put("a", exact)
        cache.put("a", Tile(np.ones((4, 4, 3), np.uint8), exact=False))
        assert cache.get("a") is exact


def test_reading_and_looking_while_tiles_are_computed(model: Model, slide: Slide, whole: np.ndarray) -> None:
    """Threads read and move the view while one serves, in a cache that evicts all the time."""
    preview = Preview(model, slide, TileCache(12 * 256 * 256 * 3))
    stop, errors = threading.Event(), []

    def run(work: Callable[[np.random.Generator], None], seed: int) -> None:
        random = np.random.default_rng(seed)
        try:
            while not stop.is_set():
                work(random)
        except Exception as error:
            errors.append(error)

    def look(random: np.random.Generator) -> None:
        level = int(random.integers(0, len(preview.levels)))
        height, width = preview.slide.levels[level].shape
        preview.look_at(level, Box(int(random.integers(0, height)), int(random.integers(0, width)), 300, 300))
        time.sleep(0.01)

    def gaze(random: np.random.Generator) -> None:
        y, x = int(random.integers(0, 1000)), int(random.integers(0, 2000))
        assert preview.levels[0][y : y + 300, x : x + 300].shape == (300, min(300, SIZE[1] - x), 3)

    def work(_: np.random.Generator) -> None:
        serve(preview)
        time.sleep(0.002)

    threads = [
        threading.Thread(target=run, args=(job, seed)) for seed, job in enumerate([look, gaze, gaze, work])
    ]
    for thread in threads:
        thread.start()
    time.sleep(3)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)
    assert errors == []
    box = Box(256, 256, 256, 256)
    preview.look_at(0, box)
    serve(preview)
    assert_exact(read(preview, 0, box), cut(whole, box))
