"""The command ``stainxfer``."""

from napari_stainxfer.cli.app import main

__all__ = ["main"]
