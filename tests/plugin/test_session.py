"""The session: slides and their roles, um/px, models, the running job."""

from __future__ import annotations

import gc
import weakref
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari", reason="napari is not installed")

from napari_stainxfer.errors import SlideError, StainTransferError
from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.slide_layers import DERIVED
from napari_stainxfer.slides import Slide


def counted(signal: Any) -> list[int]:
    calls: list[int] = []
    signal.connect(lambda: calls.append(1))
    return calls


def without_mpp(name: str = "plain", shape: tuple[int, int] = (600, 400)) -> Slide:
    rng = np.random.default_rng(0)
    return Slide.from_array(rng.integers(0, 255, (*shape, 3), dtype=np.uint8), name=name)


def test_one_session_for_each_viewer(viewer: Any) -> None:
    from napari.components import ViewerModel
    from napari.utils._proxies import PublicOnlyProxy

    session = Session.of(viewer)
    assert Session.of(viewer) is session
    assert Session.of(PublicOnlyProxy(viewer)) is session
    assert session.viewer is viewer
    assert Session.of(ViewerModel()) is not session


def test_a_session_goes_with_its_viewer() -> None:
    from napari.components import ViewerModel

    viewer = ViewerModel()
    session = weakref.ref(Session.of(viewer))
    del viewer
    gc.collect()
    assert session() is None


def test_the_first_slide_is_the_reference_and_others_are_sources(
    viewer: Any, add_slide: Any, lab1: Slide, lab2: Slide
) -> None:
    before = add_slide(lab1)
    session = Session.of(viewer)
    changes = counted(session.slides_changed)
    after = add_slide(lab2)
    assert [entry.layer for entry in session.references] == [before]
    assert [entry.layer for entry in session.sources] == [after]
    assert session.references[0].slide is lab1
    assert session.sources[0].name == lab2.name
    assert session.sources[0].mpp == 0.5
    assert len(changes) == 1
    third = add_slide(phantom_slide("lab3", seed=2, size_px=(512, 512)))
    assert [entry.layer for entry in session.sources] == [after, third]


def test_roles_change_by_one_call(viewer: Any, add_slide: Any, lab1: Slide, lab2: Slide) -> None:
    session = Session.of(viewer)
    first, second = add_slide(lab1), add_slide(lab2)
    changes = counted(session.slides_changed)
    session.swap_roles()
    assert session.references[0].layer is second
    assert session.sources[0].layer is first
    session.set_role(session.entry_of(first), "reference")
    assert {entry.layer.name for entry in session.references} == {first.name, second.name}
    assert session.sources == ()
    session.set_role(session.entry_of(first), "reference")
    assert len(changes) == 2


def test_a_removed_layer_leaves_and_the_next_one_takes_its_role(
    viewer: Any, add_slide: Any, lab1: Slide, lab2: Slide
) -> None:
    session = Session.of(viewer)
    first = add_slide(lab1)
    add_slide(lab2)
    viewer.layers.remove(first)
    assert session.references == ()
    assert "reference" in session.why_not_ready()
    again = add_slide(lab1)
    assert session.references[0].layer is again
    assert session.why_not_ready() == ""


def test_slides_lie_side_by_side_and_do_not_overlap(
    viewer: Any, add_slide: Any, lab1: Slide, lab2: Slide
) -> None:
    session = Session.of(viewer)
    layers = [add_slide(lab1), add_slide(lab2), add_slide(without_mpp())]
    spans = [(layer.extent.world[0], layer.extent.world[1]) for layer in layers]
    for (_, right), (left, _) in pairwise(spans):
        assert left[1] > right[1]
    assert {float(layer.translate[0]) for layer in layers} == {0.0}
    units = {str(unit) for layer in layers for unit in layer.units}
    assert units == {"micrometer"}  # napari draws a mixture wrongly
    assert session.slides[2].mpp is None


def test_um_per_px_is_asked_for_and_taken(viewer: Any, add_slide: Any, lab1: Slide) -> None:
    session = Session.of(viewer)
    known, unknown = add_slide(lab1), add_slide(without_mpp("TCGA.svs"))
    assert "TCGA.svs" in session.why_not_ready()
    entry = session.entry_of(unknown)
    changes = counted(session.slides_changed)
    session.set_mpp(entry, 0.25)
    assert entry.mpp == entry.slide.mpp == 0.25
    assert entry.slide.fingerprint() == without_mpp().fingerprint()
    assert tuple(unknown.scale) == (0.25, 0.25)
    assert unknown.metadata["mpp"] == 0.25
    assert unknown.metadata["slide"] is entry.slide
    assert session.why_not_ready() == ""
    assert len(changes) == 1
    with pytest.raises(SlideError, match=r"cannot have -1 um/px"):
        session.set_mpp(entry, -1)
    with pytest.raises(SlideError, match="says itself"):
        session.set_mpp(session.entry_of(known), 0.4)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_plain_rgb_layer_is_a_slide(viewer: Any, channels: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, (60, 40, channels), dtype=np.uint8)
    viewer.add_image(pixels, name="plain", scale=(0.5, 0.5), units=("um", "um"))
    viewer.add_image(pixels, name="in pixels")
    in_mm = viewer.add_image(pixels, name="in mm", scale=(0.001, 0.001), units=("mm", "mm"))
    session = Session.of(viewer)
    assert [entry.mpp for entry in session.slides] == [0.5, None, pytest.approx(1.0)]
    np.testing.assert_array_equal(session.slides[0].slide.overview(60), pixels[..., :3])
    assert session.entry_of(in_mm).name == "in mm"


def test_what_is_no_slide_is_left_alone(viewer: Any, add_slide: Any) -> None:
    session = Session.of(viewer)
    changes = counted(session.slides_changed)
    viewer.add_image(np.zeros((20, 20)))
    viewer.add_image(np.zeros((20, 20, 3)), rgb=True)
    viewer.add_image(np.zeros((4, 20, 20, 3), np.uint8), rgb=True)
    viewer.add_labels(np.zeros((20, 20), int))
    viewer.add_image(np.zeros((20, 20, 3), np.uint8), rgb=True, metadata={DERIVED: "preview"})
    assert session.slides == ()
    assert not changes


def test_models_are_kept_by_name(viewer: Any) -> None:
    session = Session.of(viewer)
    changes = counted(session.models_changed)
    first, second = object(), object()
    assert session.current_model is None
    assert session.add_model("lab 1", first) == "lab 1"
    assert session.add_model("lab 1", second) == "lab 1 (2)"
    assert session.add_model("lab 1", first) == "lab 1"
    assert list(session.models.values()) == [first, second]
    assert session.current_model is first
    session.choose_model("lab 1 (2)")
    assert session.current_model is second
    assert session.current_model_name == "lab 1 (2)"
    assert len(changes) == 4
    with pytest.raises(StainTransferError, match="no model"):
        session.choose_model("other")


def test_one_job_at_a_time(viewer: Any) -> None:
    session = Session.of(viewer)
    changes = counted(session.job_changed)
    session.start_job("Training")
    assert session.job == "Training"
    with pytest.raises(StainTransferError, match="Training is running"):
        session.start_job("Export")
    session.end_job()
    assert session.job is None
    session.start_job("Export")
    assert len(changes) == 3


def test_closing_is_told_once(viewer: Any) -> None:
    session = Session.of(viewer)
    closings = counted(session.closing)
    session.close()
    session.close()
    assert session.closed
    assert len(closings) == 1
