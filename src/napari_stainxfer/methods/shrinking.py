"""Statistics of too little tissue are drawn towards those of the other side.

A side that shows little tissue says little about its stain. The less there is, the more the transfer becomes
doing nothing: a few pixels of dust never decide how a slide is to look.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def shrunk(
    source: Floats | None, reference: Floats | None, source_trust: float, reference_trust: float
) -> tuple[Floats, Floats]:
    """Statistics of both sides, each mixed with the other's by how little it is trusted.

    Parameters
    ----------
    source, reference
        Of the same shape; None where there is nothing to measure.
    source_trust, reference_trust
        0 to 1; at 1 statistics are left as they are.

    Raises
    ------
    ValueError
        When neither side has any.
    """
    if source is None or reference is None:
        known = reference if source is None else source
        if known is None:
            raise ValueError("neither side has statistics")
        return known, known
    middle = (source_trust * source + reference_trust * reference) / max(source_trust + reference_trust, 1e-9)
    return (
        source_trust * source + (1 - source_trust) * middle,
        reference_trust * reference + (1 - reference_trust) * middle,
    )
