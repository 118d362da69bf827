"""The verb that writes normalised slides: apply."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_stainxfer.cli import console, options, stopping
from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.files import make_folder
from napari_stainxfer.slides import SUFFIXES, Slide

if TYPE_CHECKING:
    from napari_stainxfer.methods import Model


def apply(
    model: Annotated[Path, typer.Argument(help="Model file from `stainxfer train`.")],
    slides: Annotated[list[Path], typer.Argument(help="Slides to normalise.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="OUT.ome.tif for one slide, a folder for several.")
    ],
    region: Annotated[str | None, typer.Option(help="y,x,height,width in level-0 pixels.")] = None,
    mpp: Annotated[float | None, typer.Option(help="um/px of the slides, where the files have none.")] = None,
    compression: Annotated[Literal["jpeg", "lossless"], typer.Option(help="How tiles are stored.")] = "jpeg",
    quality: Annotated[int, typer.Option(min=1, max=100, help="JPEG quality.")] = 90,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Write slides in the reference's stain as pyramids that any viewer opens.

    Of several slides one that cannot be used is named and passed over; the exit code is then 2.
    """
    from napari_stainxfer.applying import normalize_slide
    from napari_stainxfer.methods import load

    targets, box = _targets(slides, output), options.parse_region(region)
    loaded = load(model)
    if targets != [output]:
        make_folder(output)
    written, failed, distances = [], [], {}
    for path, target in zip(slides, targets, strict=True):
        try:
            with options.opened(path, mpp) as slide:
                distances[str(path)] = _distance(loaded, slide)
                with console.bar(slide.name) as bar:
                    normalize_slide(
                        loaded,
                        slide,
                        target,
                        region=box,
                        compression=compression,
                        quality=quality,
                        device=device,
                        on_progress=bar.export,
                    )
        except KeyboardInterrupt:
            raise stopping.StoppedError(f"Stopped; {target} was not written, run it again.") from None
        except StainTransferError as error:
            if len(slides) == 1:
                raise
            console.say(f"stainxfer: {error}")
            failed.append(str(path))
        else:
            written.append(str(target))
    console.give(
        {
            "model": str(model),
            "outputs": written,
            "failed": failed,
            "distances_to_learned": distances if as_json else _rounded(distances),
        },
        as_json=as_json,
    )
    if failed:
        raise StainTransferError(f"{len(failed)} of {len(slides)} slides were not written; see above.")


def _distance(model: Model, slide: Slide) -> float | None:
    """How far a slide's colour is from what the model learned from; tells where it is far."""
    from napari_stainxfer.methods.familiarity import caution

    distance = model.card.distance_of(slide)
    if told := caution(slide.name, distance):
        console.say(told)
    return distance


def _rounded(distances: Mapping[str, float | None]) -> list[str]:
    return ["unknown" if distance is None else f"{distance:.1f}" for distance in distances.values()]


_WRITTEN = (".tif", ".tiff", ".btf")


def _targets(slides: list[Path], output: Path) -> list[Path]:
    """One file, or one file a slide in a folder.

    Raises
    ------
    StainTransferError
        When several slides would go into one file, onto each other or themselves, or into another format.
    """
    is_file = not output.is_dir() and output.suffix.lower() in _WRITTEN
    if not is_file and not output.is_dir() and output.suffix.lower() in SUFFIXES:
        raise StainTransferError(
            f"Slides are written as .ome.tif or .tif, not as {output.suffix}; rename {output.name}."
        )
    if is_file and len(slides) > 1:
        raise StainTransferError(
            f"{len(slides)} slides do not fit into the one file {output}; give a folder."
        )
    targets = [output] if is_file else [output / f"{slide.stem}.ome.tif" for slide in slides]
    if len(set(targets)) < len(targets):
        raise StainTransferError(
            "Two of the slides have the same name; normalise them into different folders."
        )
    for slide, target in zip(slides, targets, strict=True):
        if target.exists() and slide.exists() and target.samefile(slide):
            raise StainTransferError(f"{target} is the slide itself; choose another output.")
    return targets
