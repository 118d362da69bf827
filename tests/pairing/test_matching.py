"""Choosing diverse sources and giving each a partner of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_stainxfer.pairing import PairingSettings, match_diverse, nearest, suggest_pairs
from napari_stainxfer.patches import PatchSettings, read_patch
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import Slide, open_slide

SMALL = PatchSettings(patch_px=128)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def kinds() -> tuple[np.ndarray, np.ndarray]:
    """Five kinds of tissue: 60 sources, most of them of the first kind, and 25 references."""
    rng = np.random.default_rng(0)
    centres = unit(rng.normal(size=(5, 32)))
    kind = np.array([0] * 40 + [1] * 8 + [2] * 6 + [3] * 4 + [4] * 2)
    sources = unit(centres[kind] + 0.08 * rng.normal(size=(60, 32)))
    references = unit(np.repeat(centres, 5, axis=0) + 0.08 * rng.normal(size=(25, 32)))
    return sources, references


def test_every_kind_is_chosen_and_meets_its_kind(kinds: tuple[np.ndarray, np.ndarray]) -> None:
    sources, references = kinds
    pairs = match_diverse(sources, sources @ references.T, 5)
    source_kind = np.digitize([source for source, _ in pairs], [40, 48, 54, 58])
    assert sorted(source_kind) == [0, 1, 2, 3, 4]
    assert [reference // 5 for _, reference in pairs] == list(source_kind)


@given(
    sources=st.integers(1, 30),
    references=st.integers(1, 30),
    count=st.integers(1, 25),
    distinct=st.integers(1, 30),
    seed=st.integers(0, 99),
)
def test_pairs_are_one_to_one_as_many_as_possible_and_deterministic(
    sources: int, references: int, count: int, distinct: int, seed: int
) -> None:
    """Also with patches that are exactly alike, down to all of them."""
    rng = np.random.default_rng(seed)
    mine = unit(rng.normal(size=(distinct, 6)))[rng.integers(0, distinct, sources)]
    likeness = mine @ unit(rng.normal(size=(references, 6))).T
    pairs = match_diverse(mine, likeness, count)
    assert len(pairs) == min(sources, references, count)
    assert len({source for source, _ in pairs}) == len({reference for _, reference in pairs}) == len(pairs)
    assert match_diverse(mine, likeness, count) == pairs


def test_nearest_gives_the_best_first() -> None:
    references = unit(np.array([[0, 1.0], [1, 0.1], [1, 1], [-1, 0]]))
    order, scores = nearest(np.array([1, 0], np.float32), references, k=3)
    assert list(order) == [1, 2, 0]
    assert scores == pytest.approx([0.995, 0.707, 0], abs=1e-3)


def test_same_tissue_in_two_labs_is_paired_with_itself() -> None:
    """End to end: 20 pairs, in place, with high scores, the same each time, progress to the end."""
    reference, source = (phantom_slide(lab, seed=6, size_px=(2048, 2048)) for lab in ("lab1", "lab7"))
    shares: list[float] = []
    pairs = suggest_pairs(reference, source, SMALL, on_progress=shares.append)
    assert len(pairs.pairs) == 20
    in_place = [pair.source.box == pair.reference.box for pair in pairs.pairs]
    assert np.mean(in_place) >= 0.9
    scores = [pair.score for pair in pairs.pairs]
    assert scores == sorted(scores, reverse=True)
    assert 0 <= min(scores) <= max(scores) <= 1
    assert np.mean(scores) > 0.3
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)
    assert suggest_pairs([reference], [source], SMALL) == pairs


def test_several_slides_a_side_and_few_candidates() -> None:
    references = [phantom_slide("lab1", seed=seed, size_px=(1024, 1024)) for seed in (1, 2)]
    sources = [phantom_slide("lab3", seed=seed, size_px=(1024, 1024)) for seed in (3, 1)]
    settings = PairingSettings(count=6, candidates=12)
    pairs = suggest_pairs(references, sources, SMALL.model_copy(update={"count": 6}), settings)
    assert len(pairs.pairs) == 6
    assert {pair.source.slide for pair in pairs.pairs} == {0, 1}
    assert [slide.fingerprint for slide in pairs.sources] == [slide.fingerprint() for slide in sources]


def test_uniform_slides_do_not_break_it() -> None:
    flat = Slide.from_array(np.full((700, 700, 3), (205, 120, 165), np.uint8), mpp=1.0)
    assert len(suggest_pairs(flat, flat, SMALL).pairs) == 20


def test_real_pair(real_data: Path) -> None:
    """On two slides of different organs the share of empty glass, at least, agrees within pairs."""
    reference = open_slide(real_data / "wsi" / "CMU-1-Small-Region.svs")
    source = open_slide(real_data / "wsi" / "TCGA-CR-7395-01A-01-TS1.svs", mpp=0.5)
    pairs = suggest_pairs(reference, source).pairs
    assert len(pairs) == 20

    def empty(slide: Slide, patches: list) -> np.ndarray:
        return np.array([(read_patch(slide, patch).min(axis=2) > 215).mean() for patch in patches])

    ours = (
        empty(source, [pair.source for pair in pairs]),
        empty(reference, [pair.reference for pair in pairs]),
    )
    assert np.corrcoef(*ours)[0, 1] > 0.6
