"""A napari window with the docks and slides in place: what ``stainxfer gui`` opens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from napari_stainxfer.plugin.docks import open_docks
from napari_stainxfer.plugin.session import Session
from napari_stainxfer.plugin.slide_layers import layer_data
from napari_stainxfer.plugin.warming import warm_up
from napari_stainxfer.slides import Slide


def open_window(slides: Sequence[Slide]) -> Any:
    """Open a viewer; the first slide is the reference, the others the source.

    Returns
    -------
    The viewer, shown.
    """
    import napari

    viewer = napari.Viewer(title="Stain Transfer")
    Session.of(viewer)
    for slide in slides:
        data, options, _ = layer_data(slide)
        viewer.add_image(data, **options)
    open_docks(viewer)
    return viewer


def show(slides: Sequence[Slide]) -> None:
    """Open the window and return when the user closes it."""
    import napari

    warm_up()  # all at once, while there is no canvas yet: see `keep_triton_out` for what comes after one
    open_window(slides)
    napari.run()
