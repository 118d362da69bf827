"""The verb that trains what a stain transfer is judged by: segmenter."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_stainxfer.cli import console, options, stopping
from napari_stainxfer.errors import TrainingError
from napari_stainxfer.files import make_folder
from napari_stainxfer.segmentation import SegmenterEvent

Weights = Annotated[
    str | None,
    typer.Option(
        help="Start the segmenter from torchvision's ResNet50 weights: their file, or `imagenet` to download "
        "them. Random by default."
    ),
]


def segmenter(
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write (.safetensors).")],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of images, each with its IMAGE_mask.png; the phantom's lab 1 by default."),
    ] = None,
    mpp: Annotated[float | None, typer.Option(help="um/px of the images, where the files have none.")] = None,
    weights: Weights = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps.")] = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Train a ResNet50-FCN that finds glomeruli, on images of one lab with masks."""
    from napari_stainxfer.benchmarks.lab_images import folder_examples, phantom_examples
    from napari_stainxfer.segmentation import SegmenterSettings, train_segmenter

    if output.is_dir():
        raise TrainingError(
            f"{output} is a folder; give the segmenter a name, such as {output / 'segmenter.safetensors'}."
        )
    make_folder(output.parent)
    changes = {"seed": seed, **({"steps": steps} if steps else {})}
    settings = SegmenterSettings.model_validate(changes)
    examples = phantom_examples(settings.mpp) if data is None else folder_examples(data, settings.mpp, mpp)
    with console.bar("Training the segmenter") as bar, stopping.stoppable() as stop:

        def on_event(event: SegmenterEvent) -> None:
            bar.segmenter(event)
            stop()

        try:
            trained = train_segmenter(examples, settings, weights=weights, device=device, on_event=on_event)
        except KeyboardInterrupt:
            raise stopping.StoppedError("Stopped; nothing was written.") from None
    trained.save(output)
    console.give(
        {
            "segmenter": str(output),
            "images": len(examples),
            "mpp": settings.mpp,
            "weights": trained.card.weights,
            "loss": round(trained.card.losses[-1], 4),
        },
        as_json=as_json,
    )
