"""A napari window opens and draws here: what every test of the plugin's widgets stands on."""

from __future__ import annotations

import os

import numpy as np
import pytest

napari = pytest.importorskip("napari", reason="napari is not installed: pip install napari-stainxfer[napari]")
if os.environ.get("QT_QPA_PLATFORM") == "offscreen":
    pytest.skip("a real canvas needs a display; tests/run.sh brings one (Xvfb)", allow_module_level=True)


def test_the_canvas_shows_the_pixels_of_an_image() -> None:
    stain = np.full((64, 64, 3), (200, 60, 140), dtype=np.uint8)
    viewer = napari.Viewer()
    try:
        viewer.add_image(stain, rgb=True)
        shown = viewer.screenshot(canvas_only=True, flash=False)
    finally:
        viewer.close()
    middle = shown[shown.shape[0] // 2, shown.shape[1] // 2, :3]
    np.testing.assert_allclose(middle, stain[0, 0], atol=2)
