"""What ``fit`` refuses before the slow part."""

from __future__ import annotations

import numpy as np
import pytest

from napari_stainxfer import fit
from napari_stainxfer.errors import StainTransferError

BLANK = np.full((64, 64, 3), 200, np.uint8)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"preset": "hasty"}, "quick, paper"),
        ({"method": "magic"}, "nst-ad-hrnet"),
        ({"device": "abacus"}, "cpu"),
        ({"resume": True}, "resume"),
        ({"epochs": 0}, "at least 1 epoch"),
        ({"seed": -1}, "0 or more"),
        ({"method": "dcgmm", "epochs": 0}, "at least 1 epoch"),
        ({}, "--reference-mpp"),
    ],
)
def test_refused_with_a_sentence(options: dict[str, object], says: str) -> None:
    with pytest.raises(StainTransferError, match=says):
        fit(BLANK, BLANK, **options)


def test_empty_list_of_slides_is_refused() -> None:
    with pytest.raises(StainTransferError, match="at least one"):
        fit([], BLANK, source_mpp=0.5)
