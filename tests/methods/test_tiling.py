"""Exact tiling: whatever the tiles, the picture is the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_stainxfer.errors import SlideError
from napari_stainxfer.methods import Model, tile_boxes, window

Make = Callable[..., Model]
Tissue = Callable[..., np.ndarray]

sides = st.integers(1, 150)
# Tiles far smaller than the halo, and larger than the picture; at most a few dozen of them, for time.
tilings = st.tuples(sides, sides).flatmap(
    lambda shape: st.tuples(st.just(shape), *[st.integers(max(1, max(shape) // 5), 2 * max(shape))] * 2)
)


def assert_alike(one: np.ndarray, other: np.ndarray) -> None:
    """Equal but for rounding: never more than one level, in at most one value of a thousand (or one)."""
    apart = np.abs(one.astype(int) - other.astype(int))
    assert apart.max() <= 1
    assert (apart > 0).sum() <= max(1, apart.size // 1000)


class TestTransform:
    @pytest.mark.parametrize("name", ["hrnet", "johnson"])
    @given(tiling=tilings, seed=st.integers(0, 9))
    @settings(max_examples=15, deadline=None)
    def test_does_not_depend_on_the_tiles(
        self, make_model: Make, tissue: Tissue, name: str, tiling: tuple[tuple[int, int], int, int], seed: int
    ) -> None:
        (shape, one, other), model = tiling, make_model(name)
        picture = tissue(*shape, seed=seed)
        assert_alike(model.transform(picture, tile_px=one), model.transform(picture, tile_px=other))

    @given(tiling=tilings, seed=st.integers(0, 9), mpp=st.sampled_from([0.5, 0.36, 0.25, 2.0, 3.0]))
    @settings(max_examples=15, deadline=None)
    def test_does_not_depend_on_the_tiles_where_pixels_are_finer_or_coarser(
        self,
        make_model: Make,
        tissue: Tissue,
        tiling: tuple[tuple[int, int], int, int],
        seed: int,
        mpp: float,
    ) -> None:
        (shape, one, other), model = tiling, make_model()
        picture = tissue(*shape, seed=seed)
        assert_alike(
            model.transform(picture, mpp=mpp, tile_px=one), model.transform(picture, mpp=mpp, tile_px=other)
        )

    @pytest.mark.parametrize("tile_px", [1, 3, 7])
    def test_the_smallest_tiles(self, make_model: Make, tissue: Tissue, tile_px: int) -> None:
        picture, model = tissue(9, 14), make_model()
        assert_alike(model.transform(picture, tile_px=tile_px), model.transform(picture))

    @pytest.mark.parametrize("name", ["hrnet", "johnson"])
    @pytest.mark.parametrize("shape", [(1, 1), (1, 40), (37, 2), (61, 90), (130, 75)])
    def test_is_the_network_on_the_mirrored_picture(
        self, make_model: Make, tissue: Tissue, name: str, shape: tuple[int, int]
    ) -> None:
        model, picture = make_model(name), tissue(*shape)
        pad = -(-model.method.halo_px // 4) * 4
        padded = np.pad(picture, [(pad, pad + -side % 4) for side in shape] + [(0, 0)], mode="reflect")
        image = torch.from_numpy(padded).permute(2, 0, 1)[None].float() / 255
        expected = model.method.transform(image)[0].permute(1, 2, 0).numpy().clip(0, 1) * 255
        expected = expected[pad : pad + shape[0], pad : pad + shape[1]].round().astype(np.uint8)
        assert_alike(model.transform(picture, tile_px=32), expected)

    @pytest.mark.parametrize("name", ["hrnet", "johnson"])
    def test_a_seam_would_be_seen(self, make_model: Make, tissue: Tissue, name: str) -> None:
        """The halo matters: without it tiles do differ."""
        model, picture = make_model(name), tissue(96, 96)
        exact = model.transform(picture, tile_px=96)
        model.method.halo_px = 0
        seams = np.abs(model.transform(picture, tile_px=32).astype(int) - exact)
        assert seams.max() > 3

    @pytest.mark.parametrize(
        "view",
        [
            pytest.param(lambda picture: picture[::2, ::-1], id="strided-and-reversed"),
            pytest.param(lambda picture: picture.transpose(1, 0, 2), id="transposed"),
            pytest.param(np.asfortranarray, id="fortran"),
            pytest.param(lambda picture: picture[..., ::-1], id="bgr"),
            pytest.param(lambda picture: np.concatenate([picture] * 2, axis=2)[..., :3], id="of-six-bands"),
        ],
    )
    def test_any_memory_layout(
        self, make_model: Make, tissue: Tissue, view: Callable[[np.ndarray], np.ndarray]
    ) -> None:
        model, picture = make_model(), view(tissue(60, 44))
        assert not picture.flags.c_contiguous
        plain = np.ascontiguousarray(picture)
        np.testing.assert_array_equal(model.transform(picture), model.transform(plain))

    def test_a_read_only_picture_is_read_only(self, make_model: Make, tissue: Tissue) -> None:
        model, picture = make_model(), tissue(40, 40)
        expected, before = model.transform(picture), picture.copy()
        picture.flags.writeable = False
        result = model.transform(picture)
        np.testing.assert_array_equal(result, expected)
        np.testing.assert_array_equal(picture, before)
        assert result.flags.writeable
        assert model.transform_window(picture).shape == picture.shape

    @pytest.mark.parametrize(
        "wrong",
        [
            np.zeros((8, 8, 3)),
            np.zeros((8, 8, 3), np.uint16),
            np.zeros((8, 8, 3), bool),
            np.zeros((8, 8), np.uint8),
            np.zeros((8, 8, 4), np.uint8),
            np.zeros((8, 8, 1), np.uint8),
            np.zeros((1, 8, 8, 3), np.uint8),
            np.zeros((3, 8, 8), np.uint8),
            np.zeros((0, 8, 3), np.uint8),
        ],
        ids=lambda picture: f"{picture.dtype}-{picture.shape}",
    )
    def test_what_is_no_picture_is_refused_in_a_sentence(self, make_model: Make, wrong: np.ndarray) -> None:
        with pytest.raises(SlideError, match=r"needs a uint8 RGB image of shape .*; convert it first\.$"):
            make_model().transform(wrong)

    @pytest.mark.parametrize("tile_px", [0, -5])
    def test_tiles_have_a_size(self, make_model: Make, tissue: Tissue, tile_px: int) -> None:
        with pytest.raises(ValueError, match="tile_px must be at least 1"):
            make_model().transform(tissue(8, 8), tile_px=tile_px)


class TestWindows:
    @given(shape=st.tuples(st.integers(1, 400), st.integers(1, 400)), tile_px=st.integers(20, 500))
    @settings(deadline=None)
    def test_tiles_cover_everything_once(self, shape: tuple[int, int], tile_px: int) -> None:
        covered = np.zeros(shape, int)
        for y, x, height, width in tile_boxes(shape, tile_px):
            assert 0 < height <= tile_px
            assert 0 < width <= tile_px
            covered[y : y + height, x : x + width] += 1
        assert (covered == 1).all()

    @given(
        shape=st.tuples(st.integers(1, 300), st.integers(1, 300)),
        tile_px=st.integers(40, 400),
        halo_px=st.integers(0, 70),
        align_px=st.sampled_from([1, 2, 4, 8]),
    )
    @settings(deadline=None)
    def test_a_window_is_a_cut_of_the_endlessly_mirrored_slide(
        self, shape: tuple[int, int], tile_px: int, halo_px: int, align_px: int
    ) -> None:
        positions = [np.pad(np.arange(side), 512, mode="reflect" if side > 1 else "edge") for side in shape]
        for box in tile_boxes(shape, tile_px):
            cut = window(box, shape, halo_px=halo_px, align_px=align_px)
            assert cut.read.y + cut.read.height <= shape[0]
            assert cut.read.x + cut.read.width <= shape[1]
            axes = [
                (cut.read.y, cut.read.height, cut.rows, cut.keep[0], box.y, box.height),
                (cut.read.x, cut.read.width, cut.columns, cut.keep[1], box.x, box.width),
            ]
            for (origin, size, index, keep, start, length), mirrored in zip(axes, positions, strict=True):
                first = start - keep.start
                assert origin >= 0
                assert index.min() >= 0
                assert index.max() == size - 1
                assert first % align_px == 0 == len(index) % align_px
                assert keep.start >= halo_px
                assert len(index) - keep.stop >= halo_px
                assert keep.stop - keep.start == length
                assert len(index) <= length + 2 * (halo_px + align_px)
                np.testing.assert_array_equal(
                    index + origin, mirrored[512 + first : 512 + first + len(index)]
                )
