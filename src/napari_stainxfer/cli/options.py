"""Options that several verbs share, and values as they are typed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_stainxfer.cli import console
from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.slides import Box, Slide, open_slide
from napari_stainxfer.slides.messages import own_mpp_kept
from napari_stainxfer.slides.sides import as_slides

Reference = Annotated[Path, typer.Argument(help="Slide with the stain you want, or a folder of them.")]
Source = Annotated[Path, typer.Argument(help="Slide with the stain you have, or a folder of them.")]
ReferenceMpp = Annotated[float | None, typer.Option(help="um/px of the reference, where its file has none.")]
SourceMpp = Annotated[float | None, typer.Option(help="um/px of the source, where its file has none.")]
Seed = Annotated[int, typer.Option(min=0, help="The one source of randomness.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object of results last.")]


Lpips = Annotated[
    bool, typer.Option("--lpips", help="Take LPIPS on AlexNet and VGG as well; downloads their weights once.")
]


def opened(path: Path, mpp: float | None, option: str = "--mpp") -> Slide:
    """Open a slide, at ``mpp`` if its file has none; tells where the file's own is taken instead."""
    slide = open_slide(path).with_missing_mpp(mpp)
    if told := own_mpp_kept(slide.name, slide.mpp, mpp, option):
        console.say(told)
    return slide


def opened_side(path: Path, mpp: float | None, option: str) -> list[Slide]:
    """Open a slide, or all of a folder, as one side of a transfer; tells as :func:`opened` does."""
    slides = as_slides(path, mpp, option)
    for slide in slides:
        if told := own_mpp_kept(slide.name, slide.mpp, mpp, option):
            console.say(told)
    return slides


def parse_region(text: str | None) -> Box | None:
    """``y,x,height,width`` in level-0 pixels.

    Raises
    ------
    StainTransferError
        When it is not four whole numbers.
    """
    if text is None:
        return None
    try:
        y, x, height, width = (int(part) for part in text.split(","))
    except ValueError:
        raise StainTransferError(
            f"--region {text!r} is not four whole numbers; give y,x,height,width in level-0 pixels."
        ) from None
    return Box(y, x, height, width)


def parse_numbers(text: str, option: str) -> list[int]:
    """Whole numbers separated by commas, each once.

    Raises
    ------
    StainTransferError
        When they are not that.
    """
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 0:
        raise StainTransferError(f"{option} {text!r} are not numbers; give them as 0,1,2.")
    return list(dict.fromkeys(numbers))


def parse_names(text: str) -> list[str]:
    """Names separated by commas, each once."""
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
