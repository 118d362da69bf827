"""Hue, saturation and density: there and back, and what more stain changes."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_stainxfer.methods.hue_density import from_hue_density, to_hue_density

densities = arrays(np.float64, (7, 3), elements=st.floats(0.01, 5))


@given(densities)
def test_there_and_back(density: np.ndarray) -> None:
    there = torch.from_numpy(density)
    torch.testing.assert_close(from_hue_density(to_hue_density(there)), there)


@given(densities, st.floats(1.1, 10))
def test_more_of_a_stain_has_the_same_hue(density: np.ndarray, times: float) -> None:
    thin, thick = (to_hue_density(torch.from_numpy(density * factor)) for factor in (1, times))
    torch.testing.assert_close(thick[:, 0], thin[:, 0] * times)
    torch.testing.assert_close(thick[:, 1:], thin[:, 1:])


def test_the_corners_of_the_triangle() -> None:
    """Van der Laak's fig. 2: pure red absorption at (2, 0), green at (-1, sqrt 3), blue at (-1, -sqrt 3)."""
    corners = to_hue_density(torch.eye(3, dtype=torch.float64))[:, 1:].numpy()
    np.testing.assert_allclose(corners, [[2, 0], [-1, 3**0.5], [-1, -(3**0.5)]])


def test_no_stain_has_no_hue_and_no_nan() -> None:
    assert to_hue_density(torch.zeros(1, 3)).isfinite().all()
