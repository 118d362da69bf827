"""``python -m napari_stainxfer`` is ``stainxfer``."""

from napari_stainxfer.cli import main

main()
