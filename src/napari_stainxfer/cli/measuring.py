"""The verb that compares two images: evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_stainxfer.cli import console, options
from napari_stainxfer.files import make_folder


def evaluate(
    first: Annotated[Path, typer.Argument(help="Image or slide, such as a normalised one.")],
    second: Annotated[Path, typer.Argument(help="Image or slide of the same field: what it should be.")],
    mask: Annotated[
        Path | None,
        typer.Option(help="Image, not 0 where colour and hue are compared by themselves, such as red cells."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="PNG to write: both images and where they differ.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Compare two registered images by every measure that applies, and show where they differ."""
    from napari_stainxfer.evaluation.comparing import compare
    from napari_stainxfer.report import draw_difference

    found = compare(first, second, mask)
    if output is not None:
        make_folder(output.parent)
        draw_difference(output, found.first, found.second, found.difference)
    height, width, _ = found.first.shape
    shown = {"compared_px": f"{height} x {width}", **{name: round(v, 4) for name, v in found.values.items()}}
    console.give(shown | ({"output": str(output)} if output else {}), as_json=as_json)
