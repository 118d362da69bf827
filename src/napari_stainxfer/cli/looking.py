"""The verbs that show: info, demo and gui."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from napari_stainxfer.cli import console, options
from napari_stainxfer.errors import StainTransferError


def info(
    slide: Annotated[Path, typer.Argument(help="The slide.")],
    mpp: Annotated[float | None, typer.Option(help="um/px, where the file has none.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what a slide's file says: size, levels, um/px, magnification."""
    with options.opened(slide, mpp) as opened:
        console.give(
            {
                "name": opened.name,
                "height_px": opened.shape[0],
                "width_px": opened.shape[1],
                "mpp": opened.mpp,
                "magnification": opened.magnification,
                "vendor": opened.vendor,
                **{
                    name: [
                        f"{level.shape[1]} x {level.shape[0]}"
                        for level in opened.levels
                        if level.virtual is computed
                    ]
                    for name, computed in (("levels", False), ("computed_levels", True))
                },
                "icc_profile_bytes": len(opened.icc_profile or b""),
                "associated_images": list(opened.associated_images),
            },
            as_json=as_json,
        )


def demo(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder to write to.")],
    size: Annotated[int, typer.Option(min=1024, help="Side of the phantom slides in px.")] = 4096,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Try it all on two synthetic kidney slides, with pictures and a report at the end."""
    from napari_stainxfer.demo import run_demo

    with console.bar("Demo") as bar:
        results = run_demo(
            output,
            size_px=size,
            seed=seed,
            device=device,
            on_training=bar.training,
            on_export=bar.export,
            on_stage=console.say,
        )
    console.give(results, as_json=as_json)
    console.say(
        f"Open {output / 'report.html'} in a browser, or both slides in napari:\n"
        f"  napari {results['source']} {results['normalised']}"
    )


def gui(
    reference: Annotated[Path | None, typer.Argument(help="Slide with the stain you want.")] = None,
    source: Annotated[Path | None, typer.Argument(help="Slide with the stain you have.")] = None,
    reference_mpp: options.ReferenceMpp = None,
    source_mpp: options.SourceMpp = None,
) -> None:
    """Open napari with the docks and the slides in place."""
    if find_spec("napari") is None:
        raise StainTransferError(
            "napari is not installed; install it with: pip install 'napari-stainxfer[napari]'"
        )
    given = (
        (reference, reference_mpp, "--reference-mpp"),
        (source, source_mpp, "--source-mpp"),
    )
    slides = [options.opened(path, mpp, option) for path, mpp, option in given if path]
    for slide in slides:
        slide.require_brightfield()

    from napari_stainxfer.plugin.window import show

    show(slides)
