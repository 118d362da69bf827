"""The command line: its verbs in the order they are used, and how it ends."""

from __future__ import annotations

import sys

import typer

from napari_stainxfer.cli import console
from napari_stainxfer.cli.applying import apply
from napari_stainxfer.cli.benchmarking import bench
from napari_stainxfer.cli.looking import demo, gui, info
from napari_stainxfer.cli.measuring import evaluate
from napari_stainxfer.cli.segmenting import segmenter
from napari_stainxfer.cli.stopping import EXIT_CODE, StoppedError, tells_when_stopped
from napari_stainxfer.cli.training import pair, train
from napari_stainxfer.errors import StainTransferError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Few-shot stain transfer for histology slides.",
)

for verb in (info, pair, train, apply, evaluate, segmenter, demo, gui):
    app.command()(tells_when_stopped(verb))
app.add_typer(bench, name="bench")


def run() -> None:
    """Run the command line: what a user can mend is one sentence and exit code 2."""
    try:
        app()
    except StainTransferError as error:
        console.say(f"stainxfer: {error}")
        sys.exit(EXIT_CODE if isinstance(error, StoppedError) else 2)
