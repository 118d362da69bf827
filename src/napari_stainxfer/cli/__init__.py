"""The command ``stainxfer``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line.

    What it needs is imported here and not above: that takes seconds, in which Ctrl-C must not end in a
    traceback either.
    """
    try:
        from napari_stainxfer.cli.app import run

        run()
    except KeyboardInterrupt:
        print("stainxfer: stopped.", file=sys.stderr)  # noqa: T201 (the console may not be there yet)
        sys.exit(130)
