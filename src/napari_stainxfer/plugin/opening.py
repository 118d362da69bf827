"""Open files in a thread, so that a slow disk or a large slide does not hold the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.plugin.layout import agree_on_units
from napari_stainxfer.plugin.reader import sentence
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.slide_layers import layer_data
from napari_stainxfer.plugin.workers import Task, run_function
from napari_stainxfer.slides import SUFFIXES, Slide, open_slide

if TYPE_CHECKING:
    from napari_stainxfer.methods import Model

MODEL_SUFFIX = ".safetensors"


class Opened(NamedTuple):
    """What a file held, or the sentence that says why it cannot be opened."""

    name: str
    found: Slide | Model | None
    message: str


def may_be_ours(path: Path) -> bool:
    """Whether a file, by its name, may be a slide or a model, or a folder the slide of a DICOM scanner."""
    if path.is_dir():
        return any(child.suffix.lower() in (".dcm", ".dicom") for child in path.iterdir())
    return path.suffix.lower() in SUFFIXES | {MODEL_SUFFIX}


def open_files(session: Session, paths: Sequence[str], tell: Callable[[str], None]) -> Task:
    """Add a layer for each slide, in order, and a model for each model file.

    Parameters
    ----------
    session
        Of the viewer that gets them.
    paths
        Files, or folders of DICOM files.
    tell
        Called with a sentence for each file that cannot be opened.
    """

    def work(report: Callable[[Any], None]) -> None:
        for path in paths:
            report(_opened(Path(path)))

    def add(opened: Opened) -> None:
        if isinstance(opened.found, Slide):
            data, options, _ = layer_data(opened.found)
            agree_on_units(session.slides, options)
            session.viewer.add_image(data, **options)
        elif opened.found is not None:
            session.add_model(opened.name, opened.found)
        else:
            tell(opened.message)

    task = run_function(session, work)
    task.yielded.connect(add)
    task.failed.connect(tell)
    return task


def _opened(path: Path) -> Opened:
    try:
        if path.suffix.lower() == MODEL_SUFFIX:
            from napari_stainxfer.methods import load  # torch, which takes seconds, in this thread

            return Opened(path.stem, load(path), "")
        slide = open_slide(path)
        slide.overview()  # computes the small levels that the canvas and the thumbnail show first
        slide.fingerprint()
    except StainTransferError as error:
        return Opened(path.name, None, sentence(error))
    return Opened(path.name, slide, "")
