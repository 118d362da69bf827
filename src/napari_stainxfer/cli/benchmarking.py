"""The verbs that make the tables again: bench."""

from __future__ import annotations

import typer

from napari_stainxfer.cli.eight_labs import table2
from napari_stainxfer.cli.scanner_pairs import table1
from napari_stainxfer.cli.stopping import tells_when_stopped

bench = typer.Typer(no_args_is_help=True, help="Make the tables of the documentation, on your own data too.")

bench.command()(tells_when_stopped(table1))
bench.command()(tells_when_stopped(table2))
