"""The parts of the Pairs dock that need no window."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari", reason="napari is not installed")

from napari_stainxfer.errors import PairsError
from napari_stainxfer.pairing import Pair
from napari_stainxfer.patches import Patch
from napari_stainxfer.plugin.pair_boxes import NAME, PairBoxes
from napari_stainxfer.plugin.pair_colours import pair_colour
from napari_stainxfer.plugin.pair_work import PairWork, Share, thumbnails
from napari_stainxfer.plugin.pairs_document import no_pairs, with_pair
from napari_stainxfer.plugin.pairs_store import autosave, autosave_path, restore
from napari_stainxfer.plugin.picking import clicks, slide_at, to_pixels, to_world
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.slides import Box, Slide


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAINXFER_STATE", str(tmp_path / "state"))


@pytest.fixture
def session(viewer: Any, add_slide: Any, lab1: Slide, lab2: Slide) -> Session:
    add_slide(lab1)
    add_slide(lab2)
    return Session.of(viewer)


def some_pairs(session: Session, count: int = 2) -> Any:
    (reference,), (source,) = session.references, session.sources
    pairs = no_pairs([reference.slide], [source.slide], 100, 1.0)
    for number in range(count):
        pair = Pair(
            Patch(Box(200 * number, 20, 200, 200), 100), Patch(Box(200 * number, 300, 200, 200), 100), 0.5
        )
        pairs = with_pair(pairs, pair)
    return pairs


def test_a_point_of_the_canvas_is_a_pixel_of_the_slide_under_it(session: Session) -> None:
    for entry in session.slides:
        world = to_world(entry, (100.0, 900.0))
        assert slide_at(session.slides, world) == (entry, pytest.approx((100.0, 900.0)))
        assert to_pixels(entry, world) == pytest.approx((100.0, 900.0))
    first, _ = session.slides
    assert slide_at(session.slides, to_world(first, (-1.0, 0.0))) is None
    assert slide_at(session.slides, to_world(first, (0.0, 1025.0))) is None


@pytest.mark.parametrize(
    ("button", "modifiers", "moves", "is_click"),
    [
        (1, (), [], True),
        (1, (), [(101, 202)], True),
        (1, (), [(101, 202), (140, 200)], False),
        (2, (), [], False),
        (1, ("Shift",), [], False),
    ],
)
def test_a_click_is_a_press_that_hardly_moves(
    button: int, modifiers: Any, moves: list[tuple[int, int]], is_click: bool
) -> None:
    event = SimpleNamespace(
        button=button, modifiers=modifiers, pos=(100, 200), position=(0.0, 5.0, 7.0), type="mouse_press"
    )
    follow = clicks(event)
    result = "going on"
    steps = [*[("mouse_move", place) for place in moves], ("mouse_release", (100, 200))]
    try:
        next(follow)
        for event.type, event.pos in steps:
            next(follow)
    except StopIteration as end:
        result = end.value
    assert result == ((5.0, 7.0) if is_click else None)


def test_neighbouring_numbers_have_clearly_different_colours() -> None:
    colours = [pair_colour(number) for number in range(1, 30)]
    assert len(set(colours)) == len(colours)
    for one, other in pairwise(colours):
        parts = [[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in (one, other)]
        assert np.abs(np.subtract(*parts)).sum() > 100


def test_boxes_follow_um_per_px_and_tell_what_was_done_to_them(session: Session) -> None:
    moved: list[Any] = []
    removed: list[Any] = []
    boxes = PairBoxes(session, lambda *what: moved.append(what), removed.append)
    pairs = some_pairs(session)
    boxes.show(pairs)
    layer = session.viewer.layers[NAME]
    assert len(layer.data) == 4
    assert list(layer.features["pair"]) == ["1", "1", "2", "2"]
    boxes.show(pairs, Patch(Box(0, 0, 200, 200), 100))
    assert list(layer.features["pair"]) == ["1", "1", "2", "2", "?"]
    assert (moved, removed) == ([], [])
    with layer.events.data.blocker():
        data = [np.array(corners) for corners in layer.data]
        data[2] = data[2] + (10.0, 5.0)  # micrometres, at 0.5 um/px
        layer.data = data
    layer.events.data(value=layer.data, action="changed", data_indices=(2,), vertex_indices=((),))
    ((index, of_source, centre),) = moved
    assert (index, of_source) == (1, True)
    assert centre == pytest.approx((300 + 20, 120 + 10))
    boxes.show(pairs)
    layer.selected_data = {1}
    layer.remove_selected()
    assert removed == [[0]]
    boxes.show(None)
    assert len(layer.data) == 0
    boxes.remove()
    assert NAME not in session.viewer.layers


def test_lines_keep_their_width_on_the_screen(session: Session) -> None:
    boxes = PairBoxes(session, lambda *_: None, lambda _: None)
    boxes.show(some_pairs(session))
    boxes.set_zoom(0.1)
    wide = boxes.layer.edge_width[0]
    boxes.set_zoom(10.0)
    assert boxes.layer.edge_width[0] == pytest.approx(wide / 100)
    boxes.select(1)
    assert boxes.layer.edge_width[2] == pytest.approx(2 * boxes.layer.edge_width[0])


def test_kept_pairs_belong_to_their_slides(session: Session, lab1: Slide, lab2: Slide) -> None:
    pairs = some_pairs(session)
    assert restore([lab1], [lab2]) is None
    autosave(pairs, [lab1], [lab2])
    back = restore([lab1], [lab2])
    assert [(pair.source.box, pair.reference.box) for pair in back.pairs] == [
        (pair.source.box, pair.reference.box) for pair in pairs.pairs
    ]
    assert restore([lab2], [lab1]) is None
    autosave_path([lab1], [lab2]).write_text("{")
    assert restore([lab1], [lab2]) is None
    autosave(None, [lab1], [lab2])
    assert not autosave_path([lab1], [lab2]).exists()


def test_an_offer_has_five_partners_best_first(session: Session, lab1: Slide, lab2: Slide) -> None:
    work, told = PairWork([lab1], [lab2]), list[Any]()
    pairs = some_pairs(session, 1)
    offer, notice = work.offer((512.0, 512.0), 0, pairs, told.append)
    assert notice is None
    assert offer.source == Patch(Box(412, 412, 200, 200), 100)
    assert len(offer.partners) == 5
    assert offer.thumbnail.shape == offer.partners[0].thumbnail.shape == (60, 60, 3)
    scores = [partner.score for partner in offer.partners]
    assert scores == sorted(scores, reverse=True)
    assert told[-1] == Share(1.0)
    said = len(told)
    pair = work.pair(offer.source, (0.0, 0.0), 0, pairs, told.append)
    assert pair.reference.box == Box(0, 0, 200, 200)
    assert work.scored(pair, pairs, told.append) == pair
    assert len(told) == said, "the slides are looked at once"
    assert [read.pair for read in thumbnails([pair], [lab1], [lab2])] == [pair]


def test_a_slide_smaller_than_a_box_is_said(lab2: Slide) -> None:
    small = Slide.from_array(np.zeros((60, 60, 3), np.uint8), mpp=1.0, name="small")
    from napari_stainxfer.plugin.pairs_document import box_at

    with pytest.raises(PairsError, match="small is smaller than a box of 512 um"):
        box_at(small, (30, 30), 512, 1.0)
