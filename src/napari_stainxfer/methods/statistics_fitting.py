"""Fitting the classical methods: tissue of both sides in, numbers out; no pairs, no network, no chance."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence

from napari_stainxfer.errors import NoTissueError
from napari_stainxfer.methods.card import ModelCard
from napari_stainxfer.methods.model import Model
from napari_stainxfer.methods.pixelwise import PixelwiseMethod
from napari_stainxfer.methods.tissue_colours import TissueColours, measure_tissue, shared_mpp
from napari_stainxfer.slides import Slide
from napari_stainxfer.training import DoneEvent, Event, NoticeEvent

_PATCH_PX = 256


def fit_on_tissue(
    references: Sequence[Slide], sources: Sequence[Slide], name: str
) -> Generator[Event, None, Model]:
    """Measure step by step: yields events, returns the model.

    The statistics are those of the slides given here, all slides of a side taken together. Another slide of
    the source's lab is mapped by the very same numbers: it keeps its own differences from its lab mates.

    Raises
    ------
    NoTissueError
        When the reference shows no tissue at all: there is no stain to be had from it.
    """
    started = time.perf_counter()
    mpp = shared_mpp([*references, *sources])
    reference = yield from measure_tissue(references, mpp, part=0, parts=2)
    if not len(reference.colours):
        raise NoTissueError(
            f"No tissue was found in {_names(references)}; choose a reference that shows the stain you want."
        )
    source = yield from measure_tissue(sources, mpp, part=1, parts=2)
    for slides, tissue in ((references, reference), (sources, source)):
        if tissue.trust < 1:
            yield NoticeEvent(_little(slides, tissue))
    method = PixelwiseMethod.fitted(name, source, reference)
    card = ModelCard.of(
        name,
        references,
        sources,
        mpp=mpp,
        patch_px=_PATCH_PX,
        pairs=0,
        metrics={
            "reference_tissue_px": float(len(reference.colours)),
            "source_tissue_px": float(len(source.colours)),
        },
    )
    yield DoneEvent(2, time.perf_counter() - started)
    return Model(method, card)


def _names(slides: Sequence[Slide]) -> str:
    return ", ".join(slide.name for slide in slides)


def _little(slides: Sequence[Slide], tissue: TissueColours) -> str:
    return (
        f"Only {len(tissue.stained)} stained pixels were found in {_names(slides)}, so the stain is changed "
        "less than it could be; a slide with more tissue would give a better transfer."
    )
