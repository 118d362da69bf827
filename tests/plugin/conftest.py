"""Fixtures for the plugin without a window: napari's viewer model and small slides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from napari_stainxfer.phantom import phantom_slide
from napari_stainxfer.slides import Slide


@pytest.fixture
def plugin(npe2pm: Any) -> Iterator[None]:
    """This plugin as napari finds it, and no other."""
    npe2 = pytest.importorskip("npe2", reason="napari is not installed")
    with npe2pm.tmp_plugin(manifest=npe2.PluginManifest.from_distribution("napari-stainxfer")):
        yield


@pytest.fixture
def viewer() -> Iterator[Any]:
    """A viewer without a window."""
    components = pytest.importorskip("napari.components", reason="napari is not installed")
    model = components.ViewerModel()
    yield model
    model.layers.clear()


@pytest.fixture
def add_slide(viewer: Any) -> Any:
    """Adds a slide's layer to the viewer and returns it."""
    from napari_stainxfer.plugin.slide_layers import layer_data

    def add(slide: Slide) -> Any:
        data, options, _ = layer_data(slide)
        return viewer.add_image(data, **options)

    return add


@pytest.fixture
def lab1() -> Slide:
    return phantom_slide("lab1", seed=0, size_px=(1024, 1024))


@pytest.fixture
def lab2() -> Slide:
    return phantom_slide("lab2", seed=1, size_px=(1024, 1024))
