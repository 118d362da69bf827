"""The pairs that a person edits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari", reason="napari is not installed")

from napari_stainxfer.errors import PairsError
from napari_stainxfer.pairing import Pair, Pairs
from napari_stainxfer.patches import Patch
from napari_stainxfer.plugin.pairs_document import (
    PairsDocument,
    box_at,
    no_pairs,
    rebased,
    with_changed,
    with_pair,
    without,
)
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.slides import Box, Slide


def patch(y: int, x: int = 10, side: int = 100, slide: int = 0) -> Patch:
    return Patch(Box(y, x, side, side), 64, 1.0, slide)


@pytest.fixture
def two(lab1: Slide, lab2: Slide) -> Pairs:
    pairs = no_pairs([lab1], [lab2], 64, 1.0)
    for number in range(2):
        pairs = with_pair(pairs, Pair(patch(number), patch(100 + number), 0.5))
    return pairs


def test_undo_and_redo_go_through_every_step(two: Pairs) -> None:
    document = PairsDocument()
    assert not document.can_undo
    assert not document.can_redo
    document.change(two)
    one = without(two, 0)
    document.change(one)
    document.undo()
    assert document.current is two
    document.redo()
    assert document.current is one
    document.undo()
    document.undo()
    assert document.current is None
    assert not document.can_undo
    document.redo()
    document.change(one)
    assert not document.can_redo


def test_editing_keeps_the_numbers_of_the_others(two: Pairs) -> None:
    moved = with_changed(two, 1, two.pairs[1]._replace(source=patch(300)))
    assert moved.pairs[0] == two.pairs[0]
    assert moved.pairs[1].source == patch(300)
    assert without(two, 0).pairs == two.pairs[1:]
    assert without(without(two, 0), 0) is None


def test_pairs_turn_round_with_the_roles(two: Pairs, lab1: Slide, lab2: Slide) -> None:
    assert rebased(two, [lab1], [lab2]) is two
    turned = rebased(two, [lab2], [lab1])
    assert turned.pairs[0] == Pair(patch(100), patch(0), 0.5)
    assert [slide.name for slide in turned.references] == [lab2.name]
    assert rebased(turned, [lab1], [lab2]) == two


def test_pairs_follow_their_slide_through_the_list(two: Pairs, lab1: Slide, lab2: Slide) -> None:
    other = Slide.from_array(np.zeros((400, 400, 3), np.uint8), mpp=1.0)
    later = rebased(two, [other, lab1], [lab2])
    assert [pair.reference.slide for pair in later.pairs] == [1, 1]
    assert rebased(two, [other], [lab2]) is None
    assert rebased(two, [], []) is None


def test_another_um_per_px_keeps_the_size_in_micrometres(two: Pairs, lab1: Slide, lab2: Slide) -> None:
    finer = rebased(two, [lab1.with_mpp(0.25)], [lab2])
    assert finer.pairs[0].reference.box == Box(50, -40, 200, 200)
    assert finer.pairs[0].source == two.pairs[0].source


def test_a_box_stays_inside_the_slide(lab1: Slide) -> None:
    assert box_at(lab1, (512, 512), 256, 1.0) == Box(256, 256, 512, 512)
    assert box_at(lab1, (0, 1023), 256, 1.0) == Box(0, 512, 512, 512)
    with pytest.raises(PairsError, match="smaller than a box of 600 um"):
        box_at(lab1, (0, 0), 600, 1.0)


def test_the_session_gives_pairs_on_its_slides_of_now(
    viewer: Any, add_slide: Any, lab1: Slide, lab2: Slide, two: Pairs
) -> None:
    session = Session.of(viewer)
    first, _ = add_slide(lab1), add_slide(lab2)
    changes: list[int] = []
    session.pairs_changed.connect(lambda: changes.append(1))
    assert session.pairs is None
    session.set_pairs(two)
    assert session.pairs == two
    session.swap_roles()
    assert session.pairs.pairs[0].source == patch(100)
    session.swap_roles()
    viewer.layers.remove(first)
    assert session.pairs is None
    add_slide(lab1)
    assert session.pairs == two
    session.undo()
    assert session.pairs is None
    session.redo()
    assert session.pairs == two
    assert len(changes) == 7
