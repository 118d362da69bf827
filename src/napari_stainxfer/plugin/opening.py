"""Open dropped files in a thread, so that a slow disk or a large slide does not hold the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.plugin.layout import agree_on_units
from napari_stainxfer.plugin.reader import sentence
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.slide_layers import layer_data
from napari_stainxfer.plugin.workers import Task, run_function
from napari_stainxfer.slides import Slide, open_slide


class Opened(NamedTuple):
    """A slide, or the sentence that says why there is none."""

    slide: Slide | None
    message: str


def open_slides(session: Session, paths: Sequence[str], tell: Callable[[str], None]) -> Task:
    """Add a layer for each file, in order.

    Parameters
    ----------
    session
        Of the viewer that gets the layers.
    paths
        Files, or folders of DICOM files.
    tell
        Called with a sentence for each file that cannot be opened.
    """

    def work(report: Callable[[Any], None]) -> None:
        for path in paths:
            report(_opened(path))

    def add(opened: Opened) -> None:
        if opened.slide is None:
            tell(opened.message)
        else:
            data, options, _ = layer_data(opened.slide)
            agree_on_units(session.slides, options)
            session.viewer.add_image(data, **options)

    task = run_function(session, work)
    task.yielded.connect(add)
    task.failed.connect(tell)
    return task


def _opened(path: str) -> Opened:
    try:
        slide = open_slide(path)
        slide.overview()  # computes the small levels that the canvas and the thumbnail show first
        slide.fingerprint()
    except StainTransferError as error:
        return Opened(None, sentence(error))
    return Opened(slide, "")
