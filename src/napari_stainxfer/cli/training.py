"""The verbs that learn: pair and train."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_stainxfer.cli import console, options, stopping
from napari_stainxfer.errors import DivergedError, TrainingError

_METHOD_HELP = (
    "Trained on pairs: nst, nst-ad, nst-hrnet, nst-ad-hrnet. Trained on the same patches without pairing: "
    "dcgmm, staingan, staingan-identity. Measured on the tissue in seconds: "
    "histogram, reinhard, ruifrok, nmf, macenko, vahadane."
)


def pair(
    reference: options.Reference,
    source: options.Source,
    output: Annotated[Path, typer.Option("-o", "--output", help="GeoJSON file to write.")],
    reference_mpp: options.ReferenceMpp = None,
    source_mpp: options.SourceMpp = None,
    as_json: options.AsJson = False,
) -> None:
    """Suggest patch pairs and write them as GeoJSON, to be corrected in QuPath or napari.

    REFERENCE and SOURCE are a slide each, or a folder of one lab's slides.
    """
    from napari_stainxfer.pairing import save_pairs, suggest_pairs

    wanted = options.opened_side(reference, reference_mpp, "--reference-mpp")
    given = options.opened_side(source, source_mpp, "--source-mpp")
    with console.bar("Pairing") as bar:
        pairs = suggest_pairs(wanted, given, on_progress=bar.share)
    if pairs.notice:
        console.say(pairs.notice)
    save_pairs(output, pairs)
    console.give(
        {
            "references": len(wanted),
            "sources": len(given),
            "pairs": len(pairs.pairs),
            "patch_px": pairs.patch_px,
            "mpp": pairs.mpp,
            "mean_score": round(sum(pair.score for pair in pairs.pairs) / len(pairs.pairs), 3),
            "output": str(output),
        },
        as_json=as_json,
    )


def train(
    reference: options.Reference,
    source: options.Source,
    output: Annotated[Path, typer.Option("-o", "--output", help="Model file to write (.safetensors).")],
    method: Annotated[str, typer.Option(help=_METHOD_HELP)] = "nst-ad-hrnet",
    preset: Annotated[
        Literal["quick", "paper"], typer.Option(help="quick: a laptop; paper: a GPU.")
    ] = "quick",
    backbone: Annotated[
        str | None, typer.Option(help="efficientnet_lite0 or vgg19; by default the preset's.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="By default the preset's.")] = None,
    pairs: Annotated[Path | None, typer.Option(help="Pairs to train on, from `stainxfer pair`.")] = None,
    init: Annotated[Path | None, typer.Option(help="Model to start from.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a training that was stopped.")] = False,
    reference_mpp: options.ReferenceMpp = None,
    source_mpp: options.SourceMpp = None,
    seed: options.Seed = 0,
    device: options.Device = "auto",
    as_json: options.AsJson = False,
) -> None:
    """Train a stain transfer from SOURCE to REFERENCE; each is a slide, or a folder of one lab's slides.

    Stop it with Ctrl-C and go on later with --resume: a checkpoint stands beside the model until it is done.
    """
    from napari_stainxfer.methods import Model
    from napari_stainxfer.methods.fitting import fit
    from napari_stainxfer.training import Event

    if output.is_dir():
        raise TrainingError(
            f"{output} is a folder; give the model a name, such as {output / 'model.safetensors'}."
        )
    checkpoint = output.with_name(f"{output.name}.checkpoint")
    with console.bar("Training") as bar, stopping.stoppable() as stop:

        def on_event(event: Event) -> None:
            bar.training(event)
            stop()

        try:
            model = fit(
                reference,
                source,
                method=method,
                preset=preset,
                backbone=backbone,
                epochs=epochs,
                pairs=pairs,
                init=init,
                checkpoint=checkpoint,
                resume=resume,
                reference_mpp=reference_mpp,
                source_mpp=source_mpp,
                seed=seed,
                device=device,
                on_event=on_event,
            )
        except DivergedError as error:
            if not isinstance(error.model, Model):
                raise
            kept = output.with_name(f"{output.stem}.last-good{output.suffix}")
            error.model.save(kept)
            raise TrainingError(f"{error} The last good weights are kept in {kept}.") from None
        except KeyboardInterrupt:
            raise stopping.StoppedError(
                f"Stopped. Go on with the same command and --resume ({checkpoint} is kept)."
                if checkpoint.exists()
                else "Stopped before the first step; nothing was written."
            ) from None
    model.save(output)
    checkpoint.unlink(missing_ok=True)
    console.give(
        {
            "model": str(output),
            "method": model.card.method,
            "references": len(model.card.references),
            "sources": len(model.card.sources),
            "pairs": model.card.pairs,
            "mpp": model.card.mpp,
            "patch_px": model.card.patch_px,
            **{name: round(value, 4) for name, value in model.card.metrics.items()},
        },
        as_json=as_json,
    )
