"""The verb of the second table: bench table2."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_stainxfer.cli import console, options, stopping
from napari_stainxfer.cli.segmenting import Weights
from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.segmentation import SegmenterEvent
from napari_stainxfer.training import Event

if TYPE_CHECKING:
    from napari_stainxfer.benchmarks.lab_scores import Failure
    from napari_stainxfer.benchmarks.table2 import Part

_ALL = "reinhard,macenko,vahadane,nst-ad-hrnet"


def table2(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write to.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with a folder a lab of images and masks; the phantom's eight by default."),
    ] = None,
    mpp: Annotated[float | None, typer.Option(help="um/px of the images, where the files have none.")] = None,
    methods: Annotated[str, typer.Option(help="Names separated by commas; raw is always measured.")] = _ALL,
    seeds: Annotated[str, typer.Option(help="Numbers separated by commas.")] = "0",
    size: Annotated[int, typer.Option(min=1024, help="Side of the phantom's slides in px.")] = 4096,
    preset: Annotated[
        Literal["quick", "paper"], typer.Option(help="Of the methods that are trained.")
    ] = "quick",
    epochs: Annotated[int | None, typer.Option(min=1, help="By default the preset's.")] = None,
    segmenter: Annotated[
        Path | None, typer.Option(help="A segmenter from `stainxfer segmenter`, in place of training one.")
    ] = None,
    weights: Weights = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps of the segmenter.")] = None,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Segment glomeruli of eight labs by a network of the first, raw and through each stain transfer.

    Every part that is done is kept in the folder; the same command goes on with a run that was stopped.
    """
    from napari_stainxfer.benchmarks.circumstances import PHANTOM
    from napari_stainxfer.benchmarks.lab_images import content_hash, folder_labs, phantom_labs
    from napari_stainxfer.benchmarks.lab_report import write_table2
    from napari_stainxfer.benchmarks.lab_settings import Table2Run
    from napari_stainxfer.benchmarks.table2 import run_table2
    from napari_stainxfer.segmentation import SegmenterSettings, load_segmenter

    given = load_segmenter(segmenter).to(device) if segmenter else None
    if given is not None and (weights or steps):
        raise StainTransferError("A finished --segmenter is not trained; leave out --weights and --steps.")
    settings = (
        given.card.settings if given else SegmenterSettings.model_validate({"steps": steps} if steps else {})
    )
    labs = phantom_labs(size) if data is None else folder_labs(data, mpp)
    run = Table2Run(
        data=PHANTOM.format(size) if data is None else str(data.resolve()),
        mpp=mpp,
        preset=preset,
        epochs=epochs,
        segmenter=settings,
        weights=weights or "random",
        given=segmenter.name if segmenter else None,
        images="" if data is None else content_hash(labs),
        given_hash=hashlib.sha256(segmenter.read_bytes()).hexdigest()[:16] if segmenter else "",
    )
    failed: list[Failure] = []
    with console.bar("Now") as bar, stopping.stoppable() as stop:
        try:
            scores = run_table2(
                labs,
                output,
                run,
                methods=options.parse_names(methods),
                seeds=options.parse_numbers(seeds, "--seeds"),
                given=given,
                weights=weights,
                device=device,
                listener=_Told(bar, stop, failed),
            )
        except KeyboardInterrupt:
            raise stopping.StoppedError(
                f"Stopped. Go on with the same command; what is done is in {output}."
            ) from None
    console.give(write_table2(output, scores, run, failed), as_json=as_json)


class _Told:
    """Says what a run does: a line for every part, a bar for what happens within it; notes what failed."""

    def __init__(self, bar: console.Bar, stop: Callable[[], None], failed: list[Failure]) -> None:
        self._bar, self._stop, self._failed = bar, stop, failed

    def part(self, part: Part, done: int, total: int, seconds_left: float | None) -> None:
        self._stop()
        left = "" if seconds_left is None else f", {timedelta(seconds=round(seconds_left))} left"
        console.say(f"{part.lab} {part.method}, seed {part.seed}: part {done + 1} of {total}{left}")
        self._bar.share(0)

    def training(self, event: Event) -> None:
        self._bar.training(event)
        self._stop()

    def segmenter(self, event: SegmenterEvent) -> None:
        self._bar.segmenter(event)
        self._stop()

    def failed(self, failure: Failure) -> None:
        console.say(f"{failure.lab}, {failure.method}: not possible: {failure.why}")
        self._failed.append(failure)
