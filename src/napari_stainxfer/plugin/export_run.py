"""An export of several slides as a task runs it. No toolkit."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from napari_stainxfer.applying import ExportProgress, normalize_slide
from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.methods import Model
from napari_stainxfer.plugin.thread_priority import yield_to_the_window
from napari_stainxfer.slides import Box, Slide, open_slide

Compression = Literal["jpeg", "lossless"]


@dataclass(frozen=True)
class ExportJob:
    """One slide and where it goes; ``source`` is a slide, or a file that is opened only then."""

    source: Slide | Path
    target: Path
    region: Box | None = None

    @property
    def name(self) -> str:
        """Of the slide."""
        return self.source.name


@dataclass(frozen=True)
class ExportStep:
    """How far an export is: which slide of how many, from 1, and how far that one is."""

    number: int
    total: int
    name: str
    progress: ExportProgress


def plan_exports(
    sources: Sequence[Slide | Path], folder: Path, region: Box | None, *, overwrite: bool
) -> list[ExportJob]:
    """Name the files that slides are written to.

    Raises
    ------
    StainTransferError
        When two slides would go to one file, one onto itself, or onto a file that is to stay.
    """
    if not sources:
        raise StainTransferError("Tick at least one slide.")
    part = "_region" if region else ""
    jobs = [
        ExportJob(one, folder / f"{Path(one.name).stem}_normalised{part}.ome.tif", region) for one in sources
    ]
    targets = [job.target for job in jobs]
    if len(set(targets)) < len(targets):
        raise StainTransferError("Two of the slides have the same name; export them into different folders.")
    for job in jobs:
        path = job.source if isinstance(job.source, Path) else job.source.path
        if path is not None and job.target.exists() and path.exists() and job.target.samefile(path):
            raise StainTransferError(f"{job.target.name} is the slide itself; choose another folder.")
        if job.target.exists() and not overwrite:
            raise StainTransferError(
                f"{job.target.name} exists already; tick Overwrite, or choose another folder."
            )
    return jobs


def run_exports(
    model: Model,
    jobs: Sequence[ExportJob],
    report: Callable[[Any], None],
    *,
    compression: Compression,
    quality: int,
    device: str,
    mpp: float | None = None,
) -> list[Path]:
    """Export one after the other; an exception from ``report`` stops it, and leaves no half file.

    Parameters
    ----------
    mpp
        Um/px of files that do not know their own.
    """
    yield_to_the_window()
    own = copy.deepcopy(model)  # it may go to another device, while a preview computes with the original
    written = []
    for number, job in enumerate(jobs, start=1):
        slide = open_slide(job.source) if isinstance(job.source, Path) else job.source
        slide = slide.with_missing_mpp(mpp)

        def tell(progress: ExportProgress, number: int = number, job: ExportJob = job) -> None:
            report(ExportStep(number, len(jobs), job.name, progress))

        written.append(
            normalize_slide(
                own,
                slide,
                job.target,
                region=job.region,
                compression=compression,
                quality=quality,
                device=device,
                on_progress=tell,
            )
        )
    return written
