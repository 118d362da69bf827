"""The verb that compares two images: evaluate."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from napari_stainxfer.cli import console, options
from napari_stainxfer.errors import OutputError
from napari_stainxfer.files import make_folder


def evaluate(
    first: Annotated[Path, typer.Argument(help="Image or slide, such as a normalised one.")],
    second: Annotated[Path, typer.Argument(help="Image or slide of the same field: what it should be.")],
    mask: Annotated[
        Path | None,
        typer.Option(help="Image, not 0 where colour and hue are compared by themselves, such as red cells."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="PNG or JPEG to write: both images and where they differ."),
    ] = None,
    lpips: options.Lpips = False,
    as_json: options.AsJson = False,
) -> None:
    """Compare two registered images by every measure that applies, and show where they differ."""
    from napari_stainxfer.evaluation import LPIPS_METRICS
    from napari_stainxfer.evaluation.comparing import compare
    from napari_stainxfer.report.difference import draw_difference, picture_format

    if output is not None:
        picture_format(output)
        for given in (first, second, mask):
            if given is not None and given.exists() and output.exists() and output.samefile(given):
                raise OutputError(f"{output} is one of the images that are compared; give another --output.")
        make_folder(output.parent)
    found = compare(first, second, mask, lpips=LPIPS_METRICS if lpips else ())
    if output is not None:
        draw_difference(output, found.first, found.second, found.difference)
    height, width, _ = found.first.shape
    values = {name: _json(value) if as_json else _line(name, value) for name, value in found.values.items()}
    shown = {"compared_px": f"{height} x {width}", **values}
    console.give(shown | ({"output": str(output)} if output else {}), as_json=as_json)


def _json(value: float) -> float | None:
    """JSON has no infinity, which is the PSNR of equal images."""
    return round(value, 4) if math.isfinite(value) else None


def _line(name: str, value: float) -> str:
    """For people: the value, and how to read it."""
    from napari_stainxfer.evaluation import METRICS
    from napari_stainxfer.evaluation.comparing import IN_MASK

    metric = METRICS.get(IN_MASK.get(name, name))
    return f"{value:<8.4g}  ({metric.in_words()})" if metric else f"{value:.4g}"
