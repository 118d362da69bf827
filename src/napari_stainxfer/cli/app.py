"""The verbs: info, pair, train, apply, demo, gui."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import typer

from napari_stainxfer.cli import console, options
from napari_stainxfer.errors import StainTransferError
from napari_stainxfer.files import make_folder
from napari_stainxfer.slides import open_slide

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Few-shot stain transfer for histology slides.",
)


_METHOD_HELP = (
    "Trained on pairs: nst, nst-ad, nst-hrnet, nst-ad-hrnet. Measured on the tissue in seconds: "
    "histogram, reinhard, ruifrok, nmf, macenko, vahadane."
)


@app.command()
def info(
    slide: Annotated[Path, typer.Argument(help="The slide.")],
    mpp: Annotated[float | None, typer.Option(help="um/px, where the file has none.")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what a slide's file says: size, levels, um/px, magnification."""
    with open_slide(slide, mpp=mpp) as opened:
        console.give(
            {
                "name": opened.name,
                "height_px": opened.shape[0],
                "width_px": opened.shape[1],
                "mpp": opened.mpp,
                "magnification": opened.magnification,
                "vendor": opened.vendor,
                "levels": [f"{level.shape[1]} x {level.shape[0]}" for level in opened.levels],
                "icc_profile_bytes": len(opened.icc_profile or b""),
                "associated_images": list(opened.associated_images),
            },
            as_json=as_json,
        )


@app.command()
def pair(
    reference: options.Reference,
    source: options.Source,
    output: Annotated[Path, typer.Option("-o", "--output", help="GeoJSON file to write.")],
    reference_mpp: options.ReferenceMpp = None,
    source_mpp: options.SourceMpp = None,
    as_json: options.AsJson = False,
) -> None:
    """Suggest patch pairs and write them as GeoJSON, to be corrected in QuPath or napari."""
    from napari_stainxfer.methods.sides import as_slides
    from napari_stainxfer.pairing import save_pairs, suggest_pairs

    references = as_slides(reference, reference_mpp, "--reference-mpp")
    sources = as_slides(source, source_mpp, "--source-mpp")
    with console.bar("Pairing") as bar:
        pairs = suggest_pairs(references, sources, on_progress=bar.share)
    if pairs.notice:
        console.say(pairs.notice)
    save_pairs(output, pairs)
    console.give(
        {
            "pairs": len(pairs.pairs),
            "patch_px": pairs.patch_px,
            "mpp": pairs.mpp,
            "mean_score": round(sum(pair.score for pair in pairs.pairs) / len(pairs.pairs), 3),
            "output": str(output),
        },
        as_json=as_json,
    )


@app.command()
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
    """Train a stain transfer from SOURCE to REFERENCE.

    Stop it with Ctrl-C and go on later with --resume: a checkpoint stands beside the model until it is done.
    """
    from napari_stainxfer.methods.fitting import fit
    from napari_stainxfer.training import Event

    checkpoint = output.with_name(f"{output.name}.checkpoint")
    with console.bar("Training") as bar, console.stoppable() as stop:

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
        except KeyboardInterrupt:
            kept = checkpoint.exists()
            raise StainTransferError(
                f"Stopped. Go on with the same command and --resume ({checkpoint} is kept)."
                if kept
                else "Stopped before the first step; nothing was written."
            ) from None
    model.save(output)
    checkpoint.unlink(missing_ok=True)
    console.give(
        {
            "model": str(output),
            "method": model.card.method,
            "pairs": model.card.pairs,
            "mpp": model.card.mpp,
            "patch_px": model.card.patch_px,
            **{name: round(value, 4) for name, value in model.card.metrics.items()},
        },
        as_json=as_json,
    )


@app.command()
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

    loaded, box = load(model), options.parse_region(region)
    targets = _targets(slides, output)
    written, failed = [], []
    for path, target in zip(slides, targets, strict=True):
        try:
            with open_slide(path, mpp=mpp) as slide, console.bar(slide.name) as bar:
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
            raise StainTransferError(f"Stopped; {target} was not written, run it again.") from None
        except StainTransferError as error:
            if len(slides) == 1:
                raise
            console.say(f"stainxfer: {error}")
            failed.append(str(path))
        else:
            written.append(str(target))
    console.give({"model": str(model), "outputs": written, "failed": failed}, as_json=as_json)
    if failed:
        raise StainTransferError(f"{len(failed)} of {len(slides)} slides were not written; see above.")


def _targets(slides: list[Path], output: Path) -> list[Path]:
    """One file, or one file a slide in a folder.

    Raises
    ------
    StainTransferError
        When several slides would go into one file, or onto each other or themselves.
    """
    is_file = output.suffix.lower() in (".tif", ".tiff")
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
    if not is_file:
        make_folder(output)
    return targets


@app.command()
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


@app.command()
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
    given = [(path, mpp) for path, mpp in ((reference, reference_mpp), (source, source_mpp)) if path]
    slides = [open_slide(path, mpp=mpp) for path, mpp in given]
    for slide in slides:
        slide.require_brightfield()

    from napari_stainxfer.plugin.window import show

    show(slides)


def main() -> None:
    """Run the command line: what a user can mend is one sentence and exit code 2."""
    try:
        app()
    except StainTransferError as error:
        console.say(f"stainxfer: {error}")
        sys.exit(2)
    except KeyboardInterrupt:
        console.say("stainxfer: stopped.")
        sys.exit(130)
