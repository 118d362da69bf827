"""The whole path on two synthetic slides: write, train, normalise, measure, show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from napari_stainxfer.applying import ExportProgress, normalize_slide
from napari_stainxfer.evaluation import PerceptualDistance, colour_difference, hue_error
from napari_stainxfer.files import make_folder
from napari_stainxfer.methods import Model
from napari_stainxfer.methods.fitting import fit
from napari_stainxfer.phantom import phantom_masks, phantom_slide, write_phantom
from napari_stainxfer.report import loss_curve, side_by_side, write_report
from napari_stainxfer.report.page import Figure, Measure
from napari_stainxfer.slides import RGB, Box, Slide, open_slide
from napari_stainxfer.training import Event

REFERENCE_LAB, SOURCE_LAB = "lab1", "lab2"
_SHOWN_PX = 512
_JUDGED = 9  # fields of the normalised slide that are compared with the truth


def run_demo(
    folder: Path,
    *,
    size_px: int = 4096,
    seed: int = 0,
    device: str = "auto",
    on_training: Callable[[Event], None] | None = None,
    on_export: Callable[[ExportProgress], None] | None = None,
    on_stage: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Write two phantom slides, train between them, normalise the second, and report.

    The two slides show different tissue, as slides of two labs do; the truth that the second is judged
    by is its own tissue stained by the first lab, which the training never sees.

    Parameters
    ----------
    folder
        Where everything is written; made when missing.
    size_px
        Side of both slides, at 0.5 um/px.

    Returns
    -------
    dict
        Paths of the slides, the model and the report, and the distances before and after.
    """
    make_folder(folder)
    size = (size_px, size_px)
    paths = {side: folder / f"{side}.ome.tif" for side in ("reference", "source", "normalised")}
    for side, lab, tissue in (("reference", REFERENCE_LAB, seed), ("source", SOURCE_LAB, seed + 1)):
        on_stage(f"Writing the {side} slide, {paths[side]}")
        write_phantom(paths[side], lab, seed=tissue, size_px=size)
    on_stage("Pairing patches and training")
    with open_slide(paths["reference"]) as reference, open_slide(paths["source"]) as source:
        model = fit(reference, source, seed=seed, device=device, on_event=on_training)
        model.save(folder / "model.safetensors")
        on_stage(f"Normalising the source slide, {paths['normalised']}")
        normalize_slide(model, source, paths["normalised"], device=device, on_progress=on_export)
    on_stage("Measuring and writing the report")
    truth = phantom_slide(REFERENCE_LAB, seed=seed + 1, size_px=size)
    source, normalised, reference = (
        open_slide(paths[side]) for side in ("source", "normalised", "reference")
    )
    with source, normalised, reference:
        measures = _measure(source, normalised, truth, seed + 1)
        _draw(folder, model, source, normalised, reference)
    write_report(
        folder / "report.html",
        title="Stain transfer from lab 2 to lab 1",
        measures=measures,
        figures=[
            Figure("overview.png", "Whole slides: source | normalised | reference (other tissue)"),
            Figure("fields.png", "Fields of 512 px: source | normalised | a field of the reference slide"),
            Figure("losses.png", "Mean losses by epoch"),
        ],
        facts={
            "method": model.card.method,
            "patch pairs": f"{model.card.pairs} of {model.card.patch_px} px at {model.card.mpp:g} um/px",
            "version": model.card.package_version,
            "slides": "synthetic kidney (phantom), different tissue in the two labs",
            **{name.replace("_", " "): value for name, value in model.card.settings.items()},
        },
        next_steps=[
            f"napari {paths['source']} {paths['normalised']}",
            "stainxfer train REFERENCE SOURCE -o model.safetensors",
            "stainxfer apply model.safetensors SLIDE -o normalised.ome.tif",
        ],
    )
    return {
        **{side: str(path) for side, path in paths.items()},
        "model": str(folder / "model.safetensors"),
        "report": str(folder / "report.html"),
        **{
            f"{measure.name}, {when}": round(value, 3)
            for measure in measures
            for when, value in (("before", measure.before), ("after", measure.after))
        },
    }


def _fields(shape: tuple[int, int], count: int) -> list[Box]:
    """A square grid of fields over the middle of the slide, away from the outline."""
    side = round(np.sqrt(count))
    steps = np.linspace(0.25, 0.75, side)
    return [
        Box(int(y * shape[0]) - _SHOWN_PX // 2, int(x * shape[1]) - _SHOWN_PX // 2, _SHOWN_PX, _SHOWN_PX)
        for y in steps
        for x in steps
    ]


def _measure(source: Slide, normalised: Slide, truth: Slide, seed: int) -> list[Measure]:
    distance = PerceptualDistance()
    fields = _fields(truth.shape, _JUDGED)
    before, after, goal = ([side.read_region(box) for box in fields] for side in (source, normalised, truth))
    red = np.concatenate(
        [phantom_masks(seed, box, size_px=truth.shape, mpp=truth.require_mpp()).red_cells for box in fields]
    )

    def mean(score: Callable[[RGB, RGB], float], images: list[RGB]) -> float:
        return float(np.mean([score(image, true) for image, true in zip(images, goal, strict=True)]))

    measures = [
        Measure("perceptual distance", mean(distance, before), mean(distance, after)),
        Measure(
            "colour difference (delta E 2000)",
            mean(colour_difference, before),
            mean(colour_difference, after),
        ),
    ]
    if red.any():
        hues = (hue_error(np.concatenate(images), np.concatenate(goal), red) for images in (before, after))
        measures.append(Measure("red cells' hue error (degrees)", *hues))
    return measures


def _draw(folder: Path, model: Model, source: Slide, normalised: Slide, reference: Slide) -> None:
    fields = _fields(source.shape, 4)
    side_by_side(
        folder / "fields.png",
        [[slide.read_region(box) for slide in (source, normalised, reference)] for box in fields],
    )
    side_by_side(
        folder / "overview.png", [[slide.overview(600) for slide in (source, normalised, reference)]]
    )
    loss_curve(folder / "losses.png", model.card.history)
