"""The verb of the first table: bench table1."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_stainxfer.cli import console, options, stopping
from napari_stainxfer.training import Event


def table1(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write to.")],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with source/ and reference/, or MITOS-ATYPIA-14's; else the phantom."),
    ] = None,
    mpp: Annotated[
        float | None, typer.Option(help="um/px of the source's images, where the files have none.")
    ] = None,
    methods: Annotated[
        str | None,
        typer.Option(help="Names separated by commas; by default all of them. Raw is always there."),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Numbers separated by commas.")] = "0",
    size: Annotated[int, typer.Option(min=1024, help="Side of the phantom's slides in px.")] = 6144,
    preset: Annotated[
        Literal["quick", "paper"], typer.Option(help="Of the methods that are trained.")
    ] = "quick",
    epochs: Annotated[int | None, typer.Option(min=1, help="By default the preset's.")] = None,
    lpips: options.Lpips = False,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Fit every method on pairs of two scanners, and judge it on tissue kept aside by every measure.

    Every part that is done is kept in the folder; the same command goes on with a run that was stopped.
    """
    from napari_stainxfer.benchmarks.circumstances import PHANTOM
    from napari_stainxfer.benchmarks.pairs_report import write_table1
    from napari_stainxfer.benchmarks.scanner_pairs import content_hash, folder_pairs, phantom_pairs
    from napari_stainxfer.benchmarks.table1 import Failure, Table1Run, run_table1
    from napari_stainxfer.evaluation import LPIPS_METRICS
    from napari_stainxfer.methods import METHODS

    pairs = phantom_pairs(size) if data is None else folder_pairs(data, mpp)
    run = Table1Run(
        data=PHANTOM.format(size) if data is None else str(data.resolve()),
        mpp=mpp,
        preset=preset,
        epochs=epochs,
        lpips=LPIPS_METRICS if lpips else (),
        frames="" if data is None else content_hash(pairs),
    )
    failed: list[Failure] = []
    with console.bar("Now") as bar, stopping.stoppable() as stop:

        def on_part(name: str, done: int, total: int, seconds_left: float | None) -> None:
            stop()
            left = "" if seconds_left is None else f", about {timedelta(seconds=round(seconds_left))} left"
            console.say(f"{name}: part {done + 1} of {total}{left}")
            bar.share(0)

        def on_training(event: Event) -> None:
            bar.training(event)
            stop()

        def on_failed(failure: Failure) -> None:
            console.say(f"{failure.method}, seed {failure.seed}: not possible: {failure.why}")
            failed.append(failure)

        try:
            results = run_table1(
                pairs,
                output,
                run,
                methods=list(METHODS) if methods is None else options.parse_names(methods),
                seeds=options.parse_numbers(seeds, "--seeds"),
                device=device,
                on_part=on_part,
                on_training=on_training,
                on_failed=on_failed,
            )
        except KeyboardInterrupt:
            raise stopping.StoppedError(
                f"Stopped. Go on with the same command; what is done is in {output}."
            ) from None
    console.give(write_table1(output, results, run, failed), as_json=as_json)
